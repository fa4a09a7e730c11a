/* A simulated disk: what PERSIST made durable survives the process, unless the disk is lost.
 *
 * Keeps the last record of each (kind, subject): the author of a register, the id of a task. What a
 * full disk refuses is an error, as it is for the real store. Not thread-safe. */
#ifndef CHIRR_SIM_DISK_H
#define CHIRR_SIM_DISK_H

#include "base/arena.h"
#include "proto/message.h"

struct chirr_sim_disk {
    struct chirr_record *records; /* [capacity], in the order of their first writing */
    uint32_t *slots;              /* [slot_count] open addressing; index + 1 into records, or 0 */
    uint32_t slot_count;          /* a power of two, at least twice the capacity */
    uint32_t capacity;
    uint32_t count;
    uint64_t writes;
};

size_t chirr_sim_disk_bytes(uint32_t records_max);
CHIRR_NODISCARD enum chirr_err chirr_sim_disk_init(struct chirr_sim_disk *disk,
                                                   struct chirr_arena *arena, uint32_t records_max);

/* CHIRR_ERR_FULL: no room for another subject. */
CHIRR_NODISCARD enum chirr_err chirr_sim_disk_write(struct chirr_sim_disk *disk,
                                                    const struct chirr_record *record);
/* NULL when nothing was written of that subject. */
const struct chirr_record *chirr_sim_disk_find(const struct chirr_sim_disk *disk,
                                               enum chirr_record_kind kind, uint64_t subject);
void chirr_sim_disk_erase(struct chirr_sim_disk *disk);

#endif
