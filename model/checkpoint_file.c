#include "model/checkpoint_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wire.h"

static const uint8_t magic[8] = {'c', 'h', 'i', 'r', 'r', 'm', 'd', 'l'};
#define BYTE_ORDER_MARK UINT32_C(0x01020304)
#define PART_HEAD_BYTES 16
#define NAME_BYTES_MAX 64

/* ---- Writing ------------------------------------------------------------------------------- */

static void write_all(struct chirr_checkpoint_writer *writer, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    while (count > 0 && writer->failure == 0) {
        ssize_t done = write(writer->file, at, count);
        if (done < 0 && errno != EINTR) {
            writer->failure = errno;
        }
        if (done > 0) {
            at += done;
            count -= (size_t)done;
        }
    }
}

static void write_digested(struct chirr_checkpoint_writer *writer, const void *bytes, size_t count)
{
    chirr_digest_add(&writer->digest, bytes, count);
    write_all(writer, bytes, count);
}

void chirr_checkpoint_write_part(void *context, const struct chirr_state_part *part)
{
    struct chirr_checkpoint_writer *writer = context;
    uint8_t head[PART_HEAD_BYTES] = {0};
    size_t group = strlen(part->group);
    size_t name = strlen(part->name);
    CHIRR_ASSERT(group <= NAME_BYTES_MAX);
    CHIRR_ASSERT(name <= NAME_BYTES_MAX);
    chirr_wire_put_u16(head, (uint16_t)group);
    chirr_wire_put_u16(head + 2, (uint16_t)name);
    chirr_wire_put_u64(head + 8, part->size);
    write_digested(writer, head, sizeof head);
    write_digested(writer, part->group, group);
    write_digested(writer, part->name, name);
    write_digested(writer, part->bytes, part->size);
}

static void write_header(struct chirr_checkpoint_writer *writer, const struct chirr_model *model)
{
    uint8_t header[CHIRR_CHECKPOINT_HEADER_BYTES] = {0};
    const uint32_t mark = BYTE_ORDER_MARK;
    memcpy(header, magic, sizeof magic);
    chirr_wire_put_u32(header + 8, CHIRR_CHECKPOINT_FORMAT);
    memcpy(header + 12, &mark, sizeof mark);
    chirr_wire_put_u64(header + 16, chirr_model_lineage(&model->config));
    write_digested(writer, header, sizeof header);
}

int chirr_checkpoint_write(struct chirr_model *model, int file)
{
    struct chirr_checkpoint_writer writer = {.file = file};
    chirr_digest_begin(&writer.digest);
    write_header(&writer, model);
    chirr_checkpoint_write_config(&writer, &model->config);
    chirr_state_visit(model, chirr_checkpoint_write_part, &writer);
    uint8_t digest[CHIRR_CHECKPOINT_DIGEST_BYTES];
    chirr_wire_put_u64(digest, chirr_digest_end(&writer.digest));
    write_all(&writer, digest, sizeof digest);
    if (writer.failure == 0 && fsync(file) != 0) {
        writer.failure = errno;
    }
    return writer.failure;
}

/* ---- Reading ------------------------------------------------------------------------------- */

