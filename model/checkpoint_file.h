/* The file of a checkpoint: named parts between a header and a digest.
 *
 *   header   magic "chirrmdl", u32 format, u32 byte order mark, u64 lineage, u64 bytes of all parts
 *   part     u16 length of group, u16 length of name, u32 zero, u64 size, group, name, payload
 *   digest   BLAKE2b-64 of all before it
 *
 * Numbers of the header and of parts' heads are little-endian; payloads are in the machine's own
 * order, which the mark tells. A reader looks parts up by name: what it does not know it leaves,
 * what it does not find stays as it was. Format 1, of the same header but for its last two fields
 * and without names, is read by checkpoint_first.c. Not thread-safe. */
#ifndef CHIRR_MODEL_CHECKPOINT_FILE_H
#define CHIRR_MODEL_CHECKPOINT_FILE_H

#include "base/digest.h"
#include "model/state.h"

#define CHIRR_CHECKPOINT_FORMAT 2
#define CHIRR_CHECKPOINT_HEADER_BYTES 32
#define CHIRR_CHECKPOINT_DIGEST_BYTES 8
#define CHIRR_CHECKPOINT_PARTS_MAX 1024

struct chirr_checkpoint_writer {
    int file;
    int failure; /* errno of the first failure, 0 while none */
    struct chirr_digest_state digest;
};

/* Writes any part; a visitor's `context` is a writer. */
void chirr_checkpoint_write_part(void *writer, const struct chirr_state_part *part);

/* Everything of a model into an open, empty file, synced; errno of the first failure or 0. */
int chirr_checkpoint_write(struct chirr_model *model, int file);

struct chirr_checkpoint_entry {
    uint64_t key; /* of group and name */
    uint64_t offset;
    uint64_t size;
};

struct chirr_checkpoint_reader {
    int file;
    const char *path;
    uint32_t format;
    uint64_t lineage;
    uint64_t digest;
    uint64_t bytes; /* of the file */
    uint32_t count;
    struct chirr_checkpoint_entry parts[CHIRR_CHECKPOINT_PARTS_MAX]; /* format 2 */
};

/* Verifies header and digest of an open file, before anything of it is used, and lists its parts.
 * Errors as chirr_checkpoint_load. */
CHIRR_NODISCARD enum chirr_err chirr_checkpoint_open(struct chirr_checkpoint_reader *reader,
                                                     int file, const char *path,
                                                     struct chirr_error *error);

/* NULL where there is no such part. */
const struct chirr_checkpoint_entry *
chirr_checkpoint_find(const struct chirr_checkpoint_reader *reader, const char *group,
                      const char *name);

/* Reads `count` bytes at an offset; false where they cannot be read. */
bool chirr_checkpoint_read(const struct chirr_checkpoint_reader *reader, uint64_t offset,
                           void *bytes, size_t count);

/* The configuration as parts of the group "config", and back. CHIRR_ERR_MALFORMED: it lacks what
 * every one has, or is not valid. */
void chirr_checkpoint_write_config(struct chirr_checkpoint_writer *writer,
                                   const struct chirr_model_config *config);
CHIRR_NODISCARD enum chirr_err
chirr_checkpoint_read_config(const struct chirr_checkpoint_reader *reader,
                             struct chirr_model_config *config, struct chirr_error *error);

/* Loads format 1 into a model as created. */
CHIRR_NODISCARD enum chirr_err
chirr_checkpoint_load_first(struct chirr_model *model, const struct chirr_checkpoint_reader *reader,
                            struct chirr_error *error);

#endif
