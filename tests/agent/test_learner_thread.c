#include "agent/learner_thread.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/clock.h"
#include "tests/agent/learner_files.h"

#define PATIENCE_US (20 * CHIRR_US_PER_S)

TestSuite(learner_thread, .init = learner_files_create, .fini = learner_files_remove,
          .timeout = 60);

static struct chirr_agent_config config_of(void)
{
    struct chirr_agent_config config;
    memset(&config, 0, sizeof config);
    snprintf(config.state_dir, sizeof config.state_dir, "%s", directory);
    config.cpu_permille = 1000;
    config.checkpoint_interval_ms = 60000;
    config.learner = chirr_learner_config_default();
    make_small(&config.learner.model);
    config.sense_count = 1;
    snprintf(config.senses[0].name, sizeof config.senses[0].name, "text");
    config.senses[0].source = CHIRR_SOURCE_FEED;
    return config;
}

static struct chirr_learner_thread *start(const struct chirr_agent_config *config)
{
    struct chirr_error error;
    struct chirr_learner_thread *thread = chirr_learner_thread_create(config, &log_sink, &error);
    cr_assert_not_null(thread, "%s", error.text);
    return thread;
}

static bool feed(struct chirr_learner_thread *thread, const char *text)
{
    struct chirr_learner_request request = {.kind = CHIRR_LEARNER_BYTES,
                                            .bytes = (const uint8_t *)text,
                                            .count = (uint32_t)strlen(text)};
    return chirr_learner_thread_post(thread, &request);
}

/* Waits for the next report of this kind. */
static struct chirr_learner_report wait_for(struct chirr_learner_thread *thread, int kind)
{
    struct chirr_learner_report report;
    chirr_time_us until = chirr_clock_now() + PATIENCE_US;
    while (chirr_clock_now() < until) {
        while (chirr_learner_thread_take(thread, &report)) {
            if ((int)report.kind == kind) {
                return report;
            }
        }
        struct pollfd fd = {.fd = chirr_learner_thread_fd(thread), .events = POLLIN};
        poll(&fd, 1, 100);
    }
    cr_assert_fail("no report of kind %d in time", kind);
    return report;
}

static uint64_t wait_until_learned(struct chirr_learner_thread *thread, uint64_t bytes)
{
    struct chirr_learner_report report;
    do {
        report = wait_for(thread, CHIRR_LEARNER_REPORT_STATUS);
    } while (report.status.learner.bytes_learned < bytes);
    return report.status.learner.model.steps;
}

Test(learner_thread, learns_what_it_is_fed_and_says_so)
{
    struct chirr_agent_config config = config_of();
    struct chirr_learner_thread *thread = start(&config);
    cr_assert(feed(thread, "fed from outside"));
    wait_until_learned(thread, 16);
    chirr_learner_thread_destroy(thread);
}

Test(learner_thread, answers_what_the_node_asks)
{
    struct chirr_agent_config config = config_of();
    struct chirr_learner_thread *thread = start(&config);
    struct chirr_learner_request request = {
        .kind = CHIRR_LEARNER_PRICE,
        .task = {.id = 42, .kind = "sort", .cpu_permille = 1000, .here = true},
    };
    cr_assert(chirr_learner_thread_post(thread, &request));
    struct chirr_learner_report report = wait_for(thread, CHIRR_LEARNER_REPORT_REPLY);
    cr_assert_eq(report.reply.kind, CHIRR_LEARNER_REPLY_PRICE);
    cr_assert_eq(report.reply.price.task, 42);
    chirr_learner_thread_destroy(thread);
}

