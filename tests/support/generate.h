/* Random valid records and messages, for property tests: all of a run follows from one seed.
 *
 * Values lean towards the ends of their ranges, where mistakes live. Not thread-safe. */
#ifndef CHIRR_TESTS_SUPPORT_GENERATE_H
#define CHIRR_TESTS_SUPPORT_GENERATE_H

#include "base/arena.h"
#include "base/random.h"
#include "proto/sign.h"

/* Room for the variable parts of any message. */
#define GENERATE_ARENA_BYTES ((size_t)256 * 1024)

/* In [low, high], each end with probability 1/8. */
uint64_t generate_between(struct chirr_random *random, uint64_t low, uint64_t high);

void generate_bytes(struct chirr_random *random, void *out, size_t bytes);

/* Printable, NUL-terminated, at least `bytes_min` long, zero up to `capacity`. */
void generate_text(struct chirr_random *random, char *out, size_t capacity, size_t bytes_min);

struct chirr_identity generate_identity(struct chirr_random *random);

void generate_spec(struct chirr_random *random, struct chirr_task_spec *spec);

/* `phase` 0: any. A task of a random submitter; where it has an owner, that is `author`. */
void generate_task(struct chirr_random *random, chirr_agent_id author, enum chirr_task_phase phase,
                   struct chirr_task *task);

/* Signed by `author`. `kind` 0: any. */
void generate_record(struct chirr_random *random, const struct chirr_identity *author,
                     enum chirr_record_kind kind, struct chirr_record *record);

/* `kind` 0: any. Records, deltas and the first card of a view are `author`'s; variable parts
 * are taken from `arena`, which is reset first. */
void generate_message(struct chirr_random *random, struct chirr_arena *arena,
                      const struct chirr_identity *author, enum chirr_message_kind kind,
                      struct chirr_message *message);

#endif
