#include "agent/trust.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/directory.h"
#include "tests/support/generate.h"

static struct chirr_arena arena;
static struct chirr_record_store *records;
static struct chirr_keyring *keyring;
static struct chirr_random random_stream;
static struct chirr_trust_effect effect;
static struct chirr_identity boss, chief, ada, bob;

static void add(struct chirr_keyring *to, const struct chirr_identity *identity, bool is_operator)
{
    struct chirr_keyring_addition addition = {.holder = identity->id, .is_operator = is_operator};
    memcpy(addition.public_key, identity->public_key, CHIRR_KEY_BYTES);
    cr_assert_eq(chirr_keyring_add_key(to, &addition), CHIRR_OK);
}

static void setup(void)
{
    struct chirr_records_config config = chirr_records_config_default();
    chirr_random_init(&random_stream, 5, 0);
    cr_assert_eq(chirr_arena_init(&arena, chirr_records_bytes(&config)), CHIRR_OK);
    records = chirr_records_create(&arena, &config);
    keyring = chirr_keyring_create();
    boss = generate_identity(&random_stream);
    chief = generate_identity(&random_stream);
    ada = generate_identity(&random_stream);
    bob = generate_identity(&random_stream);
    add(keyring, &boss, true);
    add(keyring, &chief, true);
    add(keyring, &ada, false);
    add(keyring, &bob, false);
}

static void teardown(void)
{
    chirr_keyring_destroy(keyring);
    chirr_arena_finish(&arena);
}

TestSuite(trust, .init = setup, .fini = teardown);

static struct chirr_trust_change change_of(const struct chirr_identity *identity, bool removed)
{
    struct chirr_trust_change change = {.holder = identity->id, .removed = removed};
    memcpy(change.public_key, identity->public_key, CHIRR_KEY_BYTES);
    return change;
}

static void say(struct chirr_trust *trust, const struct chirr_identity *identity, bool removed)
{
    struct chirr_trust_change change = change_of(identity, removed);
    cr_assert_eq(chirr_trust_change(trust, &change), CHIRR_OK);
}

static enum chirr_join state(const struct chirr_identity *author, uint64_t version,
                             const struct chirr_trust *trust)
{
    enum chirr_join join;
    struct chirr_record record = {
        .kind = CHIRR_RECORD_TRUST, .author = author->id, .stamp = {1, version}, .trust = *trust};
    cr_assert_eq(chirr_records_join(records, &record, &join), CHIRR_OK);
    return join;
}

static void apply(void)
{
    chirr_trust_apply(keyring, records, bob.public_key, &effect);
}

static bool is_trusted(const struct chirr_identity *identity)
{
    return chirr_keyring_find_key(keyring, identity->public_key) != NULL;
}

Test(trust, a_removed_key_goes_and_stays_away)
{
    struct chirr_trust trust = {0};
    say(&trust, &ada, true);
    state(&boss, 1, &trust);
    apply();
    cr_assert_not(is_trusted(&ada));
    cr_assert_eq(effect.gone_count, 1);
    cr_assert_eq(effect.gone[0], ada.id);
    uint64_t revision = chirr_keyring_revision(keyring);
    apply();
    cr_assert_eq(effect.gone_count + effect.removed + effect.added, 0);
    cr_assert_eq(chirr_keyring_revision(keyring), revision);
    add(keyring, &ada, false); /* as a keyring file that was copied over says */
    apply();
    cr_assert_not(is_trusted(&ada));
}

Test(trust, an_older_register_after_a_newer_one_changes_nothing)
{
    struct chirr_trust older = {0};
    struct chirr_trust newer = {0};
    say(&newer, &ada, true);
    state(&boss, 2, &newer);
    apply();
    say(&older, &ada, false);
    cr_assert_eq(state(&boss, 1, &older), CHIRR_JOIN_DOMINATED);
    apply();
    cr_assert_not(is_trusted(&ada));
}

Test(trust, only_an_operators_register_counts)
{
    struct chirr_trust trust = {0};
    say(&trust, &boss, true);
    state(&ada, 1, &trust);
    apply();
    cr_assert(is_trusted(&boss));
    cr_assert_eq(effect.removed, 0);
}

Test(trust, an_operator_cannot_make_one)
{
    struct chirr_trust trust = {0};
    struct chirr_identity next = generate_identity(&random_stream);
    say(&trust, &next, false);
    state(&boss, 1, &trust);
    apply();
    cr_assert(is_trusted(&next));
    cr_assert_eq(effect.added, 1);
    cr_assert_not(chirr_keyring_find(keyring, next.id)->is_operator);
}

Test(trust, between_operators_removing_beats_adding_in_any_order)
{
    struct chirr_trust adds = {0};
    struct chirr_trust removes = {0};
    say(&adds, &ada, false);
    say(&removes, &ada, true);
    state(&boss, 1, &adds);
    apply();
    cr_assert(is_trusted(&ada));
    state(&chief, 1, &removes);
    apply();
    cr_assert_not(is_trusted(&ada));
    apply();
    cr_assert_eq(effect.added + effect.removed, 0);
}

