#include "agent/sense.h"

#include <criterion/criterion.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/directory.h"

static char directory[DIRECTORY_PATH_BYTES_MAX];
static struct chirr_error error;
static uint8_t buffer[65536];

static void setup(void)
{
    directory_create(directory);
}

static void teardown(void)
{
    directory_remove(directory);
}

TestSuite(sense, .init = setup, .fini = teardown, .timeout = 60);

static void write_text(const char *name, const char *text)
{
    directory_write(directory, name, text, strlen(text));
}

/* Each pattern is below the test's directory. */
static struct chirr_sense_config files(const char *first, const char *second)
{
    struct chirr_sense_config config = {.name = "text", .source = CHIRR_SOURCE_FILE};
    snprintf(config.from, sizeof config.from, "%s %s", directory_file(directory, first),
             directory_file(directory, second));
    return config;
}

static struct chirr_source *make(const struct chirr_sense_config *config)
{
    struct chirr_source *source = chirr_source_create(config, 1, &error);
    cr_assert_not_null(source, "%s", error.text);
    return source;
}

static size_t take(struct chirr_source *source, chirr_time_us now, size_t capacity)
{
    size_t count;
    cr_assert_eq(chirr_source_poll_bytes(source, now, buffer, capacity, &count), CHIRR_OK);
    cr_assert(count <= capacity);
    return count;
}

Test(sense, reads_files_in_sorted_order_and_starts_over)
{
    write_text("b.txt", "bb");
    write_text("a.txt", "a");
    write_text("c.text", "ccc");
    struct chirr_sense_config config = files("*.text", "*.txt");
    struct chirr_source *source = make(&config);
    cr_assert_eq(take(source, 0, 14), 14);
    cr_assert_eq(memcmp(buffer, "abbcccabbcccab", 14), 0);
    cr_assert_eq(chirr_source_count(source)->rounds, 2);
    cr_assert_eq(chirr_source_count(source)->bytes, 14);
    chirr_source_destroy(source);
}

Test(sense, reads_what_stands_after_a_bar_only_when_nothing_before_it_matches)
{
    static const struct {
        const char *first, *second, *third; /* "first second | third" */
        const char *expected;
    } cases[] = {
        {"a.*", "b.*", "c.*", "abbabb"},
        {"none", "b.*", "c.*", "bbbbbb"},
        {"none", "nor", "c.*", "cccccc"},
    };
    write_text("a.txt", "a");
    write_text("b.txt", "bb");
    write_text("c.txt", "ccc");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct chirr_sense_config config = files(cases[i].first, cases[i].second);
        size_t used = strlen(config.from);
        snprintf(config.from + used, sizeof config.from - used, " | %s",
                 directory_file(directory, cases[i].third));
        struct chirr_source *source = make(&config);
        cr_assert_eq(take(source, 0, 6), 6);
        cr_assert_eq(memcmp(buffer, cases[i].expected, 6), 0, "%.6s", (const char *)buffer);
        chirr_source_destroy(source);
    }
}

Test(sense, keeps_to_its_rate_whatever_the_poller_does)
{
    write_text("a.txt", "0123456789");
    struct chirr_sense_config config = files("*.txt", "*.txt");
    config.rate_bytes_per_s = 1000;
    struct chirr_source *source = make(&config);
    size_t total = 0;
    int polls = 0;
    for (chirr_time_us now = 0; now < 10 * CHIRR_US_PER_S; polls++) {
        total += take(source, now, sizeof buffer);
        chirr_time_us deadline = chirr_source_deadline(source);
        cr_assert(deadline > now, "an empty bucket asks for a rest");
        now = deadline;
    }
    cr_assert(total >= 9900 && total <= 10000, "%zu bytes", total);
    cr_assert(polls < 300, "%d polls", polls);
    cr_assert(take(source, 3600 * CHIRR_US_PER_S, sizeof buffer) <= 250, "a pause saves up 1/4 s");
    chirr_source_destroy(source);
}

