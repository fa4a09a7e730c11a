/* `chirr model`: its words, and what reads a checkpoint. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/checkpoint.h"
#include "tests/agent/cli_model.h"

TestSuite(cli_model, .init = cli_model_enter, .fini = cli_home_leave, .timeout = 120);

/* ---- Words --------------------------------------------------------------------------------- */

Test(cli_model, every_command_has_help)
{
    static const char *const verbs[] = {"train", "eval", "generate", "info", "export", "explain"};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        char usage[64];
        snprintf(usage, sizeof usage, "usage: chirr model %s ", verbs[i]);
        run_chirr(&run, "model", verbs[i], "--help", NULL);
        cr_expect_eq(run.code, 0);
        cr_expect_eq(strncmp(run.out, usage, strlen(usage)), 0, "%s", run.out);
        cr_expect_not_null(strstr(run.out, "Exit code: 0"), "%s", run.out);
    }
}

static const struct misuse {
    const char *words[6];
    const char *message;
} misuses[] = {
    {{"train"}, "chirr model train: expected one text or more"},
    {{"train", "a.txt", "--shape", "64,2"}, "--shape: expected six whole numbers"},
    {{"train", "a.txt", "--shape", "64,2,128,32,4,8x"}, "--shape: expected six whole numbers"},
    {{"train", "a.txt", "--shape", "-1,2,128,32,4,8"}, "--shape: expected six whole numbers"},
    {{"train", "a.txt", "--shape", "64,2,128,0,4,99999999999"}, "--shape: expected six whole"},
    {{"train", "a.txt", "--shape", "64,2,128,0,4,8,"}, "--shape: expected six whole numbers"},
    {{"train", "a.txt", "--model", ""}, "--model: expected a file"},
    {{"train", "a.txt", "--shape", "65,2,128,32,4,8"}, "width"},
    {{"train", "a.txt", "--rate", "nan"}, "--rate: expected a number from 0 to 0.1"},
    {{"train", "a.txt", "--chunk", "257"}, "--chunk: expected a whole number from 1 to 256"},
    {{"train", "a.txt", "--decay", "512"}, "--decay: expected two whole numbers (as in 6,512)"},
    {{"train", "a.txt", "--decay", "9,3"}, "decays of 9 to 3 steps, expected 1 to 65536"},
    {{"train", "a.txt", "--gate", "no"}, "--gate: expected true or false, got \"no\""},
    {{"train", "a.txt", "--grams", "1000"}, "expected 0 or a power of two up to 65536"},
    {{"train", "a.txt", "--held-out", "100"}, "--held-out: expected a whole number from 0 to 99"},
    {{"train", "a.txt", "--sense", "nose"}, "expected a sense of bytes of this model (text)"},
    {{"eval", "m.ckpt"}, "expected a checkpoint and one text or more"},
    {{"generate", "m.ckpt", "--temperature", "hot"}, "--temperature: expected a number from 0"},
    {{"generate"}, "expected one checkpoint"},
    {{"info", "a", "b"}, "expected one checkpoint"},
    {{"export", "m.ckpt"}, "expected a checkpoint and a file to write"},
    {{"export", "m.ckpt", "x", "--format", "gguf"}, "--format: expected safetensors or csv"},
    {{"export", "m.ckpt", "x.json"}, "expected a file .safetensors or .csv, or --format, got"},
    {{"dream"}, "expected train, eval, generate, info, export or explain, got \"dream\""},
};

Test(cli_model, a_wrong_command_line_ends_with_2_and_makes_no_file)
{
    for (size_t i = 0; i < sizeof misuses / sizeof misuses[0]; i++) {
        const char *const *w = misuses[i].words;
        run_chirr(&run, "model", w[0], w[1], w[2], w[3], w[4], w[5], NULL);
        cr_expect_eq(run.code, 2, "%s %s: %d", w[0], w[1], run.code);
        cr_expect_not_null(strstr(run.err, misuses[i].message), "got: %s", run.err);
    }
    cr_expect_neq(access("model.ckpt", F_OK), 0);
    cr_expect_neq(access("model.ckpt.train", F_OK), 0);
}

