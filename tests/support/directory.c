/* Directories for tests. */
#include "tests/support/directory.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

void directory_create(char path[DIRECTORY_PATH_BYTES_MAX])
{
    const char *parent = getenv("TMPDIR");
    int length = snprintf(path, DIRECTORY_PATH_BYTES_MAX, "%s/chirr-test-XXXXXX",
                          parent != NULL ? parent : "/tmp");
    CHIRR_ASSERT(length > 0 && length < DIRECTORY_PATH_BYTES_MAX);
    CHIRR_ASSERT(mkdtemp(path) != NULL);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    return remove(path);
}

void directory_remove(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *directory_file(const char *path, const char *name)
{
    static char files[4][2 * DIRECTORY_PATH_BYTES_MAX];
    static unsigned next;
    char *file = files[next++ % 4];
    snprintf(file, sizeof files[0], "%s/%s", path, name);
    return file;
}

void directory_write(const char *path, const char *name, const void *data, size_t bytes)
{
    FILE *file = fopen(directory_file(path, name), "w");
    CHIRR_ASSERT(file != NULL);
    CHIRR_ASSERT(fwrite(data, 1, bytes, file) == bytes);
    CHIRR_ASSERT(fclose(file) == 0);
}

void directory_flip(const char *path, const char *name, long at)
{
    FILE *file = fopen(directory_file(path, name), "r+b");
    CHIRR_ASSERT(file != NULL);
    CHIRR_ASSERT(fseek(file, at, SEEK_SET) == 0);
    int byte = fgetc(file);
    CHIRR_ASSERT(byte != EOF);
    CHIRR_ASSERT(fseek(file, at, SEEK_SET) == 0);
    CHIRR_ASSERT(fputc(byte ^ 1, file) != EOF);
    CHIRR_ASSERT(fclose(file) == 0);
}