bool chirr_checkpoint_read(const struct chirr_checkpoint_reader *reader, uint64_t offset,
                           void *bytes, size_t count)
{
    size_t done = 0;
    while (done < count) {
        ssize_t got =
            pread(reader->file, (uint8_t *)bytes + done, count - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

static enum chirr_err check_header(struct chirr_checkpoint_reader *reader,
                                   struct chirr_error *error)
{
    uint8_t header[CHIRR_CHECKPOINT_HEADER_BYTES];
    if (reader->bytes < sizeof header + CHIRR_CHECKPOINT_DIGEST_BYTES ||
        !chirr_checkpoint_read(reader, 0, header, sizeof header)) {
        return chirr_error_set(error, CHIRR_ERR_MALFORMED, "%s: cut off in its header",
                               reader->path);
    }
    if (memcmp(header, magic, sizeof magic) != 0) {
        return chirr_error_set(error, CHIRR_ERR_MALFORMED, "%s: not a chirr checkpoint",
                               reader->path);
    }
    uint32_t mark;
    memcpy(&mark, header + 12, sizeof mark);
    reader->format = chirr_wire_get_u32(header + 8);
    reader->lineage = chirr_wire_get_u64(header + 16);
    return mark == BYTE_ORDER_MARK
               ? CHIRR_OK
               : chirr_error_set(error, CHIRR_ERR_VERSION,
                                 "%s: written by a machine of another byte order", reader->path);
}

static enum chirr_err check_digest(struct chirr_checkpoint_reader *reader,
                                   struct chirr_error *error)
{
    struct chirr_digest_state state;
    chirr_digest_begin(&state);
    uint64_t end = reader->bytes - CHIRR_CHECKPOINT_DIGEST_BYTES;
    uint8_t buffer[8192];
    for (uint64_t at = 0; at < end; at += sizeof buffer) {
        size_t count = end - at < sizeof buffer ? (size_t)(end - at) : sizeof buffer;
        if (!chirr_checkpoint_read(reader, at, buffer, count)) {
            return chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot be read", reader->path);
        }
        chirr_digest_add(&state, buffer, count);
    }
    uint8_t digest[CHIRR_CHECKPOINT_DIGEST_BYTES];
    reader->digest = chirr_digest_end(&state);
    if (!chirr_checkpoint_read(reader, end, digest, sizeof digest) ||
        chirr_wire_get_u64(digest) != reader->digest) {
        return chirr_error_set(error, CHIRR_ERR_CHECKSUM, "%s: damaged or cut off", reader->path);
    }
    return CHIRR_OK;
}

static uint64_t key_of(const char *group, size_t group_length, const char *name, size_t name_length)
{
    struct chirr_digest_state state;
    chirr_digest_begin(&state);
    chirr_digest_add(&state, group, group_length);
    chirr_digest_add(&state, "", 1);
    chirr_digest_add(&state, name, name_length);
    return chirr_digest_end(&state);
}

/* One part's head and names at `*at`, which is moved behind its payload. */
static bool list_part(struct chirr_checkpoint_reader *reader, uint64_t *at)
{
    const uint64_t end = reader->bytes - CHIRR_CHECKPOINT_DIGEST_BYTES;
    uint8_t head[PART_HEAD_BYTES];
    char names[2 * NAME_BYTES_MAX];
    if (end - *at < sizeof head || reader->count == CHIRR_CHECKPOINT_PARTS_MAX ||
        !chirr_checkpoint_read(reader, *at, head, sizeof head)) {
        return false;
    }
    size_t group = chirr_wire_get_u16(head);
    size_t name = chirr_wire_get_u16(head + 2);
    uint64_t size = chirr_wire_get_u64(head + 8);
    uint64_t payload = *at + sizeof head + group + name;
    if (group > NAME_BYTES_MAX || name > NAME_BYTES_MAX || payload > end || size > end - payload ||
        !chirr_checkpoint_read(reader, *at + sizeof head, names, group + name)) {
        return false;
    }
    reader->parts[reader->count++] =
        (struct chirr_checkpoint_entry){key_of(names, group, names + group, name), payload, size};
    *at = payload + size;
    return true;
}

static enum chirr_err list_parts(struct chirr_checkpoint_reader *reader, struct chirr_error *error)
{
    uint64_t at = CHIRR_CHECKPOINT_HEADER_BYTES;
    while (at < reader->bytes - CHIRR_CHECKPOINT_DIGEST_BYTES) {
        if (!list_part(reader, &at)) {
            return chirr_error_set(error, CHIRR_ERR_MALFORMED, "%s: its parts do not fit",
                                   reader->path);
        }
    }
    return CHIRR_OK;
}

enum chirr_err chirr_checkpoint_open(struct chirr_checkpoint_reader *reader, int file,
                                     const char *path, struct chirr_error *error)
{
    struct stat status;
    reader->file = file;
    reader->path = path;
    reader->count = 0;
    if (fstat(file, &status) != 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: %s", path, strerror(errno));
    }
    reader->bytes = (uint64_t)status.st_size;
    enum chirr_err err = check_header(reader, error);
    if (err == CHIRR_OK) {
        err = check_digest(reader, error);
    }
    if (err == CHIRR_OK && (reader->format < 1 || reader->format > CHIRR_CHECKPOINT_FORMAT)) {
        err =
            chirr_error_set(error, CHIRR_ERR_VERSION, "%s: written in format %u, expected 1 to %d",
                            path, reader->format, CHIRR_CHECKPOINT_FORMAT);
    }
    return err == CHIRR_OK && reader->format > 1 ? list_parts(reader, error) : err;
}

const struct chirr_checkpoint_entry *
chirr_checkpoint_find(const struct chirr_checkpoint_reader *reader, const char *group,
                      const char *name)
{
    const uint64_t key = key_of(group, strlen(group), name, strlen(name));
    for (uint32_t i = 0; i < reader->count; i++) {
        if (reader->parts[i].key == key) {
            return &reader->parts[i];
        }
    }
    return NULL;
}
