/* `chirr model` as people and scripts use it: the real executable on small texts. */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"
#include "base/wire.h"
#include "model/checkpoint.h"
#include "tests/agent/fake_agent.h"
#include "tests/support/directory.h"

#define SHAPE "16,1,64,16,4,4"
#define TEXT_BYTES ((size_t)100000)

static char home[DIRECTORY_PATH_BYTES_MAX];
static struct run run;

/* Words in an order that can be learned a little. */
static void write_text(const char *name, uint64_t seed, size_t bytes)
{
    static const char *const words[] = {"the ", "ant ", "carries ", "leaf ", "home\n", "and "};
    struct chirr_random random;
    char *text = malloc(bytes + 16);
    size_t used = 0;
    chirr_random_init(&random, seed, 0);
    while (used < bytes) {
        const char *word = words[chirr_random_below(&random, sizeof words / sizeof words[0])];
        strcpy(text + used, word);
        used += strlen(word);
    }
    directory_write(home, name, text, bytes);
    free(text);
}

static void enter(void)
{
    directory_create(home);
    cr_assert_eq(chdir(home), 0);
    setenv("HOME", home, 1);
    write_text("a.txt", 1, TEXT_BYTES);
    write_text("b.txt", 2, 9001);
}

static void leave(void)
{
    cr_assert_eq(chdir("/"), 0);
    directory_remove(home);
}

TestSuite(cli_model, .init = enter, .fini = leave, .timeout = 120);

/* The last line of JSON in `text`. */
static json_t *last_line(const char *text)
{
    size_t end = strlen(text);
    cr_assert_gt(end, 0, "no output");
    size_t begin = end - 1;
    while (begin > 0 && text[begin - 1] != '\n') {
        begin--;
    }
    json_t *line = json_loads(text + begin, 0, NULL);
    cr_assert_not_null(line, "%s", text);
    return line;
}

struct result {
    char state[32];
    double bits, held_out;
    long long bytes;
};

static struct result result_of(const struct run *of)
{
    struct result result = {0};
    cr_assert_eq(of->code, 0, "%s", of->err);
    json_t *end = last_line(of->out);
    cr_assert_str_eq(json_string_value(json_object_get(end, "event")), "end");
    strcpy(result.state, json_string_value(json_object_get(end, "state_hash")));
    result.bits = json_number_value(json_object_get(end, "bits"));
    result.held_out = json_number_value(json_object_get(end, "held_out_bits"));
    result.bytes = json_integer_value(json_object_get(end, "bytes"));
    json_decref(end);
    return result;
}

static struct result train(const char *model, const char *bytes)
{
    run_chirr(&run, "model", "train", "a.txt", "b.txt", "--model", model, "--shape", SHAPE,
              "--bytes", bytes, "--json", NULL);
    return result_of(&run);
}

static void expect_equal(const struct result *a, const struct result *b)
{
    cr_expect_str_eq(a->state, b->state);
    cr_expect_float_eq(a->bits, b->bits, 1e-12);
    cr_expect_eq(a->bytes, b->bytes);
}

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
        run_chirr(&run, "model", verbs[i], "none.ckpt", i < 3 ? "a.txt" : NULL, NULL);
        cr_expect_eq(run.code, 3, "%s", verbs[i]);
        cr_expect_not_null(strstr(run.err, "none.ckpt"), "%s", run.err);
    }
}

/* ---- Training ------------------------------------------------------------------------------ */

