#include "agent/learner.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "swarm/ledger.h"
#include "tests/agent/learner_files.h"

static struct chirr_learner_config small_config(void)
{
    struct chirr_learner_config config = chirr_learner_config_default();
    make_small(&config.model);
    config.model.sense_count = 2;
    config.model.senses[1] =
        (struct chirr_model_sense){.name = "machine", .kind = CHIRR_SENSE_VECTOR, .width = 3};
    config.load_sense = 1;
    return config;
}

struct home {
    struct chirr_arena arena;
    struct chirr_learner *learner;
};

static struct home open_home(const struct chirr_learner_config *config)
{
    struct home home;
    struct chirr_error error;
    cr_assert_eq(chirr_learner_config_validate(config, &error), CHIRR_OK, "%s", error.text);
    cr_assert_eq(chirr_arena_init(&home.arena, chirr_learner_bytes(config)), CHIRR_OK);
    home.learner = chirr_learner_create(&home.arena, config);
    cr_assert_not_null(home.learner);
    return home;
}

static void close_home(struct home *home)
{
    chirr_arena_finish(&home->arena);
}

static enum chirr_err ask(struct chirr_learner *learner, struct chirr_learner_request request,
                          struct chirr_learner_reply *reply)
{
    struct chirr_learner_reply unused;
    return chirr_learner_handle(learner, &request, reply == NULL ? &unused : reply);
}

static void read_text(struct chirr_learner *learner, const char *text, int times)
{
    for (int i = 0; i < times; i++) {
        struct chirr_learner_request request = {.kind = CHIRR_LEARNER_BYTES,
                                                .bytes = (const uint8_t *)text,
                                                .count = (uint32_t)strlen(text)};
        cr_assert_eq(ask(learner, request, NULL), CHIRR_OK);
    }
}

static struct chirr_learner_status status_of(const struct chirr_learner *learner)
{
    struct chirr_learner_status status;
    chirr_learner_status(learner, &status);
    return status;
}

static struct chirr_learner_task task_of(const char *kind, uint64_t size_bytes)
{
    struct chirr_learner_task task = {
        .id = 1, .size_bytes = size_bytes, .cpu_permille = 1000, .here = true};
    strncpy(task.kind, kind, sizeof task.kind - 1);
    return task;
}

Test(learner, gets_better_at_what_it_reads)
{
    struct chirr_learner_config config = small_config();
    struct home home = open_home(&config);
    cr_assert(isnan(status_of(home.learner).bits_now));
    read_text(home.learner, "insects talk to each other by trilling. ", 400);
    struct chirr_learner_status status = status_of(home.learner);
    cr_assert_eq(status.bytes_learned, 400 * 40);
    cr_assert_lt(status.bits_now, 1.0, "%f bits", status.bits_now);
    cr_assert_gt(status.bits_start, status.bits_now + 0.5);
    close_home(&home);
}

Test(learner, without_peers_the_control_learns_the_very_same)
{
    struct chirr_learner_config config = small_config();
    config.control = true;
    struct home home = open_home(&config);
    read_text(home.learner, "the same stream for both of them; ", 200);
    struct chirr_learner_status status = status_of(home.learner);
    cr_assert_eq(status.bits_now, status.bits_alone);
    close_home(&home);
}

Test(learner, prices_follow_from_outcomes)
{
    struct chirr_learner_config config = small_config();
    struct home home = open_home(&config);
    struct chirr_random random;
    chirr_random_init(&random, 5, 0);
    for (int i = 0; i < 40; i++) {
        bool slow = i % 2 == 0;
        uint64_t size = 1000 + chirr_random_below(&random, 9000);
        struct chirr_learner_task task = task_of(slow ? "compile" : "hash", size);
        task.end = CHIRR_TASK_END_EXITED;
        task.duration_us = size * (slow ? 1000 : 20);
        cr_assert_eq(
            ask(home.learner,
                (struct chirr_learner_request){.kind = CHIRR_LEARNER_OUTCOME, .task = task}, NULL),
            CHIRR_OK);
    }
    const struct {
        const char *kind;
        double expected_us;
    } cases[] = {{"compile", 5e6}, {"hash", 1e5}};
    for (int i = 0; i < 2; i++) {
        struct chirr_learner_reply reply;
        struct chirr_learner_request request = {.kind = CHIRR_LEARNER_PRICE,
                                                .task = task_of(cases[i].kind, 5000)};
        cr_assert_eq(ask(home.learner, request, &reply), CHIRR_OK);
        cr_assert_eq(reply.kind, CHIRR_LEARNER_REPLY_PRICE);
        cr_assert_eq(reply.price.task, 1);
        double factor = (double)reply.price.duration_us / cases[i].expected_us;
        cr_assert(factor > 0.5 && factor < 2, "%s: predicted %.2f of the truth", cases[i].kind,
                  factor);
        cr_assert_gt(reply.price.success_permille, 800);
    }
    close_home(&home);
}

