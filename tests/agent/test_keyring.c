#include "agent/keyring.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/agent/keyring_fixture.h"

TestSuite(keyring, .init = setup, .fini = teardown);

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

Test(keyring, an_empty_one_trusts_nobody)
{
    struct chirr_identity identity = generate_identity(&random_stream);
    cr_assert_eq(chirr_keyring_count(keyring), 0);
    cr_assert_null(chirr_keyring_find(keyring, identity.id));
    cr_assert_null(chirr_keyring_find_curve(keyring, identity.curve_public));
}

Test(keyring, finds_every_key_by_id_and_by_curve_key)
{
    struct chirr_identity identities[50];
    for (int i = 0; i < 50; i++) {
        identities[i] = generate_identity(&random_stream);
        cr_assert_eq(chirr_keyring_add(keyring, identities[i].public_key, "name"), CHIRR_OK);
    }
    cr_assert_eq(chirr_keyring_count(keyring), 50);
    for (int i = 0; i < 50; i++) {
        const struct chirr_keyring_entry *entry = chirr_keyring_find(keyring, identities[i].id);
        cr_assert_not_null(entry);
        cr_assert_eq(entry->key_count, 1);
        cr_assert_arr_eq(entry->keys[0].public_key, identities[i].public_key, CHIRR_KEY_BYTES);
        cr_assert_eq(chirr_keyring_find_key(keyring, identities[i].public_key), entry);
        cr_assert_str_eq(entry->name, "name");
        cr_assert_eq(chirr_keyring_find_curve(keyring, identities[i].curve_public), entry);
        cr_assert(i == 0 ||
                  chirr_keyring_at(keyring, i - 1)->id < chirr_keyring_at(keyring, i)->id);
    }
}

Test(keyring, adding_twice_is_adding_once)
{
    struct chirr_identity identity = generate_identity(&random_stream);
    cr_assert_eq(chirr_keyring_add(keyring, identity.public_key, "first"), CHIRR_OK);
    cr_assert_eq(chirr_keyring_add(keyring, identity.public_key, "second"), CHIRR_OK);
    cr_assert_eq(chirr_keyring_count(keyring), 1);
    cr_assert_str_eq(chirr_keyring_at(keyring, 0)->name, "first");
}

Test(keyring, refuses_what_is_no_key_and_names_that_are_too_long)
{
    const uint8_t zero[CHIRR_KEY_BYTES] = {0};
    struct chirr_identity identity = generate_identity(&random_stream);
    cr_assert_eq(chirr_keyring_add(keyring, zero, NULL), CHIRR_ERR_INVALID);
    cr_assert_eq(
        chirr_keyring_add(keyring, identity.public_key, "a name of more than thirty-one bytes"),
        CHIRR_ERR_RANGE);
    cr_assert_eq(chirr_keyring_add(keyring, identity.public_key, "\x1b[31m"), CHIRR_ERR_RANGE);
    cr_assert_eq(chirr_keyring_count(keyring), 0);
}

Test(keyring, loads_keys_names_and_comments)
{
    char text[512];
    char keys[2][CHIRR_KEY_TEXT_BYTES];
    struct chirr_identity identities[2];
    for (int i = 0; i < 2; i++) {
        identities[i] = generate_identity(&random_stream);
        chirr_key_format(identities[i].public_key, keys[i]);
    }
    snprintf(text, sizeof text, "# friends\n\n%s ada lovelace  # the first\n\t%s", keys[0],
             keys[1]);
    write_file(text);
    cr_assert_eq(chirr_keyring_load(keyring, path, &error), CHIRR_OK, "%s", error.text);
    cr_assert_eq(chirr_keyring_count(keyring), 2);
    cr_assert_str_eq(chirr_keyring_find(keyring, identities[0].id)->name, "ada lovelace");
    cr_assert_str_eq(chirr_keyring_find(keyring, identities[1].id)->name, "");
}

Test(keyring, says_where_a_file_is_wrong_and_what_it_expected)
{
    static const char *const bad[] = {
        "\n# fine\n0123 ada\n",
        "\n\n0000000000000000000000000000000000000000000000000000000000000000\n",
        "\n\nABCDEF0000000000000000000000000000000000000000000000000000000000\n",
    };
    char where[80];
    snprintf(where, sizeof where, "%s:3: ", path);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_file(bad[i]);
        cr_assert_eq(chirr_keyring_load(keyring, path, &error), CHIRR_ERR_CONFIG);
        cr_assert_eq(strncmp(error.text, where, strlen(where)), 0, "%s", error.text);
    }
    write_file("0123 ada\n");
    cr_assert_eq(chirr_keyring_load(keyring, path, &error), CHIRR_ERR_CONFIG);
    cr_assert_not_null(strstr(error.text, "64 hexadecimal digits"));
    cr_assert_eq(chirr_keyring_count(keyring), 0);
}