Test(cli_model, learns_what_it_reads)
{
    struct result result = train("m.ckpt", "40K");
    cr_expect_eq(result.bytes, 40960);
    run_chirr(&run, "model", "eval", "m.ckpt", "b.txt", "--json", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    json_t *eval = json_loads(run.out, 0, NULL);
    double bits = json_number_value(json_object_get(eval, "bits"));
    cr_expect_lt(bits, 1.5, "words at random need 0.6 bits a byte, bytes at random 8: %g", bits);
    cr_expect_lt(bits, result.bits);
    json_decref(eval);
}

Test(cli_model, many_small_trainings_are_one_large_one_to_the_bit)
{
    struct result whole = train("whole.ckpt", "20001");
    struct result part = train("parts.ckpt", "1");
    part = train("parts.ckpt", "1001"); /* inside a chunk */
    part = train("parts.ckpt", "4096");
    part = train("parts.ckpt", "20001");
    expect_equal(&whole, &part);
}

Test(cli_model, passes_go_through_all_texts_again)
{
    struct result whole, twice;
    run_chirr(&run, "model", "train", "b.txt", "b.txt", "--model", "x.ckpt", "--shape", SHAPE,
              "--json", NULL);
    whole = result_of(&run);
    cr_expect_eq(whole.bytes, 2 * 9001);
    run_chirr(&run, "model", "train", "b.txt", "--passes", "2", "--model", "y.ckpt", "--shape",
              SHAPE, "--json", NULL);
    twice = result_of(&run);
    expect_equal(&whole, &twice);
}

/* Waits until the log tells of a checkpoint in the middle. */
static void await_checkpoint(pid_t pid)
{
    static char log[65536];
    int status;
    for (;;) {
        FILE *file = fopen("log", "r");
        size_t bytes = file != NULL ? fread(log, 1, sizeof log - 1, file) : 0;
        log[bytes] = '\0';
        if (file != NULL) {
            fclose(file);
        }
        if (strstr(log, "{\"event\":\"checkpoint\"") != NULL) {
            return;
        }
        cr_assert_eq(waitpid(pid, &status, WNOHANG), 0, "it has ended: %s", log);
        usleep(2000);
    }
}

/* Starts the training of `whole`, ends it by a signal in the middle, and returns its exit status.
 */
static int interrupt_training(int signal)
{
    int status;
    pid_t pid = start_chirr("model", "train", "a.txt", "b.txt", "--model", "cut.ckpt", "--shape",
                            SHAPE, "--checkpoint-every", "20ms", "--json", NULL);
    await_checkpoint(pid);
    kill(pid, signal);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static void finish_and_compare(void)
{
    run_chirr(&run, "model", "train", "a.txt", "b.txt", "--model", "cut.ckpt", "--json", NULL);
    struct result cut = result_of(&run);
    json_t *begin = json_loads(run.out, JSON_DISABLE_EOF_CHECK, NULL);
    cr_expect(json_is_true(json_object_get(begin, "resumed")));
    cr_expect_gt(json_integer_value(json_object_get(begin, "bytes")), 0);
    cr_expect_lt(json_integer_value(json_object_get(begin, "bytes")), (json_int_t)TEXT_BYTES);
    json_decref(begin);
    run_chirr(&run, "model", "train", "a.txt", "b.txt", "--model", "whole.ckpt", "--shape", SHAPE,
              "--json", NULL);
    struct result whole = result_of(&run);
    expect_equal(&whole, &cut);
}

Test(cli_model, a_training_that_was_killed_ends_with_the_bits_of_one_that_was_not)
{
    int status = interrupt_training(SIGKILL);
    cr_expect(WIFSIGNALED(status));
    finish_and_compare();
}

Test(cli_model, a_signal_saves_first_and_ends_with_130)
{
    int status = interrupt_training(SIGTERM);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 130);
    finish_and_compare();
}

static void flip_a_byte(const char *path, long at)
{
    FILE *file = fopen(path, "r+");
    cr_assert_not_null(file);
    fseek(file, at, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, at, SEEK_SET);
    fputc(byte ^ 1, file);
    fclose(file);
}

Test(cli_model, goes_on_from_the_checkpoint_before_where_the_last_is_damaged)
{
    struct result whole = train("whole.ckpt", "20000");
    train("m.ckpt", "5000");
    train("m.ckpt", "12000");
    flip_a_byte("m.ckpt", 20000);
    struct result cut = train("m.ckpt", "20000");
    cr_expect_not_null(strstr(run.err, "goes on from m.ckpt.previous"), "%s", run.err);
    expect_equal(&whole, &cut);
}

Test(cli_model, what_is_held_out_is_not_learned)
{
    run_chirr(&run, "model", "train", "b.txt", "--model", "x.ckpt", "--shape", SHAPE, "--held-out",
              "10", "--json", NULL);
    struct result one = result_of(&run);
    flip_a_byte("b.txt", 9001 - 900);
    run_chirr(&run, "model", "train", "b.txt", "--model", "y.ckpt", "--shape", SHAPE, "--held-out",
              "10", "--json", NULL);
    struct result other = result_of(&run);
    cr_expect_eq(one.bytes, 8101);
    cr_expect_str_eq(one.state, other.state);
    cr_expect_gt(one.held_out, 0);
    cr_expect_neq(one.held_out, other.held_out);
}

Test(cli_model, an_unfinished_training_keeps_to_its_texts)
{
    interrupt_training(SIGTERM);
    run_chirr(&run, "model", "train", "b.txt", "--model", "cut.ckpt", NULL);
    cr_expect_eq(run.code, 2);
    cr_expect_not_null(strstr(run.err, "through other texts (a.txt, …)"), "%s", run.err);
    flip_a_byte("b.txt", 5);
    run_chirr(&run, "model", "train", "a.txt", "b.txt", "--model", "cut.ckpt", NULL);
    cr_expect_eq(run.code, 2, "b.txt is another text now");
    run_chirr(&run, "model", "train", "b.txt", "--model", "cut.ckpt", "--anew", "--json", NULL);
    cr_expect_eq(result_of(&run).bytes, 9001);
    run_chirr(&run, "model", "train", "a.txt", "--bytes", "100", "--model", "cut.ckpt", "--json",
              NULL);
    cr_expect_eq(result_of(&run).bytes, 100, "nothing is left unfinished");
}

Test(cli_model, another_shape_than_the_files_is_refused)
{
    train("m.ckpt", "1000");
    run_chirr(&run, "model", "train", "a.txt", "b.txt", "--model", "m.ckpt", "--shape",
              "16,1,64,16,4,8", NULL);
    cr_expect_eq(run.code, 2);
    cr_expect_not_null(strstr(run.err, "m.ckpt: exists, with --shape " SHAPE), "%s", run.err);
    run_chirr(&run, "model", "train", "a.txt", "--model", "m.ckpt", "--seed", "9", NULL);
    cr_expect_eq(run.code, 2);
    cr_expect_not_null(strstr(run.err, "exists, with --seed 1"), "%s", run.err);
}

static const struct wish {
    const char *option, *value, *other, *found;
} wishes[] = {
    {"--decay", "3,64", "6,512", "m.ckpt: exists, with --decay 3,64"},
    {"--gate", "false", "true", "m.ckpt: exists, with --gate false"},
    {"--grams", "0", "1024", "m.ckpt: exists, with --grams 0"},
    {"--active", "1", "0", "m.ckpt: exists, with --active 1"},
    {"--rate", "0.001", "0.0024", "m.ckpt: exists, with --rate 0.001"},
    {"--chunk", "16", "32", "m.ckpt: exists, with --chunk 16"},
};

Test(cli_model, a_new_model_is_what_was_asked_for_and_stays_it)
{
    char *words[12];
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        words[2 * i] = (char *)wishes[i].option;
        words[2 * i + 1] = (char *)wishes[i].value;
    }
    run_chirr(&run, "model", "train", "b.txt", "--model", "m.ckpt", "--shape", SHAPE, "--bytes",
              "1000", "--json", words[0], words[1], words[2], words[3], words[4], words[5],
              words[6], words[7], words[8], words[9], words[10], words[11], NULL);
    cr_assert_eq(result_of(&run).bytes, 1000);
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        const struct wish *w = &wishes[i];
        run_chirr(&run, "model", "train", "b.txt", "--model", "m.ckpt", w->option, w->value, NULL);
        cr_expect_eq(run.code, 0, "%s", run.err);
        run_chirr(&run, "model", "train", "b.txt", "--model", "m.ckpt", w->option, w->other, NULL);
        cr_expect_eq(run.code, 2);
        cr_expect_not_null(strstr(run.err, w->found), "%s", run.err);
    }
    run_chirr(&run, "model", "info", "m.ckpt", NULL);
    cr_expect_not_null(
        strstr(run.out, "decays of 3 to 64 steps, no input gate, n-gram tables of 0 rows"), "%s",
        run.out);
}