Test(sense, never_delivers_what_is_held_out_and_held_out_is_the_rest)
{
    char text[1001];
    for (int i = 0; i < 1000; i++) {
        text[i] = (char)('a' + i % 26);
    }
    text[1000] = '\0';
    write_text("a.txt", text);
    struct chirr_sense_config config = files("a.txt", "a.txt");
    config.skip_bytes_per_mille = 100;
    struct chirr_source *source = make(&config);
    cr_assert_eq(take(source, 0, 1000), 1000);
    cr_assert_eq(memcmp(buffer, text, 900), 0);
    cr_assert_eq(memcmp(buffer + 900, text, 100), 0, "starts over after 900 bytes");
    size_t bytes;
    cr_assert_eq(chirr_source_held_out(&config, buffer, sizeof buffer, &bytes, &error), CHIRR_OK);
    cr_assert_eq(bytes, 100);
    cr_assert_eq(memcmp(buffer, text + 900, 100), 0);
    config.skip_bytes_per_mille = 0;
    cr_assert_eq(chirr_source_held_out(&config, buffer, sizeof buffer, &bytes, &error),
                 CHIRR_ERR_NOTFOUND);
    chirr_source_destroy(source);
}

Test(sense, takes_held_out_text_evenly_from_all_files)
{
    char text[20001];
    for (int file = 0; file < 5; file++) {
        char name[16];
        snprintf(name, sizeof name, "%d.txt", file);
        memset(text, 'a' + file, 20000);
        text[20000] = '\0';
        write_text(name, text);
    }
    struct chirr_sense_config config = files("*.txt", "none");
    config.skip_bytes_per_mille = 500;
    size_t bytes, count[5] = {0};
    cr_assert_eq(chirr_source_held_out(&config, buffer, 5000, &bytes, &error), CHIRR_OK);
    cr_assert_eq(bytes, 5000);
    for (size_t i = 0; i < bytes; i++) {
        count[buffer[i] - 'a']++;
    }
    for (int file = 0; file < 5; file++) {
        cr_assert_eq(count[file], 1000);
    }
}

Test(sense, skips_and_counts_what_is_no_text_and_never_waits_for_a_fifo)
{
    write_text("a.txt", "good");
    write_text("empty.txt", "");
    directory_write(directory, "binary.txt", "ab\0cd", 5);
    cr_assert_eq(mkfifo(directory_file(directory, "fifo.txt"), 0600), 0);
    cr_assert_eq(mkdir(directory_file(directory, "directory.txt"), 0700), 0);
    write_text("gone.txt", "gone");
    struct chirr_sense_config config = files("*.txt", "none");
    struct chirr_source *source = make(&config);
    cr_assert_eq(unlink(directory_file(directory, "gone.txt")), 0);
    cr_assert_eq(take(source, 0, 8), 8);
    cr_assert_eq(memcmp(buffer, "goodgood", 8), 0);
    cr_assert_eq(chirr_source_count(source)->files_empty, 1);
    cr_assert_eq(chirr_source_count(source)->files_binary, 1);
    cr_assert_eq(chirr_source_count(source)->files_unreadable, 1);
    chirr_source_destroy(source);
}

Test(sense, tries_again_later_when_every_file_has_gone)
{
    write_text("a.txt", "good");
    struct chirr_sense_config config = files("*.txt", "none");
    struct chirr_source *source = make(&config);
    cr_assert_eq(take(source, 0, 4), 4);
    cr_assert_eq(unlink(directory_file(directory, "a.txt")), 0);
    size_t count;
    cr_assert_eq(chirr_source_poll_bytes(source, 1, buffer, 4, &count), CHIRR_ERR_IO);
    cr_assert_eq(take(source, 2, 4), 0);
    cr_assert_eq(chirr_source_deadline(source), 1 + CHIRR_US_PER_S);
    write_text("a.txt", "back");
    cr_assert_eq(take(source, 1 + CHIRR_US_PER_S, 4), 4);
    cr_assert_eq(memcmp(buffer, "back", 4), 0);
    chirr_source_destroy(source);
}

