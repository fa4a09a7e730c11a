#include "agent/keyring.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/generate.h"

static char directory[] = "/tmp/chirr-keyring-XXXXXX";
static char path[64];
static struct chirr_keyring *keyring;
static struct chirr_random random_stream;
static struct chirr_error error;

static void setup(void)
{
    cr_assert_not_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/file", directory);
    keyring = chirr_keyring_create();
    cr_assert_not_null(keyring);
    chirr_random_init(&random_stream, 3, 0);
}

static void teardown(void)
{
    chirr_keyring_destroy(keyring);
    unlink(path);
    rmdir(directory);
}

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
        cr_assert_arr_eq(entry->public_key, identities[i].public_key, CHIRR_KEY_BYTES);
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
