/* Two record stores side by side. */
#include "tests/support/stores.h"

#include <criterion/criterion.h>

#include "swarm/repair.h"

void stores_create(struct stores *stores, const struct chirr_records_config *config)
{
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(chirr_arena_init(&stores->arenas[i], chirr_records_bytes(config)), CHIRR_OK);
        stores->held[i] = chirr_records_create(&stores->arenas[i], config);
        cr_assert_not_null(stores->held[i]);
    }
}

void stores_finish(struct stores *stores)
{
    chirr_arena_finish(&stores->arenas[0]);
    chirr_arena_finish(&stores->arenas[1]);
}

enum chirr_join stores_join(struct chirr_record_store *store, const struct chirr_record *record)
{
    enum chirr_join join;
    cr_assert_eq(chirr_records_join(store, record, &join), CHIRR_OK);
    return join;
}

uint64_t stores_compare(const struct stores *stores, bool live, uint32_t salt)
{
    struct chirr_digest_message summary = {.salt = salt};
    chirr_repair_summarise(stores->held[0], live, &summary);
    return chirr_repair_compare(stores->held[1], live, &summary);
}
