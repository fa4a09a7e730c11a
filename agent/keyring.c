/* The allow-list, sorted by id, and the files that hold keys. */
#include "agent/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES_MAX 256
#define BLANKS " \t\r\n"

struct chirr_keyring {
    size_t count;
    struct chirr_keyring_entry entries[CHIRR_KEYRING_KEYS_MAX]; /* ascending by id */
};

struct chirr_keyring *chirr_keyring_create(void)
{
    return calloc(1, sizeof(struct chirr_keyring));
}

void chirr_keyring_destroy(struct chirr_keyring *keyring)
{
    free(keyring);
}

/* Where `id` is, or belongs. */
static size_t position(const struct chirr_keyring *keyring, chirr_agent_id id)
{
    size_t low = 0;
    size_t high = keyring->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (keyring->entries[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_name(const char *name)
{
    size_t bytes = strlen(name);
    for (size_t i = 0; i < bytes; i++) {
        if (name[i] < ' ' || name[i] > '~') {
            return false;
        }
    }
    return bytes < CHIRR_NAME_BYTES_MAX;
}

enum chirr_err chirr_keyring_add(struct chirr_keyring *keyring,
                                 const uint8_t public_key[CHIRR_KEY_BYTES], const char *name)
{
    struct chirr_keyring_entry entry = {.id = chirr_agent_id_of(public_key)};
    if (name != NULL && !is_name(name)) {
        return CHIRR_ERR_RANGE;
    }
    if (chirr_curve_key_of(public_key, entry.curve_public) != CHIRR_OK) {
        return CHIRR_ERR_INVALID;
    }
    size_t at = position(keyring, entry.id);
    if (at < keyring->count && keyring->entries[at].id == entry.id) {
        bool same = memcmp(keyring->entries[at].public_key, public_key, CHIRR_KEY_BYTES) == 0;
        return same ? CHIRR_OK : CHIRR_ERR_EXISTS;
    }
    if (keyring->count == CHIRR_KEYRING_KEYS_MAX) {
        return CHIRR_ERR_FULL;
    }
    memcpy(entry.public_key, public_key, CHIRR_KEY_BYTES);
    strncpy(entry.name, name == NULL ? "" : name, sizeof entry.name - 1);
    memmove(&keyring->entries[at + 1], &keyring->entries[at], (keyring->count - at) * sizeof entry);
    keyring->entries[at] = entry;
    keyring->count++;
    return CHIRR_OK;
}

/* One line: nothing, or a key and perhaps a name. `line` is cut up. */
static enum chirr_err add_line(struct chirr_keyring *keyring, char *line, const char *where,
                               struct chirr_error *error)
{
    line[strcspn(line, "#")] = '\0';
    char *text = line + strspn(line, BLANKS);
    if (*text == '\0') {
        return CHIRR_OK;
    }
    char *name = text + strcspn(text, BLANKS);
    if (*name != '\0') {
        *name++ = '\0';
        name += strspn(name, BLANKS);
        for (size_t end = strlen(name); end > 0 && strchr(BLANKS, name[end - 1]) != NULL; end--) {
            name[end - 1] = '\0';
        }
    }
    uint8_t key[CHIRR_KEY_BYTES];
    if (chirr_key_parse(text, key) != CHIRR_OK) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG,
                               "%s: expected a key of 64 hexadecimal digits (0-9, a-f), then "
                               "optionally a name",
                               where);
    }
    enum chirr_err err = chirr_keyring_add(keyring, key, name);
    switch (err) {
    case CHIRR_OK:
        return CHIRR_OK;
    case CHIRR_ERR_INVALID:
        return chirr_error_set(error, CHIRR_ERR_CONFIG, "%s: not an Ed25519 public key", where);
    case CHIRR_ERR_RANGE:
        return chirr_error_set(error, CHIRR_ERR_CONFIG,
                               "%s: expected a name of at most %d printable characters", where,
                               CHIRR_NAME_BYTES_MAX - 1);
    case CHIRR_ERR_FULL:
        return chirr_error_set(error, err, "%s: a keyring holds at most %d keys", where,
                               CHIRR_KEYRING_KEYS_MAX);
    default:
        return chirr_error_set(error, err, "%s: %s", where, chirr_err_text(err));
    }
}

enum chirr_err chirr_keyring_load(struct chirr_keyring *keyring, const char *path,
                                  struct chirr_error *error)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot read the keyring: %s", path,
                               strerror(errno));
    }
    char line[LINE_BYTES_MAX];
    char where[CHIRR_ERROR_TEXT_BYTES_MAX / 2];
    enum chirr_err err = CHIRR_OK;
    for (unsigned number = 1; err == CHIRR_OK && fgets(line, sizeof line, file) != NULL; number++) {
        snprintf(where, sizeof where, "%s:%u", path, number);
        bool whole = strchr(line, '\n') != NULL || feof(file);
        err = whole
                  ? add_line(keyring, line, where, error)
                  : chirr_error_set(error, CHIRR_ERR_CONFIG, "%s: the line is longer than %d bytes",
                                    where, LINE_BYTES_MAX - 2);
    }
    if (err == CHIRR_OK && ferror(file)) {
        err = chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot read the keyring: %s", path,
                              strerror(errno));
    }
    fclose(file);
    return err;
}

