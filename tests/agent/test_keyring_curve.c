/* What a keyring's file says about the keys of connections: a hint, and never more. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/agent/keyring_fixture.h"

TestSuite(keyring_curve, .init = setup, .fini = teardown);

struct texts {
    char key[CHIRR_KEY_TEXT_BYTES];
    char curve[CHIRR_KEY_TEXT_BYTES];
};

static struct texts texts_of(const struct chirr_identity *identity)
{
    struct texts texts;
    chirr_key_format(identity->public_key, texts.key);
    chirr_key_format(identity->curve_public, texts.curve);
    return texts;
}

static void append(const char *line)
{
    FILE *file = fopen(path, "a");
    cr_assert_not_null(file);
    fprintf(file, "%s\n", line);
    fclose(file);
}

/* A line with the key of one, and the CURVE key of another as the hint. */
static void append_hinted(const struct chirr_identity *identity, const struct chirr_identity *hint)
{
    char line[256];
    snprintf(line, sizeof line, "%s curve %s", texts_of(identity).key, texts_of(hint).curve);
    append(line);
}

static void load(void)
{
    cr_assert_eq(chirr_keyring_load(keyring, path, &error), CHIRR_OK, "%s", error.text);
}

static const struct chirr_keyring_key *first_key(const struct chirr_identity *identity)
{
    const struct chirr_keyring_entry *entry = chirr_keyring_find(keyring, identity->id);
    cr_assert_not_null(entry);
    return &entry->keys[0];
}

/* ---- What hints are for -------------------------------------------------------------------- */

Test(keyring_curve, who_is_hinted_at_is_found_and_nobody_else_is_worked_out)
{
    struct chirr_identity identities[3];
    for (int i = 0; i < 3; i++) {
        identities[i] = generate_identity(&random_stream);
        append_hinted(&identities[i], &identities[i]);
    }
    load();
    for (int i = 0; i < 3; i++) {
        cr_assert_not(first_key(&identities[i])->is_proven);
    }
    cr_assert_eq(chirr_keyring_find_curve(keyring, identities[1].curve_public),
                 chirr_keyring_find(keyring, identities[1].id));
    cr_assert_not(first_key(&identities[0])->is_proven);
    cr_assert(first_key(&identities[1])->is_proven);
    cr_assert_not(first_key(&identities[2])->is_proven);
}

Test(keyring_curve, whoever_has_no_hint_is_found_beside_those_that_have)
{
    struct chirr_identity hinted = generate_identity(&random_stream);
    struct chirr_identity plain = generate_identity(&random_stream);
    append_hinted(&hinted, &hinted);
    append(texts_of(&plain).key);
    load();
    cr_assert_eq(chirr_keyring_find_curve(keyring, plain.curve_public),
                 chirr_keyring_find(keyring, plain.id));
    cr_assert_arr_eq(chirr_keyring_curve_of(first_key(&hinted)), hinted.curve_public,
                     CHIRR_KEY_BYTES);
}

Test(keyring_curve, a_second_key_an_operator_and_a_name_stand_beside_a_hint)
{
    char line[256];
    struct chirr_identity ada = generate_identity(&random_stream);
    struct chirr_identity next = generate_identity(&random_stream);
    chirr_identity_succeed(&next, ada.first_key);
    append_hinted(&ada, &ada);
    snprintf(line, sizeof line, "operator %s of %016llx curve %s ada # hers", texts_of(&next).key,
             (unsigned long long)ada.id, texts_of(&next).curve);
    append(line);
    load();
    const struct chirr_keyring_entry *entry = chirr_keyring_find(keyring, ada.id);
    cr_assert_eq(chirr_keyring_count(keyring), 1);
    cr_assert_eq(entry->key_count, 2);
    cr_assert(entry->is_operator);
    cr_assert_str_eq(entry->name, "ada");
    cr_assert_eq(chirr_keyring_find_curve(keyring, ada.curve_public), entry);
    cr_assert_eq(chirr_keyring_find_curve(keyring, next.curve_public), entry);
}

