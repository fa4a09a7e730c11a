#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/corpus.h"

static struct chirr_bench_corpus corpus;
static struct chirr_error error;

static enum chirr_err init(const char *path, size_t bytes, size_t texts_max)
{
    const struct chirr_bench_corpus_wish wish = {path, bytes, texts_max};
    return chirr_bench_corpus_init(&corpus, &wish, &error);
}

Test(corpus, is_the_beginning_of_a_file)
{
    char path[] = "/tmp/chirr-corpus-XXXXXX";
    int file = mkstemp(path);
    cr_assert_geq(file, 0);
    cr_assert_eq(write(file, "abcdefgh", 8), 8);
    cr_assert_eq(close(file), 0);
    cr_assert_eq(init(path, 5, 3), CHIRR_OK);
    cr_expect_eq(corpus.count, 1);
    cr_expect_eq(corpus.texts[0].count, 5);
    cr_expect_eq(memcmp(corpus.texts[0].bytes, "abcde", 5), 0);
    cr_expect_str_eq(corpus.texts[0].name, strrchr(path, '/') + 1);
    chirr_bench_corpus_finish(&corpus);

    cr_expect_eq(init(path, 9, 3), CHIRR_ERR_RANGE);
    cr_expect_eq(corpus.count, 0);
    cr_expect_null(corpus.texts[0].bytes);
    cr_assert_eq(unlink(path), 0);
    cr_expect_eq(init(path, 5, 3), CHIRR_ERR_CONFIG);
    cr_expect_eq(init("/tmp", 5, 3), CHIRR_ERR_CONFIG);
}

Test(corpus, of_a_machine_is_the_same_every_time)
{
    if (init(NULL, 2000, 1) != CHIRR_OK) {
        cr_skip_test("this machine has no headers, licences or changelogs");
    }
    struct chirr_bench_corpus first = corpus;
    cr_expect_eq(first.count, 1);
    cr_expect_eq(first.texts[0].count, 2000);
    cr_assert_eq(init(NULL, 2000, 1), CHIRR_OK);
    cr_expect_eq(memcmp(first.texts[0].bytes, corpus.texts[0].bytes, 2000), 0);
    chirr_bench_corpus_finish(&first);
    chirr_bench_corpus_finish(&corpus);
}
