/* Reading a document into structs by a table of fields. */
#include <stdio.h>
#include <string.h>

#include "base/yaml_document.h"

#define KEY_BYTES_MAX 64

static enum chirr_err read_mapping(struct chirr_yaml_place *place, const yaml_node_t *node,
                                   const struct chirr_yaml_field *fields, void *into);
static enum chirr_err read_value(struct chirr_yaml_place *place, const yaml_node_t *node,
                                 const struct chirr_yaml_field *field, void *base);

static bool is_end(const struct chirr_yaml_field *field)
{
    return field->type == 0;
}

/* ---- Keys ---------------------------------------------------------------------------------- */

/* The field of `key`, its own and included ones; `*base` moves to the struct that it is in. */
static const struct chirr_yaml_field *find_field(const struct chirr_yaml_field *fields,
                                                 const char *key, uint8_t **base)
{
    for (const struct chirr_yaml_field *field = fields; !is_end(field); field++) {
        if (field->type == CHIRR_YAML_INCLUDE) {
            uint8_t *inner = *base + field->offset;
            const struct chirr_yaml_field *found = find_field(field->fields, key, &inner);
            if (found != NULL) {
                *base = inner;
                return found;
            }
        } else if (strcmp(field->key, key) == 0) {
            return field;
        }
    }
    return NULL;
}

/* Edits from one text to the other: insert, delete, replace, swap neighbours (optimal string
 * alignment). */
static size_t edit_distance(const char *a, const char *b)
{
    size_t rows[3][KEY_BYTES_MAX + 1];
    size_t a_bytes = strnlen(a, KEY_BYTES_MAX), b_bytes = strnlen(b, KEY_BYTES_MAX);
    for (size_t j = 0; j <= b_bytes; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_bytes; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            row[j] = swapped && above2[j - 2] + 1 < best ? above2[j - 2] + 1 : best;
        }
    }
    return rows[a_bytes % 3][b_bytes];
}

struct suggestion {
    const char *key;
    size_t distance;
};

static void suggest(const struct chirr_yaml_field *fields, const char *key, struct suggestion *best)
{
    for (const struct chirr_yaml_field *field = fields; !is_end(field); field++) {
        if (field->type == CHIRR_YAML_INCLUDE) {
            suggest(field->fields, key, best);
            continue;
        }
        size_t distance = edit_distance(key, field->key);
        if (distance < best->distance) {
            *best = (struct suggestion){field->key, distance};
        }
    }
}

static void list_keys(const struct chirr_yaml_field *fields, char *words, size_t *bytes)
{
    for (const struct chirr_yaml_field *field = fields; !is_end(field); field++) {
        if (field->type == CHIRR_YAML_INCLUDE) {
            list_keys(field->fields, words, bytes);
        } else if (*bytes < CHIRR_YAML_WORDS_BYTES_MAX) {
            *bytes += (size_t)snprintf(words + *bytes, CHIRR_YAML_WORDS_BYTES_MAX - *bytes, "%s%s",
                                       *bytes > sizeof "one of" ? ", " : "", field->key);
        }
    }
}

static enum chirr_err unknown_key(const struct chirr_yaml_place *place, const yaml_node_t *key,
                                  const struct chirr_yaml_field *fields)
{
    const char *text = chirr_yaml_scalar(key);
    size_t length = strlen(text);
    char words[CHIRR_YAML_WORDS_BYTES_MAX];
    struct suggestion best = {.distance = 1 + (length < 6 ? length / 2 : length / 3)};
    suggest(fields, text, &best);
    if (best.key != NULL) {
        snprintf(words, sizeof words, "a known key (did you mean \"%s\"?)", best.key);
    } else {
        size_t bytes = (size_t)snprintf(words, sizeof words, "one of ");
        list_keys(fields, words, &bytes);
    }
    return chirr_yaml_mistake(place, key, words, NULL);
}

static bool has_key(const struct chirr_yaml *yaml, const yaml_node_t *mapping, const char *key)
{
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++) {
        if (strcmp(chirr_yaml_scalar(chirr_yaml_node(yaml, pair->key)), key) == 0) {
            return true;
        }
    }
    return false;
}

static enum chirr_err require_keys(struct chirr_yaml_place *place, const yaml_node_t *mapping,
                                   const struct chirr_yaml_field *fields)
{
    for (const struct chirr_yaml_field *field = fields; !is_end(field); field++) {
        enum chirr_err err = CHIRR_OK;
        if (field->type == CHIRR_YAML_INCLUDE) {
            err = require_keys(place, mapping, field->fields);
        } else if (field->required && !has_key(place->yaml, mapping, field->key)) {
            char words[CHIRR_YAML_WORDS_BYTES_MAX];
            chirr_yaml_expectation(place->yaml, field, words);
            chirr_yaml_enter_key(place, field->key);
            err = chirr_yaml_mistake(place, mapping, words, "nothing");
        }
        if (err != CHIRR_OK) {
            return err;
        }
    }
    return CHIRR_OK;
}

/* ---- Lists --------------------------------------------------------------------------------- */

static uint32_t capacity_of(const struct chirr_yaml_field *field)
{
    size_t fits = field->bytes / field->element->bytes;
    return (uint32_t)(field->max > 0 && field->max < fits ? field->max : fits);
}

