/* `chirr trust` on keyring files, and `chirr keygen` for a next key. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/keyring.h"
#include "tests/agent/cli_home.h"

TestSuite(cli_trust, .init = cli_home_enter, .fini = cli_home_leave, .timeout = 60);

static char key[CHIRR_KEY_TEXT_BYTES];
static char id[17];

/* A new identity in `file`; its key and id above. */
static void generate(const char *file)
{
    run_chirr(&run, "keygen", "--out", file, "--json", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    json_t *made = json_loads(run.out, 0, NULL);
    snprintf(key, sizeof key, "%s", json_string_value(json_object_get(made, "key")));
    snprintf(id, sizeof id, "%s", json_string_value(json_object_get(made, "id")));
    json_decref(made);
}

#define TRUST(...) run_chirr(&run, "trust", __VA_ARGS__, "--keyring", "keyring", NULL)

Test(cli_trust, adds_lists_and_removes_in_a_file)
{
    generate("one");
    TRUST("add", key, "--name", "ada");
    cr_assert_eq(run.code, 0, "%s", run.err);
    TRUST("list", "--json");
    json_t *list = json_loads(run.out, 0, NULL);
    cr_assert_eq(json_array_size(list), 1);
    const json_t *entry = json_array_get(list, 0);
    cr_assert_str_eq(json_string_value(json_object_get(entry, "id")), id);
    cr_assert_str_eq(json_string_value(json_object_get(entry, "name")), "ada");
    cr_assert(json_is_false(json_object_get(entry, "operator")));
    cr_assert_str_eq(json_string_value(json_array_get(json_object_get(entry, "keys"), 0)), key);
    json_decref(list);
    TRUST("remove", "ada");
    cr_assert_eq(run.code, 0, "%s", run.err);
    TRUST("remove", "ada");
    cr_assert_eq(run.code, 3);
    TRUST("list", "--json");
    cr_assert_str_eq(run.out, "[]\n");
}

Test(cli_trust, makes_operators_in_a_file_alone)
{
    generate("boss");
    TRUST("add", key, "--make-operator");
    cr_assert_eq(run.code, 0, "%s", run.err);
    TRUST("list");
    cr_assert_not_null(strstr(run.out, "operator"));
    run_chirr(&run, "trust", "add", key, "--make-operator", NULL);
    cr_assert_eq(run.code, 2);
}

Test(cli_trust, a_next_key_has_its_holders_id)
{
    char first[CHIRR_KEY_TEXT_BYTES];
    char second[CHIRR_KEY_TEXT_BYTES];
    generate("one");
    memcpy(first, key, sizeof first);
    run_chirr(&run, "keygen", "--successor-of", "one", "--out", "two", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    snprintf(second, sizeof second, "%.64s", run.out);
    TRUST("add", first);
    char holder[17];
    memcpy(holder, id, sizeof holder);
    TRUST("add", second, "--of", holder);
    cr_assert_eq(run.code, 0, "%s", run.err);
    generate("three");
    TRUST("add", key, "--of", holder);
    cr_assert_eq(run.code, 1);
    cr_assert_not_null(strstr(run.err, "a holder 2 keys"), "%s", run.err);
    TRUST("remove", first);
    TRUST("list");
    cr_assert_null(strstr(run.out, first));
    cr_assert_not_null(strstr(run.out, second));
    cr_assert_not_null(strstr(run.out, holder));
}

Test(cli_trust, says_what_is_wrong)
{
    generate("one");
    TRUST("add", "0123");
    cr_assert_eq(run.code, 2);
    TRUST("add");
    cr_assert_eq(run.code, 2);
    TRUST("forget", key);
    cr_assert_eq(run.code, 2);
    TRUST("remove", key, "--of", id);
    cr_assert_eq(run.code, 2);
    TRUST("add", key, "--of", "ada");
    cr_assert_eq(run.code, 2);
    TRUST("list");
    cr_assert_eq(run.code, 1, "a file that is not there is not made by looking");
    cr_assert_neq(access("keyring", F_OK), 0);
    run_chirr(&run, "trust", "list", NULL); /* no swarm runs */
    cr_assert_eq(run.code, 3);
    run_chirr(&run, "trust", "--help", NULL);
    cr_assert_eq(run.code, 0);
    cr_assert_not_null(strstr(run.out, "usage: chirr trust"));
}

Test(cli_trust, two_of_one_name_are_not_removed_by_it)
{
    generate("one");
    TRUST("add", key, "--name", "ada");
    generate("two");
    TRUST("add", key, "--name", "ada");
    TRUST("remove", "ada");
    cr_assert_eq(run.code, 2);
    cr_assert_not_null(strstr(run.err, "several"), "%s", run.err);
    TRUST("remove", id);
    cr_assert_eq(run.code, 0);
    TRUST("remove", "ada");
    cr_assert_eq(run.code, 0);
}