const struct chirr_keyring_entry *chirr_keyring_find(const struct chirr_keyring *keyring,
                                                     chirr_agent_id id)
{
    size_t at = position(keyring, id);
    return at < keyring->count && keyring->entries[at].id == id ? &keyring->entries[at] : NULL;
}

/* Once a connection, so a scan will do. */
const struct chirr_keyring_entry *
chirr_keyring_find_curve(const struct chirr_keyring *keyring,
                         const uint8_t curve_public[CHIRR_KEY_BYTES])
{
    for (size_t i = 0; i < keyring->count; i++) {
        if (memcmp(keyring->entries[i].curve_public, curve_public, CHIRR_KEY_BYTES) == 0) {
            return &keyring->entries[i];
        }
    }
    return NULL;
}

size_t chirr_keyring_count(const struct chirr_keyring *keyring)
{
    return keyring->count;
}

const struct chirr_keyring_entry *chirr_keyring_at(const struct chirr_keyring *keyring,
                                                   size_t index)
{
    CHIRR_ASSERT(index < keyring->count);
    return &keyring->entries[index];
}

/* ---- Identity files -------------------------------------------------------------------------- */

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

/* `fchmod` because a umask may have taken even the owner's right to read. */
static bool write_seed(int file, const uint8_t seed[CHIRR_KEY_BYTES])
{
    char text[CHIRR_KEY_TEXT_BYTES + 1];
    chirr_key_format(seed, text);
    text[CHIRR_KEY_TEXT_BYTES - 1] = '\n';
    bool written = fchmod(file, S_IRUSR | S_IWUSR) == 0 &&
                   write_all(file, text, CHIRR_KEY_TEXT_BYTES) && fsync(file) == 0;
    sodium_memzero(text, sizeof text);
    return written;
}

enum chirr_err chirr_identity_create_file(const char *path, struct chirr_identity *identity,
                                          struct chirr_error *error)
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
    bool written = write_seed(file, seed);
    int reason = errno;
    written = close(file) == 0 && written;
    if (!written) {
        unlink(path);
        sodium_memzero(seed, sizeof seed);
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot write the identity: %s", path,
                               strerror(reason));
    }
    enum chirr_err err = chirr_identity_from_seed(identity, seed);
    sodium_memzero(seed, sizeof seed);
    return err;
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

enum chirr_err chirr_identity_load_file(const char *path, struct chirr_identity *identity,
                                        struct chirr_error *error)
{
    struct chirr_error reason = {0};
    int file = open_private(path, &reason);
    if (file < 0) {
        return chirr_error_set(error, reason.code, "%s", reason.text);
    }
    char text[CHIRR_KEY_TEXT_BYTES + 2] = {0};
    uint8_t seed[CHIRR_KEY_BYTES];
    ssize_t bytes = read(file, text, sizeof text - 1);
    close(file);
    if (bytes > 0 && text[bytes - 1] == '\n') {
        text[bytes - 1] = '\0';
    }
    enum chirr_err err = bytes < 0 ? CHIRR_ERR_IO : chirr_key_parse(text, seed);
    sodium_memzero(text, sizeof text);
    if (err != CHIRR_OK) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG,
                               "%s: expected an identity: one line of 64 hexadecimal digits", path);
    }
    err = chirr_identity_from_seed(identity, seed);
    sodium_memzero(seed, sizeof seed);
    return err == CHIRR_OK ? CHIRR_OK
                           : chirr_error_set(error, err, "%s: %s", path, chirr_err_text(err));
}