static enum chirr_err check_count(const struct chirr_yaml_place *place, const yaml_node_t *node,
                                  const struct chirr_yaml_field *field, size_t count)
{
    size_t most = capacity_of(field);
    size_t least = field->counted ? field->min : most;
    if (count >= least && count <= most) {
        return CHIRR_OK;
    }
    char expected[64], got[32];
    if (least == most) {
        snprintf(expected, sizeof expected, "%zu entries", most);
    } else if (least == 0) {
        snprintf(expected, sizeof expected, "at most %zu entries", most);
    } else {
        snprintf(expected, sizeof expected, "%zu to %zu entries", least, most);
    }
    snprintf(got, sizeof got, "%zu", count);
    return chirr_yaml_mistake(place, node, expected, got);
}

/* All entries past the count are zero. */
static void prepare_entries(const struct chirr_yaml_field *field, uint8_t *base, size_t count)
{
    memset(base + field->offset, 0, field->bytes);
    for (size_t i = 0; i < count && field->initial != NULL; i++) {
        memcpy(base + field->offset + i * field->element->bytes, field->initial,
               field->element->bytes);
    }
    if (field->counted) {
        uint32_t stored = (uint32_t)count;
        memcpy(base + field->count_offset, &stored, sizeof stored);
    }
}

static enum chirr_err read_sequence(struct chirr_yaml_place *place, const yaml_node_t *node,
                                    const struct chirr_yaml_field *field, uint8_t *base)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        return chirr_yaml_mistake(place, node, "a sequence", NULL);
    }
    const yaml_node_item_t *items = node->data.sequence.items.start;
    size_t count = (size_t)(node->data.sequence.items.top - items);
    enum chirr_err err = check_count(place, node, field, count);
    if (err != CHIRR_OK) {
        return err;
    }
    prepare_entries(field, base, count);
    for (size_t i = 0; i < count && err == CHIRR_OK; i++) {
        size_t mark = chirr_yaml_enter_index(place, i);
        err = read_value(place, chirr_yaml_node(place->yaml, items[i]), field->element,
                         base + field->offset + i * field->element->bytes);
        chirr_yaml_leave(place, mark);
    }
    return err;
}

static enum chirr_err read_named(struct chirr_yaml_place *place, const yaml_node_t *node,
                                 const struct chirr_yaml_field *field, uint8_t *base)
{
    if (node->type != YAML_MAPPING_NODE) {
        return chirr_yaml_mistake(place, node, "a mapping", NULL);
    }
    const yaml_node_pair_t *pairs = node->data.mapping.pairs.start;
    size_t count = (size_t)(node->data.mapping.pairs.top - pairs);
    enum chirr_err err = check_count(place, node, field, count);
    if (err != CHIRR_OK) {
        return err;
    }
    const struct chirr_yaml_field name = {
        .type = CHIRR_YAML_NAME, .offset = field->name_offset, .bytes = field->name_bytes};
    prepare_entries(field, base, count);
    for (size_t i = 0; i < count && err == CHIRR_OK; i++) {
        const yaml_node_t *key = chirr_yaml_node(place->yaml, pairs[i].key);
        uint8_t *entry = base + field->offset + i * field->element->bytes;
        size_t mark = chirr_yaml_enter_key(place, chirr_yaml_scalar(key));
        err = read_value(place, key, &name, entry);
        if (err == CHIRR_OK) {
            err = read_value(place, chirr_yaml_node(place->yaml, pairs[i].value), field->element,
                             entry);
        }
        chirr_yaml_leave(place, mark);
    }
    return err;
}

/* ---- Values -------------------------------------------------------------------------------- */

static enum chirr_err read_value(struct chirr_yaml_place *place, const yaml_node_t *node,
                                 const struct chirr_yaml_field *field, void *base)
{
    uint8_t *at = (uint8_t *)base + field->offset;
    switch (field->type) {
    case CHIRR_YAML_ANY:
        return CHIRR_OK;
    case CHIRR_YAML_MAPPING:
        return read_mapping(place, node, field->fields, at);
    case CHIRR_YAML_SEQUENCE:
        return read_sequence(place, node, field, base);
    case CHIRR_YAML_NAMED:
        return read_named(place, node, field, base);
    default:
        return chirr_yaml_read_scalar(place, node, field, at);
    }
}

static enum chirr_err read_mapping(struct chirr_yaml_place *place, const yaml_node_t *node,
                                   const struct chirr_yaml_field *fields, void *into)
{
    if (node->type != YAML_MAPPING_NODE) {
        return chirr_yaml_mistake(place, node, "a mapping", NULL);
    }
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = chirr_yaml_node(place->yaml, pair->key);
        uint8_t *base = into;
        const struct chirr_yaml_field *field = find_field(fields, chirr_yaml_scalar(key), &base);
        size_t mark = chirr_yaml_enter_key(place, chirr_yaml_scalar(key));
        enum chirr_err err =
            field == NULL
                ? unknown_key(place, key, fields)
                : read_value(place, chirr_yaml_node(place->yaml, pair->value), field, base);
        chirr_yaml_leave(place, mark);
        if (err != CHIRR_OK) {
            return err;
        }
    }
    return require_keys(place, node, fields);
}

enum chirr_err chirr_yaml_read(const struct chirr_yaml *yaml, const char *path,
                               const struct chirr_yaml_field *fields, void *into,
                               struct chirr_error *error)
{
    struct chirr_yaml_place place = {.yaml = yaml, .error = error};
    if (*path != '\0') {
        chirr_yaml_enter_key(&place, path);
    }
    bool whole;
    const yaml_node_t *node = chirr_yaml_find(yaml, path, &whole);
    if (!whole) {
        return chirr_yaml_mistake(&place, node, "a mapping", "nothing");
    }
    return read_mapping(&place, node, fields, into);
}
