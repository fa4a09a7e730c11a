#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/inputs.h"
#include "agent/table.h"
#include "agent/up_options.h"
#include "agent/workload.h"

static char directory[] = "/tmp/chirr-workload-XXXXXX";

static void make_directory(void)
{
    cr_assert_not_null(mkdtemp(directory));
}

static void remove_directory(void)
{
    rmdir(directory);
}

/* The file's bytes, to be freed. */
static char *read_all(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file);
    char *text = calloc(1, 1 << 20);
    *bytes = fread(text, 1, (1 << 20) - 1, file);
    fclose(file);
    return text;
}

static char *input_text(struct chirr_input input, size_t *bytes)
{
    char path[64];
    struct chirr_error error;
    uint64_t written = 0;
    snprintf(path, sizeof path, "%s/input", directory);
    cr_assert_eq(chirr_input_write(&input, path, &written, &error), CHIRR_OK);
    char *text = read_all(path, bytes);
    cr_assert_eq(*bytes, written);
    unlink(path);
    return text;
}

Test(inputs, equal_seeds_make_equal_files_and_other_streams_others, .init = make_directory,
     .fini = remove_directory)
{
    for (int kind = CHIRR_INPUT_BINARY; kind <= CHIRR_INPUT_SOURCE; kind++) {
        size_t a_bytes, b_bytes, c_bytes;
        char *a = input_text((struct chirr_input){kind, 5000, 3, 1}, &a_bytes);
        char *b = input_text((struct chirr_input){kind, 5000, 3, 1}, &b_bytes);
        char *c = input_text((struct chirr_input){kind, 5000, 3, 2}, &c_bytes);
        cr_assert_eq(a_bytes, b_bytes);
        cr_assert_eq(memcmp(a, b, a_bytes), 0);
        cr_assert(a_bytes != c_bytes || memcmp(a, c, a_bytes) != 0);
        cr_assert_geq(a_bytes, 5000);
        cr_assert_lt(a_bytes, 6000);
        free(a);
        free(b);
        free(c);
    }
}

Test(inputs, a_file_that_cannot_be_written_is_named)
{
    struct chirr_error error;
    uint64_t written;
    const struct chirr_input input = {CHIRR_INPUT_LINES, 100, 1, 1};
    cr_assert_eq(chirr_input_write(&input, "/nonexistent/input", &written, &error), CHIRR_ERR_IO);
    cr_assert_not_null(strstr(error.text, "/nonexistent/input"));
}

Test(workload, a_path_is_quoted_wherever_the_command_names_its_input)
{
    char out[128];
    cr_assert_eq(chirr_workload_command("cat {input} {input} | wc", "/a b/it's", out, sizeof out),
                 CHIRR_OK);
    cr_assert_str_eq(out, "cat '/a b/it'\\''s' '/a b/it'\\''s' | wc");
}

Test(workload, a_command_that_does_not_fit_is_refused)
{
    char out[8];
    cr_assert_eq(chirr_workload_command("cat {input}", "/a", out, sizeof out), CHIRR_ERR_FULL);
    cr_assert_eq(chirr_workload_command("1234567", "/a", out, sizeof out), CHIRR_OK);
    cr_assert_eq(chirr_workload_command("12345678", "/a", out, sizeof out), CHIRR_ERR_FULL);
}

static struct chirr_workload workload_of(uint32_t jobs)
{
    struct chirr_workload workload = {
        .job_count = jobs,
        .over_ms = 10000,
        .seed = 5,
        .time_limit_ms = 1000,
        .kind_count = 2,
        .kinds = {{.kind = "a", .command = "true", .size_bytes_max = 7},
                  {.kind = "b",
                   .command = "cat {input}",
                   .input = CHIRR_INPUT_BINARY,
                   .size_bytes_min = 100,
                   .size_bytes_max = 1000}},
    };
    return workload;
}

Test(workload, jobs_arrive_in_order_within_their_time_and_their_sizes, .init = make_directory,
     .fini = remove_directory)
{
    struct chirr_error error;
    const struct chirr_workload workload = workload_of(40);
    struct chirr_workload_run *run = chirr_workload_create(&workload, directory, &error);
    cr_assert_not_null(run, "%s", error.text);
    const struct chirr_workload_job *jobs = chirr_workload_jobs(run);
    for (uint32_t i = 0; i < 40; i++) {
        cr_assert_lt(jobs[i].due_us, 10 * CHIRR_US_PER_S);
        cr_assert(i == 0 || jobs[i].due_us >= jobs[i - 1].due_us);
        cr_assert_eq(jobs[i].kind, i % 2);
        cr_assert(i % 2 == 0 ? jobs[i].size_bytes == 7
                             : jobs[i].size_bytes >= 100 && jobs[i].size_bytes <= 1000);
    }
    struct chirr_workload_counts counts = chirr_workload_count(run);
    cr_assert_eq(counts.planned, 40);
    cr_assert_eq(counts.accepted, 0);
    cr_assert_not(chirr_workload_is_over(run));
    chirr_workload_destroy(run, false);
}