Test(trust, who_removed_a_key_can_bring_it_back)
{
    struct chirr_trust trust = {0};
    say(&trust, &ada, true);
    state(&boss, 1, &trust);
    apply();
    say(&trust, &ada, false);
    cr_assert_eq(trust.count, 1);
    state(&boss, 2, &trust);
    apply();
    cr_assert(is_trusted(&ada));
}

Test(trust, a_holders_key_is_changed_without_losing_it)
{
    struct chirr_trust trust = {0};
    struct chirr_identity second = generate_identity(&random_stream);
    chirr_identity_succeed(&second, ada.first_key);
    say(&trust, &second, false);
    state(&boss, 1, &trust);
    apply();
    cr_assert_eq(chirr_keyring_find(keyring, ada.id)->key_count, 2);
    say(&trust, &ada, true);
    state(&boss, 2, &trust);
    apply();
    cr_assert_eq(effect.gone_count, 0);
    cr_assert_eq(effect.retired_count, 1);
    cr_assert_eq(effect.retired[0], ada.id);
    cr_assert_not(is_trusted(&ada));
    cr_assert_not_null(chirr_keyring_find(keyring, ada.id));
    struct chirr_identity third = generate_identity(&random_stream);
    chirr_identity_succeed(&third, ada.first_key);
    say(&trust, &second, true);
    say(&trust, &third, false);
    state(&boss, 3, &trust);
    apply();
    cr_assert_not(is_trusted(&second));
    /* Both at once leaves the holder without a key for a moment, which nobody sees. */
    cr_assert(is_trusted(&third));
    cr_assert_eq(effect.gone_count, 0);
}

Test(trust, an_agent_keeps_the_key_that_it_has_itself)
{
    struct chirr_trust trust = {0};
    say(&trust, &bob, true);
    state(&boss, 1, &trust);
    apply();
    cr_assert(effect.self_removed);
    cr_assert(is_trusted(&bob));
}

Test(trust, operators_that_remove_each_other_are_both_gone)
{
    struct chirr_trust trust = {0};
    struct chirr_trust other = {0};
    say(&trust, &chief, true);
    say(&other, &boss, true);
    state(&boss, 1, &trust);
    state(&chief, 1, &other);
    apply();
    cr_assert_eq(effect.gone_count, 2);
    cr_assert_not(is_trusted(&boss));
    cr_assert_not(is_trusted(&chief));
}

Test(trust, what_there_is_no_room_for_is_counted)
{
    struct chirr_trust trust = {0};
    for (int i = 0; i < 2; i++) {
        struct chirr_identity next = generate_identity(&random_stream);
        chirr_identity_succeed(&next, ada.first_key);
        say(&trust, &next, false);
    }
    state(&boss, 1, &trust);
    apply();
    cr_assert_eq(effect.added, 1);
    cr_assert_eq(effect.refused, 1);
}

Test(trust, a_register_is_bounded_and_a_key_never_changes_hands)
{
    struct chirr_trust trust = {0};
    struct chirr_trust_change change;
    for (int i = 0; i < CHIRR_TRUST_CHANGES_MAX; i++) {
        struct chirr_identity identity = generate_identity(&random_stream);
        say(&trust, &identity, true);
    }
    change = change_of(&ada, true);
    cr_assert_eq(chirr_trust_change(&trust, &change), CHIRR_ERR_FULL);
    change = trust.changes[3];
    change.holder = ada.id;
    cr_assert_eq(chirr_trust_change(&trust, &change), CHIRR_ERR_EXISTS);
    change = trust.changes[3];
    change.removed = false;
    cr_assert_eq(chirr_trust_change(&trust, &change), CHIRR_OK);
    cr_assert_eq(trust.count, CHIRR_TRUST_CHANGES_MAX);
    struct chirr_record record = {
        .kind = CHIRR_RECORD_TRUST, .author = boss.id, .stamp = {1, 1}, .trust = trust};
    cr_assert_eq(chirr_record_validate(&record), CHIRR_OK);
}

Test(trust, a_keyring_file_says_what_operators_said)
{
    char directory[DIRECTORY_PATH_BYTES_MAX];
    char path[DIRECTORY_PATH_BYTES_MAX + 16];
    struct chirr_error error;
    directory_create(directory);
    snprintf(path, sizeof path, "%s/keyring", directory);
    cr_assert_eq(chirr_keyring_save(keyring, path, &error), CHIRR_OK, "%s", error.text);
    struct chirr_trust trust = {0};
    say(&trust, &ada, true);
    state(&boss, 1, &trust);
    cr_assert_eq(chirr_trust_apply_file(path, records, &error), CHIRR_OK, "%s", error.text);
    struct chirr_keyring *loaded = chirr_keyring_create();
    cr_assert_eq(chirr_keyring_load(loaded, path, &error), CHIRR_OK, "%s", error.text);
    cr_assert_eq(chirr_keyring_count(loaded), 3);
    cr_assert_null(chirr_keyring_find(loaded, ada.id));
    cr_assert(chirr_keyring_find(loaded, boss.id)->is_operator);
    chirr_keyring_destroy(loaded);
    directory_remove(directory);
}