Test(keyring, a_line_without_end_is_refused)
{
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 100000; i++) {
        fputc('#', file);
    }
    fclose(file);
    cr_assert_eq(chirr_keyring_load(keyring, path, &error), CHIRR_ERR_CONFIG);
}

Test(keyring, a_missing_file_is_an_error)
{
    cr_assert_eq(chirr_keyring_load(keyring, "/nowhere/keyring", &error), CHIRR_ERR_IO);
    cr_assert_not_null(strstr(error.text, "/nowhere/keyring"));
}

/* ---- Two live keys, operators --------------------------------------------------------------- */

static struct chirr_keyring_addition addition_of(const struct chirr_identity *identity)
{
    struct chirr_keyring_addition addition = {.holder = identity->id};
    memcpy(addition.public_key, identity->public_key, CHIRR_KEY_BYTES);
    return addition;
}

/* The holder's next key. */
static struct chirr_identity successor_of(const struct chirr_identity *identity)
{
    struct chirr_identity next = generate_identity(&random_stream);
    chirr_identity_succeed(&next, identity->first_key);
    return next;
}

static void add_key(const struct chirr_identity *identity)
{
    struct chirr_keyring_addition addition = addition_of(identity);
    cr_assert_eq(chirr_keyring_add_key(keyring, &addition), CHIRR_OK);
}

Test(keyring, both_keys_of_a_holder_are_it_until_one_is_removed)
{
    struct chirr_identity first = generate_identity(&random_stream);
    struct chirr_identity second = successor_of(&first);
    add_key(&first);
    add_key(&second);
    const struct chirr_keyring_entry *entry = chirr_keyring_find(keyring, first.id);
    cr_assert_eq(chirr_keyring_count(keyring), 1);
    cr_assert_eq(chirr_keyring_find_curve(keyring, first.curve_public), entry);
    cr_assert_eq(chirr_keyring_find_curve(keyring, second.curve_public), entry);
    uint64_t revision = chirr_keyring_revision(keyring);
    cr_assert_eq(chirr_keyring_remove_key(keyring, first.public_key), CHIRR_OK);
    cr_assert_gt(chirr_keyring_revision(keyring), revision);
    cr_assert_null(chirr_keyring_find_curve(keyring, first.curve_public));
    cr_assert_eq(chirr_keyring_find_curve(keyring, second.curve_public)->id, first.id);
    cr_assert_null(chirr_keyring_find(keyring, chirr_agent_id_of(second.public_key)));
    cr_assert_eq(chirr_keyring_remove_key(keyring, first.public_key), CHIRR_ERR_NOTFOUND);
    cr_assert_eq(chirr_keyring_remove_key(keyring, second.public_key), CHIRR_OK);
    cr_assert_null(chirr_keyring_find(keyring, first.id));
    cr_assert_eq(chirr_keyring_count(keyring), 0);
}

Test(keyring, a_third_key_and_a_key_of_another_are_refused)
{
    struct chirr_identity first = generate_identity(&random_stream);
    struct chirr_identity other = generate_identity(&random_stream);
    struct chirr_identity second = successor_of(&first);
    struct chirr_identity third = successor_of(&first);
    add_key(&first);
    add_key(&second);
    add_key(&other);
    uint64_t revision = chirr_keyring_revision(keyring);
    struct chirr_keyring_addition addition = addition_of(&third);
    cr_assert_eq(chirr_keyring_add_key(keyring, &addition), CHIRR_ERR_FULL);
    addition = addition_of(&other);
    addition.holder = first.id;
    cr_assert_eq(chirr_keyring_add_key(keyring, &addition), CHIRR_ERR_EXISTS);
    addition = addition_of(&second);
    addition.holder = 0; /* as if it were a first key */
    cr_assert_eq(chirr_keyring_add_key(keyring, &addition), CHIRR_ERR_EXISTS);
    cr_assert_eq(chirr_keyring_revision(keyring), revision);
    cr_assert_eq(chirr_keyring_remove(keyring, first.id), CHIRR_OK);
    cr_assert_eq(chirr_keyring_remove(keyring, first.id), CHIRR_ERR_NOTFOUND);
    cr_assert_null(chirr_keyring_find_key(keyring, second.public_key));
    cr_assert_not_null(chirr_keyring_find(keyring, other.id));
}

