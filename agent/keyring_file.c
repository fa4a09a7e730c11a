/* The allow-list as a file: one key a line, [operator] KEY [of HOLDER] [curve CURVE] [NAME]. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/keyring.h"

#define LINE_BYTES_MAX 256
#define PATH_BYTES_MAX 1024
#define ID_DIGITS 16
#define BLANKS " \t\r\n"

/* What one line says. */
struct line {
    bool empty; /* nothing but a comment */
    struct chirr_keyring_addition addition;
    uint8_t curve_hint[CHIRR_KEY_BYTES];
    char text[LINE_BYTES_MAX]; /* holds the name */
};

static enum chirr_err wrong(struct chirr_error *error, const char *where)
{
    return chirr_error_set(error, CHIRR_ERR_CONFIG,
                           "%s: expected a key of 64 hexadecimal digits (0-9, a-f), before it "
                           "perhaps \"operator\", behind it perhaps \"of\" and the 16 digits of "
                           "its holder, perhaps \"curve\" and the 64 digits of its CURVE key, then "
                           "optionally a name",
                           where);
}

/* Cuts the next word off; what is left starts without blanks. */
static char *next_word(char **rest)
{
    char *word = *rest;
    char *end = word + strcspn(word, BLANKS);
    *rest = end + strspn(end, BLANKS);
    *end = '\0';
    return word;
}

static bool parse_id(const char *text, chirr_agent_id *id)
{
    if (strlen(text) != ID_DIGITS || strspn(text, "0123456789abcdef") != ID_DIGITS) {
        return false;
    }
    *id = strtoull(text, NULL, 16);
    return *id != 0;
}

/* A name may start with "of" as well: only what follows tells. */
static void take_holder(char **rest, struct chirr_keyring_addition *addition)
{
    char copy[3 + ID_DIGITS + 1] = "";
    strncpy(copy, *rest, sizeof copy - 1);
    bool ends = strlen(*rest) == sizeof copy - 1 || strchr(BLANKS, (*rest)[strlen(copy)]) != NULL;
    if (strncmp(copy, "of ", 3) == 0 && ends && parse_id(copy + 3, &addition->holder)) {
        *rest += strlen(copy);
        *rest += strspn(*rest, BLANKS);
    }
}

/* Likewise. */
static void take_curve(char **rest, struct line *line)
{
    char copy[6 + CHIRR_KEY_TEXT_BYTES] = "";
    strncpy(copy, *rest, sizeof copy - 1);
    bool ends = strlen(*rest) == sizeof copy - 1 || strchr(BLANKS, (*rest)[strlen(copy)]) != NULL;
    if (strncmp(copy, "curve ", 6) == 0 && ends &&
        chirr_key_parse(copy + 6, line->curve_hint) == CHIRR_OK) {
        line->addition.curve_hint = line->curve_hint;
        *rest += strlen(copy);
        *rest += strspn(*rest, BLANKS);
    }
}

/* `text` is shorter than LINE_BYTES_MAX. */
static enum chirr_err parse_line(const char *text, const char *where, struct line *line,
                                 struct chirr_error *error)
{
    memset(line, 0, sizeof *line);
    memcpy(line->text, text, strlen(text));
    line->text[strcspn(line->text, "#")] = '\0';
    size_t bytes = strlen(line->text);
    while (bytes > 0 && strchr(BLANKS, line->text[bytes - 1]) != NULL) {
        line->text[--bytes] = '\0';
    }
    char *rest = line->text + strspn(line->text, BLANKS);
    line->empty = *rest == '\0';
    if (line->empty) {
        return CHIRR_OK;
    }
    const char *key = next_word(&rest);
    line->addition.is_operator = strcmp(key, "operator") == 0;
    if (line->addition.is_operator) {
        key = next_word(&rest);
    }
    if (chirr_key_parse(key, line->addition.public_key) != CHIRR_OK) {
        return wrong(error, where);
    }
    take_holder(&rest, &line->addition);
    take_curve(&rest, line);
    line->addition.name = rest;
    return CHIRR_OK;
}

