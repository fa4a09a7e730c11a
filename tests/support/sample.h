/* Valid records to test with: agents 0, 1, 2, … with proper keys and ids, and what they say. */
#ifndef CHIRR_TESTS_SUPPORT_SAMPLE_H
#define CHIRR_TESTS_SUPPORT_SAMPLE_H

#include "base/random.h"
#include "proto/message.h"

chirr_agent_id sample_agent(uint32_t index);

/* Records without author and stamp, where a machine fills them in; `sample_stamped` does it by
 * hand. */
struct chirr_record sample_card(uint32_t index);
struct chirr_record sample_claims(chirr_task_id task, int64_t bid);
/* One change of the key of agent `index`, which holds it. */
struct chirr_record sample_trust(uint32_t index, bool removed);
struct chirr_record sample_task(uint32_t submitter, uint64_t nonce);

/* What becomes of a task: the same one in another phase, consistent in every field. */
struct chirr_record sample_phase(const struct chirr_record *task, enum chirr_task_phase phase,
                                 uint32_t epoch, uint32_t owner);

struct chirr_record sample_stamped(const struct chirr_record *record, uint32_t author,
                                   uint64_t incarnation, uint64_t version);

/* A random statement on `task` that its author may make; `*author` < `agent_count`. */
struct chirr_record sample_random_phase(struct chirr_random *random,
                                        const struct chirr_record *task, uint32_t submitter,
                                        uint32_t agent_count, uint32_t *author);

#endif
