/* Trust among agents as processes over real sockets: who is removed is out everywhere, and stays
 * out; a key is changed without its agent becoming another; old words of an operator are old. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/trust.h"
#include "tests/agent/cli_home.h"

#define AGENTS 6
#define DEADLINE_MS 20000
#define ANSWER_MS 5000

static const char *const names[AGENTS] = {"a", "b", "c", "d", "e", "f"};
static pid_t fleet;
static const char *outcast = ""; /* cut off already: nobody tells it of others */

static void pause_ms(int ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
}

/* NULL: it does not answer. */
static json_t *ask(const char *name, json_t *request)
{
    struct chirr_error error;
    json_t *reply = NULL;
    enum chirr_err err = chirr_control_ask(runtime, name, request, ANSWER_MS, &reply, &error);
    json_decref(request);
    return err == CHIRR_OK ? reply : NULL;
}

static json_t *status_of(const char *name)
{
    return ask(name, json_pack("{s:s}", "verb", "status"));
}

/* Of `of` as the agent `name` sees it: "alive"; "" where it is no member. */
static bool is_seen(const char *name, const char *of, const char *as)
{
    bool seen = as[0] == '\0';
    size_t index;
    json_t *member;
    json_t *status = status_of(name);
    bool answered = status != NULL;
    json_array_foreach(json_object_get(status, "members"), index, member)
    {
        if (strcmp(json_string_value(json_object_get(member, "name")), of) == 0) {
            seen = strcmp(json_string_value(json_object_get(member, "status")), as) == 0;
        }
    }
    json_decref(status);
    return answered && seen;
}

static bool is_asked(const char *name, const char *about)
{
    return strcmp(name, about) != 0 && strcmp(name, outcast) != 0;
}

/* Whether all of the others see it so. */
static bool all_see(const char *of, const char *as)
{
    for (int i = 0; i < AGENTS; i++) {
        if (is_asked(names[i], of) && !is_seen(names[i], of, as)) {
            return false;
        }
    }
    return true;
}

static bool all_see_all(void)
{
    for (int i = 0; i < AGENTS; i++) {
        if (!all_see(names[i], "alive")) {
            return false;
        }
    }
    return true;
}

#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        int waited_ms = 0;                                                                         \
        while (!(condition)) {                                                                     \
            cr_assert_lt(waited_ms, DEADLINE_MS, "waited in vain for " #condition);                \
            pause_ms(50);                                                                          \
            waited_ms += 50;                                                                       \
        }                                                                                          \
    } while (0)

static json_int_t received_bytes(const char *name)
{
    json_t *status = status_of(name);
    const json_t *received = json_object_get(json_object_get(status, "wire"), "received");
    json_int_t bytes = json_integer_value(json_object_get(received, "records")) +
                       json_integer_value(json_object_get(received, "knowledge")) +
                       json_integer_value(json_object_get(received, "membership"));
    cr_assert_not_null(received, "%s does not answer", name);
    json_decref(status);
    return bytes;
}

static json_int_t drops_of(const char *name, const char *reason)
{
    json_t *status = status_of(name);
    json_int_t count =
        json_integer_value(json_object_get(json_object_get(status, "drops"), reason));
    json_decref(status);
    return count;
}

static pid_t process_of(const char *name)
{
    json_t *status = status_of(name);
    pid_t pid = (pid_t)json_integer_value(json_object_get(json_object_get(status, "agent"), "pid"));
    json_decref(status);
    return pid;
}

/* kill -9; the launcher starts it again. */
static void restart(const char *name)
{
    pid_t before = process_of(name);
    pid_t after = before;
    cr_assert_gt(before, 0);
    cr_assert_eq(kill(before, SIGKILL), 0);
    WAIT_FOR((after = process_of(name)) != before && after > 0);
}

static void begin(void)
{
    cli_home_enter();
    FILE *file = fopen("fleet.yaml", "we");
    cr_assert_not_null(file);
    fputs("swarm: hill\nagents:\n", file);
    for (int i = 0; i < AGENTS; i++) {
        fprintf(file, "  - {name: %s}\n", names[i]);
    }
    cr_assert_eq(fclose(file), 0);
    fleet = start_chirr("up", "fleet.yaml", "--state", "state", "--for", "120s", NULL);
    WAIT_FOR(all_see_all());
}

static void end(void)
{
    int status;
    kill(fleet, SIGINT);
    waitpid(fleet, &status, 0);
    cli_home_leave();
}

TestSuite(trust_fleet, .init = begin, .fini = end, .timeout = 110);

/* ---- Removing -------------------------------------------------------------------------------- */

static json_t *trust_of(const char *name)
{
    json_t *reply = ask(name, json_pack("{s:s}", "verb", "trust"));
    cr_assert_not_null(reply, "%s does not answer", name);
    return reply;
}

