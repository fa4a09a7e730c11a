/* A model's configuration in its checkpoint: a part for each number, one for each sense. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/wire.h"
#include "model/checkpoint_file.h"

#define GROUP "config"

enum type { U32, U64, FLAG, FLOAT };

static const struct field {
    const char *name;
    enum type type;
    size_t offset;
} fields[] = {
#define FIELD(type, member)                                                                        \
    {                                                                                              \
#member, type, offsetof(struct chirr_model_config, member)                                 \
    }
    FIELD(U32, width),
    FIELD(U32, layers),
    FIELD(U32, section_width),
    FIELD(U32, mlp_width),
    FIELD(U32, rates),
    FIELD(U32, decay_min),
    FIELD(U32, decay_max),
    FIELD(U32, gram_rows),
    FIELD(FLAG, input_gate),
    FIELD(U32, partitions),
    FIELD(U32, active),
    FIELD(U64, genesis_seed),
    FIELD(U64, hosted),
    FIELD(U32, chunk),
    FIELD(FLOAT, learning_rate),
    FIELD(U32, warmup_updates),
    FIELD(FLAG, narrow_reads),
    FIELD(U32, origins_max),
    FIELD(U32, settling_updates),
    FIELD(FLAG, drift),
    FIELD(U32, replay_bytes),
    FIELD(FLOAT, replay_share),
    FIELD(FLOAT, trunk_rate),
    FIELD(U32, sense_count),
#undef FIELD
};
#define FIELD_COUNT (sizeof fields / sizeof *fields)

/* Name, then kind, width, channels, chunk. */
#define SENSE_BYTES (CHIRR_MODEL_NAME_BYTES_MAX + 16)

static uint64_t get_field(const struct chirr_model_config *config, const struct field *field)
{
    const char *at = (const char *)config + field->offset;
    uint32_t word = 0;
    uint64_t whole = 0;
    switch (field->type) {
    case FLAG:
        return *(const bool *)at;
    case U64:
        memcpy(&whole, at, sizeof whole);
        return whole;
    case U32:
    case FLOAT:
        memcpy(&word, at, sizeof word);
        return word;
    }
    return 0;
}

static void set_field(struct chirr_model_config *config, const struct field *field, uint64_t value)
{
    char *at = (char *)config + field->offset;
    const uint32_t word = (uint32_t)value;
    switch (field->type) {
    case FLAG:
        *(bool *)at = value != 0;
        break;
    case U64:
        memcpy(at, &value, sizeof value);
        break;
    case U32:
    case FLOAT:
        memcpy(at, &word, sizeof word);
        break;
    }
}

static void name_sense(uint32_t index, char name[24])
{
    snprintf(name, 24, "sense %u", index);
}

void chirr_checkpoint_write_config(struct chirr_checkpoint_writer *writer,
                                   const struct chirr_model_config *config)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        uint8_t value[8];
        chirr_wire_put_u64(value, get_field(config, &fields[i]));
        const struct chirr_state_part part = {GROUP, fields[i].name, value, sizeof value};
        chirr_checkpoint_write_part(writer, &part);
    }
    for (uint32_t i = 0; i < config->sense_count; i++) {
        const struct chirr_model_sense *sense = &config->senses[i];
        uint8_t bytes[SENSE_BYTES] = {0};
        char name[24];
        memcpy(bytes, sense->name, strlen(sense->name));
        chirr_wire_put_u32(bytes + CHIRR_MODEL_NAME_BYTES_MAX, (uint32_t)sense->kind);
        chirr_wire_put_u32(bytes + CHIRR_MODEL_NAME_BYTES_MAX + 4, sense->width);
        chirr_wire_put_u32(bytes + CHIRR_MODEL_NAME_BYTES_MAX + 8, sense->channels);
        chirr_wire_put_u32(bytes + CHIRR_MODEL_NAME_BYTES_MAX + 12, sense->chunk);
        name_sense(i, name);
        const struct chirr_state_part part = {GROUP, name, bytes, sizeof bytes};
        chirr_checkpoint_write_part(writer, &part);
    }
}

/* False where the part is missing, of another size or unreadable. */
static bool read_part(const struct chirr_checkpoint_reader *reader, const char *name, void *bytes,
                      size_t size)
{
    const struct chirr_checkpoint_entry *entry = chirr_checkpoint_find(reader, GROUP, name);
    return entry != NULL && entry->size == size &&
           chirr_checkpoint_read(reader, entry->offset, bytes, size);
}

static bool read_sense(const struct chirr_checkpoint_reader *reader, uint32_t index,
                       struct chirr_model_sense *sense)
{
    uint8_t bytes[SENSE_BYTES];
    char name[24];
    name_sense(index, name);
    if (!read_part(reader, name, bytes, sizeof bytes)) {
        return false;
    }
    memcpy(sense->name, bytes, sizeof sense->name);
    sense->kind = (enum chirr_sense_kind)chirr_wire_get_u32(bytes + CHIRR_MODEL_NAME_BYTES_MAX);
    sense->width = chirr_wire_get_u32(bytes + CHIRR_MODEL_NAME_BYTES_MAX + 4);
    sense->channels = chirr_wire_get_u32(bytes + CHIRR_MODEL_NAME_BYTES_MAX + 8);
    sense->chunk = chirr_wire_get_u32(bytes + CHIRR_MODEL_NAME_BYTES_MAX + 12);
    return true;
}

enum chirr_err chirr_checkpoint_read_config(const struct chirr_checkpoint_reader *reader,
                                            struct chirr_model_config *config,
                                            struct chirr_error *error)
{
    *config = chirr_model_config_default();
    bool whole = reader->format > 1;
    for (size_t i = 0; i < FIELD_COUNT && whole; i++) {
        uint8_t value[8];
        whole = read_part(reader, fields[i].name, value, sizeof value);
        set_field(config, &fields[i], whole ? chirr_wire_get_u64(value) : 0);
    }
    whole = whole && config->sense_count <= CHIRR_MODEL_SENSES_MAX;
    for (uint32_t i = 0; whole && i < config->sense_count; i++) {
        whole = read_sense(reader, i, &config->senses[i]);
    }
    struct chirr_error why;
    if (!whole || chirr_model_config_validate(config, &why) != CHIRR_OK) {
        return chirr_error_set(error, whole ? CHIRR_ERR_MALFORMED : CHIRR_ERR_VERSION,
                               "%s: does not tell the configuration of its model", reader->path);
    }
    return CHIRR_OK;
}