static enum chirr_err add_line(struct chirr_keyring *keyring, const struct line *line,
                               const char *where, struct chirr_error *error)
{
    enum chirr_err err = line->empty ? CHIRR_OK : chirr_keyring_add_key(keyring, &line->addition);
    switch (err) {
    case CHIRR_OK:
        return CHIRR_OK;
    case CHIRR_ERR_INVALID:
        return chirr_error_set(error, CHIRR_ERR_CONFIG, "%s: not an Ed25519 public key", where);
    case CHIRR_ERR_RANGE:
        return chirr_error_set(error, CHIRR_ERR_CONFIG,
                               "%s: expected a name of at most %d printable characters", where,
                               CHIRR_NAME_BYTES_MAX - 1);
    case CHIRR_ERR_EXISTS:
        return chirr_error_set(error, CHIRR_ERR_CONFIG,
                               "%s: this key stands above as another holder's", where);
    case CHIRR_ERR_FULL:
        return chirr_error_set(error, err,
                               "%s: a keyring holds at most %d holders, and a holder %d keys",
                               where, CHIRR_KEYRING_HOLDERS_MAX, CHIRR_HOLDER_KEYS_MAX);
    default:
        return chirr_error_set(error, err, "%s: %s", where, chirr_err_text(err));
    }
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Takes each line of a file in turn. */
struct reader {
    FILE *file;
    const char *path;
    unsigned number;
    char where[CHIRR_ERROR_TEXT_BYTES_MAX / 2];
    char text[LINE_BYTES_MAX];
    struct line line;
};

/* CHIRR_ERR_NOTFOUND behind the last line. */
static enum chirr_err read_line(struct reader *reader, struct chirr_error *error)
{
    if (fgets(reader->text, sizeof reader->text, reader->file) == NULL) {
        return ferror(reader->file)
                   ? chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot read the keyring: %s",
                                     reader->path, strerror(errno))
                   : CHIRR_ERR_NOTFOUND;
    }
    snprintf(reader->where, sizeof reader->where, "%s:%u", reader->path, ++reader->number);
    if (strchr(reader->text, '\n') == NULL && !feof(reader->file)) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG, "%s: the line is longer than %d bytes",
                               reader->where, LINE_BYTES_MAX - 2);
    }
    return parse_line(reader->text, reader->where, &reader->line, error);
}

enum chirr_err chirr_keyring_load(struct chirr_keyring *keyring, const char *path,
                                  struct chirr_error *error)
{
    struct reader reader = {.file = fopen(path, "re"), .path = path};
    if (reader.file == NULL) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot read the keyring: %s", path,
                               strerror(errno));
    }
    enum chirr_err err;
    while ((err = read_line(&reader, error)) == CHIRR_OK) {
        err = add_line(keyring, &reader.line, reader.where, error);
        if (err != CHIRR_OK) {
            break;
        }
    }
    fclose(reader.file);
    return err == CHIRR_ERR_NOTFOUND ? CHIRR_OK : err;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void write_key(FILE *out, const struct chirr_keyring_entry *entry, uint32_t k)
{
    char key[CHIRR_KEY_TEXT_BYTES];
    const uint8_t *public_key = entry->keys[k].public_key;
    chirr_key_format(public_key, key);
    fprintf(out, "%s%s", entry->is_operator ? "operator " : "", key);
    if (chirr_agent_id_of(public_key) != entry->id) {
        fprintf(out, " of %0*" PRIx64, ID_DIGITS, entry->id);
    }
    chirr_key_format(chirr_keyring_curve_of(&entry->keys[k]), key);
    fprintf(out, " curve %s", key);
    fprintf(out, "%s%s\n", entry->name[0] == '\0' ? "" : " ", entry->name);
}