Test(keyring, says_full_when_it_is)
{
    struct chirr_identity identity;
    for (int i = 0; i < CHIRR_KEYRING_HOLDERS_MAX; i++) {
        identity = generate_identity(&random_stream);
        add_key(&identity);
    }
    struct chirr_identity second = successor_of(&identity);
    identity = generate_identity(&random_stream);
    cr_assert_eq(chirr_keyring_add(keyring, identity.public_key, NULL), CHIRR_ERR_FULL);
    cr_assert_eq(chirr_keyring_count(keyring), CHIRR_KEYRING_HOLDERS_MAX);
    add_key(&second);
}

Test(keyring, a_record_is_its_authors_with_either_live_key_and_no_other)
{
    struct chirr_record record;
    struct chirr_identity first = generate_identity(&random_stream);
    struct chirr_identity second = successor_of(&first);
    struct chirr_identity other = generate_identity(&random_stream);
    generate_record(&random_stream, &first, CHIRR_RECORD_CLAIMS, &record);
    cr_assert_eq(chirr_keyring_verify_record(keyring, &record), CHIRR_ERR_UNTRUSTED);
    add_key(&first);
    add_key(&second);
    add_key(&other);
    cr_assert_eq(chirr_keyring_verify_record(keyring, &record), CHIRR_OK);
    cr_assert_eq(chirr_keyring_remove_key(keyring, first.public_key), CHIRR_OK);
    cr_assert_eq(chirr_keyring_verify_record(keyring, &record), CHIRR_ERR_SIGNATURE);
    cr_assert_eq(chirr_record_sign(&record, &second), CHIRR_OK);
    cr_assert_eq(chirr_keyring_verify_record(keyring, &record), CHIRR_OK);
    other.id = record.author; /* a trusted one in another's name */
    cr_assert_eq(chirr_record_sign(&record, &other), CHIRR_OK);
    cr_assert_eq(chirr_keyring_verify_record(keyring, &record), CHIRR_ERR_SIGNATURE);
}

Test(keyring, a_sender_and_an_origin_are_who_they_say_with_a_live_key)
{
    uint8_t frame[512];
    size_t bytes;
    struct chirr_envelope envelope;
    struct chirr_identity first = generate_identity(&random_stream);
    struct chirr_identity second = successor_of(&first);
    struct chirr_message message = {.kind = CHIRR_MESSAGE_PING, .probe = {.target = 1}};
    cr_assert_eq(chirr_frame_seal(&message, &second, true, frame, sizeof frame, &bytes), CHIRR_OK);
    cr_assert_eq(chirr_frame_open(frame, bytes, &envelope), CHIRR_OK);
    static const uint8_t payload[] = {1, 2, 3};
    struct chirr_delta_message delta = {.origin = first.id,
                                        .stamp = {1, 1},
                                        .lineage = 1,
                                        .payload = payload,
                                        .payload_bytes = sizeof payload};
    cr_assert_eq(chirr_delta_sign(&delta, &second), CHIRR_OK);
    cr_assert_eq(chirr_keyring_verify_envelope(keyring, &envelope), CHIRR_ERR_UNTRUSTED);
    cr_assert_eq(chirr_keyring_verify_delta(keyring, &delta), CHIRR_ERR_UNTRUSTED);
    add_key(&first);
    cr_assert_eq(chirr_keyring_verify_envelope(keyring, &envelope), CHIRR_ERR_SIGNATURE);
    cr_assert_eq(chirr_keyring_verify_delta(keyring, &delta), CHIRR_ERR_SIGNATURE);
    add_key(&second);
    cr_assert_eq(chirr_keyring_verify_envelope(keyring, &envelope), CHIRR_OK);
    cr_assert_eq(chirr_keyring_verify_delta(keyring, &delta), CHIRR_OK);
}