Test(sense, names_globs_that_match_nothing_and_commands_that_are_none)
{
    struct chirr_sense_config config = files("*.none", "*.nothing");
    cr_assert_null(chirr_source_create(&config, 1, &error));
    cr_assert_eq(error.code, CHIRR_ERR_NOTFOUND);
    cr_assert_not_null(strstr(error.text, "*.nothing"), "%s", error.text);
    directory_write(directory, "a.none", "\0", 1);
    cr_assert_null(chirr_source_create(&config, 1, &error));
    cr_assert_eq(error.code, CHIRR_ERR_NOTFOUND);
    cr_assert_not_null(strstr(error.text, "readable text"), "%s", error.text);
    config = (struct chirr_sense_config){.name = "x", .source = CHIRR_SOURCE_EXEC, .from = "  "};
    cr_assert_null(chirr_source_create(&config, 1, &error));
    cr_assert_eq(error.code, CHIRR_ERR_CONFIG);
}

/* ---- exec: ----------------------------------------------------------------------------------- */

static chirr_time_us clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (chirr_time_us)now.tv_sec * CHIRR_US_PER_S + now.tv_nsec / 1000;
}

/* Polls as the learner does until `wanted` bytes came or `timeout_ms` passed. */
static size_t gather(struct chirr_source *source, uint8_t *out, size_t wanted, int timeout_ms)
{
    size_t total = 0, count;
    chirr_time_us end = clock_now() + chirr_time_from_ms(timeout_ms);
    while (total < wanted && clock_now() < end) {
        enum chirr_err err =
            chirr_source_poll_bytes(source, clock_now(), out + total, wanted - total, &count);
        cr_assert_eq(err, CHIRR_OK);
        total += count;
        struct pollfd item = {.fd = chirr_source_fd(source), .events = POLLIN};
        poll(&item, 1, count > 0 ? 0 : 10);
    }
    return total;
}

static struct chirr_source *run(const char *command, uint32_t rate_bytes_per_s)
{
    struct chirr_sense_config config = {
        .name = "command", .source = CHIRR_SOURCE_EXEC, .rate_bytes_per_s = rate_bytes_per_s};
    snprintf(config.from, sizeof config.from, "%s", command);
    return make(&config);
}

Test(sense, gives_what_a_command_prints_but_not_its_errors)
{
    struct chirr_source *source = run("echo words; echo noise >&2; exec sleep 60", 0);
    cr_assert_eq(gather(source, buffer, 6, 5000), 6);
    cr_assert_eq(memcmp(buffer, "words\n", 6), 0);
    cr_assert_eq(gather(source, buffer, 1, 100), 0);
    chirr_source_destroy(source);
}

Test(sense, starts_a_command_that_ended_again_after_a_rest)
{
    struct chirr_source *source = run("echo again", 0);
    cr_assert_eq(gather(source, buffer, 6, 5000), 6);
    cr_assert_eq(chirr_source_count(source)->restarts, 0);
    cr_assert_eq(gather(source, buffer, 6, 100), 0, "not at once");
    cr_assert_eq(gather(source, buffer, 6, 10000), 6);
    cr_assert_eq(chirr_source_count(source)->restarts, 1);
    chirr_source_destroy(source);
}

Test(sense, paces_a_command_that_floods)
{
    struct chirr_source *source = run("exec cat /dev/zero", 10000);
    size_t bytes = gather(source, buffer, sizeof buffer, 1000);
    cr_assert(bytes >= 2000 && bytes <= 13000, "%zu bytes in a second", bytes);
    chirr_source_destroy(source);
}