Test(learner, a_price_changes_nothing)
{
    struct chirr_learner_config config = small_config();
    struct home home = open_home(&config);
    read_text(home.learner, "some state to be left alone. ", 5);
    uint64_t before = chirr_learner_state_hash(home.learner);
    struct chirr_learner_reply reply;
    struct chirr_learner_request request = {.kind = CHIRR_LEARNER_PRICE,
                                            .task = task_of("sort", 0)};
    cr_assert_eq(ask(home.learner, request, &reply), CHIRR_OK);
    cr_assert_gt(reply.price.duration_us, 0);
    cr_assert_eq(chirr_learner_state_hash(home.learner), before);
    close_home(&home);
}

Test(learner, a_command_that_never_ran_teaches_nothing)
{
    struct chirr_learner_config config = small_config();
    struct home home = open_home(&config);
    struct chirr_learner_task task = task_of("sort", 10);
    task.end = CHIRR_TASK_END_NOT_STARTED;
    cr_assert_eq(ask(home.learner,
                     (struct chirr_learner_request){.kind = CHIRR_LEARNER_OUTCOME, .task = task},
                     NULL),
                 CHIRR_ERR_INVALID);
    cr_assert_eq(status_of(home.learner).outcomes_learned, 0);
    cr_assert_eq(status_of(home.learner).refused, 1);
    close_home(&home);
}

/* Moves everything that `from` has to tell to `to`; returns how many deltas that took. */
static int exchange(struct chirr_learner *from, struct chirr_learner *to)
{
    int count = 0;
    for (; count < 500; count++) {
        struct chirr_learner_reply reply;
        cr_assert_eq(
            ask(from, (struct chirr_learner_request){.kind = CHIRR_LEARNER_EXTRACT}, &reply),
            CHIRR_OK);
        if (reply.kind == CHIRR_LEARNER_REPLY_NONE) {
            break;
        }
        cr_assert_eq(reply.kind, CHIRR_LEARNER_REPLY_DELTA);
        cr_assert_leq(reply.delta.bytes, CHIRR_DELTA_PAYLOAD_BYTES_MAX);
        struct chirr_learner_request apply = {
            .kind = CHIRR_LEARNER_APPLY,
            .delta = {.origin = 7,
                      .stamp = {1, (uint64_t)count + 1},
                      .partition = reply.delta.partition,
                      .payload_bytes = reply.delta.bytes,
                      .payload = reply.delta.payload},
        };
        cr_assert_eq(ask(to, apply, NULL), CHIRR_OK);
    }
    return count;
}

static double bits_on(struct chirr_learner *learner, const char *text)
{
    struct chirr_learner_reply reply;
    struct chirr_learner_request request = {.kind = CHIRR_LEARNER_EVALUATE,
                                            .bytes = (const uint8_t *)text,
                                            .count = (uint32_t)strlen(text),
                                            .tag = 9};
    cr_assert_eq(ask(learner, request, &reply), CHIRR_OK);
    cr_assert_eq(reply.kind, CHIRR_LEARNER_REPLY_EVALUATION);
    cr_assert_eq(reply.evaluation.tag, 9);
    return reply.evaluation.bits_swarm;
}

Test(learner, what_a_peer_learned_helps_one_who_learned_nothing_and_can_be_taken_out)
{
    static const char text[] = "a cricket chirrs, and another answers from the grass; "
                               "a cricket chirrs, and another answers from the grass; ";
    struct chirr_learner_config config = small_config();
    struct home teacher = open_home(&config);
    struct home pupil = open_home(&config);
    read_text(teacher.learner, text, 200);
    double before = bits_on(pupil.learner, text);
    cr_assert_gt(exchange(teacher.learner, pupil.learner), 0);
    struct chirr_learner_request weigh = {.kind = CHIRR_LEARNER_WEIGH,
                                          .weight = {.origin = 7, .g_permille = 1000}};
    cr_assert_eq(ask(pupil.learner, weigh, NULL), CHIRR_OK);
    double taught = bits_on(pupil.learner, text);
    cr_assert_lt(taught, before - 2, "%.2f bits before, %.2f after", before, taught);
    weigh.weight.g_permille = 0;
    cr_assert_eq(ask(pupil.learner, weigh, NULL), CHIRR_OK);
    cr_assert(fabs(bits_on(pupil.learner, text) - before) < 0.01);
    close_home(&teacher);
    close_home(&pupil);
}