Test(keyring, only_an_operator_speaks_of_trust)
{
    struct chirr_record record;
    struct chirr_identity identity = generate_identity(&random_stream);
    struct chirr_keyring_addition addition = addition_of(&identity);
    generate_record(&random_stream, &identity, CHIRR_RECORD_TRUST, &record);
    add_key(&identity);
    cr_assert_eq(chirr_keyring_verify_record(keyring, &record), CHIRR_ERR_UNTRUSTED);
    addition.is_operator = true;
    cr_assert_eq(chirr_keyring_add_key(keyring, &addition), CHIRR_OK);
    cr_assert_eq(chirr_keyring_verify_record(keyring, &record), CHIRR_OK);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void read_file(char *text, size_t capacity)
{
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    text[fread(text, 1, capacity - 1, file)] = '\0';
    fclose(file);
}

Test(keyring, reads_operators_and_second_keys)
{
    char text[1024];
    char keys[3][CHIRR_KEY_TEXT_BYTES];
    struct chirr_identity ada = generate_identity(&random_stream);
    struct chirr_identity next = successor_of(&ada);
    struct chirr_identity boss = generate_identity(&random_stream);
    chirr_key_format(ada.public_key, keys[0]);
    chirr_key_format(next.public_key, keys[1]);
    chirr_key_format(boss.public_key, keys[2]);
    snprintf(text, sizeof text, "%s ada\n%s of %016llx\noperator %s of the swarm\n", keys[0],
             keys[1], (unsigned long long)ada.id, keys[2]);
    write_file(text);
    cr_assert_eq(chirr_keyring_load(keyring, path, &error), CHIRR_OK, "%s", error.text);
    cr_assert_eq(chirr_keyring_count(keyring), 2);
    cr_assert_eq(chirr_keyring_find(keyring, ada.id)->key_count, 2);
    cr_assert_not(chirr_keyring_find(keyring, ada.id)->is_operator);
    cr_assert(chirr_keyring_find(keyring, boss.id)->is_operator);
    cr_assert_str_eq(chirr_keyring_find(keyring, boss.id)->name, "of the swarm");
}

Test(keyring, saving_keeps_comments_and_what_still_counts)
{
    char text[1024];
    char expected[1024];
    char keys[4][CHIRR_KEY_TEXT_BYTES];
    char curves[2][CHIRR_KEY_TEXT_BYTES];
    struct chirr_identity ada = generate_identity(&random_stream);
    struct chirr_identity gone = generate_identity(&random_stream);
    struct chirr_identity next = successor_of(&ada);
    struct chirr_identity boss = generate_identity(&random_stream);
    chirr_key_format(ada.public_key, keys[0]);
    chirr_key_format(gone.public_key, keys[1]);
    chirr_key_format(next.public_key, keys[2]);
    chirr_key_format(boss.public_key, keys[3]);
    chirr_key_format(next.curve_public, curves[0]);
    chirr_key_format(boss.curve_public, curves[1]);
    snprintf(text, sizeof text, "# mine\n%s gone\n%s ada # a friend", keys[1], keys[0]);
    write_file(text);
    cr_assert_eq(chirr_keyring_load(keyring, path, &error), CHIRR_OK, "%s", error.text);
    cr_assert_eq(chirr_keyring_remove_key(keyring, gone.public_key), CHIRR_OK);
    add_key(&next);
    struct chirr_keyring_addition addition = addition_of(&boss);
    addition.is_operator = true;
    addition.name = "boss";
    cr_assert_eq(chirr_keyring_add_key(keyring, &addition), CHIRR_OK);
    cr_assert_eq(chirr_keyring_save(keyring, path, &error), CHIRR_OK, "%s", error.text);
    read_file(text, sizeof text);
    char lines[2][200];
    snprintf(lines[0], sizeof lines[0], "%s of %016llx curve %s ada\n", keys[2],
             (unsigned long long)ada.id, curves[0]);
    snprintf(lines[1], sizeof lines[1], "operator %s curve %s boss\n", keys[3], curves[1]);
    bool ada_first = ada.id < boss.id;
    snprintf(expected, sizeof expected, "# mine\n%s ada # a friend\n%s%s", keys[0],
             lines[ada_first ? 0 : 1], lines[ada_first ? 1 : 0]);
    cr_assert_str_eq(text, expected);
}

/* Random changes, saved and loaded: the file says what the keyring holds. */
Test(keyring, what_was_saved_loads_as_it_was)
{
    struct chirr_identity identities[20][2];
    for (int i = 0; i < 20; i++) {
        identities[i][0] = generate_identity(&random_stream);
        identities[i][1] = successor_of(&identities[i][0]);
    }
    for (int round = 0; round < 60; round++) {
        const struct chirr_identity *pick = &identities[chirr_random_below(&random_stream, 20)]
                                                       [chirr_random_below(&random_stream, 2)];
        struct chirr_keyring_addition addition = addition_of(pick);
        addition.is_operator = chirr_random_below(&random_stream, 4) == 0;
        addition.name = "a name";
        if (chirr_random_below(&random_stream, 3) > 0) {
            cr_assert_eq(chirr_keyring_add_key(keyring, &addition), CHIRR_OK);
        } else if (chirr_keyring_find_key(keyring, pick->public_key) != NULL) {
            cr_assert_eq(chirr_keyring_remove_key(keyring, pick->public_key), CHIRR_OK);
        }
        cr_assert_eq(chirr_keyring_save(keyring, path, &error), CHIRR_OK, "%s", error.text);
        struct chirr_keyring *loaded = chirr_keyring_create();
        cr_assert_eq(chirr_keyring_load(loaded, path, &error), CHIRR_OK, "%s", error.text);
        cr_assert_eq(chirr_keyring_count(loaded), chirr_keyring_count(keyring));
        for (size_t i = 0; i < chirr_keyring_count(keyring); i++) {
            const struct chirr_keyring_entry *a = chirr_keyring_at(keyring, i);
            const struct chirr_keyring_entry *b = chirr_keyring_at(loaded, i);
            cr_assert(a->id == b->id && a->key_count == b->key_count &&
                          a->is_operator == b->is_operator,
                      "round %d", round);
            for (uint32_t k = 0; k < a->key_count; k++) {
                cr_assert_not_null(chirr_keyring_key_of(b, a->keys[k].public_key));
            }
        }
        chirr_keyring_destroy(loaded);
    }
}

Test(keyring, a_file_that_cannot_be_written_stays_as_it_was)
{
    struct chirr_identity identity = generate_identity(&random_stream);
    char text[64];
    add_key(&identity);
    write_file("this is no keyring\n");
    cr_assert_eq(chirr_keyring_save(keyring, path, &error), CHIRR_ERR_CONFIG);
    read_file(text, sizeof text);
    cr_assert_str_eq(text, "this is no keyring\n");
    cr_assert_eq(chirr_keyring_save(keyring, "/nowhere/keyring", &error), CHIRR_ERR_IO);
}

/* ---- Identities ------------------------------------------------------------------------------ */

Test(keyring, a_later_key_has_the_id_of_the_first)
{
    struct chirr_identity first = generate_identity(&random_stream);
    struct chirr_identity second;
    struct chirr_identity third;
    cr_assert_eq(chirr_identity_create_successor(path, &first, &second, &error), CHIRR_OK);
    cr_assert_eq(chirr_identity_load_file(path, &third, &error), CHIRR_OK, "%s", error.text);
    cr_assert_arr_eq(&second, &third, sizeof second);
    cr_assert_eq(second.id, first.id);
    cr_assert_arr_eq(second.first_key, first.public_key, CHIRR_KEY_BYTES);
    cr_assert_arr_neq(second.public_key, first.public_key, CHIRR_KEY_BYTES);
    unlink(path);
    cr_assert_eq(chirr_identity_create_successor(path, &second, &third, &error), CHIRR_OK);
    cr_assert_eq(third.id, first.id);
}

Test(keyring, an_identity_loads_as_it_was_created)
{
    struct chirr_identity created;
    struct chirr_identity loaded;
    struct stat status;
    cr_assert_eq(chirr_identity_create_file(path, &created, &error), CHIRR_OK, "%s", error.text);
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0600);
    cr_assert_eq(chirr_identity_load_file(path, &loaded, &error), CHIRR_OK, "%s", error.text);
    cr_assert_arr_eq(&created, &loaded, sizeof created);
}

