/* Writing structs as YAML by the table that reads them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml_document.h"

#define TEXT_BYTES_MAX 4096

/* Once something failed (out of memory is all that can), the rest of the calls do nothing. */
struct writer {
    yaml_emitter_t emitter;
    locale_t locale;
    bool failed;
    char *text;
    size_t bytes, capacity;
};

static int append(void *context, unsigned char *data, size_t bytes)
{
    struct writer *writer = context;
    if (writer->bytes + bytes + 1 > writer->capacity) {
        size_t capacity = 2 * (writer->bytes + bytes + 1);
        char *grown = realloc(writer->text, capacity);
        if (grown == NULL) {
            return 0;
        }
        writer->text = grown;
        writer->capacity = capacity;
    }
    memcpy(writer->text + writer->bytes, data, bytes);
    writer->bytes += bytes;
    writer->text[writer->bytes] = '\0';
    return 1;
}

/* `made`: whether libyaml could make the event. */
static void emit(struct writer *writer, yaml_event_t *event, int made)
{
    if (!made) {
        writer->failed = true;
    } else if (writer->failed) {
        yaml_event_delete(event);
    } else {
        writer->failed = !yaml_emitter_emit(&writer->emitter, event);
    }
}

static void emit_scalar(struct writer *writer, const char *text, bool quoted)
{
    yaml_event_t event;
    int made = yaml_scalar_event_initialize(
        &event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), !quoted, quoted,
        quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE);
    emit(writer, &event, made);
}

