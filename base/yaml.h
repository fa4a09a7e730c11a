/* YAML files for people, read into plain structs by a table and written back by the same table.
 *
 * A table of fields says for every key what it may hold and where in the struct it goes. Whatever a
 * file does wrong becomes one line with place, key, expectation and finding:
 *
 *     fleet.yaml:7: agents[1].cpu: expected a number from 0.01 to 1, got "2"
 *
 * Mistakes are: syntax, tabs, tags, several documents, a key given twice, an unknown key (the
 * nearest known one is suggested), a missing key, a value of the wrong type or out of its range, a
 * text too long, a list too long, a file over 1 MiB, nesting over 32, a mapping of more than 1,024
 * keys, more than 256 anchors, and more than 65,536 values once aliases are expanded. Entries of
 * sequences are counted from 0.
 *
 *     struct point {
 *         uint32_t wait_ms;
 *         enum color color;                     // 0 red, 1 green
 *         char name[32];
 *         uint32_t value_count;
 *         double values[4];
 *     };
 *     static const char *const colors[] = {"red", "green", NULL};
 *     static const struct chirr_yaml_field value = {
 *         .type = CHIRR_YAML_NUMBER, .bytes = sizeof(double), .low = 0, .high = 1};
 *     static const struct chirr_yaml_field point_fields[] = {
 *         {"name", CHIRR_YAML_NAME, CHIRR_YAML_AT(struct point, name), .required = true},
 *         {"wait", CHIRR_YAML_DURATION, CHIRR_YAML_AT(struct point, wait_ms), .max = 60000},
 *         {"color", CHIRR_YAML_CHOICE, CHIRR_YAML_AT(struct point, color), .choices = colors},
 *         {"values", CHIRR_YAML_SEQUENCE, CHIRR_YAML_AT(struct point, values),
 *          CHIRR_YAML_COUNT(struct point, value_count), .element = &value},
 *         {0}};
 *
 *     struct chirr_yaml *yaml = chirr_yaml_load("point.yaml", &error);
 *     struct point point = {.wait_ms = 100};    // defaults: what the file does not name stays
 *     err = chirr_yaml_read(yaml, "", point_fields, &point, &error);
 *     if (err == CHIRR_OK && point.wait_ms < point.value_count)
 *         err = chirr_yaml_reject(yaml, "wait", &error, "a millisecond for each of values", NULL);
 *     chirr_yaml_destroy(yaml);
 *
 * Not thread-safe: one owner a document; tables are constant and may be shared. */
#ifndef CHIRR_BASE_YAML_H
#define CHIRR_BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define CHIRR_YAML_FILE_BYTES_MAX ((size_t)1024 * 1024)
#define CHIRR_YAML_DEPTH_MAX 32
#define CHIRR_YAML_NODES_MAX 65536
#define CHIRR_YAML_KEYS_MAX 1024 /* of one mapping */
#define CHIRR_YAML_ANCHORS_MAX 256

enum chirr_yaml_type {
    CHIRR_YAML_BOOL = 1, /* bool: true, false */
    CHIRR_YAML_WHOLE,    /* uint32_t or uint64_t: 0, 42 */
    CHIRR_YAML_NUMBER,   /* float or double: 0.5, 1.4e-3 */
    CHIRR_YAML_PERMILLE, /* uint32_t: 0.25 is stored as 250 */
    CHIRR_YAML_DURATION, /* uint32_t or uint64_t, milliseconds: 250ms, 1.5s, 5m, 1h, 0 */
    CHIRR_YAML_SIZE,     /* uint32_t or uint64_t, bytes: 1500, 64K, 16M, 1G (powers of 1,024) */
    CHIRR_YAML_CHOICE,   /* an enum, or a bool: index into `choices` */
    CHIRR_YAML_NAME,     /* char[]: letters, digits, '.', '_', '-'; starts with a letter or digit */
    CHIRR_YAML_TEXT,     /* char[]: one line of UTF-8; min 1 forbids "" */
    CHIRR_YAML_HEX,      /* uint8_t[]: two hexadecimal digits each */
    CHIRR_YAML_PARSED,   /* a text that `parse` takes apart; may fill several members. "" is
                            not written */
    CHIRR_YAML_MAPPING,  /* a struct with `fields` of its own */
    CHIRR_YAML_SEQUENCE, /* an array of `element` */
    CHIRR_YAML_NAMED,    /* the same from a mapping: each key is the NAME of an entry */
    CHIRR_YAML_INCLUDE,  /* `fields` of a nested struct whose keys stand at this level; no key */
    CHIRR_YAML_ANY,      /* any value: for a chirr_yaml_read of its own. Not written */
};

