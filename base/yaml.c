/* YAML documents: loading within limits, finding a node by its path, telling a mistake. */
#include "base/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml_document.h"

#define FOUND_BYTES_MAX 48

/* ---- The document -------------------------------------------------------------------------- */

yaml_node_t *chirr_yaml_node(const struct chirr_yaml *yaml, int index)
{
    return yaml_document_get_node((yaml_document_t *)&yaml->document, index);
}

const char *chirr_yaml_scalar(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

bool chirr_yaml_is_nothing(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
        return false;
    }
    const char *text = chirr_yaml_scalar(node);
    return *text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

/* ---- Where, and what was found ------------------------------------------------------------- */

size_t chirr_yaml_enter_key(struct chirr_yaml_place *place, const char *key)
{
    size_t mark = place->path_bytes;
    size_t room = sizeof place->path - mark;
    int bytes = snprintf(place->path + mark, room, "%s%s", mark > 0 ? "." : "", key);
    place->path_bytes += (size_t)bytes < room ? (size_t)bytes : room - 1;
    return mark;
}

size_t chirr_yaml_enter_index(struct chirr_yaml_place *place, size_t index)
{
    size_t mark = place->path_bytes;
    size_t room = sizeof place->path - mark;
    int bytes = snprintf(place->path + mark, room, "[%zu]", index);
    place->path_bytes += (size_t)bytes < room ? (size_t)bytes : room - 1;
    return mark;
}

void chirr_yaml_leave(struct chirr_yaml_place *place, size_t mark)
{
    place->path_bytes = mark;
    place->path[mark] = '\0';
}

/* A text between quotes, cut at a character's border, with nothing in it that moves a cursor. */
static void quote(const char *text, size_t text_bytes, char found[FOUND_BYTES_MAX])
{
    size_t limit = FOUND_BYTES_MAX - sizeof "\"\"…";
    bool cut = text_bytes > limit;
    size_t bytes = cut ? limit : text_bytes;
    while (cut && bytes > 0 && ((unsigned char)text[bytes] & 0xC0) == 0x80) {
        bytes--;
    }
    char *out = found;
    *out++ = '"';
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        *out++ = (char)(c < 0x20 || c == 0x7F ? '?' : c);
    }
    strcpy(out, cut ? "…\"" : "\"");
}

static void describe(const yaml_node_t *node, char found[FOUND_BYTES_MAX])
{
    if (node->type == YAML_MAPPING_NODE) {
        strcpy(found, "a mapping");
    } else if (node->type == YAML_SEQUENCE_NODE) {
        strcpy(found, "a sequence");
    } else if (chirr_yaml_is_nothing(node)) {
        strcpy(found, "nothing");
    } else {
        quote(chirr_yaml_scalar(node), node->data.scalar.length, found);
    }
}

enum chirr_err chirr_yaml_mistake(const struct chirr_yaml_place *place, const yaml_node_t *node,
                                  const char *expected, const char *got)
{
    char found[FOUND_BYTES_MAX];
    if (got == NULL) {
        describe(node, found);
        got = found;
    }
    return chirr_error_set(place->error, CHIRR_ERR_CONFIG, "%s:%zu: %s%sexpected %s, got %s",
                           place->yaml->name, node->start_mark.line + 1, place->path,
                           place->path_bytes > 0 ? ": " : "", expected, got);
}

/* ---- What every document must obey, whoever reads it --------------------------------------- */

struct walk {
    struct chirr_yaml_place place;
    size_t depth;
    size_t nodes; /* an alias counts as all that it stands for */
};

static enum chirr_err check_node(struct walk *walk, const yaml_node_t *node);

static enum chirr_err check_key(struct walk *walk, const yaml_node_t *mapping,
                                const yaml_node_pair_t *pair)
{
    const struct chirr_yaml *yaml = walk->place.yaml;
    const yaml_node_t *key = chirr_yaml_node(yaml, pair->key);
    if (key->type != YAML_SCALAR_NODE || key->data.scalar.length == 0 ||
        strlen(chirr_yaml_scalar(key)) != key->data.scalar.length) {
        return chirr_yaml_mistake(&walk->place, key, "a text as key", NULL);
    }
    for (const yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < pair; p++) {
        const yaml_node_t *earlier = chirr_yaml_node(yaml, p->key);
        if (strcmp(chirr_yaml_scalar(earlier), chirr_yaml_scalar(key)) != 0) {
            continue;
        }
        char got[64];
        snprintf(got, sizeof got, "it again (first on line %zu)", earlier->start_mark.line + 1);
        size_t mark = chirr_yaml_enter_key(&walk->place, chirr_yaml_scalar(key));
        enum chirr_err err = chirr_yaml_mistake(&walk->place, key, "the key once", got);
        chirr_yaml_leave(&walk->place, mark);
        return err;
    }
    return CHIRR_OK;
}