static void begin_mapping(struct writer *writer)
{
    yaml_event_t event;
    emit(writer, &event,
         yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
}

static void end_mapping(struct writer *writer)
{
    yaml_event_t event;
    emit(writer, &event, yaml_mapping_end_event_initialize(&event));
}

static void format_hex(const uint8_t *data, size_t bytes, char *text)
{
    CHIRR_ASSERT(2 * bytes < TEXT_BYTES_MAX);
    for (size_t i = 0; i < bytes; i++) {
        snprintf(text + 2 * i, 3, "%02x", data[i]);
    }
}

static void format_scalar(const struct writer *writer, const struct chirr_yaml_field *field,
                          const void *at, char text[TEXT_BYTES_MAX])
{
    float narrow;
    double wide;
    switch (field->type) {
    case CHIRR_YAML_BOOL:
        strcpy(text, *(const bool *)at ? "true" : "false");
        break;
    case CHIRR_YAML_NUMBER:
        /* Nine and seventeen digits give every float and double back. */
        memcpy(field->bytes == sizeof narrow ? (void *)&narrow : (void *)&wide, at, field->bytes);
        chirr_yaml_format_number(writer->locale,
                                 field->bytes == sizeof narrow ? (double)narrow : wide,
                                 field->bytes == sizeof narrow ? 9 : 17, text, TEXT_BYTES_MAX);
        break;
    case CHIRR_YAML_CHOICE:
        strcpy(text, field->choices[chirr_yaml_load_unsigned(at, field->bytes)]);
        break;
    case CHIRR_YAML_NAME:
    case CHIRR_YAML_TEXT:
        snprintf(text, TEXT_BYTES_MAX, "%s", (const char *)at);
        break;
    case CHIRR_YAML_HEX:
        format_hex(at, field->bytes, text);
        break;
    case CHIRR_YAML_PARSED:
        field->format(at, text, TEXT_BYTES_MAX);
        break;
    default:
        chirr_yaml_format_stored(field->type, chirr_yaml_load_unsigned(at, field->bytes), text,
                                 TEXT_BYTES_MAX);
    }
}

static bool is_quoted(enum chirr_yaml_type type)
{
    return type == CHIRR_YAML_NAME || type == CHIRR_YAML_TEXT || type == CHIRR_YAML_HEX ||
           type == CHIRR_YAML_PARSED;
}

static void write_value(struct writer *writer, const struct chirr_yaml_field *field,
                        const uint8_t *base);

/* A text that must not be empty, and is, was not given. */
static bool is_missing(const struct chirr_yaml_field *field, const uint8_t *at)
{
    if (field->type == CHIRR_YAML_PARSED) {
        char text[TEXT_BYTES_MAX];
        field->format(at, text, sizeof text);
        return text[0] == '\0';
    }
    bool required =
        field->type == CHIRR_YAML_NAME || (field->type == CHIRR_YAML_TEXT && field->min > 0);
    return required && *at == '\0';
}

static void write_fields(struct writer *writer, const struct chirr_yaml_field *fields,
                         const uint8_t *base)
{
    for (const struct chirr_yaml_field *field = fields; field->type != 0; field++) {
        if (field->type == CHIRR_YAML_INCLUDE) {
            write_fields(writer, field->fields, base + field->offset);
        } else if (field->type != CHIRR_YAML_ANY && !is_missing(field, base + field->offset)) {
            emit_scalar(writer, field->key, false);
            write_value(writer, field, base);
        }
    }
}

static uint32_t entry_count(const struct chirr_yaml_field *field, const uint8_t *base)
{
    return field->counted ? (uint32_t)chirr_yaml_load_unsigned(base + field->count_offset, 4)
                          : (uint32_t)(field->bytes / field->element->bytes);
}

static void write_sequence(struct writer *writer, const struct chirr_yaml_field *field,
                           const uint8_t *base)
{
    bool flow = field->element->type < CHIRR_YAML_MAPPING;
    yaml_event_t event;
    emit(writer, &event,
         yaml_sequence_start_event_initialize(
             &event, NULL, NULL, 1, flow ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE));
    for (uint32_t i = 0; i < entry_count(field, base); i++) {
        write_value(writer, field->element, base + field->offset + i * field->element->bytes);
    }
    emit(writer, &event, yaml_sequence_end_event_initialize(&event));
}

static void write_named(struct writer *writer, const struct chirr_yaml_field *field,
                        const uint8_t *base)
{
    begin_mapping(writer);
    for (uint32_t i = 0; i < entry_count(field, base); i++) {
        const uint8_t *entry = base + field->offset + i * field->element->bytes;
        emit_scalar(writer, (const char *)entry + field->name_offset, true);
        write_value(writer, field->element, entry);
    }
    end_mapping(writer);
}

static void write_value(struct writer *writer, const struct chirr_yaml_field *field,
                        const uint8_t *base)
{
    if (field->type == CHIRR_YAML_MAPPING) {
        begin_mapping(writer);
        write_fields(writer, field->fields, base + field->offset);
        end_mapping(writer);
    } else if (field->type == CHIRR_YAML_SEQUENCE) {
        write_sequence(writer, field, base);
    } else if (field->type == CHIRR_YAML_NAMED) {
        write_named(writer, field, base);
    } else {
        char text[TEXT_BYTES_MAX];
        format_scalar(writer, field, base + field->offset, text);
        emit_scalar(writer, text, is_quoted(field->type));
    }
}

char *chirr_yaml_write(const struct chirr_yaml_field *fields, const void *from)
{
    struct writer writer = {.locale = newlocale(LC_ALL_MASK, "C", (locale_t)0)};
    if (writer.locale == (locale_t)0 || !yaml_emitter_initialize(&writer.emitter)) {
        if (writer.locale != (locale_t)0) {
            freelocale(writer.locale);
        }
        return NULL;
    }
    yaml_emitter_set_output(&writer.emitter, append, &writer);
    yaml_emitter_set_unicode(&writer.emitter, 1);
    yaml_emitter_set_width(&writer.emitter, -1);
    yaml_event_t event;
    emit(&writer, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
    emit(&writer, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
    begin_mapping(&writer);
    write_fields(&writer, fields, from);
    end_mapping(&writer);
    emit(&writer, &event, yaml_document_end_event_initialize(&event, 1));
    emit(&writer, &event, yaml_stream_end_event_initialize(&event));
    yaml_emitter_delete(&writer.emitter);
    freelocale(writer.locale);
    if (writer.failed) {
        free(writer.text);
        return NULL;
    }
    return writer.text;
}
