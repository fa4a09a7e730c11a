#include "agent/cli_activation.h"

#include <stdio.h>
#include <string.h>

#include "model/model.h"

double chirr_cli_share_full(double active, double hosted)
{
    return active > 0 && active < hosted ? 2 * active / hosted : 1;
}

void chirr_cli_cell_share(char cell[CHIRR_CLI_CELL_BYTES_MAX], double share, double full)
{
    static const char *const shades[] = {"  ", "░░", "▒▒", "▓▓", "██"};
    double step = 5 * share / full;
    snprintf(cell, CHIRR_CLI_CELL_BYTES_MAX, "%s %4.0f%%",
             shades[step >= 4   ? 4
                    : step >= 1 ? (int)step
                                : 0],
             100 * share);
}

static json_int_t whole(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* Over the layers. */
static double mean(const json_t *share)
{
    double sum = 0;
    size_t layers = json_array_size(share);
    for (size_t layer = 0; layer < layers; layer++) {
        sum += json_number_value(json_array_get(share, layer));
    }
    return layers > 0 ? sum / (double)layers : 0;
}

static void fill_row(char (*row)[CHIRR_CLI_CELL_BYTES_MAX], const json_t *activation, size_t index)
{
    const json_t *hosted = json_object_get(activation, "hosted");
    const json_t *senses = json_object_get(activation, "senses");
    double full =
        chirr_cli_share_full((double)whole(activation, "active"), (double)json_array_size(hosted));
    snprintf(row[0], sizeof row[0], "%" JSON_INTEGER_FORMAT,
             json_integer_value(json_array_get(hosted, index)));
    for (size_t s = 0; s < json_array_size(senses) && s < CHIRR_MODEL_SENSES_MAX; s++) {
        const json_t *shares = json_object_get(json_array_get(senses, s), "shares");
        const json_t *share = json_object_get(json_array_get(shares, index), "share");
        if (share == NULL) {
            strcpy(row[1 + s], "-");
        } else {
            chirr_cli_cell_share(row[1 + s], mean(share), full);
        }
    }
}

static void print_map(const json_t *activation)
{
    struct chirr_cli_column columns[CHIRR_MODEL_SENSES_MAX + 2] = {{"PARTITION", true}};
    struct chirr_cli_table table = {.columns = columns};
    const json_t *senses = json_object_get(activation, "senses");
    for (size_t s = 0; s < json_array_size(senses) && s < CHIRR_MODEL_SENSES_MAX; s++) {
        const char *name = json_string_value(json_object_get(json_array_get(senses, s), "name"));
        columns[1 + s] = (struct chirr_cli_column){name != NULL ? name : "-", false};
    }
    size_t count = json_array_size(json_object_get(activation, "hosted"));
    for (size_t i = 0; i < count; i++) {
        char(*row)[CHIRR_CLI_CELL_BYTES_MAX] = chirr_cli_table_row(&table);
        if (row != NULL) {
            fill_row(row, activation, i);
        }
    }
    chirr_cli_table_print(&table);
    chirr_cli_table_finish(&table);
}

void chirr_cli_print_activation(const char *title, const json_t *activation)
{
    long long active = (long long)whole(activation, "active");
    size_t hosted = json_array_size(json_object_get(activation, "hosted"));
    if (active == 0) {
        printf("%s: no selector, each of the %zu partitions hosted answers at every step\n", title,
               hosted);
        return;
    }
    printf("%s: %lld of the %zu partitions hosted answer at a time; shares of about the last\n"
           "2048 steps of each sense, means over the layers\n\n",
           title, active, hosted);
    print_map(activation);
}
