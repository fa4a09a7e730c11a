#include "agent/learner_checkpoint.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/agent/learner_files.h"

TestSuite(learner_checkpoint, .init = learner_files_create, .fini = learner_files_remove,
          .timeout = 60);

static struct chirr_learner_config small_config(void)
{
    struct chirr_learner_config config = chirr_learner_config_default();
    config.control = true;
    make_small(&config.model);
    return config;
}

/* One life of an agent's learner, over the files of the one before. */
struct life {
    struct chirr_arena arena;
    struct chirr_learner *learner;
    enum chirr_checkpoint_origin origin;
};

static struct life begin(const struct chirr_learner_config *config)
{
    struct life life;
    cr_assert_eq(chirr_arena_init(&life.arena, chirr_learner_bytes(config)), CHIRR_OK);
    life.learner = chirr_learner_create(&life.arena, config);
    cr_assert_not_null(life.learner);
    struct chirr_error error;
    cr_assert_eq(
        chirr_learner_checkpoint_load(life.learner, directory, &log_sink, &life.origin, &error),
        CHIRR_OK, "%s", error.text);
    return life;
}

static void save(const struct life *life)
{
    struct chirr_error error;
    cr_assert_eq(chirr_learner_checkpoint_save(life->learner, directory, &error), CHIRR_OK, "%s",
                 error.text);
}

static void end(struct life *life)
{
    chirr_arena_finish(&life->arena);
}

static void ask(const struct life *life, struct chirr_learner_request request,
                struct chirr_learner_reply *reply)
{
    struct chirr_learner_reply unused;
    cr_assert_eq(chirr_learner_handle(life->learner, &request, reply == NULL ? &unused : reply),
                 CHIRR_OK);
}

static void read_text(const struct life *life, const char *text, int times)
{
    for (int i = 0; i < times; i++) {
        ask(life,
            (struct chirr_learner_request){.kind = CHIRR_LEARNER_BYTES,
                                           .bytes = (const uint8_t *)text,
                                           .count = (uint32_t)strlen(text)},
            NULL);
    }
}

static void teach_outcome(const struct life *life)
{
    struct chirr_learner_request request = {.kind = CHIRR_LEARNER_OUTCOME,
                                            .task = {.id = 1,
                                                     .kind = "sort",
                                                     .cpu_permille = 1000,
                                                     .end = CHIRR_TASK_END_EXITED,
                                                     .duration_us = 1000000}};
    ask(life, request, NULL);
}

static struct chirr_learner_status status_of(const struct life *life)
{
    struct chirr_learner_status status;
    chirr_learner_status(life->learner, &status);
    return status;
}

static struct chirr_learner_evaluation evaluate(const struct life *life)
{
    static const char text[] = "what neither of them has read";
    struct chirr_learner_reply reply;
    ask(life,
        (struct chirr_learner_request){.kind = CHIRR_LEARNER_EVALUATE,
                                       .bytes = (const uint8_t *)text,
                                       .count = sizeof text - 1},
        &reply);
    return reply.evaluation;
}

static void move(const char *from, const char *to)
{
    cr_assert_eq(rename(directory_file(directory, from), directory_file(directory, to)), 0);
}

Test(learner_checkpoint, what_learns_alone_goes_on_where_the_model_does)
{
    struct chirr_learner_config config = small_config();
    struct life life = begin(&config);
    cr_assert_eq(life.origin, CHIRR_CHECKPOINT_NONE);
    read_text(&life, "the same stream for both, in this life ", 50);
    teach_outcome(&life); /* a step that the control does not make */
    save(&life);
    end(&life);

    life = begin(&config);
    cr_assert_eq(life.origin, CHIRR_CHECKPOINT_CURRENT);
    read_text(&life, "and in the next ", 50);
    struct chirr_learner_status status = status_of(&life);
    cr_assert_eq(status.bits_now, status.bits_alone);
    struct chirr_learner_evaluation evaluation = evaluate(&life);
    cr_assert_eq(evaluation.bits_swarm, evaluation.bits_alone);
    cr_assert_neq(evaluation.bits_alone, evaluation.bits_genesis);
    end(&life);
}