Test(learner_thread, a_mailbox_that_is_full_refuses_and_counts_but_never_waits)
{
    struct chirr_agent_config config = config_of();
    struct chirr_learner_thread *thread = start(&config);
    char text[4000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    int accepted = 0;
    while (feed(thread, text)) {
        accepted++;
        cr_assert_lt(accepted, 100000);
    }
    struct chirr_learner_thread_counters counters;
    chirr_learner_thread_count(thread, &counters);
    cr_assert_gt(accepted, 0);
    cr_assert_eq(counters.requests_refused, 1);
    chirr_learner_thread_destroy(thread);
}

Test(learner_thread, goes_on_where_it_stopped)
{
    struct chirr_agent_config config = config_of();
    struct chirr_learner_thread *thread = start(&config);
    cr_assert(feed(thread, "remember this over a restart, all of it"));
    wait_until_learned(thread, 39);
    chirr_learner_thread_destroy(thread);
    thread = start(&config);
    struct chirr_learner_report report = wait_for(thread, CHIRR_LEARNER_REPORT_STATUS);
    cr_assert_eq(report.status.checkpoint_origin, CHIRR_CHECKPOINT_CURRENT);
    cr_assert_eq(report.status.learner.model.steps, 39);
    chirr_learner_thread_destroy(thread);
}

Test(learner_thread, an_unreadable_checkpoint_falls_back_to_the_one_before_and_says_so)
{
    struct chirr_agent_config config = config_of();
    for (int i = 0; i < 2; i++) {
        struct chirr_learner_thread *thread = start(&config);
        cr_assert(feed(thread, "ten bytes!"));
        wait_until_learned(thread, 10);
        chirr_learner_thread_destroy(thread);
    }
    directory_flip(directory, "model.checkpoint", 100);
    struct chirr_learner_thread *thread = start(&config);
    struct chirr_learner_report report = wait_for(thread, CHIRR_LEARNER_REPORT_STATUS);
    cr_assert_eq(report.status.checkpoint_origin, CHIRR_CHECKPOINT_PREVIOUS);
    cr_assert_eq(report.status.learner.model.steps, 10);
    cr_assert_not_null(strstr(log_lines, "took the checkpoint before the last"), "%s", log_lines);
    chirr_learner_thread_destroy(thread);
}

Test(learner_thread, with_no_readable_checkpoint_it_starts_from_genesis_and_says_so)
{
    struct chirr_agent_config config = config_of();
    chirr_learner_thread_destroy(start(&config));
    directory_flip(directory, "model.checkpoint", 100);
    struct chirr_learner_thread *thread = start(&config);
    struct chirr_learner_report report = wait_for(thread, CHIRR_LEARNER_REPORT_STATUS);
    cr_assert_eq(report.status.checkpoint_origin, CHIRR_CHECKPOINT_NONE);
    cr_assert_not_null(strstr(log_lines, "starts from genesis"), "%s", log_lines);
    chirr_learner_thread_destroy(thread);
}

Test(learner_thread, evaluates_a_text_and_says_why_it_cannot)
{
    struct chirr_agent_config config = config_of();
    config.learner.control = true;
    struct chirr_learner_thread *thread = start(&config);
    const char *path = directory_file(directory, "text");
    directory_write(directory, "text", "a text to be measured by", 24);
    cr_assert_eq(chirr_learner_thread_evaluate(thread, path, 1000, 5), CHIRR_OK);
    struct chirr_learner_report report = wait_for(thread, CHIRR_LEARNER_REPORT_REPLY);
    cr_assert_eq(report.reply.kind, CHIRR_LEARNER_REPLY_EVALUATION);
    cr_assert_eq(report.reply.evaluation.tag, 5);
    cr_assert_gt(report.reply.evaluation.bits_swarm, 4);
    cr_assert_eq(report.reply.evaluation.bits_swarm, report.reply.evaluation.bits_genesis);

    cr_assert_eq(chirr_learner_thread_evaluate(thread, "/nowhere/at/all", 1000, 6), CHIRR_OK);
    report = wait_for(thread, CHIRR_LEARNER_REPORT_FAILURE);
    cr_assert_eq(report.failure.tag, 6);
    cr_assert_eq(report.failure.code, CHIRR_ERR_IO);
    cr_assert_str_eq(report.failure.text, "/nowhere/at/all: No such file or directory");
    cr_assert_eq(chirr_learner_thread_evaluate(thread, path, 1, 7), CHIRR_ERR_RANGE);
    chirr_learner_thread_destroy(thread);
}

Test(learner_thread, explains_who_answers_the_senses_it_has)
{
    struct chirr_agent_config config = config_of();
    config.learner.model.active = 1;
    struct chirr_learner_thread *thread = start(&config);
    cr_assert(feed(thread, "two chunks of thirty-two steps, and nothing more than just that."));
    wait_until_learned(thread, 64);
    cr_assert_eq(chirr_learner_thread_explain(thread, 8), CHIRR_OK);
    struct chirr_learner_report report = wait_for(thread, CHIRR_LEARNER_REPORT_ACTIVATION);
    const struct chirr_activation *of = &report.activation.of;
    cr_assert_eq(report.activation.tag, 8);
    cr_assert_eq(of->sense_count, 1, "outcomes are not among them");
    cr_assert_str_eq(of->senses[0].name, "text");
    cr_assert(of->senses[0].known);
    int sum = 0;
    for (size_t p = 0; p < 4; p++) {
        sum += of->permille[p];
    }
    cr_assert(sum >= 998 && sum <= 1002, "one answers at a time: %d", sum);
    chirr_learner_thread_destroy(thread);
}

Test(learner_thread, a_sense_without_any_file_is_an_error_that_names_it)
{
    struct chirr_agent_config config = config_of();
    config.senses[0].source = CHIRR_SOURCE_FILE;
    snprintf(config.senses[0].from, sizeof config.senses[0].from, "%s/nothing-*", directory);
    struct chirr_error error;
    cr_assert_null(chirr_learner_thread_create(&config, &log_sink, &error));
    cr_assert_eq(error.code, CHIRR_ERR_NOTFOUND);
    cr_assert_not_null(strstr(error.text, "sense text: "), "%s", error.text);
    cr_assert_not_null(strstr(error.text, "nothing-*"), "%s", error.text);
}
