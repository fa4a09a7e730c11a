/* Two record stores of one shape, side by side: what one holds the other may lack. */
#ifndef CHIRR_TESTS_SUPPORT_STORES_H
#define CHIRR_TESTS_SUPPORT_STORES_H

#include "swarm/records.h"

struct stores {
    struct chirr_arena arenas[2];
    struct chirr_record_store *held[2];
};

void stores_create(struct stores *stores, const struct chirr_records_config *config);
void stores_finish(struct stores *stores);

/* What became of a record that the store must take. */
enum chirr_join stores_join(struct chirr_record_store *store, const struct chirr_record *record);

/* The buckets in which the second differs from a summary of the first. */
uint64_t stores_compare(const struct stores *stores, bool live, uint32_t salt);

#endif