Test(cli_model, texts_that_cannot_serve_are_named)
{
    directory_write(home, "empty.txt", "", 0);
    directory_write(home, "one.txt", "x", 1);
    run_chirr(&run, "model", "train", "empty.txt", NULL);
    cr_expect_eq(run.code, 2);
    cr_expect_str_eq(run.err, "chirr: empty.txt: is empty\n");
    run_chirr(&run, "model", "train", "none.txt", NULL);
    cr_expect_eq(run.code, 1);
    cr_expect_str_eq(run.err, "chirr: none.txt: No such file or directory\n");
    run_chirr(&run, "model", "train", ".", NULL);
    cr_expect_eq(run.code, 1);
    cr_expect_str_eq(run.err, "chirr: .: not a regular file\n");
    run_chirr(&run, "model", "train", "one.txt", "--shape", SHAPE, "--json", NULL);
    cr_expect_eq(result_of(&run).bytes, 1);
    run_chirr(&run, "model", "eval", "model.ckpt", "one.txt", "a.txt", NULL);
    cr_expect_eq(run.code, 1);
    cr_expect_str_eq(run.err, "chirr: one.txt: expected two bytes or more\n");
    cr_expect_not_null(strstr(run.out, "a.txt"), "the other is read all the same: %s", run.out);
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
        flip_a_byte("m.ckpt", at);
        run_chirr(&run, "model", "info", "m.ckpt", NULL);
        cr_expect_eq(run.code, 1, "byte %ld", at);
        cr_expect_eq(strncmp(run.err, "chirr: m.ckpt: ", 15), 0, "%s", run.err);
        cr_expect_str_eq(run.out, "");
        flip_a_byte("m.ckpt", at);
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

Test(cli_model, reading_leaves_the_checkpoint_as_it_is)
{
    struct result before = train("m.ckpt", "1000");
    run_chirr(&run, "model", "eval", "m.ckpt", "b.txt", NULL);
    run_chirr(&run, "model", "generate", "m.ckpt", "--prompt", "the ", NULL);
    struct result after = train("m.ckpt", "1000");
    expect_equal(&before, &after);
}

/* ---- Export -------------------------------------------------------------------------------- */

/* What the format says, read by its description alone. */
struct tensors {
    uint8_t *file;
    json_t *header;
    const uint8_t *data;
    size_t data_bytes;
};

static struct tensors read_safetensors(const char *path)
{
    struct tensors t = {0};
    struct stat status;
    cr_assert_eq(stat(path, &status), 0);
    size_t bytes = (size_t)status.st_size;
    t.file = malloc(bytes);
    FILE *file = fopen(path, "rb");
    cr_assert_eq(fread(t.file, 1, bytes, file), bytes);
    fclose(file);
    uint64_t header = chirr_wire_get_u64(t.file);
    cr_assert_leq(8 + header, bytes);
    cr_expect_eq((8 + header) % 8, 0);
    t.header = json_loadb((const char *)t.file + 8, header, JSON_REJECT_DUPLICATES, NULL);
    cr_assert_not_null(t.header);
    t.data = t.file + 8 + header;
    t.data_bytes = bytes - 8 - header;
    return t;
}

static void forget_tensors(struct tensors *t)
{
    json_decref(t->header);
    free(t->file);
}

static const uint8_t *find_tensor(const struct tensors *t, const char *name, size_t *count)
{
    const json_t *tensor = json_object_get(t->header, name);
    cr_assert_not_null(tensor, "%s", name);
    const json_t *offsets = json_object_get(tensor, "data_offsets");
    size_t begin = (size_t)json_integer_value(json_array_get(offsets, 0));
    size_t end = (size_t)json_integer_value(json_array_get(offsets, 1));
    const json_t *shape = json_object_get(tensor, "shape");
    *count = 1;
    for (size_t i = 0; i < json_array_size(shape); i++) {
        *count *= (size_t)json_integer_value(json_array_get(shape, i));
    }
    cr_expect_str_eq(json_string_value(json_object_get(tensor, "dtype")), "F32");
    cr_assert_eq(end - begin, 4 * *count, "%s", name);
    cr_assert_leq(end, t->data_bytes);
    return t->data + begin;
}

Test(cli_model, exports_every_parameter_as_safetensors)
{
    train("m.ckpt", "3000");
    run_chirr(&run, "model", "export", "m.ckpt", "m.safetensors", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    run_chirr(&run, "model", "info", "m.ckpt", "--json", NULL);
    json_t *info = json_loads(run.out, 0, NULL);
    struct tensors t = read_safetensors("m.safetensors");
    size_t sum = 0;
    const char *name;
    json_t *tensor;
    json_object_foreach(t.header, name, tensor)
    {
        size_t count = 0;
        if (strcmp(name, "__metadata__") != 0) {
            find_tensor(&t, name, &count);
        }
        sum += count;
    }
    cr_expect_eq(sum, (size_t)json_integer_value(json_object_get(info, "parameters")));
    cr_expect_eq(4 * sum, t.data_bytes, "nothing lies between or after them");
    const json_t *metadata = json_object_get(t.header, "__metadata__");
    cr_expect_str_eq(json_string_value(json_object_get(metadata, "lineage")),
                     json_string_value(json_object_get(info, "lineage")));
    json_decref(info);
    forget_tensors(&t);
}

Test(cli_model, exports_the_same_numbers_as_csv)
{
    train("m.ckpt", "3000");
    run_chirr(&run, "model", "export", "m.ckpt", "m.safetensors", "--averaged", NULL);
    run_chirr(&run, "model", "export", "m.ckpt", "m.csv", "--averaged", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    struct tensors t = read_safetensors("m.safetensors");
    size_t count, at = 0;
    const uint8_t *head = find_tensor(&t, "head", &count);
    char line[256];
    FILE *csv = fopen("m.csv", "r");
    while (fgets(line, sizeof line, csv) != NULL) {
        if (strncmp(line, "head,", 5) != 0) {
            continue;
        }
        float expected = chirr_wire_get_f32(head + 4 * at++);
        float value = strtof(strrchr(line, ',') + 1, NULL);
        cr_assert_eq(memcmp(&value, &expected, sizeof value), 0, "%s", line);
    }
    fclose(csv);
    cr_expect_eq(at, count);
    forget_tensors(&t);
}

Test(cli_model, averaged_weights_are_not_the_live_ones)
{
    size_t count;
    train("m.ckpt", "3000");
    run_chirr(&run, "model", "export", "m.ckpt", "a.safetensors", "--averaged", NULL);
    run_chirr(&run, "model", "export", "m.ckpt", "l.safetensors", NULL);
    struct tensors a = read_safetensors("a.safetensors"), l = read_safetensors("l.safetensors");
    const uint8_t *averaged = find_tensor(&a, "layers.0.partition.3.history", &count);
    const uint8_t *live = find_tensor(&l, "layers.0.partition.3.history", &count);
    cr_expect_neq(memcmp(averaged, live, 4 * count), 0);
    forget_tensors(&a);
    forget_tensors(&l);
}

Test(cli_model, an_export_that_cannot_be_written_leaves_nothing)
{
    train("m.ckpt", "1000");
    run_chirr(&run, "model", "export", "m.ckpt", "none/m.safetensors", NULL);
    cr_expect_eq(run.code, 1);
    cr_expect_not_null(strstr(run.err, "none/m.safetensors: No such file"), "%s", run.err);
    cr_assert_eq(mkdir("taken", 0700), 0);
    run_chirr(&run, "model", "export", "m.ckpt", "taken", NULL);
    cr_expect_eq(run.code, 1);
    cr_expect_neq(access("taken.tmp", F_OK), 0);
}

/* ---- Explain ------------------------------------------------------------------------------- */

static json_t *explain(const char *bytes)
{
    run_chirr(&run, "model", "explain", "m.ckpt", "b.txt", "--json", "--bytes", bytes, NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    json_t *list = json_loads(run.out, 0, NULL);
    cr_assert_eq(json_array_size(list), 1);
    json_t *one = json_incref(json_array_get(list, 0));
    json_decref(list);
    return one;
}

Test(cli_model, explains_what_each_partition_is_worth)
{
    train("m.ckpt", "40K");
    json_t *text = explain("5000");
    const json_t *partitions = json_object_get(text, "partitions");
    cr_expect_eq(json_integer_value(json_object_get(text, "bytes")), 5000);
    cr_assert_eq(json_array_size(partitions), 4);
    double worth = 0;
    for (size_t i = 0; i < 4; i++) {
        const json_t *partition = json_array_get(partitions, i);
        const json_t *share = json_object_get(partition, "share");
        worth += json_number_value(json_object_get(partition, "worth"));
        cr_expect_eq(json_array_size(share), 1, "a layer");
        cr_expect_eq(json_number_value(json_array_get(share, 0)), 1, "without a selector, all");
    }
    cr_expect_gt(worth, 0, "n-grams alone would do nearly as well on this text");
    json_decref(text);
}

Test(cli_model, explains_where_the_surprise_was)
{
    train("m.ckpt", "40K");
    FILE *file = fopen("b.txt", "r+");
    fseek(file, 3000, SEEK_SET);
    fputs("QZX@\x01\xFF#\nQZX@#%&!", file);
    fclose(file);
    json_t *explained = explain("8000");
    const json_t *first = json_array_get(json_object_get(explained, "surprises"), 0);
    json_int_t at = json_integer_value(json_object_get(first, "at"));
    cr_expect(at >= 2990 && at <= 3010, "at %lld", (long long)at);
    cr_expect_gt(json_number_value(json_object_get(first, "bits")), 6);
    cr_expect_not_null(strstr(json_string_value(json_object_get(first, "text")), "ZX@··#⏎QZX@"),
                       "%s", json_string_value(json_object_get(first, "text")));
    json_decref(explained);
    run_chirr(&run, "model", "explain", "m.ckpt", "b.txt", NULL);
    cr_expect_eq(run.code, 0);
    cr_expect_not_null(strstr(run.out, "PARTITION   WORTH  LAYER 0"), "%s", run.out);
    cr_expect_not_null(strstr(run.out, "GREATEST SURPRISES"), "%s", run.out);
}

Test(cli_model, explains_whom_the_selector_called)
{
    run_chirr(&run, "model", "train", "a.txt", "--model", "m.ckpt", "--shape", SHAPE, "--active",
              "1", "--bytes", "20K", "--json", NULL);
    result_of(&run);
    json_t *text = explain("5000");
    const json_t *partitions = json_object_get(text, "partitions");
    double sum = 0;
    for (size_t i = 0; i < json_array_size(partitions); i++) {
        const json_t *share = json_object_get(json_array_get(partitions, i), "share");
        sum += json_number_value(json_array_get(share, 0));
    }
    cr_expect_float_eq(sum, 1, 1e-6, "one answers at each byte");
    cr_expect_eq(json_integer_value(json_object_get(text, "active")), 1);
    json_decref(text);
    run_chirr(&run, "model", "explain", "m.ckpt", "a.txt", "b.txt", NULL);
    cr_expect_not_null(strstr(run.out, "PARTITION  TEXT 1    TEXT 2"), "%s", run.out);
}
