#include "agent/node_parts.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct chirr_node_config valid_config(void)
{
    struct chirr_node_config config = chirr_node_config_default();
    config.incarnation = 1;
    config.card =
        (struct chirr_card){.public_key = {1}, .name = "node", .cpu_permille = 1000, .slots = 1};
    return config;
}

Test(node_parts, says_what_is_wrong_with_a_configuration)
{
    struct chirr_error error;
    struct chirr_node_config config = valid_config();
    cr_assert_eq(chirr_node_config_validate(&config, &error), CHIRR_OK);
    config.incarnation = 0;
    cr_assert_eq(chirr_node_config_validate(&config, &error), CHIRR_ERR_RANGE);
    config = valid_config();
    config.agents_max = 1;
    cr_assert_eq(chirr_node_config_validate(&config, &error), CHIRR_ERR_RANGE);
    cr_assert_str_eq(error.text, "node: agents_max must be 2…2048, got 1");
    config.agents_max = 2048;
    cr_assert_eq(chirr_node_config_validate(&config, &error), CHIRR_OK);
    config.agents_max = 2049;
    cr_assert_eq(chirr_node_config_validate(&config, &error), CHIRR_ERR_RANGE);
    config = valid_config();
    config.lease.lease_ms = config.heartbeat_interval_ms;
    cr_assert_eq(chirr_node_config_validate(&config, &error), CHIRR_ERR_RANGE);
    config = valid_config();
    config.seed_count = CHIRR_NODE_SEEDS_MAX + 1;
    cr_assert_eq(chirr_node_config_validate(&config, &error), CHIRR_ERR_RANGE);
    config = valid_config();
    config.card.name[0] = '\0';
    cr_assert_neq(chirr_node_config_validate(&config, &error), CHIRR_OK);
    cr_assert_not_null(strstr(error.text, "its card is not valid"));
}

Test(node_parts, share_what_they_have_in_common_and_draw_from_seeds_of_their_own)
{
    struct chirr_node_config config = valid_config();
    config.seed = 7;
    struct chirr_node_parts parts = chirr_node_parts_of(&config);
    chirr_agent_id self = chirr_agent_id_of(config.card.public_key);
    cr_assert_eq(parts.membership.self, self);
    cr_assert_eq(parts.dissemination.self, self);
    cr_assert_eq(parts.auction.self, self);
    cr_assert_eq(parts.ledger.self, self);
    const uint64_t seeds[] = {parts.self_seed, parts.membership.seed, parts.dissemination.seed,
                              parts.auction.seed, parts.ledger.seed};
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < i; j++) {
            cr_assert_neq(seeds[i], seeds[j]);
        }
    }
}
