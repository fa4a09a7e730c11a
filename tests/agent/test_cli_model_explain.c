/* `chirr model explain`: who answered, what each is worth, what was a surprise. */
#include <stdio.h>
#include <string.h>

#include "tests/agent/cli_model.h"

TestSuite(cli_model_explain, .init = cli_model_enter, .fini = cli_home_leave, .timeout = 120);

static json_t *explain(const char *bytes)
{
    run_chirr(&run, "model", "explain", "m.ckpt", "b.txt", "--json", "--bytes", bytes, NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    json_t *all = json_loads(run.out, 0, NULL);
    const json_t *texts = json_object_get(all, "texts");
    cr_assert_eq(json_array_size(texts), 1);
    json_t *one = json_incref(json_array_get(texts, 0));
    json_decref(all);
    return one;
}

Test(cli_model_explain, explains_what_each_partition_is_worth)
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

Test(cli_model_explain, explains_where_the_surprise_was)
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

Test(cli_model_explain, explains_whom_the_selector_called)
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

Test(cli_model_explain, shows_the_averages_that_the_checkpoint_keeps)
{
    run_chirr(&run, "model", "train", "a.txt", "--model", "m.ckpt", "--shape", SHAPE, "--active",
              "1", "--bytes", "20K", "--json", NULL);
    result_of(&run);
    run_chirr(&run, "model", "explain", "m.ckpt", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    cr_expect_eq(strncmp(run.out, "m.ckpt: 1 of the 4 partitions hosted answer at a time;", 54), 0,
                 "%s", run.out);
    cr_expect_not_null(strstr(run.out, "PARTITION  text\n"), "%s", run.out);
    run_chirr(&run, "model", "explain", "m.ckpt", "--json", NULL);
    json_t *all = json_loads(run.out, 0, NULL);
    const json_t *senses = json_object_get(json_object_get(all, "averages"), "senses");
    const json_t *shares = json_object_get(json_array_get(senses, 0), "shares");
    double sum = 0;
    cr_assert_eq(json_array_size(shares), 4);
    for (size_t i = 0; i < 4; i++) {
        const json_t *share = json_object_get(json_array_get(shares, i), "share");
        sum += json_number_value(json_array_get(share, 0));
    }
    cr_expect_float_eq(sum, 1, 0.003, "one answers at each byte: %g", sum);
    json_decref(all);
}

Test(cli_model_explain, tells_of_a_text_that_it_cannot_read_and_explains_the_others)
{
    train("m.ckpt", "1000");
    directory_write(home, "empty.txt", "", 0);
    run_chirr(&run, "model", "explain", "m.ckpt", "empty.txt", "b.txt", "none.txt", "--bytes",
              "500", "--json", NULL);
    cr_expect_eq(run.code, 1);
    cr_expect_str_eq(run.err, "chirr: empty.txt: is empty\n"
                              "chirr: none.txt: No such file or directory\n");
    json_t *all = json_loads(run.out, 0, NULL);
    const json_t *texts = json_object_get(all, "texts");
    cr_expect_eq(json_array_size(texts), 1);
    cr_expect_str_eq(json_string_value(json_object_get(json_array_get(texts, 0), "text")), "b.txt");
    json_decref(all);
}