Test(learner, what_came_from_others_is_never_told_as_own)
{
    struct chirr_learner_config config = small_config();
    struct home teacher = open_home(&config);
    struct home pupil = open_home(&config);
    read_text(teacher.learner, "one has learned, the other only listens. ", 100);
    cr_assert_gt(exchange(teacher.learner, pupil.learner), 0);
    struct chirr_learner_request weigh = {.kind = CHIRR_LEARNER_WEIGH,
                                          .weight = {.origin = 7, .g_permille = 500}};
    cr_assert_eq(ask(pupil.learner, weigh, NULL), CHIRR_OK);
    struct chirr_learner_reply reply;
    cr_assert_eq(
        ask(pupil.learner, (struct chirr_learner_request){.kind = CHIRR_LEARNER_EXTRACT}, &reply),
        CHIRR_OK);
    cr_assert_eq(reply.kind, CHIRR_LEARNER_REPLY_NONE);
    close_home(&teacher);
    close_home(&pupil);
}

Test(learner, tells_its_peers_at_once_when_its_world_changes)
{
    struct chirr_learner_config config = small_config();
    struct home home = open_home(&config);
    struct chirr_learner_request extract = {.kind = CHIRR_LEARNER_EXTRACT};
    struct chirr_learner_reply reply;
    read_text(home.learner, "the same thing again and again; ", 2000);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(ask(home.learner, extract, &reply), CHIRR_OK);
    }
    read_text(home.learner, "the same thing again and again; ", 1);
    cr_assert_lt(status_of(home.learner).drift_permille, 500.0);
    read_text(home.learner, "0x7F3A[i++] ^= ~(Q << 9) % 251;\n", 100);
    cr_assert_geq(status_of(home.learner).model.drifts, 1);
    for (int i = 0; i < 8; i++) {
        cr_assert_eq(status_of(home.learner).drift_permille, 1000.0, "delta %d", i);
        cr_assert_eq(ask(home.learner, extract, &reply), CHIRR_OK);
        cr_assert_eq(reply.kind, CHIRR_LEARNER_REPLY_DELTA);
    }
    cr_assert_lt(status_of(home.learner).drift_permille, 1000.0);
    close_home(&home);
}

#define STALE_AFTER_MS 1000

/* A ledger with as many places as the learner's model. */
struct desk {
    struct chirr_arena arena;
    struct chirr_ledger *ledger;
};

static struct desk open_desk(const struct chirr_learner_config *config)
{
    struct chirr_ledger_config ledger = chirr_ledger_config_default();
    ledger.self = 1000;
    ledger.lineage = 5;
    ledger.hosted = chirr_learner_units(config);
    ledger.origins_max = config->model.origins_max;
    ledger.stale_after_ms = STALE_AFTER_MS;
    struct desk desk;
    cr_assert_eq(chirr_arena_init(&desk.arena, chirr_ledger_bytes(&ledger)), CHIRR_OK);
    desk.ledger = chirr_ledger_create(&desk.arena, &ledger, 0);
    cr_assert_not_null(desk.ledger);
    return desk;
}

/* A delta, told in the name of `origin` through the ledger. */
static enum chirr_err tell(const struct desk *desk, struct chirr_learner *pupil,
                           const struct chirr_learner_reply *lesson, uint64_t origin,
                           chirr_time_us now)
{
    struct chirr_message message = {.kind = CHIRR_MESSAGE_DELTA,
                                    .delta = {.origin = origin,
                                              .stamp = {1, 1},
                                              .lineage = 5,
                                              .partition = lesson->delta.partition,
                                              .payload_bytes = lesson->delta.bytes,
                                              .payload = lesson->delta.payload}};
    enum chirr_err err = chirr_ledger_receive(desk->ledger, origin, &message, now);
    struct chirr_output output;
    while (chirr_ledger_poll(desk->ledger, &output)) {
        struct chirr_learner_request request = {.kind = CHIRR_LEARNER_WEIGH};
        if (output.kind == CHIRR_OUTPUT_APPLY) {
            request.kind = CHIRR_LEARNER_APPLY;
            request.delta = *output.delta;
        } else {
            request.weight = output.weight;
        }
        cr_assert_eq(ask(pupil, request, NULL), CHIRR_OK, "origin %lu", (unsigned long)origin);
    }
    return err;
}