/* Whether the keyring still says what a line says. */
static bool still_holds(const struct chirr_keyring *keyring, const struct line *line)
{
    const struct chirr_keyring_entry *entry =
        chirr_keyring_find_key(keyring, line->addition.public_key);
    chirr_agent_id holder = line->addition.holder != 0
                                ? line->addition.holder
                                : chirr_agent_id_of(line->addition.public_key);
    return entry != NULL && entry->id == holder;
}

/* What stays of the old file; `kept` takes the keys that stand there. A missing one is empty. */
static enum chirr_err copy_lines(const struct chirr_keyring *keyring, const char *path, FILE *out,
                                 struct chirr_keyring *kept, struct chirr_error *error)
{
    struct reader reader = {.file = fopen(path, "re"), .path = path};
    if (reader.file == NULL) {
        return errno == ENOENT
                   ? CHIRR_OK
                   : chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot read the keyring: %s", path,
                                     strerror(errno));
    }
    enum chirr_err err;
    while ((err = read_line(&reader, error)) == CHIRR_OK) {
        if (!reader.line.empty && !still_holds(keyring, &reader.line)) {
            continue;
        }
        err = add_line(kept, &reader.line, reader.where, error);
        if (err != CHIRR_OK) {
            break;
        }
        fputs(reader.text, out);
        if (strchr(reader.text, '\n') == NULL) {
            fputc('\n', out);
        }
    }
    fclose(reader.file);
    return err == CHIRR_ERR_NOTFOUND ? CHIRR_OK : err;
}

static enum chirr_err write_lines(const struct chirr_keyring *keyring, const char *path, FILE *out,
                                  struct chirr_error *error)
{
    struct chirr_keyring *kept = chirr_keyring_create();
    if (kept == NULL) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "%s: out of memory", path);
    }
    enum chirr_err err = copy_lines(keyring, path, out, kept, error);
    for (size_t i = 0; err == CHIRR_OK && i < chirr_keyring_count(keyring); i++) {
        const struct chirr_keyring_entry *entry = chirr_keyring_at(keyring, i);
        const struct chirr_keyring_entry *there = chirr_keyring_find(kept, entry->id);
        bool promoted = there != NULL && entry->is_operator && !there->is_operator;
        for (uint32_t k = 0; k < entry->key_count; k++) {
            bool stands =
                there != NULL && chirr_keyring_key_of(there, entry->keys[k].public_key) != NULL;
            if (!stands || promoted) {
                write_key(out, entry, k);
            }
        }
    }
    chirr_keyring_destroy(kept);
    return err;
}

/* The name lives in its directory: without this a power cut may bring the old file back. */
static bool sync_directory(const char *path)
{
    char directory[PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');
    int bytes = slash == NULL ? 1 : (int)(slash - path) + 1;
    snprintf(directory, sizeof directory, "%.*s", bytes, slash == NULL ? "." : path);
    FILE *file = fopen(directory, "re");
    bool synced = file != NULL && fsync(fileno(file)) == 0;
    if (file != NULL) {
        fclose(file);
    }
    return synced;
}

enum chirr_err chirr_keyring_save(const struct chirr_keyring *keyring, const char *path,
                                  struct chirr_error *error)
{
    char temporary[PATH_BYTES_MAX];
    int bytes = snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    if (bytes < 0 || (size_t)bytes >= sizeof temporary) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: this path is too long", path);
    }
    FILE *out = fopen(temporary, "we");
    if (out == NULL) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot be written: %s", temporary,
                               strerror(errno));
    }
    enum chirr_err err = write_lines(keyring, path, out, error);
    bool written = fflush(out) == 0 && ferror(out) == 0 && fsync(fileno(out)) == 0;
    written = fclose(out) == 0 && written;
    if (err == CHIRR_OK && (!written || rename(temporary, path) != 0 || !sync_directory(path))) {
        err = chirr_error_set(error, CHIRR_ERR_IO, "%s: the keyring cannot be written: %s", path,
                              strerror(errno));
    }
    if (err != CHIRR_OK) {
        unlink(temporary);
    }
    return err;
}
