/* Sample records. */
#include "tests/support/sample.h"

#include <stdio.h>
#include <string.h>

#include "base/wire.h"

static void sample_key(uint32_t index, uint8_t key[CHIRR_KEY_BYTES])
{
    memset(key, 0, CHIRR_KEY_BYTES);
    chirr_wire_put_u32(key, index + 1);
}

chirr_agent_id sample_agent(uint32_t index)
{
    uint8_t key[CHIRR_KEY_BYTES];
    sample_key(index, key);
    return chirr_agent_id_of(key);
}

struct chirr_record sample_card(uint32_t index)
{
    struct chirr_record record;
    memset(&record, 0, sizeof record);
    record.kind = CHIRR_RECORD_CARD;
    sample_key(index, record.card.public_key);
    snprintf(record.card.name, sizeof record.card.name, "agent-%u", index);
    snprintf(record.card.publish_endpoint, sizeof record.card.publish_endpoint,
             "tcp://127.0.0.1:%u", 20000 + index);
    snprintf(record.card.unicast_endpoint, sizeof record.card.unicast_endpoint,
             "tcp://127.0.0.1:%u", 30000 + index);
    record.card.cpu_permille = 1000;
    record.card.slots = 1;
    return record;
}

struct chirr_record sample_claims(chirr_task_id task, int64_t bid)
{
    struct chirr_record record;
    memset(&record, 0, sizeof record);
    record.kind = CHIRR_RECORD_CLAIMS;
    if (task != 0) {
        record.claims.count = 1;
        record.claims.claims[0] = (struct chirr_claim){.task = task, .bid = bid};
    }
    return record;
}

struct chirr_record sample_trust(uint32_t index, bool removed)
{
    struct chirr_record record;
    memset(&record, 0, sizeof record);
    record.kind = CHIRR_RECORD_TRUST;
    record.trust.count = 1;
    sample_key(index, record.trust.changes[0].public_key);
    record.trust.changes[0].holder = sample_agent(index);
    record.trust.changes[0].removed = removed;
    return record;
}

struct chirr_record sample_task(uint32_t submitter, uint64_t nonce)
{
    struct chirr_record record;
    memset(&record, 0, sizeof record);
    record.kind = CHIRR_RECORD_TASK;
    struct chirr_task *task = &record.task;
    task->submitter = sample_agent(submitter);
    task->nonce = nonce;
    strcpy(task->spec.kind, "hash");
    task->spec.time_limit_ms = 1000;
    task->spec.argument_count = 1;
    task->spec.command_bytes = sizeof "true";
    strcpy(task->spec.command, "true");
    task->id = chirr_task_id_of(task->submitter, nonce, &task->spec);
    task->phase = CHIRR_TASK_OPEN;
    return record;
}

struct chirr_record sample_phase(const struct chirr_record *task, enum chirr_task_phase phase,
                                 uint32_t epoch, uint32_t owner)
{
    struct chirr_record record = *task;
    record.task.phase = phase;
    record.task.epoch = epoch;
    bool owned = phase != CHIRR_TASK_OPEN && phase != CHIRR_TASK_CANCELLED;
    record.task.owner = owned ? sample_agent(owner) : 0;
    record.task.owner_incarnation = owned ? 1 : 0;
    memset(&record.task.result, 0, sizeof record.task.result);
    if (phase == CHIRR_TASK_DONE) {
        record.task.result.end = CHIRR_TASK_END_EXITED;
        record.task.result.duration_us = 1000;
    }
    return record;
}

struct chirr_record sample_stamped(const struct chirr_record *record, uint32_t author,
                                   uint64_t incarnation, uint64_t version)
{
    struct chirr_record stamped = *record;
    stamped.author = sample_agent(author);
    stamped.stamp = (struct chirr_stamp){incarnation, version};
    return stamped;
}

struct chirr_record sample_random_phase(struct chirr_random *random,
                                        const struct chirr_record *task, uint32_t submitter,
                                        uint32_t agent_count, uint32_t *author)
{
    enum chirr_task_phase phase = CHIRR_TASK_OPEN + (uint32_t)chirr_random_below(random, 5);
    uint32_t epoch = (uint32_t)chirr_random_below(random, 3);
    *author = (uint32_t)chirr_random_below(random, agent_count);
    if (phase == CHIRR_TASK_CANCELLED || (phase == CHIRR_TASK_OPEN && epoch == 0)) {
        *author = submitter;
    }
    return sample_phase(task, phase, epoch, *author);
}