Test(keyring_curve, what_was_saved_is_loaded_with_hints_that_are_right)
{
    struct chirr_identity identities[10];
    for (int i = 0; i < 10; i++) {
        identities[i] = generate_identity(&random_stream);
        cr_assert_eq(chirr_keyring_add(keyring, identities[i].public_key, "a name"), CHIRR_OK);
    }
    cr_assert_eq(chirr_keyring_save(keyring, path, &error), CHIRR_OK, "%s", error.text);
    chirr_keyring_destroy(keyring);
    keyring = chirr_keyring_create();
    load();
    for (int i = 0; i < 10; i++) {
        const struct chirr_keyring_key *key = first_key(&identities[i]);
        cr_assert_not(key->is_proven);
        cr_assert_arr_eq(key->curve_hint, identities[i].curve_public, CHIRR_KEY_BYTES);
        cr_assert_str_eq(chirr_keyring_find(keyring, identities[i].id)->name, "a name");
    }
}

/* ---- Hints that lie ------------------------------------------------------------------------ */

Test(keyring_curve, a_wrong_hint_lets_nobody_in_and_keeps_nobody_out)
{
    struct chirr_identity honest = generate_identity(&random_stream);
    struct chirr_identity attacker = generate_identity(&random_stream);
    append_hinted(&honest, &attacker);
    load();
    cr_assert_null(chirr_keyring_find_curve(keyring, attacker.curve_public));
    cr_assert_eq(chirr_keyring_find_curve(keyring, honest.curve_public),
                 chirr_keyring_find(keyring, honest.id));
    cr_assert_null(chirr_keyring_find_curve(keyring, attacker.curve_public));
    cr_assert_arr_eq(chirr_keyring_curve_of(first_key(&honest)), honest.curve_public,
                     CHIRR_KEY_BYTES);
}

Test(keyring_curve, whose_hint_is_wrong_is_found_before_anybody_else_was_looked_for)
{
    struct chirr_identity honest = generate_identity(&random_stream);
    struct chirr_identity attacker = generate_identity(&random_stream);
    append_hinted(&honest, &attacker);
    load();
    cr_assert_eq(chirr_keyring_find_curve(keyring, honest.curve_public),
                 chirr_keyring_find(keyring, honest.id));
}

Test(keyring_curve, a_hint_at_another_one_does_not_take_its_place)
{
    struct chirr_identity first = generate_identity(&random_stream);
    struct chirr_identity second = generate_identity(&random_stream);
    append_hinted(&first, &second);
    append_hinted(&second, &first);
    load();
    cr_assert_eq(chirr_keyring_find_curve(keyring, first.curve_public),
                 chirr_keyring_find(keyring, first.id));
    cr_assert_eq(chirr_keyring_find_curve(keyring, second.curve_public),
                 chirr_keyring_find(keyring, second.id));
}

Test(keyring_curve, saving_writes_the_right_key_in_place_of_a_wrong_hint)
{
    struct chirr_identity honest = generate_identity(&random_stream);
    struct chirr_identity attacker = generate_identity(&random_stream);
    append_hinted(&honest, &attacker);
    load();
    unlink(path);
    cr_assert_eq(chirr_keyring_save(keyring, path, &error), CHIRR_OK, "%s", error.text);
    char text[512];
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    char expected[256];
    snprintf(expected, sizeof expected, "%s curve %s\n", texts_of(&honest).key,
             texts_of(&honest).curve);
    cr_assert_str_eq(text, expected);
}