Test(sense, kills_a_command_with_all_its_children_when_destroyed)
{
    struct chirr_source *source = run("sleep 60 & echo $!; wait", 0);
    cr_assert(gather(source, buffer, 2, 5000) >= 2);
    size_t more = gather(source, buffer + 2, 8, 200);
    buffer[2 + more] = '\0';
    pid_t grandchild = atoi((char *)buffer);
    cr_assert(grandchild > 1);
    cr_assert_eq(kill(grandchild, 0), 0);
    chirr_source_destroy(source);
    int waited_ms = 0;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/cmdline", grandchild);
    for (; waited_ms < 5000; waited_ms += 10) {
        FILE *file = fopen(path, "r");
        int first = file == NULL ? EOF : fgetc(file); /* a zombie has no command line */
        if (file != NULL) {
            fclose(file);
        }
        if (first == EOF) {
            break;
        }
        usleep(10000);
    }
    cr_assert(waited_ms < 5000, "%d still runs", grandchild);
}

Test(sense, ends_with_standard_input)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    struct chirr_sense_config config = {.name = "in", .source = CHIRR_SOURCE_STDIN};
    struct chirr_source *source = make(&config);
    cr_assert_eq(take(source, 0, 8), 0, "nothing there: does not wait");
    cr_assert_eq(write(ends[1], "typed", 5), 5);
    cr_assert_eq(chirr_source_fd(source), STDIN_FILENO);
    cr_assert_eq(take(source, 0, 8), 5);
    close(ends[1]);
    size_t count;
    cr_assert_eq(chirr_source_poll_bytes(source, 0, buffer, 8, &count), CHIRR_ERR_NOTFOUND);
    cr_assert_eq(chirr_source_fd(source), -1);
    cr_assert_eq(chirr_source_deadline(source), CHIRR_TIME_NEVER);
    chirr_source_destroy(source);
}

/* ---- proc: ----------------------------------------------------------------------------------- */

static void write_proc(unsigned busy, unsigned idle, unsigned long sectors, unsigned long bytes)
{
    char text[512];
    snprintf(text, sizeof text, "cpu  %u 0 0 %u 0 0 0 0 0 0\ncpu0 1 0 0 1\ncpu1 1 0 0 1\nintr 5\n",
             busy, idle);
    write_text("stat", text);
    write_text("loadavg", "3.00 2.00 1.00 1/100 4242\n");
    write_text("meminfo", "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 250 kB\n"
                          "SwapTotal: 100 kB\nSwapFree: 90 kB\n");
    snprintf(text, sizeof text,
             "   7 0 loop0 9 0 999999 0 9 0 999999 0 0 0 0\n"
             " 259 0 nvme0n1 5 0 %lu 0 5 0 %lu 0 0 0 0\n"
             " 259 1 nvme0n1p1 5 0 %lu 0 5 0 %lu 0 0 0 0\n",
             sectors, 2 * sectors, sectors, 2 * sectors);
    write_text("diskstats", text);
    mkdir(directory_file(directory, "net"), 0700);
    snprintf(text, sizeof text,
             "Inter-|   Receive\n face |bytes\n"
             "    lo: 999%lu 1 0 0 0 0 0 0 999%lu 1 0 0 0 0 0 0\n"
             "  eth0:%lu 1 0 0 0 0 0 0 %lu 1 0 0 0 0 0 0\n",
             bytes, bytes, bytes, 3 * bytes);
    write_text("net/dev", text);
}

static struct chirr_source *watch(void)
{
    struct chirr_sense_config config = {
        .name = "machine", .source = CHIRR_SOURCE_PROC, .interval_ms = 2000};
    snprintf(config.from, sizeof config.from, "%s", directory);
    return make(&config);
}

static void close_to(float value, double expected)
{
    cr_assert(fabs((double)value - expected) < 1e-5, "%f is not %f", (double)value, expected);
}

