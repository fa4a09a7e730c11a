/* Nodes by their path, for rules between fields. */
#include <stdlib.h>
#include <string.h>

#include "base/yaml_document.h"

/* A name may hold dots, so of the keys that `path` begins with the longest is meant. */
static const yaml_node_t *find_key(const struct chirr_yaml *yaml, const yaml_node_t *mapping,
                                   const char **path)
{
    const yaml_node_t *found = NULL;
    size_t found_bytes = 0;
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++) {
        const char *key = chirr_yaml_scalar(chirr_yaml_node(yaml, pair->key));
        size_t bytes = strlen(key);
        bool whole = strncmp(*path, key, bytes) == 0 && strchr(".[", (*path)[bytes]) != NULL;
        if (whole && bytes > found_bytes) {
            found = chirr_yaml_node(yaml, pair->value);
            found_bytes = bytes;
        }
    }
    *path += found_bytes;
    return found;
}

static const yaml_node_t *find_entry(const struct chirr_yaml *yaml, const yaml_node_t *sequence,
                                     const char **path)
{
    char *end;
    unsigned long index = strtoul(*path + 1, &end, 10);
    size_t count =
        (size_t)(sequence->data.sequence.items.top - sequence->data.sequence.items.start);
    if (*end != ']' || index >= count) {
        return NULL;
    }
    *path = end + 1;
    return chirr_yaml_node(yaml, sequence->data.sequence.items.start[index]);
}

const yaml_node_t *chirr_yaml_find(const struct chirr_yaml *yaml, const char *path, bool *whole)
{
    const yaml_node_t *node = chirr_yaml_node(yaml, 1);
    while (*path != '\0') {
        const yaml_node_t *next = NULL;
        if (*path == '[' && node->type == YAML_SEQUENCE_NODE) {
            next = find_entry(yaml, node, &path);
        } else if (*path != '[' && node->type == YAML_MAPPING_NODE) {
            path += *path == '.';
            next = find_key(yaml, node, &path);
        }
        if (next == NULL) {
            break;
        }
        node = next;
    }
    *whole = *path == '\0';
    return node;
}

bool chirr_yaml_has(const struct chirr_yaml *yaml, const char *path)
{
    bool whole;
    chirr_yaml_find(yaml, path, &whole);
    return whole;
}

enum chirr_err chirr_yaml_reject(const struct chirr_yaml *yaml, const char *path,
                                 struct chirr_error *error, const char *expected, const char *got)
{
    struct chirr_yaml_place place = {.yaml = yaml, .error = error};
    chirr_yaml_enter_key(&place, path);
    bool whole;
    const yaml_node_t *node = chirr_yaml_find(yaml, path, &whole);
    return chirr_yaml_mistake(&place, node, expected, got != NULL || whole ? got : "nothing");
}