static bool is_trusted_by(const char *name, const char *of)
{
    bool trusted = false;
    size_t index;
    json_t *holder;
    json_t *reply = trust_of(name);
    json_array_foreach(json_object_get(reply, "holders"), index, holder)
    {
        trusted |= strcmp(json_string_value(json_object_get(holder, "name")), of) == 0;
    }
    json_decref(reply);
    return trusted;
}

static bool is_out_everywhere(const char *of)
{
    for (int i = 0; i < AGENTS; i++) {
        if (is_asked(names[i], of) && is_trusted_by(names[i], of)) {
            return false;
        }
    }
    return all_see(of, "");
}

static size_t task_count(const char *name)
{
    json_t *reply = ask(name, json_pack("{s:s}", "verb", "list"));
    size_t count = json_array_size(json_object_get(reply, "tasks"));
    json_decref(reply);
    return count;
}

/* Nothing is taken in from it, and it takes nothing in: while the others go on talking. */
static void assert_cut_off(const char *name)
{
    json_int_t before = received_bytes(name);
    json_int_t others_before = received_bytes("a");
    json_t *reply = ask(
        name, json_pack("{s:s, s:s, s:[s]}", "verb", "submit", "kind", "spy", "command", "true"));
    cr_assert_not_null(reply);
    json_decref(reply);
    pause_ms(3000);
    cr_assert_eq(received_bytes(name), before);
    cr_assert_gt(received_bytes("a"), others_before);
    cr_assert(is_out_everywhere(name));
    for (int i = 0; i < AGENTS; i++) {
        cr_assert_eq(task_count(names[i]), strcmp(names[i], name) == 0 ? 1 : 0, "%s", names[i]);
    }
}