Test(cli_model, a_checkpoint_that_is_not_there_ends_with_3)
{
    static const char *const verbs[] = {"eval", "explain", "export", "generate", "info"};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        run_chirr(&run, "model", verbs[i], "none.ckpt",
                  i == 2  ? "a.csv"
                  : i < 2 ? "a.txt"
                          : NULL,
                  NULL);
        cr_expect_eq(run.code, 3, "%s", verbs[i]);
        cr_expect_not_null(strstr(run.err, "none.ckpt"), "%s", run.err);
    }
}

/* ---- Reading a checkpoint ------------------------------------------------------------------ */

Test(cli_model, a_damaged_checkpoint_is_told_and_ends_with_1)
{
    static const long places[] = {3, 60, 20000, -1};
    train("m.ckpt", "1000");
    struct stat status;
    cr_assert_eq(stat("m.ckpt", &status), 0);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        long at = places[i] < 0 ? status.st_size - 1 : places[i];
        directory_flip(home, "m.ckpt", at);
        run_chirr(&run, "model", "info", "m.ckpt", NULL);
        cr_expect_eq(run.code, 1, "byte %ld", at);
        cr_expect_eq(strncmp(run.err, "chirr: m.ckpt: ", 15), 0, "%s", run.err);
        cr_expect_str_eq(run.out, "");
        directory_flip(home, "m.ckpt", at);
    }
    cr_assert_eq(truncate("m.ckpt", 100), 0);
    run_chirr(&run, "model", "info", "m.ckpt", NULL);
    cr_expect_eq(run.code, 1);
    cr_expect_not_null(strstr(run.err, "m.ckpt.previous is whole"), "%s", run.err);
}

Test(cli_model, info_reads_what_an_agent_keeps)
{
    struct chirr_error error = {0};
    struct chirr_arena arena;
    struct chirr_model_config config = chirr_model_config_default();
    config.sense_count = 3;
    config.senses[1] =
        (struct chirr_model_sense){.name = "load", .kind = CHIRR_SENSE_VECTOR, .width = 8};
    config.senses[2] = (struct chirr_model_sense){.name = "ears", .kind = CHIRR_SENSE_AUDIO};
    config.hosted = 0x3C;
    cr_assert_eq(chirr_arena_init(&arena, chirr_model_bytes(&config)), CHIRR_OK);
    struct chirr_model *model = chirr_model_create(&arena, &config);
    cr_assert_eq(chirr_checkpoint_save(model, "model.checkpoint", &error), CHIRR_OK, "%s",
                 error.text);
    chirr_arena_finish(&arena);
    run_chirr(&run, "model", "info", "model.checkpoint", NULL);
    cr_expect_eq(run.code, 0, "%s", run.err);
    cr_expect_not_null(strstr(run.out, "8, 4 hosted"), "%s", run.out);
    cr_expect_not_null(strstr(run.out, "load, vector of 8"), "%s", run.out);
    cr_expect_not_null(strstr(run.out, "ears, audio"), "%s", run.out);
    run_chirr(&run, "model", "eval", "model.checkpoint", "b.txt", NULL);
    cr_expect_eq(run.code, 0, "%s", run.err);
}

