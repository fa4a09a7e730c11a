/* `chirr model train`: what it learns, and how it goes on. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/agent/cli_model.h"

TestSuite(cli_model_train, .init = cli_model_enter, .fini = cli_home_leave, .timeout = 120);

Test(cli_model_train, learns_what_it_reads)
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

Test(cli_model_train, many_small_trainings_are_one_large_one_to_the_bit)
{
    struct result whole = train("whole.ckpt", "20001");
    struct result part = train("parts.ckpt", "1");
    part = train("parts.ckpt", "1001"); /* inside a chunk */
    part = train("parts.ckpt", "4096");
    part = train("parts.ckpt", "20001");
    expect_equal(&whole, &part);
}

Test(cli_model_train, passes_go_through_all_texts_again)
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

Test(cli_model_train, a_training_that_was_killed_ends_with_the_bits_of_one_that_was_not)
{
    int status = interrupt_training(SIGKILL);
    cr_expect(WIFSIGNALED(status));
    finish_and_compare();
}

Test(cli_model_train, a_signal_saves_first_and_ends_with_130)
{
    int status = interrupt_training(SIGTERM);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 130);
    finish_and_compare();
}

Test(cli_model_train, goes_on_from_the_checkpoint_before_where_the_last_is_damaged)
{
    struct result whole = train("whole.ckpt", "20000");
    train("m.ckpt", "5000");
    train("m.ckpt", "12000");
    directory_flip(home, "m.ckpt", 20000);
    struct result cut = train("m.ckpt", "20000");
    cr_expect_not_null(strstr(run.err, "goes on from m.ckpt.previous"), "%s", run.err);
    expect_equal(&whole, &cut);
}

Test(cli_model_train, what_is_held_out_is_not_learned)
{
    run_chirr(&run, "model", "train", "b.txt", "--model", "x.ckpt", "--shape", SHAPE, "--held-out",
              "10", "--json", NULL);
    struct result one = result_of(&run);
    directory_flip(home, "b.txt", 9001 - 900);
    run_chirr(&run, "model", "train", "b.txt", "--model", "y.ckpt", "--shape", SHAPE, "--held-out",
              "10", "--json", NULL);
    struct result other = result_of(&run);
    cr_expect_eq(one.bytes, 8101);
    cr_expect_str_eq(one.state, other.state);
    cr_expect_gt(one.held_out, 0);
    cr_expect_neq(one.held_out, other.held_out);
}

Test(cli_model_train, an_unfinished_training_keeps_to_its_texts)
{
    interrupt_training(SIGTERM);
    run_chirr(&run, "model", "train", "b.txt", "--model", "cut.ckpt", NULL);
    cr_expect_eq(run.code, 2);
    cr_expect_not_null(strstr(run.err, "through other texts (a.txt, …)"), "%s", run.err);
    directory_flip(home, "b.txt", 5);
    run_chirr(&run, "model", "train", "a.txt", "b.txt", "--model", "cut.ckpt", NULL);
    cr_expect_eq(run.code, 2, "b.txt is another text now");
    run_chirr(&run, "model", "train", "b.txt", "--model", "cut.ckpt", "--anew", "--json", NULL);
    cr_expect_eq(result_of(&run).bytes, 9001);
    run_chirr(&run, "model", "train", "a.txt", "--bytes", "100", "--model", "cut.ckpt", "--json",
              NULL);
    cr_expect_eq(result_of(&run).bytes, 100, "nothing is left unfinished");
}

Test(cli_model_train, another_shape_than_the_files_is_refused)
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

Test(cli_model_train, a_new_model_is_what_was_asked_for_and_stays_it)
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

Test(cli_model_train, texts_that_cannot_serve_are_named)
{
    directory_write(home, "empty.txt", "", 0);
    directory_write(home, "one.txt", "x", 1);
    run_chirr(&run, "model", "train", "empty.txt", NULL);
    cr_expect_eq(run.code, 1);
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
