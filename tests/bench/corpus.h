/* Texts to learn: a file, or what a machine has of its own: licences, headers, changelogs. Nothing
 * is fetched, and nothing that this repository lacks is taken for granted.
 *
 * Ownership: a corpus owns its bytes. Process edge: reads files, runs zcat. */
#ifndef CHIRR_TESTS_BENCH_CORPUS_H
#define CHIRR_TESTS_BENCH_CORPUS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define CHIRR_BENCH_TEXTS_MAX 3
#define CHIRR_BENCH_TEXT_NAME_BYTES_MAX 64

struct chirr_bench_text {
    char name[CHIRR_BENCH_TEXT_NAME_BYTES_MAX]; /* of the file, or "headers" */
    uint8_t *bytes;
    size_t count;
};

struct chirr_bench_corpus {
    struct chirr_bench_text texts[CHIRR_BENCH_TEXTS_MAX];
    size_t count;
};

struct chirr_bench_corpus_wish {
    const char *path; /* of a file; NULL: texts of the machine's own */
    size_t bytes;     /* of each text */
    size_t texts_max; /* 1…CHIRR_BENCH_TEXTS_MAX kinds, of those that the machine has enough of */
};

/* CHIRR_ERR_CONFIG: no such file, or no text here; CHIRR_ERR_RANGE: the file is shorter than
 * `bytes`; CHIRR_ERR_NOMEM. An empty corpus is left then. */
CHIRR_NODISCARD enum chirr_err chirr_bench_corpus_init(struct chirr_bench_corpus *corpus,
                                                       const struct chirr_bench_corpus_wish *wish,
                                                       struct chirr_error *error);
void chirr_bench_corpus_finish(struct chirr_bench_corpus *corpus);

#endif