static enum chirr_err check_mapping(struct walk *walk, const yaml_node_t *node)
{
    const yaml_node_pair_t *pairs = node->data.mapping.pairs.start;
    size_t count = (size_t)(node->data.mapping.pairs.top - pairs);
    if (count > CHIRR_YAML_KEYS_MAX) {
        return chirr_yaml_mistake(&walk->place, node, "at most 1024 keys", "more");
    }
    for (size_t i = 0; i < count; i++) {
        enum chirr_err err = check_key(walk, node, &pairs[i]);
        if (err != CHIRR_OK) {
            return err;
        }
        const yaml_node_t *key = chirr_yaml_node(walk->place.yaml, pairs[i].key);
        size_t mark = chirr_yaml_enter_key(&walk->place, chirr_yaml_scalar(key));
        err = check_node(walk, chirr_yaml_node(walk->place.yaml, pairs[i].value));
        if (err != CHIRR_OK) {
            return err;
        }
        chirr_yaml_leave(&walk->place, mark);
    }
    return CHIRR_OK;
}

static enum chirr_err check_sequence(struct walk *walk, const yaml_node_t *node)
{
    const yaml_node_item_t *items = node->data.sequence.items.start;
    size_t count = (size_t)(node->data.sequence.items.top - items);
    for (size_t i = 0; i < count; i++) {
        size_t mark = chirr_yaml_enter_index(&walk->place, i);
        enum chirr_err err = check_node(walk, chirr_yaml_node(walk->place.yaml, items[i]));
        if (err != CHIRR_OK) {
            return err;
        }
        chirr_yaml_leave(&walk->place, mark);
    }
    return CHIRR_OK;
}

static bool has_default_tag(const yaml_node_t *node)
{
    static const char *const tags[] = {
        [YAML_SCALAR_NODE] = YAML_DEFAULT_SCALAR_TAG,
        [YAML_SEQUENCE_NODE] = YAML_DEFAULT_SEQUENCE_TAG,
        [YAML_MAPPING_NODE] = YAML_DEFAULT_MAPPING_TAG,
    };
    return node->tag == NULL || strcmp((const char *)node->tag, tags[node->type]) == 0;
}

static enum chirr_err check_node(struct walk *walk, const yaml_node_t *node)
{
    if (walk->depth >= CHIRR_YAML_DEPTH_MAX) {
        return chirr_yaml_mistake(&walk->place, node, "at most 32 levels of nesting", "more");
    }
    if (++walk->nodes > CHIRR_YAML_NODES_MAX) {
        return chirr_yaml_mistake(&walk->place, node, "at most 65536 values, aliases expanded",
                                  "more");
    }
    if (!has_default_tag(node)) {
        char tag[FOUND_BYTES_MAX];
        quote((const char *)node->tag, strlen((const char *)node->tag), tag);
        return chirr_yaml_mistake(&walk->place, node, "a value without a tag", tag);
    }
    enum chirr_err err = CHIRR_OK;
    walk->depth++;
    if (node->type == YAML_MAPPING_NODE) {
        err = check_mapping(walk, node);
    } else if (node->type == YAML_SEQUENCE_NODE) {
        err = check_sequence(walk, node);
    }
    walk->depth--;
    return err;
}

/* ---- Loading ------------------------------------------------------------------------------- */

static const char *line_start(const char *text, size_t bytes, size_t line)
{
    const char *at = text;
    const char *end = text + bytes;
    while (line-- > 0) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL) {
            return end;
        }
        at = newline + 1;
    }
    return at;
}

static size_t line_of_offset(const char *text, size_t bytes, size_t offset)
{
    size_t line = 0;
    for (size_t i = 0; i < offset && i < bytes; i++) {
        line += text[i] == '\n';
    }
    return line;
}

static bool is_indented_by_tab(const char *at, const char *end)
{
    while (at < end && *at == ' ') {
        at++;
    }
    return at < end && *at == '\t';
}

static enum chirr_err syntax_error(const char *name, const yaml_parser_t *parser, const char *text,
                                   size_t bytes, struct chirr_error *error)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "%s: out of memory", name);
    }
    size_t line = parser->error == YAML_READER_ERROR
                      ? line_of_offset(text, bytes, parser->problem_offset)
                      : parser->problem_mark.line;
    if (is_indented_by_tab(line_start(text, bytes, line), text + bytes)) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG,
                               "%s:%zu: expected spaces as indentation, got a tab", name, line + 1);
    }
    bool context = parser->context != NULL && parser->error != YAML_READER_ERROR;
    return chirr_error_set(error, CHIRR_ERR_CONFIG, "%s:%zu: expected YAML, got: %s%s%s%s", name,
                           line + 1, parser->problem != NULL ? parser->problem : "a syntax error",
                           context ? " (" : "", context ? parser->context : "", context ? ")" : "");
}

