/* A directory of its own for each test that touches files. */
#ifndef CHIRR_TESTS_SUPPORT_DIRECTORY_H
#define CHIRR_TESTS_SUPPORT_DIRECTORY_H

#include <stddef.h>

#define DIRECTORY_PATH_BYTES_MAX 256

/* Makes an empty one below TMPDIR (or /tmp). */
void directory_create(char path[DIRECTORY_PATH_BYTES_MAX]);
/* Removes it and everything in it. */
void directory_remove(const char *path);

/* PATH/name; static storage, reused after a few calls. */
const char *directory_file(const char *path, const char *name);
void directory_write(const char *path, const char *name, const void *data, size_t bytes);
/* Turns the lowest bit of the byte at `at`. */
void directory_flip(const char *path, const char *name, long at);

#endif
