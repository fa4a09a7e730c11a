/* Open addressing over (kind, subject); records are never removed one by one. */
#include "sim/disk.h"

#include <string.h>

static uint32_t slot_count_for(uint32_t records_max)
{
    uint32_t count = 16;
    while (count < 2 * records_max) {
        count *= 2;
    }
    return count;
}

size_t chirr_sim_disk_bytes(uint32_t records_max)
{
    return chirr_arena_round(records_max * sizeof(struct chirr_record)) +
           chirr_arena_round(slot_count_for(records_max) * sizeof(uint32_t));
}

enum chirr_err chirr_sim_disk_init(struct chirr_sim_disk *disk, struct chirr_arena *arena,
                                   uint32_t records_max)
{
    memset(disk, 0, sizeof *disk);
    disk->slot_count = slot_count_for(records_max);
    disk->capacity = records_max;
    disk->records = chirr_arena_take(arena, records_max, sizeof *disk->records);
    disk->slots = chirr_arena_take(arena, disk->slot_count, sizeof *disk->slots);
    return disk->records == NULL || disk->slots == NULL ? CHIRR_ERR_NOMEM : CHIRR_OK;
}

static uint64_t subject_of(const struct chirr_record *record)
{
    return record->kind == CHIRR_RECORD_TASK ? record->task.id : record->author;
}

/* The slot of a subject, or the empty one where it belongs. Ids are digests: they hash themselves.
 */
static uint32_t *slot_of(const struct chirr_sim_disk *disk, enum chirr_record_kind kind,
                         uint64_t subject)
{
    uint32_t mask = disk->slot_count - 1;
    uint32_t at = (uint32_t)(subject + kind) & mask;
    while (disk->slots[at] != 0) {
        const struct chirr_record *record = &disk->records[disk->slots[at] - 1];
        if (record->kind == kind && subject_of(record) == subject) {
            break;
        }
        at = (at + 1) & mask;
    }
    return &disk->slots[at];
}

enum chirr_err chirr_sim_disk_write(struct chirr_sim_disk *disk, const struct chirr_record *record)
{
    uint32_t *slot = slot_of(disk, record->kind, subject_of(record));
    if (*slot == 0) {
        if (disk->count == disk->capacity) {
            return CHIRR_ERR_FULL;
        }
        *slot = ++disk->count;
    }
    disk->records[*slot - 1] = *record;
    disk->writes++;
    return CHIRR_OK;
}

const struct chirr_record *chirr_sim_disk_find(const struct chirr_sim_disk *disk,
                                               enum chirr_record_kind kind, uint64_t subject)
{
    uint32_t slot = *slot_of(disk, kind, subject);
    return slot == 0 ? NULL : &disk->records[slot - 1];
}

void chirr_sim_disk_erase(struct chirr_sim_disk *disk)
{
    memset(disk->slots, 0, disk->slot_count * sizeof *disk->slots);
    disk->count = 0;
}