Test(sense, makes_rates_of_what_the_kernel_counts)
{
    float v[CHIRR_PROC_WIDTH];
    size_t count;
    write_proc(100, 100, 0, 0);
    struct chirr_source *source = watch();
    cr_assert_eq(chirr_source_poll_vector(source, 0, v, CHIRR_PROC_WIDTH, &count), CHIRR_OK);
    cr_assert_eq(count, CHIRR_PROC_WIDTH);
    cr_assert(isnan(v[CHIRR_PROC_CPU]) && isnan(v[CHIRR_PROC_NET_IN]));
    close_to(v[CHIRR_PROC_LOAD], log1p(1.5));
    close_to(v[CHIRR_PROC_MEMORY], 0.75);
    close_to(v[CHIRR_PROC_SWAP], 0.1);
    write_proc(130, 110, 15625, 4000000); /* 8 MB read in 2 s */
    cr_assert_eq(chirr_source_poll_vector(source, 1999999, v, CHIRR_PROC_WIDTH, &count), CHIRR_OK);
    cr_assert_eq(count, 0, "before the interval has passed");
    cr_assert_eq(chirr_source_deadline(source), 2000000);
    cr_assert_eq(chirr_source_poll_vector(source, 2000000, v, CHIRR_PROC_WIDTH, &count), CHIRR_OK);
    cr_assert_eq(count, CHIRR_PROC_WIDTH);
    close_to(v[CHIRR_PROC_CPU], 0.75);
    close_to(v[CHIRR_PROC_DISK_READ], log1p(4));
    close_to(v[CHIRR_PROC_DISK_WRITE], log1p(8));
    close_to(v[CHIRR_PROC_NET_IN], log1p(2));
    close_to(v[CHIRR_PROC_NET_OUT], log1p(6));
    chirr_source_destroy(source);
}

Test(sense, calls_what_is_missing_missing)
{
    float v[CHIRR_PROC_WIDTH];
    size_t count;
    struct chirr_source *source = watch();
    cr_assert_eq(chirr_source_poll_vector(source, 0, v, CHIRR_PROC_WIDTH, &count), CHIRR_OK);
    for (int i = 0; i < CHIRR_PROC_WIDTH; i++) {
        cr_assert(isnan(v[i]), "%s", chirr_proc_component_name(i));
    }
    cr_assert_eq(chirr_source_count(source)->missing, CHIRR_PROC_WIDTH);
    write_proc(100, 100, 1000, 1000);
    cr_assert_eq(chirr_source_poll_vector(source, 2000000, v, CHIRR_PROC_WIDTH, &count), CHIRR_OK);
    write_proc(50, 50, 500, 500);
    cr_assert_eq(chirr_source_poll_vector(source, 4000000, v, CHIRR_PROC_WIDTH, &count), CHIRR_OK);
    cr_assert(isnan(v[CHIRR_PROC_CPU]) && isnan(v[CHIRR_PROC_DISK_READ]),
              "counters that went backwards give no rate");
    chirr_source_destroy(source);
}

Test(sense, reads_this_machine)
{
    struct chirr_sense_config config = {.name = "machine", .source = CHIRR_SOURCE_PROC};
    struct chirr_source *source = make(&config);
    float v[CHIRR_PROC_WIDTH];
    size_t count;
    for (int i = 0; i < 2; i++) {
        usleep(50000); /* some ticks */
        chirr_time_us now = i * CHIRR_US_PER_S;
        cr_assert_eq(chirr_source_poll_vector(source, now, v, CHIRR_PROC_WIDTH, &count), CHIRR_OK);
    }
    cr_assert_eq(count, CHIRR_PROC_WIDTH);
    cr_assert(v[CHIRR_PROC_CPU] >= 0 && v[CHIRR_PROC_CPU] <= 1);
    cr_assert(v[CHIRR_PROC_MEMORY] > 0 && v[CHIRR_PROC_MEMORY] < 1);
    cr_assert(v[CHIRR_PROC_LOAD] >= 0);
    cr_assert_eq(chirr_source_poll_bytes(source, 0, buffer, 1, &count), CHIRR_ERR_STATE);
    chirr_source_destroy(source);
}