Test(learner_checkpoint, a_trained_model_never_passes_for_an_untrained_one)
{
    struct chirr_learner_config config = small_config();
    struct life life = begin(&config);
    read_text(&life, "sixteen letters ", CHIRR_LEARNER_WINDOW / 16);
    cr_assert_not(isnan(status_of(&life).bits_start));
    save(&life);
    end(&life);
    life = begin(&config);
    read_text(&life, "sixteen letters ", CHIRR_LEARNER_WINDOW / 16);
    cr_assert(isnan(status_of(&life).bits_start));
    end(&life);
}

/* The control was saved and the model was not: the files as they are then. */
static void crash_between_saves(const struct life *life)
{
    save(life);
    move("model.checkpoint.previous", "model.checkpoint");
}

Test(learner_checkpoint, a_crash_between_the_two_saves_leaves_a_fair_comparison)
{
    struct chirr_learner_config config = small_config();
    struct life life = begin(&config);
    read_text(&life, "saved of both; ", 20);
    save(&life);
    end(&life);
    for (int crash = 0; crash < 3; crash++) { /* and again, before anything else was saved */
        life = begin(&config);
        cr_assert_eq(status_of(&life).model.sensed, 300);
        struct chirr_learner_evaluation evaluation = evaluate(&life);
        cr_assert_eq(evaluation.bits_swarm, evaluation.bits_alone, "after %d crashes", crash);
        read_text(&life, "lost with the crash ", 20 + crash);
        crash_between_saves(&life);
        end(&life);
    }
}

Test(learner_checkpoint, without_a_control_from_the_same_instant_its_bits_are_unknown)
{
    struct chirr_learner_config config = small_config();
    config.control = false; /* only now does somebody want to know */
    struct life life = begin(&config);
    read_text(&life, "learned without a control ", 20);
    save(&life);
    end(&life);

    config.control = true;
    life = begin(&config);
    read_text(&life, "too late ", 20);
    cr_assert(isnan(status_of(&life).bits_alone));
    cr_assert_not(isnan(status_of(&life).bits_now));
    cr_assert(isnan(evaluate(&life).bits_alone));
    cr_assert_not_null(strstr(log_lines, "is unknown from now on"), "%s", log_lines);
    end(&life);
}

static void live(const struct chirr_learner_config *config, enum chirr_checkpoint_origin expected)
{
    struct life life = begin(config);
    cr_assert_eq(life.origin, expected);
    read_text(&life, "a life of its own ", 5);
    save(&life);
    save(&life); /* twice, so that `.previous` is replaced too */
    end(&life);
}

Test(learner_checkpoint, a_model_of_another_genesis_is_set_aside_and_never_replaced)
{
    struct chirr_learner_config config = small_config();
    struct chirr_learner_config changed = config;
    changed.model.genesis_seed++;
    live(&config, CHIRR_CHECKPOINT_NONE);
    live(&changed, CHIRR_CHECKPOINT_NONE);
    cr_assert_not_null(strstr(log_lines, "model.checkpoint.other-lineage"), "%s", log_lines);
    live(&config, CHIRR_CHECKPOINT_NONE);

    move("model.checkpoint.other-lineage-2", "model.checkpoint");
    move("control.checkpoint.other-lineage-2", "control.checkpoint");
    live(&changed, CHIRR_CHECKPOINT_CURRENT);
    move("model.checkpoint.previous.other-lineage", "model.checkpoint");
    live(&config, CHIRR_CHECKPOINT_CURRENT);
}

Test(learner_checkpoint, a_model_of_another_genesis_behind_a_lost_file_is_set_aside_too)
{
    struct chirr_learner_config config = small_config();
    live(&config, CHIRR_CHECKPOINT_NONE);
    cr_assert_eq(remove(directory_file(directory, "model.checkpoint")), 0);
    config.model.genesis_seed++;
    live(&config, CHIRR_CHECKPOINT_NONE);
    move("model.checkpoint.previous.other-lineage", "model.checkpoint");
}
