/* Inside of the YAML reader: the parsed document and how a mistake in it is told. */
#ifndef CHIRR_BASE_YAML_DOCUMENT_H
#define CHIRR_BASE_YAML_DOCUMENT_H

#include <locale.h>
#include <yaml.h>

#include "base/yaml.h"

#define CHIRR_YAML_PATH_BYTES_MAX 256

struct chirr_yaml {
    char *name;
    yaml_document_t document;
    locale_t locale; /* "C": a program's own must not change what 0.5 means */
};

/* Where a reader stands; mistakes are told from here. A path over its limit is cut. */
struct chirr_yaml_place {
    const struct chirr_yaml *yaml;
    struct chirr_error *error;
    size_t path_bytes; /* without the NUL */
    char path[CHIRR_YAML_PATH_BYTES_MAX];
};

/* Go down one step; returns what `_leave` takes to go up again. */
size_t chirr_yaml_enter_key(struct chirr_yaml_place *place, const char *key);
size_t chirr_yaml_enter_index(struct chirr_yaml_place *place, size_t index);
void chirr_yaml_leave(struct chirr_yaml_place *place, size_t mark);

/* `got` NULL: what stands at `node`. Returns CHIRR_ERR_CONFIG. */
enum chirr_err chirr_yaml_mistake(const struct chirr_yaml_place *place, const yaml_node_t *node,
                                  const char *expected, const char *got);

/* NULL outside of the document. Reading does not change it, whatever libyaml's signature says. */
yaml_node_t *chirr_yaml_node(const struct chirr_yaml *yaml, int index);
const char *chirr_yaml_scalar(const yaml_node_t *node);
/* An empty plain scalar, ~ or null: a key whose value was left out. */
bool chirr_yaml_is_nothing(const yaml_node_t *node);

/* The node at `path`, or the deepest on the way to it that exists (`*whole` is false then). */
const yaml_node_t *chirr_yaml_find(const struct chirr_yaml *yaml, const char *path, bool *whole);

/* The member at `at` from a scalar; every type before CHIRR_YAML_MAPPING. */
enum chirr_err chirr_yaml_read_scalar(const struct chirr_yaml_place *place, const yaml_node_t *node,
                                      const struct chirr_yaml_field *field, void *at);
/* "a duration from 1ms to 1h (as in 250ms, 60s, 5m)" */
#define CHIRR_YAML_WORDS_BYTES_MAX 320
void chirr_yaml_expectation(const struct chirr_yaml *yaml, const struct chirr_yaml_field *field,
                            char words[CHIRR_YAML_WORDS_BYTES_MAX]);
/* Whether a text could be the key of an entry: the rule of CHIRR_YAML_NAME. */
bool chirr_yaml_is_name(const char *text, size_t bytes_max);

/* A number in the file's notation, for people and for the writer. */
void chirr_yaml_format_stored(enum chirr_yaml_type type, uint64_t value, char *text, size_t bytes);
void chirr_yaml_format_number(locale_t locale, double value, int digits, char *text, size_t bytes);

/* Integer members are four or eight bytes wide; a choice of two may also be a bool. */
uint64_t chirr_yaml_load_unsigned(const void *at, size_t bytes);

#endif