Test(keyring, an_identity_is_never_overwritten)
{
    struct chirr_identity created;
    struct chirr_identity again;
    cr_assert_eq(chirr_identity_create_file(path, &created, &error), CHIRR_OK);
    cr_assert_eq(chirr_identity_create_file(path, &again, &error), CHIRR_ERR_EXISTS);
    cr_assert_eq(chirr_identity_load_file(path, &again, &error), CHIRR_OK);
    cr_assert_eq(created.id, again.id);
}

Test(keyring, an_identity_that_others_may_read_is_refused)
{
    struct chirr_identity identity;
    cr_assert_eq(chirr_identity_create_file(path, &identity, &error), CHIRR_OK);
    cr_assert_eq(chmod(path, 0640), 0);
    cr_assert_eq(chirr_identity_load_file(path, &identity, &error), CHIRR_ERR_CONFIG);
    cr_assert_not_null(strstr(error.text, "chmod 600"));
    cr_assert_eq(chmod(path, 0604), 0);
    cr_assert_eq(chirr_identity_load_file(path, &identity, &error), CHIRR_ERR_CONFIG);
}

Test(keyring, a_damaged_or_missing_identity_is_an_error)
{
    struct chirr_identity identity;
    cr_assert_eq(chirr_identity_load_file(path, &identity, &error), CHIRR_ERR_NOTFOUND);
    write_file("0123456789\n");
    cr_assert_eq(chmod(path, 0600), 0);
    cr_assert_eq(chirr_identity_load_file(path, &identity, &error), CHIRR_ERR_CONFIG);
    cr_assert_eq(chirr_identity_load_file(directory, &identity, &error), CHIRR_ERR_CONFIG);
}