Test(trust_fleet, who_is_removed_is_cut_off_everywhere_and_does_not_come_back)
{
    run_chirr(&run, "trust", "remove", "c", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    for (int i = 0; !is_out_everywhere("c"); i++) {
        cr_assert_lt(i, 60, "not out everywhere after 3 s");
        pause_ms(50);
    }
    pause_ms(500); /* what was under way when the connections were cut */
    assert_cut_off("c");
    cr_assert_gt(
        drops_of("a", "untrusted") + drops_of("b", "untrusted") + drops_of("d", "untrusted"), 0);
    restart("c"); /* all that it has left is its keys, its store and everybody's address */
    pause_ms(3000);
    cr_assert(is_out_everywhere("c"));
    cr_assert_eq(received_bytes("c"), 0);
    restart("d"); /* who was there forgets nothing of it */
    WAIT_FOR(is_seen("a", "d", "alive") && is_seen("d", "a", "alive"));
    cr_assert(is_out_everywhere("c"));
    run_chirr(&run, "trust", "list", "--keyring", "state/keyring", "--json", NULL);
    cr_assert_eq(run.code, 0);
    cr_assert_null(strstr(run.out, "\"name\": \"c\""), "%s", run.out);
}

/* ---- Whose word counts ----------------------------------------------------------------------- */

Test(trust_fleet, only_an_operators_word_counts_and_its_newest_alone)
{
    struct chirr_record record;
    struct chirr_identity agent;
    struct chirr_error error;
    char text[CHIRR_TRUST_TEXT_BYTES_MAX];
    char first[CHIRR_TRUST_TEXT_BYTES_MAX];
    run_chirr(&run, "trust", "remove", "c", "--operator", "state/b/identity", NULL);
    cr_assert_eq(run.code, 1);
    cr_assert_not_null(strstr(run.err, "no operator's"), "%s", run.err);

    run_chirr(&run, "trust", "remove", "c", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    WAIT_FOR(is_out_everywhere("c"));
    outcast = "c";
    json_t *reply = trust_of("a");
    const json_t *registers = json_object_get(reply, "registers");
    const char *said =
        json_string_value(json_object_iter_value(json_object_iter((json_t *)registers)));
    cr_assert_not_null(said);
    snprintf(first, sizeof first, "%s", said);
    json_decref(reply);
    cr_assert_eq(chirr_trust_record_parse(first, &record), CHIRR_OK);

    /* Another's signature under the operator's name, and an agent's own word. */
    cr_assert_eq(chirr_identity_load_file("state/b/identity", &agent, &error), CHIRR_OK);
    chirr_agent_id signer = record.author;
    chirr_agent_id self = agent.id;
    record.stamp.version++;
    for (int i = 0; i < 2; i++) {
        agent.id = record.author = i == 0 ? signer : self;
        cr_assert_eq(chirr_record_sign(&record, &agent), CHIRR_OK);
        cr_assert_eq(chirr_trust_record_format(&record, text), CHIRR_OK);
        cr_assert_null(ask("a", json_pack("{s:s, s:s}", "verb", "trust", "record", text)));
    }

    run_chirr(&run, "trust", "remove", "e", "--json", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    cr_assert_not_null(strstr(run.out, "\"trusted\": false"));
    WAIT_FOR(is_out_everywhere("e") && is_out_everywhere("c"));
    /* The register of before, signed as it should be: also after a restart. */
    cr_assert_null(ask("a", json_pack("{s:s, s:s}", "verb", "trust", "record", first)));
    restart("a");
    cr_assert_null(ask("a", json_pack("{s:s, s:s}", "verb", "trust", "record", first)));
    cr_assert_not(is_trusted_by("a", "e"));
}

static bool all_have_seen_through(void)
{
    for (int i = 0; i < AGENTS; i++) {
        if (drops_of(names[i], "records_equivocations") == 0) {
            return false;
        }
    }
    return true;
}

/* Says that a key of nobody counts. False: refused. */
static bool say(const char *to, const struct chirr_identity *author, uint8_t seed)
{
    struct chirr_identity nobody;
    const uint8_t seed_bytes[CHIRR_KEY_BYTES] = {seed};
    char text[CHIRR_TRUST_TEXT_BYTES_MAX];
    cr_assert_eq(chirr_identity_from_seed(&nobody, seed_bytes), CHIRR_OK);
    struct chirr_record record = {
        .kind = CHIRR_RECORD_TRUST, .author = author->id, .stamp = {7, 1}};
    record.trust.count = 1;
    record.trust.changes[0].holder = nobody.id;
    memcpy(record.trust.changes[0].public_key, nobody.public_key, CHIRR_KEY_BYTES);
    cr_assert_eq(chirr_record_sign(&record, author), CHIRR_OK);
    cr_assert_eq(chirr_trust_record_format(&record, text), CHIRR_OK);
    json_t *reply = ask(to, json_pack("{s:s, s:s}", "verb", "trust", "record", text));
    bool taken = reply != NULL;
    json_decref(reply);
    return taken;
}

Test(trust_fleet, who_says_two_things_under_one_stamp_is_believed_nowhere)
{
    struct chirr_identity author;
    struct chirr_error error;
    cr_assert_eq(chirr_identity_load_file("state/operator", &author, &error), CHIRR_OK);
    cr_assert(say("a", &author, 1));
    cr_assert_not(say("a", &author, 2));
    cr_assert(drops_of("a", "records_equivocations") > 0);
    for (int i = 1; i < AGENTS; i++) {
        say(names[i], &author, (uint8_t)(2 + i));
    }
    WAIT_FOR(all_have_seen_through());
    run_chirr(&run, "trust", "remove", "c", NULL);
    cr_assert_eq(run.code, 1, "%s", run.err);
    for (int i = 0; i < AGENTS; i++) {
        cr_assert(is_trusted_by(names[i], "c"));
    }
}

/* ---- Changing a key -------------------------------------------------------------------------- */

Test(trust_fleet, an_agent_changes_its_key_and_stays_who_it_is)
{
    char id[17];
    char old_key[CHIRR_KEY_TEXT_BYTES];
    char new_key[CHIRR_KEY_TEXT_BYTES];
    struct chirr_identity old;
    struct chirr_error error;
    cr_assert_eq(chirr_identity_load_file("state/b/identity", &old, &error), CHIRR_OK);
    chirr_key_format(old.public_key, old_key);
    snprintf(id, sizeof id, "%016llx", (unsigned long long)old.id);
    run_chirr(&run, "keygen", "--successor-of", "state/b/identity", "--out", "next", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    snprintf(new_key, sizeof new_key, "%.64s", run.out);

    run_chirr(&run, "trust", "add", new_key, "--of", id, NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    cr_assert_eq(rename("next", "state/b/identity"), 0);
    restart("b");
    WAIT_FOR(all_see("b", "alive") && is_seen("b", "a", "alive"));
    json_t *status = status_of("b");
    cr_assert_str_eq(json_string_value(json_object_get(json_object_get(status, "agent"), "id")),
                     id);
    json_decref(status);

    run_chirr(&run, "trust", "remove", old_key, NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    pause_ms(2000);
    json_int_t before = received_bytes("b");
    pause_ms(2000);
    cr_assert_gt(received_bytes("b"), before);
    cr_assert(all_see("b", "alive"));
    run_chirr(&run, "trust", "remove", old_key, NULL);
    cr_assert_eq(run.code, 3);
    /* Who comes new knows it by its new key. */
    restart("f");
    WAIT_FOR(is_seen("f", "b", "alive") && is_seen("b", "f", "alive"));
}
