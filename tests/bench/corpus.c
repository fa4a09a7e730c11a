#include "tests/bench/corpus.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_BYTES_MAX 1024
#define DEPTH_MAX 6

static bool is_full(const struct chirr_bench_text *text, size_t wanted)
{
    return text->count >= wanted;
}

static void add_stream(struct chirr_bench_text *text, size_t wanted, FILE *stream)
{
    text->count += fread(text->bytes + text->count, 1, wanted - text->count, stream);
}

static void add_file(struct chirr_bench_text *text, size_t wanted, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file != NULL) {
        add_stream(text, wanted, file);
        fclose(file);
    }
}

/* All files below `path` whose name ends with `suffix`, folder by folder in the order of their
 * names, so that a machine always gives the same text. */
static void add_tree(struct chirr_bench_text *text, size_t wanted, const char *path,
                     const char *suffix, int depth)
{
    struct stat status;
    if (is_full(text, wanted) || depth > DEPTH_MAX || lstat(path, &status) != 0) {
        return;
    }
    if (S_ISREG(status.st_mode)) {
        size_t length = strlen(path);
        size_t ending = strlen(suffix);
        if (length >= ending && strcmp(path + length - ending, suffix) == 0) {
            add_file(text, wanted, path);
        }
        return;
    }
    struct dirent **names = NULL;
    int count = S_ISDIR(status.st_mode) ? scandir(path, &names, NULL, alphasort) : 0;
    for (int i = 0; i < count; i++) {
        char inner[PATH_BYTES_MAX];
        int length = snprintf(inner, sizeof inner, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && length < PATH_BYTES_MAX) {
            add_tree(text, wanted, inner, suffix, depth + 1);
        }
        free(names[i]);
    }
    free(names);
}

static void add_licences(struct chirr_bench_text *text, size_t wanted)
{
    add_tree(text, wanted, "/usr/share/common-licenses", "", 0);
    add_tree(text, wanted, "/usr/share/doc", "/copyright", 0);
}

static void add_headers(struct chirr_bench_text *text, size_t wanted)
{
    add_tree(text, wanted, "/usr/include", ".h", 0);
}

static void add_changelogs(struct chirr_bench_text *text, size_t wanted)
{
    FILE *pipe = popen("LC_ALL=C; zcat /usr/share/doc/*/changelog*.gz 2>/dev/null", "r");
    if (pipe != NULL) {
        add_stream(text, wanted, pipe);
        pclose(pipe);
    }
}

static const struct kind {
    const char *name;
    void (*add)(struct chirr_bench_text *text, size_t wanted);
} kinds[CHIRR_BENCH_TEXTS_MAX] = {
    {"headers", add_headers},
    {"licences", add_licences},
    {"changelogs", add_changelogs},
};

static enum chirr_err begin_text(struct chirr_bench_text *text, const char *name, size_t bytes,
                                 struct chirr_error *error)
{
    snprintf(text->name, sizeof text->name, "%s", name);
    text->count = 0;
    text->bytes = malloc(bytes);
    return text->bytes != NULL ? CHIRR_OK
                               : chirr_error_set(error, CHIRR_ERR_NOMEM,
                                                 "a text needs %zu bytes: out of memory", bytes);
}

static enum chirr_err gather(struct chirr_bench_corpus *corpus,
                             const struct chirr_bench_corpus_wish *wish, struct chirr_error *error)
{
    for (size_t i = 0; i < CHIRR_BENCH_TEXTS_MAX && corpus->count < wish->texts_max; i++) {
        struct chirr_bench_text *text = &corpus->texts[corpus->count];
        enum chirr_err err = begin_text(text, kinds[i].name, wish->bytes, error);
        if (err != CHIRR_OK) {
            return err;
        }
        kinds[i].add(text, wish->bytes);
        if (is_full(text, wish->bytes)) {
            corpus->count++;
        } else {
            free(text->bytes);
            text->bytes = NULL;
        }
    }
    return corpus->count > 0
               ? CHIRR_OK
               : chirr_error_set(
                     error, CHIRR_ERR_CONFIG,
                     "this machine has no headers, licences or changelogs of %zu bytes: "
                     "give a text with --text, or fewer --bytes",
                     wish->bytes);
}

static enum chirr_err read_file(struct chirr_bench_corpus *corpus, const char *path, size_t bytes,
                                struct chirr_error *error)
{
    const char *slash = strrchr(path, '/');
    struct chirr_bench_text *text = &corpus->texts[0];
    struct stat status;
    if (stat(path, &status) != 0) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG, "%s: %s", path, strerror(errno));
    }
    enum chirr_err err = begin_text(text, slash != NULL ? slash + 1 : path, bytes, error);
    if (err != CHIRR_OK) {
        return err;
    }
    FILE *file = S_ISREG(status.st_mode) ? fopen(path, "rb") : NULL;
    if (file == NULL) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG, "%s: %s", path,
                               S_ISREG(status.st_mode) ? strerror(errno) : "not a file");
    }
    add_stream(text, bytes, file);
    fclose(file);
    corpus->count = 1;
    return is_full(text, bytes)
               ? CHIRR_OK
               : chirr_error_set(error, CHIRR_ERR_RANGE,
                                 "%s: has %zu bytes, a pass needs %zu: give a longer text or fewer "
                                 "--bytes",
                                 path, text->count, bytes);
}

enum chirr_err chirr_bench_corpus_init(struct chirr_bench_corpus *corpus,
                                       const struct chirr_bench_corpus_wish *wish,
                                       struct chirr_error *error)
{
    CHIRR_ASSERT(wish->texts_max > 0 && wish->texts_max <= CHIRR_BENCH_TEXTS_MAX);
    *corpus = (struct chirr_bench_corpus){0};
    enum chirr_err err = wish->path != NULL ? read_file(corpus, wish->path, wish->bytes, error)
                                            : gather(corpus, wish, error);
    if (err != CHIRR_OK) {
        chirr_bench_corpus_finish(corpus);
    }
    return err;
}

void chirr_bench_corpus_finish(struct chirr_bench_corpus *corpus)
{
    for (size_t i = 0; i < CHIRR_BENCH_TEXTS_MAX; i++) {
        free(corpus->texts[i].bytes);
    }
    *corpus = (struct chirr_bench_corpus){0};
}