struct chirr_yaml_field {
    const char *key; /* NULL: no key (elements, INCLUDE) */
    enum chirr_yaml_type type;
    size_t offset; /* CHIRR_YAML_AT fills both */
    size_t bytes;  /* of the member: tells uint32_t from uint64_t, gives a text's limit, an array's
                      capacity; of an element: the distance to the next */

    bool required;
    /* WHOLE, PERMILLE, DURATION, SIZE: the range in the stored unit; SEQUENCE and NAMED: how many
     * entries; TEXT: min 1 forbids "". max 0: as much as the member holds. */
    uint64_t min, max;
    double low, high;           /* NUMBER; both 0: any finite number */
    const char *const *choices; /* CHOICE; ends with NULL */

    /* PARSED: takes the value apart into the struct at `at` (base + offset); returns NULL, or in
     * words what was expected. `format` is its inverse, for writing. */
    const char *(*parse)(const char *text, void *at);
    void (*format)(const void *at, char *text, size_t text_bytes);

    const struct chirr_yaml_field *fields;  /* MAPPING, INCLUDE; ends with {0} */
    const struct chirr_yaml_field *element; /* SEQUENCE, NAMED */
    const void *initial; /* SEQUENCE, NAMED: an entry before it is read; NULL: zeros */
    bool counted;        /* CHIRR_YAML_COUNT: a uint32_t takes the number of entries; */
    size_t count_offset; /* an array without one must be filled to its capacity */
    size_t name_offset;  /* NAMED, CHIRR_YAML_KEY: the char[] of an entry that takes its key */
    size_t name_bytes;
};

#define CHIRR_YAML_AT(type, member)                                                                \
    .offset = offsetof(type, member), .bytes = sizeof(((type *)0)->member)
#define CHIRR_YAML_COUNT(type, member) .counted = true, .count_offset = offsetof(type, member)
#define CHIRR_YAML_KEY(type, member)                                                               \
    .name_offset = offsetof(type, member), .name_bytes = sizeof(((type *)0)->member)

struct chirr_yaml;

/* NULL and words in `error` on failure: CHIRR_ERR_IO (the file cannot be read), CHIRR_ERR_CONFIG
 * (what it holds), CHIRR_ERR_NOMEM. `name` is what mistakes are reported under. */
struct chirr_yaml *chirr_yaml_load(const char *path, struct chirr_error *error);
struct chirr_yaml *chirr_yaml_parse(const char *name, const char *text, size_t bytes,
                                    struct chirr_error *error);
void chirr_yaml_destroy(struct chirr_yaml *yaml);

/* Reads the mapping at `path` ("" is the whole document, then "agents[2].senses[0]") into the
 * struct at `into`. Members whose keys are missing keep what they held; a sequence that is given
 * replaces all that it held. CHIRR_ERR_CONFIG, and `into` is half filled. */
CHIRR_NODISCARD enum chirr_err chirr_yaml_read(const struct chirr_yaml *yaml, const char *path,
                                               const struct chirr_yaml_field *fields, void *into,
                                               struct chirr_error *error);

/* The notation of WHOLE, PERMILLE, DURATION and SIZE, for command lines: into the stored unit. */
bool chirr_yaml_parse_integer(enum chirr_yaml_type type, const char *text, uint64_t *value);

/* Is there a value at `path`? */
bool chirr_yaml_has(const struct chirr_yaml *yaml, const char *path);

/* For rules between fields: fills `error` with "FILE:LINE: PATH: expected EXPECTED, got GOT" and
 * returns CHIRR_ERR_CONFIG. The line is that of `path`, or of what would have to hold it. GOT is
 * what stands there when `got` is NULL. */
enum chirr_err chirr_yaml_reject(const struct chirr_yaml *yaml, const char *path,
                                 struct chirr_error *error, const char *expected, const char *got);

/* Writes the struct at `from` so that reading it by the same table gives it back. The text is the
 * caller's to free; NULL: out of memory. */
char *chirr_yaml_write(const struct chirr_yaml_field *fields, const void *from);

#endif
