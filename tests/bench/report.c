/* Figures as rows of a table or lines of JSON, each as soon as it is known. */
#include "tests/bench/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_BYTES_MAX 256

static bool is_measured(const struct chirr_bench_result *result)
{
    return !isnan(result->value);
}

static bool passes(const struct chirr_bench_result *result)
{
    return result->bound == CHIRR_BENCH_AT_LEAST ? result->value >= result->target
                                                 : result->value <= result->target;
}

static const char *sign_of(enum chirr_bench_bound bound)
{
    return bound == CHIRR_BENCH_AT_LEAST ? ">=" : "<=";
}

static void print_line(const struct chirr_bench_context *context,
                       const struct chirr_bench_result *result)
{
    json_t *line = json_pack(
        "{s:s, s:s, s:o, s:s}", "bench", context->bench->name, "metric", result->metric, "value",
        is_measured(result) ? json_real(result->value) : json_null(), "unit", result->unit);
    json_object_update_missing(line, result->fields);
    if (result->bound != CHIRR_BENCH_NO_TARGET) {
        char target[32];
        snprintf(target, sizeof target, "%s %g", sign_of(result->bound), result->target);
        json_object_set_new(line, "target", json_string(target));
        if (is_measured(result)) {
            json_object_set_new(line, "pass", json_boolean(passes(result)));
        }
    }
    json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(line);
}

/* "params 144000, position 256" */
static void format_fields(json_t *fields, char text[FIELDS_BYTES_MAX])
{
    size_t used = 0;
    const char *key;
    json_t *value;
    text[0] = 0;
    json_object_foreach(fields, key, value)
    {
        char one[96];
        if (json_is_string(value)) {
            snprintf(one, sizeof one, "%s", json_string_value(value));
        } else if (json_is_number(value)) {
            snprintf(one, sizeof one, "%.7g", json_number_value(value));
        } else {
            char *dumped =
                json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(4));
            snprintf(one, sizeof one, "%s", dumped != NULL ? dumped : "");
            free(dumped);
        }
        int length = snprintf(text + used, FIELDS_BYTES_MAX - used, "%s%s %s", used > 0 ? ", " : "",
                              key, one);
        used += (size_t)length;
        if (used >= FIELDS_BYTES_MAX) {
            return;
        }
    }
}

static void print_row(const struct chirr_bench_context *context,
                      const struct chirr_bench_result *result)
{
    char target[32] = "";
    char value[32] = "-";
    char fields[FIELDS_BYTES_MAX];
    const char *verdict = "";
    if (result->bound != CHIRR_BENCH_NO_TARGET) {
        snprintf(target, sizeof target, "%s %g", sign_of(result->bound), result->target);
        verdict = !is_measured(result) ? "none" : passes(result) ? "pass" : "MISS";
    }
    format_fields(result->fields, fields);
    if (is_measured(result)) {
        snprintf(value, sizeof value, "%.4g", result->value);
    }
    printf("%-18s %-24s %10s %-9s %-10s %-4s  %s\n", context->bench->name, result->metric, value,
           result->unit, target, verdict, fields);
}

void chirr_bench_report_header(const struct chirr_bench_context *context)
{
    if (!context->json) {
        printf("%-18s %-24s %10s %-9s %-10s %-4s  %s\n", "BENCH", "METRIC", "VALUE", "UNIT",
               "TARGET", "", "FIELDS");
    }
}

void chirr_bench_report(struct chirr_bench_context *context,
                        const struct chirr_bench_result *result)
{
    if (context->progress) {
        fputs("\r\033[K", stderr);
    }
    if (context->json) {
        print_line(context, result);
    } else {
        print_row(context, result);
    }
    fflush(stdout);
    json_decref(result->fields);
}

void chirr_bench_progress(const struct chirr_bench_context *context, double fraction)
{
    if (context->progress) {
        fprintf(stderr, "\r\033[K%s: %.0f%%", context->bench->name, 100 * fraction);
    }
}