Test(learner, origins_beyond_its_places_take_those_of_whom_the_ledger_forgot)
{
    struct chirr_learner_config config = small_config();
    config.model.origins_max = 2;
    struct home teacher = open_home(&config);
    struct home pupil = open_home(&config);
    struct desk desk = open_desk(&config);
    read_text(teacher.learner, "told by one after the other; ", 50);
    struct chirr_learner_reply lesson;
    cr_assert_eq(ask(teacher.learner, (struct chirr_learner_request){.kind = CHIRR_LEARNER_EXTRACT},
                     &lesson),
                 CHIRR_OK);
    chirr_time_us later = chirr_time_from_ms(2 * STALE_AFTER_MS);
    for (uint64_t origin = 1; origin <= 6; origin++) {
        cr_assert_eq(tell(&desk, pupil.learner, &lesson, origin, (chirr_time_us)origin * later),
                     CHIRR_OK);
    }
    cr_assert_eq(status_of(pupil.learner).deltas_applied, 6);
    cr_assert_eq(tell(&desk, pupil.learner, &lesson, 7, 6 * later), CHIRR_OK);
    cr_assert_eq(tell(&desk, pupil.learner, &lesson, 8, 6 * later), CHIRR_ERR_FULL,
                 "both places are in use");

    struct desk anew = open_desk(&config); /* the process began again, the model did not */
    for (uint64_t origin = 11; origin <= 12; origin++) {
        cr_assert_eq(tell(&anew, pupil.learner, &lesson, origin, 0), CHIRR_OK);
    }
    cr_assert_eq(status_of(pupil.learner).refused, 0);
    chirr_arena_finish(&anew.arena);
    chirr_arena_finish(&desk.arena);
    close_home(&teacher);
    close_home(&pupil);
}

Test(learner, after_a_restart_what_others_told_counts_once_they_are_heard_again)
{
    struct chirr_learner_config config = small_config();
    struct home teacher = open_home(&config);
    struct home pupil = open_home(&config);
    struct desk desk = open_desk(&config);
    read_text(teacher.learner, "told before the restart; ", 50);
    struct chirr_learner_reply lesson;
    struct chirr_learner_request extract = {.kind = CHIRR_LEARNER_EXTRACT};
    cr_assert_eq(ask(teacher.learner, extract, &lesson), CHIRR_OK);
    cr_assert_eq(tell(&desk, pupil.learner, &lesson, 1, 0), CHIRR_OK);
    cr_assert_gt(status_of(pupil.learner).model.foreign_norm, 0);
    chirr_learner_resume(pupil.learner, false);
    cr_assert_eq(status_of(pupil.learner).model.foreign_norm, 0);

    struct desk anew = open_desk(&config);
    cr_assert_eq(ask(teacher.learner, extract, &lesson), CHIRR_OK); /* another part */
    cr_assert_eq(tell(&anew, pupil.learner, &lesson, 2, 0), CHIRR_OK);
    double other = status_of(pupil.learner).model.foreign_norm;
    struct home fresh = open_home(&config);
    struct desk first = open_desk(&config);
    cr_assert_eq(tell(&first, fresh.learner, &lesson, 2, 0), CHIRR_OK);
    cr_assert_eq(other, status_of(fresh.learner).model.foreign_norm, "a silent peer counts");
    chirr_arena_finish(&first.arena);
    chirr_arena_finish(&anew.arena);
    chirr_arena_finish(&desk.arena);
    close_home(&fresh);
    close_home(&teacher);
    close_home(&pupil);
}