/* Points of small order among them, for which everybody could sign. */
Test(keyring_curve, a_hinted_key_that_is_none_admits_nobody)
{
    static const char *const keys[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0200000000000000000000000000000000000000000000000000000000000000",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    static const uint8_t zero[CHIRR_KEY_BYTES];
    struct chirr_identity attacker = generate_identity(&random_stream);
    char line[256];
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        snprintf(line, sizeof line, "%s curve %s", keys[i], texts_of(&attacker).curve);
        append(line);
    }
    load();
    size_t count = chirr_keyring_count(keyring);
    cr_assert_eq(count, sizeof keys / sizeof keys[0]);
    cr_assert_null(chirr_keyring_find_curve(keyring, attacker.curve_public));
    cr_assert_null(chirr_keyring_find_curve(keyring, zero));
    for (size_t i = 0; i < count; i++) {
        const struct chirr_keyring_entry *entry = chirr_keyring_at(keyring, i);
        struct chirr_record record;
        struct chirr_identity forger = attacker;
        forger.id = entry->id;
        generate_record(&random_stream, &forger, CHIRR_RECORD_CLAIMS, &record);
        cr_assert_eq(chirr_keyring_verify_record(keyring, &record), CHIRR_ERR_SIGNATURE);
        cr_assert_arr_eq(chirr_keyring_curve_of(&entry->keys[0]), zero, CHIRR_KEY_BYTES);
    }
}

/* ---- What is no hint ----------------------------------------------------------------------- */

Test(keyring_curve, a_name_may_start_with_the_word_that_a_hint_does)
{
    static const char *const names[] = {"curve", "curve of beauty", "curved", "curve 0123456789"};
    struct chirr_identity identities[4];
    char line[256];
    for (int i = 0; i < 4; i++) {
        identities[i] = generate_identity(&random_stream);
        snprintf(line, sizeof line, "%s %s", texts_of(&identities[i]).key, names[i]);
        append(line);
    }
    load();
    for (int i = 0; i < 4; i++) {
        cr_assert_str_eq(chirr_keyring_find(keyring, identities[i].id)->name, names[i]);
        cr_assert(first_key(&identities[i])->is_proven);
    }
}

Test(keyring_curve, a_name_behind_a_hint_may_start_with_that_word_too)
{
    struct chirr_identity identity = generate_identity(&random_stream);
    char line[256];
    snprintf(line, sizeof line, "%s curve %s curve of beauty", texts_of(&identity).key,
             texts_of(&identity).curve);
    append(line);
    load();
    cr_assert_str_eq(chirr_keyring_find(keyring, identity.id)->name, "curve of beauty");
    cr_assert_eq(chirr_keyring_find_curve(keyring, identity.curve_public),
                 chirr_keyring_find(keyring, identity.id));
}

/* A digit too few, too many, a capital, and one that is glued to the name: too long for one. */
Test(keyring_curve, a_malformed_hint_is_read_as_a_name_and_refused_for_its_length)
{
    struct chirr_identity identity = generate_identity(&random_stream);
    struct texts texts = texts_of(&identity);
    char line[256];
    for (int i = 0; i < 4; i++) {
        unlink(path);
        char curve[CHIRR_KEY_TEXT_BYTES + 8];
        snprintf(curve, sizeof curve, "%s%s", texts.curve, i == 1 ? "0" : i == 3 ? "ada" : "");
        curve[i == 0 ? CHIRR_KEY_TEXT_BYTES - 2 : sizeof curve - 1] = '\0';
        curve[5] = i == 2 ? 'F' : curve[5];
        snprintf(line, sizeof line, "%s curve %s", texts.key, curve);
        append(line);
        cr_assert_eq(chirr_keyring_load(keyring, path, &error), CHIRR_ERR_CONFIG, "case %d", i);
        cr_assert_not_null(strstr(error.text, "name"), "%s", error.text);
        cr_assert_eq(chirr_keyring_count(keyring), 0);
    }
}

Test(keyring_curve, a_hint_that_stands_before_its_key_is_refused)
{
    struct chirr_identity identity = generate_identity(&random_stream);
    char line[256];
    snprintf(line, sizeof line, "curve %s %s", texts_of(&identity).curve, texts_of(&identity).key);
    append(line);
    cr_assert_eq(chirr_keyring_load(keyring, path, &error), CHIRR_ERR_CONFIG);
    cr_assert_not_null(strstr(error.text, "curve"), "%s", error.text);
}