Test(cli_model, info_tells_the_shape_and_what_was_learned)
{
    struct result result = train("m.ckpt", "1000");
    run_chirr(&run, "model", "info", "m.ckpt", "--json", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    json_t *info = json_loads(run.out, 0, NULL);
    cr_assert_not_null(info);
    const json_t *shape = json_object_get(info, "shape");
    cr_expect_eq(json_integer_value(json_object_get(shape, "section_width")), 64);
    cr_expect_eq(json_integer_value(json_object_get(info, "sensed")), 1000);
    cr_expect_eq(json_integer_value(json_object_get(info, "updates")), 31);
    cr_expect_gt(json_real_value(json_object_get(info, "own_norm")), 0);
    cr_expect_str_eq(json_string_value(json_object_get(info, "state_hash")), result.state);
    json_decref(info);
}

static long size_of_output(void)
{
    struct stat status;
    cr_assert_eq(stat("out", &status), 0);
    return (long)status.st_size;
}

Test(cli_model, generates_the_same_for_one_seed_and_exactly_what_was_asked_for)
{
    static char first[sizeof run.out];
    train("m.ckpt", "30000");
    run_chirr(&run, "model", "generate", "m.ckpt", "--bytes", "300", "--temperature", "0.5", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    cr_expect_eq(size_of_output(), 300);
    cr_expect_not_null(strstr(run.out, "the "), "%s", run.out);
    strcpy(first, run.out);
    run_chirr(&run, "model", "generate", "m.ckpt", "--bytes", "300", "--temperature", "0.5", NULL);
    cr_expect_str_eq(run.out, first);
    run_chirr(&run, "model", "generate", "m.ckpt", "--bytes", "300", "--temperature", "0.5",
              "--seed", "2", NULL);
    cr_expect_str_neq(run.out, first);
    run_chirr(&run, "model", "generate", "m.ckpt", "--bytes", "300", "--temperature", "0.5",
              "--prompt", "carries leaf hom", NULL);
    cr_expect_eq(strncmp(run.out, "e", 1), 0, "it goes on from the prompt: %s", run.out);
}

Test(cli_model, what_is_generated_goes_on_as_it_began_and_has_one_text_in_json)
{
    static char first[sizeof run.out];
    train("m.ckpt", "30000");
    run_chirr(&run, "model", "generate", "m.ckpt", "--bytes", "65", NULL);
    strcpy(first, run.out);
    run_chirr(&run, "model", "generate", "m.ckpt", "--bytes", "1000", NULL);
    cr_expect_eq(strncmp(run.out, first, 65), 0, "%s\nis not the beginning of\n%s", first, run.out);
    strcpy(first, run.out);
    run_chirr(&run, "model", "generate", "m.ckpt", "--bytes", "1000", "--json", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    json_t *all = json_loads(run.out, JSON_ALLOW_NUL, NULL);
    const char *hex = json_string_value(json_object_get(all, "hex"));
    cr_assert_eq(strlen(hex), 2000);
    for (size_t i = 0; i < 20; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        cr_expect_eq((char)strtoul(digits, NULL, 16), first[i], "byte %zu", i);
    }
    cr_expect(json_is_string(json_object_get(all, "text")) ||
              json_is_null(json_object_get(all, "text")));
    json_decref(all);
}

Test(cli_model, names_that_are_not_utf_8_are_names_too)
{
    cr_assert_eq(rename("b.txt", "caf\xE9.txt"), 0);
    run_chirr(&run, "model", "train", "caf\xE9.txt", "--shape", SHAPE, "--bytes", "3000", "--json",
              NULL);
    cr_expect_eq(result_of(&run).bytes, 3000);
    run_chirr(&run, "model", "train", "caf\xE9.txt", "--bytes", "6000", "--json", NULL);
    cr_expect_eq(result_of(&run).bytes, 6000, "it goes on");
    run_chirr(&run, "model", "eval", "model.ckpt", "caf\xE9.txt", "--json", NULL);
    cr_expect_not_null(strstr(run.out, "\"text\": \"caf\\\\xE9.txt\""), "%s", run.out);
    run_chirr(&run, "model", "explain", "model.ckpt", "caf\xE9.txt", "--bytes", "500", "--json",
              NULL);
    cr_expect_not_null(strstr(run.out, "\"text\": \"caf\\\\xE9.txt\""), "%s", run.out);
}

Test(cli_model, what_cannot_be_printed_has_failed)
{
    train("m.ckpt", "1000");
    cr_assert_eq(unlink("out"), 0);
    cr_assert_eq(symlink("/dev/full", "out"), 0);
    run_chirr(&run, "model", "info", "m.ckpt", NULL);
    cr_expect_eq(run.code, 1);
    cr_expect_str_eq(run.err, "chirr: standard output cannot be written\n");
}

Test(cli_model, reading_leaves_the_checkpoint_as_it_is)
{
    struct result before = train("m.ckpt", "1000");
    run_chirr(&run, "model", "eval", "m.ckpt", "b.txt", NULL);
    run_chirr(&run, "model", "generate", "m.ckpt", "--prompt", "the ", NULL);
    struct result after = train("m.ckpt", "1000");
    expect_equal(&before, &after);
}