Test(learner, refuses_hostile_requests_and_counts_them)
{
    struct chirr_learner_config config = small_config();
    struct home home = open_home(&config);
    const float values[] = {1, 2, 3, 4};
    const struct chirr_learner_request hostile[] = {
        {.kind = CHIRR_LEARNER_BYTES, .sense = 9, .bytes = (const uint8_t *)"x", .count = 1},
        {.kind = CHIRR_LEARNER_VECTOR, .sense = 1, .values = values, .count = 4},
        {.kind = CHIRR_LEARNER_VECTOR, .sense = 7, .values = values, .count = 3},
        {.kind = CHIRR_LEARNER_WEIGH, .weight = {.origin = 99, .g_permille = 1}},
        {.kind = CHIRR_LEARNER_APPLY,
         .delta = {.origin = 7, .payload = (const uint8_t *)"noise", .payload_bytes = 5}},
        {.kind = CHIRR_LEARNER_EVALUATE, .bytes = (const uint8_t *)"x", .count = 1},
        {.kind = (enum chirr_learner_request_kind)99},
    };
    size_t count = sizeof hostile / sizeof hostile[0];
    uint64_t before = chirr_learner_state_hash(home.learner);
    for (size_t i = 0; i < count; i++) {
        cr_assert_neq(ask(home.learner, hostile[i], NULL), CHIRR_OK, "request %zu", i);
    }
    cr_assert_eq(status_of(home.learner).refused, count);
    cr_assert_eq(status_of(home.learner).deltas_refused, 1);
    cr_assert_eq(chirr_learner_state_hash(home.learner), before);
    close_home(&home);
}

Test(learner, says_what_is_wrong_with_a_configuration)
{
    struct chirr_error error;
    struct chirr_learner_config config = small_config();
    config.load_sense = 0;
    cr_assert_eq(chirr_learner_config_validate(&config, &error), CHIRR_ERR_INVALID);
    cr_assert_str_eq(error.text, "load_sense 0 is not a vector sense of this model");
    config = small_config();
    config.model.sense_count = CHIRR_MODEL_SENSES_MAX;
    cr_assert_eq(chirr_learner_config_validate(&config, &error), CHIRR_ERR_RANGE);
    config = small_config();
    config.model.partitions = 64;
    cr_assert_eq(chirr_learner_config_validate(&config, &error), CHIRR_ERR_RANGE);
}

Test(learner, does_not_fit_an_arena_that_is_too_small)
{
    struct chirr_learner_config config = small_config();
    config.control = true;
    size_t bytes = chirr_learner_bytes(&config);
    for (size_t cut = 0; cut < bytes; cut += bytes / 53 + 1) {
        struct chirr_arena arena;
        cr_assert_eq(chirr_arena_init(&arena, cut), CHIRR_OK);
        cr_assert_null(chirr_learner_create(&arena, &config));
        chirr_arena_finish(&arena);
    }
}

Test(learner, learners_that_share_behave_as_those_alone)
{
    struct chirr_learner_config config = small_config();
    config.control = true;
    struct home alone[2] = {open_home(&config), open_home(&config)};
    size_t within = chirr_learner_bytes_within(&config);
    struct chirr_arena arena;
    size_t bytes = chirr_learner_shared_bytes(&config) + 2 * within;
    cr_assert_eq(chirr_arena_init(&arena, bytes), CHIRR_OK);
    const struct chirr_learner_shared *shared = chirr_learner_shared_create(&arena, &config);
    cr_assert_not_null(shared);
    struct chirr_learner *sharing[2];
    for (int i = 0; i < 2; i++) {
        sharing[i] = chirr_learner_create_within(&arena, &config, shared);
        cr_assert_not_null(sharing[i]);
    }
    cr_expect_eq(arena.used, bytes);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 2; i++) { /* in turns, each its own */
            const char *text = i == 0 ? "first things first, " : "another text ";
            read_text(sharing[i], text, 1);
            read_text(alone[i].learner, text, 1);
        }
    }
    for (int i = 0; i < 2; i++) {
        struct chirr_learner_request request = {.kind = CHIRR_LEARNER_EVALUATE, .count = 20};
        request.bytes = (const uint8_t *)"first things second";
        struct chirr_learner_reply replies[2];
        cr_assert_eq(ask(sharing[i], request, &replies[0]), CHIRR_OK);
        cr_assert_eq(ask(alone[i].learner, request, &replies[1]), CHIRR_OK);
        cr_expect_eq(
            memcmp(&replies[0].evaluation, &replies[1].evaluation, sizeof replies[0].evaluation),
            0);
        cr_expect_eq(chirr_learner_state_hash(sharing[i]),
                     chirr_learner_state_hash(alone[i].learner));
        close_home(&alone[i]);
    }
    chirr_arena_finish(&arena);
}
