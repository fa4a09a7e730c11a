/* The files that hold an identity's secret. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/keyring.h"

static bool write_all(int file, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t written = write(file, text, bytes);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            text += written;
            bytes -= (size_t)written;
        }
    }
    return true;
}

#define FIRST_WORD "first "
#define TEXT_BYTES_MAX (2 * CHIRR_KEY_TEXT_BYTES + sizeof FIRST_WORD)

/* `fchmod` because a umask may have taken even the owner's right to read. */
static bool write_secret(int file, const uint8_t seed[CHIRR_KEY_BYTES],
                         const uint8_t first_key[CHIRR_KEY_BYTES])
{
    char text[TEXT_BYTES_MAX];
    char key[CHIRR_KEY_TEXT_BYTES];
    chirr_key_format(seed, key);
    int bytes = snprintf(text, sizeof text, "%s\n", key);
    if (first_key != NULL) {
        chirr_key_format(first_key, key);
        bytes += snprintf(text + bytes, sizeof text - (size_t)bytes, FIRST_WORD "%s\n", key);
    }
    bool written = fchmod(file, S_IRUSR | S_IWUSR) == 0 && write_all(file, text, (size_t)bytes) &&
                   fsync(file) == 0;
    sodium_memzero(text, sizeof text);
    sodium_memzero(key, sizeof key);
    return written;
}

/* `first_key` NULL: this will be the first. */
static enum chirr_err create_file(const char *path, const uint8_t *first_key,
                                  struct chirr_identity *identity, struct chirr_error *error)
{
    if (sodium_init() < 0) {
        return chirr_error_set(error, CHIRR_ERR_STATE, "libsodium could not be initialised");
    }
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file < 0 && errno == EEXIST) {
        return chirr_error_set(error, CHIRR_ERR_EXISTS,
                               "%s: exists already, and an identity is never overwritten: move it "
                               "away first",
                               path);
    }
    if (file < 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot create the identity: %s", path,
                               strerror(errno));
    }
    uint8_t seed[CHIRR_KEY_BYTES];
    randombytes_buf(seed, sizeof seed);
    bool written = write_secret(file, seed, first_key);
    int reason = errno;
    written = close(file) == 0 && written;
    enum chirr_err err = CHIRR_OK;
    if (!written) {
        unlink(path);
        err = chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot write the identity: %s", path,
                              strerror(reason));
    } else {
        err = chirr_identity_from_seed(identity, seed);
    }
    sodium_memzero(seed, sizeof seed);
    if (err == CHIRR_OK && first_key != NULL) {
        chirr_identity_succeed(identity, first_key);
    }
    return err;
}

enum chirr_err chirr_identity_create_file(const char *path, struct chirr_identity *identity,
                                          struct chirr_error *error)
{
    return create_file(path, NULL, identity, error);
}

enum chirr_err chirr_identity_create_successor(const char *path, const struct chirr_identity *old,
                                               struct chirr_identity *identity,
                                               struct chirr_error *error)
{
    return create_file(path, old->first_key, identity, error);
}

/* Opens an identity that nobody else can read; -1 with words. */
static int open_private(const char *path, struct chirr_error *error)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 || fstat(file, &status) != 0) {
        chirr_error_set(error, errno == ENOENT ? CHIRR_ERR_NOTFOUND : CHIRR_ERR_IO,
                        "%s: cannot read the identity: %s", path, strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
        chirr_error_set(error, CHIRR_ERR_CONFIG, "%s: not a regular file", path);
    } else if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        chirr_error_set(error, CHIRR_ERR_CONFIG,
                        "%s: others may read or write this secret key (mode %04o): chmod 600 it, "
                        "or make a new one",
                        path, (unsigned)status.st_mode & 07777);
    } else {
        return file;
    }
    if (file >= 0) {
        close(file);
    }
    return -1;
}

/* `text` is cut up. */
static enum chirr_err parse(char *text, struct chirr_identity *identity)
{
    uint8_t seed[CHIRR_KEY_BYTES];
    uint8_t first_key[CHIRR_KEY_BYTES];
    char *second = strchr(text, '\n');
    if (second != NULL) {
        *second++ = '\0';
        second[strcspn(second, "\n")] = '\0';
    }
    bool succeeds = second != NULL && *second != '\0';
    enum chirr_err err = chirr_key_parse(text, seed);
    if (err == CHIRR_OK && succeeds) {
        bool is_first = strncmp(second, FIRST_WORD, strlen(FIRST_WORD)) == 0;
        err = is_first ? chirr_key_parse(second + strlen(FIRST_WORD), first_key)
                       : CHIRR_ERR_MALFORMED;
    }
    if (err == CHIRR_OK) {
        err = chirr_identity_from_seed(identity, seed);
    }
    if (err == CHIRR_OK && succeeds) {
        chirr_identity_succeed(identity, first_key);
    }
    sodium_memzero(seed, sizeof seed);
    return err;
}

enum chirr_err chirr_identity_load_file(const char *path, struct chirr_identity *identity,
                                        struct chirr_error *error)
{
    struct chirr_error reason = {0};
    int file = open_private(path, &reason);
    if (file < 0) {
        return chirr_error_set(error, reason.code, "%s", reason.text);
    }
    char text[TEXT_BYTES_MAX + 2] = {0};
    ssize_t bytes = read(file, text, sizeof text - 1);
    close(file);
    enum chirr_err err =
        bytes < 0 || (size_t)bytes > TEXT_BYTES_MAX ? CHIRR_ERR_MALFORMED : parse(text, identity);
    sodium_memzero(text, sizeof text);
    if (err == CHIRR_ERR_MALFORMED) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG,
                               "%s: expected an identity: a line of 64 hexadecimal digits, and for "
                               "a later key another of \"first\" and the first public key",
                               path);
    }
    return err == CHIRR_OK ? CHIRR_OK
                           : chirr_error_set(error, err, "%s: %s", path, chirr_err_text(err));
}