/* What the first reading counts: libyaml builds a document of any depth, in time that grows with
 * its square, so the limits are checked on its events before it is let build anything. */
struct census {
    uint32_t depth, nodes, anchors, documents;
};

static const char *count_event(struct census *census, const yaml_event_t *event)
{
    bool opens =
        event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT;
    census->documents += event->type == YAML_DOCUMENT_START_EVENT;
    census->nodes += opens || event->type == YAML_SCALAR_EVENT || event->type == YAML_ALIAS_EVENT;
    census->anchors +=
        (event->type == YAML_SCALAR_EVENT && event->data.scalar.anchor != NULL) ||
        (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.anchor != NULL) ||
        (event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.anchor != NULL);
    census->depth += opens;
    census->depth -=
        event->type == YAML_MAPPING_END_EVENT || event->type == YAML_SEQUENCE_END_EVENT;
    return census->documents > 1                      ? "one document, got another"
           : census->depth > CHIRR_YAML_DEPTH_MAX     ? "at most 32 levels of nesting, got more"
           : census->nodes > 2 * CHIRR_YAML_NODES_MAX ? "at most 65536 values, got more"
           : census->anchors > CHIRR_YAML_ANCHORS_MAX ? "at most 256 anchors, got more"
                                                      : NULL;
}

static enum chirr_err check_events(const char *name, const char *text, size_t bytes,
                                   struct chirr_error *error)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "%s: out of memory", name);
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
    struct census census = {0};
    enum chirr_err err = CHIRR_OK;
    for (bool more = true; more && err == CHIRR_OK;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            err = syntax_error(name, &parser, text, bytes, error);
            break;
        }
        const char *expected = count_event(&census, &event);
        if (expected != NULL) {
            err = chirr_error_set(error, CHIRR_ERR_CONFIG, "%s:%zu: expected %s", name,
                                  event.start_mark.line + 1, expected);
        }
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return err;
}

static enum chirr_err parse_document(struct chirr_yaml *yaml, const char *text, size_t bytes,
                                     struct chirr_error *error)
{
    enum chirr_err err = check_events(yaml->name, text, bytes, error);
    if (err != CHIRR_OK) {
        return err;
    }
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "%s: out of memory", yaml->name);
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
    if (!yaml_parser_load(&parser, &yaml->document)) {
        err = syntax_error(yaml->name, &parser, text, bytes, error);
    } else if (yaml_document_get_root_node(&yaml->document) == NULL) {
        err = chirr_error_set(error, CHIRR_ERR_CONFIG, "%s:1: expected a mapping, got nothing",
                              yaml->name);
    }
    yaml_parser_delete(&parser);
    if (err != CHIRR_OK) {
        return err;
    }
    struct walk walk = {.place = {.yaml = yaml, .error = error}};
    return check_node(&walk, chirr_yaml_node(yaml, 1));
}

struct chirr_yaml *chirr_yaml_parse(const char *name, const char *text, size_t bytes,
                                    struct chirr_error *error)
{
    if (bytes > CHIRR_YAML_FILE_BYTES_MAX) {
        chirr_error_set(error, CHIRR_ERR_CONFIG, "%s:1: expected at most 1 MiB, got more", name);
        return NULL;
    }
    struct chirr_yaml *yaml = calloc(1, sizeof *yaml);
    if (yaml == NULL || (yaml->name = strdup(name)) == NULL ||
        (yaml->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0)) == (locale_t)0) {
        chirr_error_set(error, CHIRR_ERR_NOMEM, "%s: out of memory", name);
        chirr_yaml_destroy(yaml);
        return NULL;
    }
    if (parse_document(yaml, text, bytes, error) != CHIRR_OK) {
        chirr_yaml_destroy(yaml);
        return NULL;
    }
    return yaml;
}

struct chirr_yaml *chirr_yaml_load(const char *path, struct chirr_error *error)
{
    FILE *file = fopen(path, "rbe");
    char *text = malloc(CHIRR_YAML_FILE_BYTES_MAX + 1);
    struct chirr_yaml *yaml = NULL;
    if (file == NULL) {
        chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    } else if (text == NULL) {
        chirr_error_set(error, CHIRR_ERR_NOMEM, "%s: out of memory", path);
    } else {
        size_t bytes = fread(text, 1, CHIRR_YAML_FILE_BYTES_MAX + 1, file);
        if (ferror(file)) {
            chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
        } else {
            yaml = chirr_yaml_parse(path, text, bytes, error);
        }
    }
    free(text);
    if (file != NULL) {
        fclose(file);
    }
    return yaml;
}

void chirr_yaml_destroy(struct chirr_yaml *yaml)
{
    if (yaml == NULL) {
        return;
    }
    yaml_document_delete(&yaml->document);
    if (yaml->locale != (locale_t)0) {
        freelocale(yaml->locale);
    }
    free(yaml->name);
    free(yaml);
}