Test(workload, more_jobs_or_bytes_than_the_limits_are_refused, .init = make_directory,
     .fini = remove_directory)
{
    struct chirr_error error;
    struct chirr_workload workload = workload_of(CHIRR_WORKLOAD_JOBS_MAX + 1);
    cr_assert_null(chirr_workload_create(&workload, directory, &error));
    cr_assert_eq(error.code, CHIRR_ERR_RANGE);
    workload = workload_of(10);
    workload.kinds[1].size_bytes_min = CHIRR_WORKLOAD_INPUT_BYTES_MAX;
    workload.kinds[1].size_bytes_max = CHIRR_WORKLOAD_INPUT_BYTES_MAX;
    cr_assert_null(chirr_workload_create(&workload, directory, &error));
    cr_assert_eq(error.code, CHIRR_ERR_RANGE);
}

Test(up_options, times_have_units_and_limits)
{
    static const struct {
        const char *text;
        chirr_time_us us; /* 0: refused */
    } cases[] = {{"60s", 60000000}, {"60", 60000000},   {"500ms", 500000},
                 {"2m", 120000000}, {"1h", 3600000000}, {"1.5s", 1500000},
                 {"0s", 0},         {"-1s", 0},         {"", 0},
                 {"s", 0},          {"5 s", 0},         {"5d", 0},
                 {"nan", 0},        {"inf", 0},         {"1e99h", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        chirr_time_us us = 0;
        enum chirr_err err = chirr_up_duration_parse(cases[i].text, &us);
        cr_assert_eq(err, cases[i].us > 0 ? CHIRR_OK : CHIRR_ERR_INVALID, "%s", cases[i].text);
        cr_assert_eq(us, cases[i].us, "%s", cases[i].text);
    }
}

Test(up_options, every_option_is_understood_in_both_spellings)
{
    char *arguments[] = {"up",      "--for",  "2s",      "fleet.yaml", "--summary=out.json",
                         "--chaos", "--json", "--state", "dir",        "--keep"};
    struct chirr_up_options options;
    struct chirr_error error;
    cr_assert_eq(chirr_up_options_parse(10, arguments, &options, &error), CHIRR_OK);
    cr_assert_str_eq(options.fleet_path, "fleet.yaml");
    cr_assert_str_eq(options.summary_path, "out.json");
    cr_assert_str_eq(options.state_dir, "dir");
    cr_assert_eq(options.for_us, 2 * CHIRR_US_PER_S);
    cr_assert(options.chaos && options.json && options.keep);
}

Test(up_options, a_mistake_is_named)
{
    static char *const mistakes[][3] = {{"up", NULL, NULL},
                                        {"up", "--for", NULL},
                                        {"up", "--fro", "f.yaml"},
                                        {"up", "a.yaml", "b.yaml"},
                                        {"up", "a.yaml", "--for=soon"}};
    static const char *const words[] = {"expected the file", "--for", "--fro", "b.yaml", "soon"};
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        char *arguments[3];
        memcpy(arguments, mistakes[i], sizeof arguments);
        int count = 1;
        while (count < 3 && arguments[count] != NULL) {
            count++;
        }
        struct chirr_up_options options;
        struct chirr_error error;
        cr_assert_eq(chirr_up_options_parse(count, arguments, &options, &error), CHIRR_ERR_INVALID);
        cr_assert_not_null(strstr(error.text, words[i]), "%s", error.text);
    }
}

Test(table, bytes_are_short_for_people)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {{0, "0 B"},      {999, "999 B"},     {1000, "1.0 kB"},   {9940, "9.9 kB"},
                 {9960, "10 kB"}, {999400, "999 kB"}, {999600, "1.0 MB"}, {UINT64_MAX, "18 EB"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[CHIRR_TABLE_BYTES_TEXT];
        chirr_table_format_bytes(cases[i].bytes, text);
        cr_assert_str_eq(text, cases[i].text);
    }
}

Test(workload, a_directory_that_no_command_can_name_is_refused, .init = make_directory,
     .fini = remove_directory)
{
    struct chirr_error error;
    char path[128], repeated[CHIRR_COMMAND_BYTES_MAX];
    struct chirr_workload workload = workload_of(2);
    snprintf(path, sizeof path, "%s/caf\xc3\xa9", directory);
    cr_assert_null(chirr_workload_create(&workload, path, &error));
    cr_assert_eq(error.code, CHIRR_ERR_RANGE);
    cr_assert_not_null(strstr(error.text, "--state"));
    for (size_t at = 0; at + 8 < 400; at += 8) {
        memcpy(repeated + at, "{input} ", 9);
    }
    memcpy(workload.kinds[1].command, repeated, sizeof repeated);
    cr_assert_null(chirr_workload_create(&workload, directory, &error));
    cr_assert_not_null(strstr(error.text, "kind b"), "%s", error.text);
}
