/* `chirr trust`: which keys count, in a keyring file or everywhere in a swarm that runs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/cli.h"
#include "agent/trust.h"

static const char help[] =
    "usage: chirr trust list [--json] [--keyring FILE | WHERE]\n"
    "       chirr trust add KEY [--of HOLDER] [--operator FILE] [--json] [WHERE]\n"
    "       chirr trust add KEY --keyring FILE [--name NAME] [--of HOLDER] [--make-operator]\n"
    "       chirr trust remove KEY|HOLDER|NAME [--operator FILE] [--json] [WHERE]\n"
    "       chirr trust remove KEY|HOLDER|NAME --keyring FILE [--json]\n"
    "\n"
    "A key is 64 hexadecimal digits (chirr keygen prints it), a holder the 16 of an agent's id.\n"
    "In a swarm that runs the change is signed by an operator and goes to every agent at once: "
    "who\n"
    "is removed is cut off everywhere, and stays so. Removing a holder or a name removes all its\n"
    "keys. In a file it is read when an agent starts.\n"
    "\n"
    "  --operator FILE    the operator's identity; else `operator` beside the agent's keyring, "
    "where\n"
    "                     chirr up puts it\n"
    "  --of HOLDER        the key is a further one of this holder, which has two at most (chirr\n"
    "                     keygen --successor-of)\n"
    "  --keyring FILE     change this file and nothing else\n"
    "  --name NAME        for people\n"
    "  --make-operator    the holder may change what the swarm trusts: only in a file\n"
    "  --json             list: [{\"id\", \"name\", \"operator\", \"keys\"}]; else\n"
    "                     {\"id\", \"keys\", \"trusted\"}\n"
    "\n"
    "WHERE:\n" CHIRR_CLI_TARGET_HELP "\n"
    "Exit code: 0; 1 it was refused; 2 usage; 3 no such agent, key, holder or name.\n";

struct command {
    struct chirr_cli_target target;
    const char *keyring; /* NULL: a swarm that runs */
    const char *signer;  /* NULL: beside the agent's keyring */
    const char *name;
    const char *holder;
    const char *operand;
    bool make_operator;
    bool json;
};

/* ---- What is trusted ------------------------------------------------------------------------- */

/* The same for a file and for a swarm: what is listed, and what a name is looked up in. */
struct trusted {
    struct chirr_keyring *keyring;
    struct chirr_cli_agents agents; /* of a swarm; who answered stands first */
    json_t *reply;                  /* likewise */
};

static void trusted_finish(struct trusted *trusted)
{
    chirr_keyring_destroy(trusted->keyring);
    json_decref(trusted->reply);
    free(trusted->agents.agents);
}

static bool parse_id(const char *text, chirr_agent_id *id)
{
    if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16) {
        return false;
    }
    *id = strtoull(text, NULL, 16);
    return *id != 0;
}

static enum chirr_err take_holder(struct chirr_keyring *keyring, const json_t *holder)
{
    size_t index;
    json_t *key;
    struct chirr_keyring_addition addition = {0};
    const char *id = json_string_value(json_object_get(holder, "id"));
    const char *name = json_string_value(json_object_get(holder, "name"));
    addition.name = name;
    addition.is_operator = json_is_true(json_object_get(holder, "operator"));
    if (id == NULL || name == NULL || !parse_id(id, &addition.holder)) {
        return CHIRR_ERR_MALFORMED;
    }
    json_array_foreach(json_object_get(holder, "keys"), index, key)
    {
        const char *text = json_string_value(key);
        enum chirr_err err =
            text == NULL ? CHIRR_ERR_MALFORMED : chirr_key_parse(text, addition.public_key);
        if (err == CHIRR_OK) {
            err = chirr_keyring_add_key(keyring, &addition);
        }
        if (err != CHIRR_OK) {
            return err;
        }
    }
    return CHIRR_OK;
}

static enum chirr_err ask_swarm(const struct command *command, struct trusted *trusted,
                                struct chirr_error *error)
{
    enum chirr_err err = chirr_cli_find(&command->target, &trusted->agents, error);
    json_t *request = json_pack("{s:s}", "verb", "trust");
    if (err == CHIRR_OK) {
        err = chirr_cli_ask(&trusted->agents, request, NULL, &trusted->reply, error);
    }
    json_decref(request);
    size_t index;
    json_t *holder;
    json_array_foreach(json_object_get(trusted->reply, "holders"), index, holder)
    {
        if (err == CHIRR_OK && take_holder(trusted->keyring, holder) != CHIRR_OK) {
            err = chirr_error_set(error, CHIRR_ERR_MALFORMED,
                                  "the agent's answer is not understood here");
        }
    }
    return err;
}

/* `may_miss`: a file that is to be made counts as empty. */
static enum chirr_err read_trusted(const struct command *command, bool may_miss,
                                   struct trusted *trusted, struct chirr_error *error)
{
    trusted->keyring = chirr_keyring_create();
    if (trusted->keyring == NULL) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "out of memory");
    }
    if (command->keyring == NULL) {
        return ask_swarm(command, trusted, error);
    }
    if (may_miss && access(command->keyring, F_OK) != 0) {
        return CHIRR_OK;
    }
    return chirr_keyring_load(trusted->keyring, command->keyring, error);
}

static json_t *keys_json(const struct chirr_trust *changes)
{
    json_t *keys = json_array();
    for (uint32_t i = 0; i < changes->count; i++) {
        char key[CHIRR_KEY_TEXT_BYTES];
        chirr_key_format(changes->changes[i].public_key, key);
        json_array_append_new(keys, json_string(key));
    }
    return keys;
}

/* ---- list ------------------------------------------------------------------------------------ */

static json_t *entry_json(const struct chirr_keyring_entry *entry)
{
    char id[17];
    struct chirr_trust keys = {0};
    snprintf(id, sizeof id, "%016" PRIx64, entry->id);
    for (uint32_t k = 0; k < entry->key_count; k++) {
        memcpy(keys.changes[keys.count++].public_key, entry->keys[k].public_key, CHIRR_KEY_BYTES);
    }
    return json_pack("{s:s, s:s, s:b, s:o}", "id", id, "name", entry->name, "operator",
                     (int)entry->is_operator, "keys", keys_json(&keys));
}

static bool add_rows(struct chirr_cli_table *table, const struct chirr_keyring_entry *entry)
{
    for (uint32_t k = 0; k < entry->key_count; k++) {
        char(*cells)[CHIRR_CLI_CELL_BYTES_MAX] = chirr_cli_table_row(table);
        if (cells == NULL) {
            return false;
        }
        snprintf(cells[0], sizeof cells[0], "%016" PRIx64, entry->id);
        chirr_cli_cell_text(cells[1], entry->name);
        chirr_cli_cell_text(cells[2], entry->is_operator ? "operator" : "");
        chirr_key_format(entry->keys[k].public_key, cells[3]);
    }
    return true;
}

static int print_list(const struct command *command, const struct trusted *trusted)
{
    static const struct chirr_cli_column columns[] = {
        {"HOLDER", false}, {"NAME", false}, {"", false}, {"KEY", false}, {NULL, false}};
    struct chirr_cli_table table = {.columns = columns};
    json_t *list = json_array();
    bool whole = true;
    for (size_t i = 0; i < chirr_keyring_count(trusted->keyring); i++) {
        const struct chirr_keyring_entry *entry = chirr_keyring_at(trusted->keyring, i);
        json_array_append_new(list, entry_json(entry));
        whole = whole && add_rows(&table, entry);
    }
    if (command->json) {
        chirr_cli_print_json(list);
    } else {
        json_decref(list);
        chirr_cli_table_print(&table);
    }
    chirr_cli_table_finish(&table);
    return whole ? CHIRR_EXIT_OK : CHIRR_EXIT_FAILED;
}

static int run_list(const struct command *command)
{
    struct chirr_error error = {0};
    struct trusted trusted = {0};
    int code = read_trusted(command, false, &trusted, &error) == CHIRR_OK
                   ? print_list(command, &trusted)
                   : chirr_cli_fail(&error);
    trusted_finish(&trusted);
    return code;
}

/* ---- What is to change ----------------------------------------------------------------------- */

static enum chirr_err plan_addition(const struct command *command, const struct trusted *trusted,
                                    struct chirr_trust *plan, struct chirr_error *error)
{
    struct chirr_trust_change *change = &plan->changes[plan->count++];
    struct chirr_keyring_addition addition = {.name = command->name,
                                              .is_operator = command->make_operator};
    if (chirr_key_parse(command->operand, change->public_key) != CHIRR_OK) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "\"%s\": expected a key of 64 hexadecimal digits (0-9, a-f)",
                               command->operand);
    }
    change->holder = chirr_agent_id_of(change->public_key);
    if (command->holder != NULL && !parse_id(command->holder, &change->holder)) {
        return chirr_error_set(error, CHIRR_ERR_RANGE,
                               "--of: expected the 16 hexadecimal digits of a holder, got \"%s\"",
                               command->holder);
    }
    memcpy(addition.public_key, change->public_key, sizeof addition.public_key);
    addition.holder = change->holder;
    enum chirr_err err = chirr_keyring_add_key(trusted->keyring, &addition);
    switch (err) {
    case CHIRR_OK:
        return CHIRR_OK;
    case CHIRR_ERR_INVALID:
        return chirr_error_set(error, err, "%s: not an Ed25519 public key", command->operand);
    case CHIRR_ERR_RANGE:
        return chirr_error_set(error, err, "--name: expected at most %d printable characters",
                               CHIRR_NAME_BYTES_MAX - 1);
    case CHIRR_ERR_EXISTS:
        return chirr_error_set(error, err, "%s: is another holder's key already", command->operand);
    default:
        return chirr_error_set(error, err,
                               "a keyring holds at most %d holders, and a holder %d keys: remove "
                               "one first",
                               CHIRR_KEYRING_HOLDERS_MAX, CHIRR_HOLDER_KEYS_MAX);
    }
}

/* The one holder that is meant; NULL, and words, for none or several of a name. */
static const struct chirr_keyring_entry *find_meant(const struct trusted *trusted,
                                                    const char *operand, struct chirr_error *error)
{
    chirr_agent_id id;
    const struct chirr_keyring_entry *meant =
        parse_id(operand, &id) ? chirr_keyring_find(trusted->keyring, id) : NULL;
    for (size_t i = 0; meant == NULL && i < chirr_keyring_count(trusted->keyring); i++) {
        const struct chirr_keyring_entry *entry = chirr_keyring_at(trusted->keyring, i);
        meant = strcmp(entry->name, operand) == 0 ? entry : NULL;
        for (size_t j = i + 1; meant != NULL && j < chirr_keyring_count(trusted->keyring); j++) {
            if (strcmp(chirr_keyring_at(trusted->keyring, j)->name, operand) == 0) {
                chirr_error_set(error, CHIRR_ERR_INVALID,
                                "several holders have the name \"%s\": give the holder or the key "
                                "(chirr trust list)",
                                operand);
                return NULL;
            }
        }
    }
    if (meant == NULL) {
        chirr_error_set(error, CHIRR_ERR_NOTFOUND, "no key, holder or name \"%s\" is trusted",
                        operand);
    }
    return meant;
}

static enum chirr_err plan_removal(const struct command *command, const struct trusted *trusted,
                                   struct chirr_trust *plan, struct chirr_error *error)
{
    uint8_t key[CHIRR_KEY_BYTES];
    bool is_key = chirr_key_parse(command->operand, key) == CHIRR_OK;
    const struct chirr_keyring_entry *entry =
        is_key ? chirr_keyring_find_key(trusted->keyring, key) : NULL;
    if (entry == NULL) {
        is_key = false;
        entry = find_meant(trusted, command->operand, error);
    }
    if (entry == NULL) {
        return error->code;
    }
    chirr_agent_id holder = entry->id;
    for (uint32_t k = 0; k < entry->key_count; k++) {
        if (!is_key || memcmp(entry->keys[k].public_key, key, sizeof key) == 0) {
            struct chirr_trust_change *change = &plan->changes[plan->count++];
            *change = (struct chirr_trust_change){.holder = holder, .removed = true};
            memcpy(change->public_key, entry->keys[k].public_key, CHIRR_KEY_BYTES);
        }
    }
    enum chirr_err err = CHIRR_OK;
    for (uint32_t i = 0; i < plan->count && err == CHIRR_OK; i++) {
        err = chirr_keyring_remove_key(trusted->keyring, plan->changes[i].public_key);
    }
    return err;
}

/* ---- Changing a swarm ------------------------------------------------------------------------ */

static enum chirr_err load_operator(const struct command *command, const struct trusted *trusted,
                                    struct chirr_identity *identity, struct chirr_error *error)
{
    char path[CHIRR_PATH_BYTES_MAX + 16];
    const char *keyring = json_string_value(json_object_get(trusted->reply, "keyring"));
    const char *slash = keyring == NULL ? NULL : strrchr(keyring, '/');
    if (command->signer != NULL) {
        snprintf(path, sizeof path, "%s", command->signer);
    } else if (slash != NULL) {
        snprintf(path, sizeof path, "%.*s/operator", (int)(slash - keyring), keyring);
    } else {
        return chirr_error_set(error, CHIRR_ERR_CONFIG,
                               "a change must be signed by an operator: --operator FILE");
    }
    enum chirr_err err = chirr_identity_load_file(path, identity, error);
    if (err == CHIRR_ERR_NOTFOUND) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG,
                               "%s: no operator's identity there: give --operator FILE (chirr "
                               "keygen makes one, chirr trust add --make-operator puts it on a "
                               "keyring)",
                               path);
    }
    const struct chirr_keyring_entry *entry =
        err == CHIRR_OK ? chirr_keyring_find(trusted->keyring, identity->id) : NULL;
    if (err == CHIRR_OK && (entry == NULL || !entry->is_operator)) {
        return chirr_error_set(error, CHIRR_ERR_UNTRUSTED,
                               "%s: this key is no operator's on the keyring of the swarm", path);
    }
    return err;
}

/* A stamp of its own for every statement, by the clock, so that two made at one time with two
 * agents' help never contradict each other under one stamp. */
static uint64_t next_incarnation(uint64_t known)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t us = (uint64_t)now.tv_sec * CHIRR_US_PER_S + (uint64_t)now.tv_nsec / 1000;
    return us > known ? us : known + 1;
}

/* What the operator said before, and the plan behind it, signed. */
static enum chirr_err make_record(const struct trusted *trusted,
                                  const struct chirr_identity *identity,
                                  const struct chirr_trust *plan, struct chirr_record *record,
                                  struct chirr_error *error)
{
    char id[17];
    enum chirr_err err = CHIRR_OK;
    snprintf(id, sizeof id, "%016" PRIx64, identity->id);
    memset(record, 0, sizeof *record);
    const char *before =
        json_string_value(json_object_get(json_object_get(trusted->reply, "registers"), id));
    if (before != NULL && chirr_trust_record_parse(before, record) != CHIRR_OK) {
        return chirr_error_set(error, CHIRR_ERR_MALFORMED,
                               "the agent's answer is not understood here");
    }
    record->kind = CHIRR_RECORD_TRUST;
    record->author = identity->id;
    record->stamp = (struct chirr_stamp){next_incarnation(record->stamp.incarnation), 1};
    for (uint32_t i = 0; i < plan->count && err == CHIRR_OK; i++) {
        err = chirr_trust_change(&record->trust, &plan->changes[i]);
    }
    if (err == CHIRR_ERR_FULL) {
        return chirr_error_set(error, err,
                               "this operator has changed %d keys, the most that one can: make "
                               "another (chirr keygen)",
                               CHIRR_TRUST_CHANGES_MAX);
    }
    if (err == CHIRR_OK) {
        err = chirr_record_sign(record, identity);
    }
    return err == CHIRR_OK ? CHIRR_OK : chirr_error_set(error, err, "%s", chirr_err_text(err));
}

static enum chirr_err tell_swarm(const struct command *command, struct trusted *trusted,
                                 const struct chirr_trust *plan, struct chirr_error *error)
{
    struct chirr_identity identity;
    struct chirr_record record;
    char text[CHIRR_TRUST_TEXT_BYTES_MAX];
    enum chirr_err err = load_operator(command, trusted, &identity, error);
    if (err == CHIRR_OK) {
        err = make_record(trusted, &identity, plan, &record, error);
    }
    chirr_identity_wipe(&identity);
    if (err == CHIRR_OK && chirr_trust_record_format(&record, text) != CHIRR_OK) {
        err = chirr_error_set(error, CHIRR_ERR_MALFORMED, "the change cannot be encoded");
    }
    if (err != CHIRR_OK) {
        return err;
    }
    json_t *request = json_pack("{s:s, s:s}", "verb", "trust", "record", text);
    json_t *reply = NULL;
    err = chirr_cli_ask(&trusted->agents, request, NULL, &reply, error);
    json_decref(reply);
    json_decref(request);
    return err;
}

/* ---- add, remove ----------------------------------------------------------------------------- */

static void print_change(const struct command *command, const struct chirr_trust *plan)
{
    char id[17];
    bool removed = plan->changes[0].removed;
    snprintf(id, sizeof id, "%016" PRIx64, plan->changes[0].holder);
    if (command->json) {
        chirr_cli_print_json(json_pack("{s:s, s:o, s:b}", "id", id, "keys", keys_json(plan),
                                       "trusted", (int)!removed));
        return;
    }
    for (uint32_t i = 0; i < plan->count; i++) {
        char key[CHIRR_KEY_TEXT_BYTES];
        chirr_key_format(plan->changes[i].public_key, key);
        printf("%s %s %s of %s\n", removed ? "removed" : "added", key,
               command->keyring != NULL ? "in the file, a key" : "everywhere, a key", id);
    }
}

static int run_change(const struct command *command, bool removal)
{
    struct chirr_error error = {0};
    struct trusted trusted = {0};
    struct chirr_trust plan = {0};
    enum chirr_err err = read_trusted(command, !removal, &trusted, &error);
    if (err == CHIRR_OK) {
        err = removal ? plan_removal(command, &trusted, &plan, &error)
                      : plan_addition(command, &trusted, &plan, &error);
    }
    if (err == CHIRR_OK) {
        err = command->keyring != NULL
                  ? chirr_keyring_save(trusted.keyring, command->keyring, &error)
                  : tell_swarm(command, &trusted, &plan, &error);
    }
    trusted_finish(&trusted);
    if (err != CHIRR_OK) {
        return chirr_cli_fail(&error);
    }
    print_change(command, &plan);
    return CHIRR_EXIT_OK;
}

/* ---- The command line ------------------------------------------------------------------------ */

static void take_option(struct command *command, int option)
{
    switch (option) {
    case 'k':
        command->keyring = optarg;
        break;
    case 'o':
        command->signer = optarg;
        break;
    case 'n':
        command->name = optarg;
        break;
    case 'f':
        command->holder = optarg;
        break;
    case 'm':
        command->make_operator = true;
        break;
    case 'j':
        command->json = true;
        break;
    default:
        chirr_cli_target_option(&command->target, option);
        break;
    }
}

/* Options that mean nothing for what is asked. */
static int refuse_options(const struct command *command, const char *verb)
{
    bool adds = strcmp(verb, "add") == 0;
    if (!adds && (command->name != NULL || command->holder != NULL || command->make_operator)) {
        return chirr_cli_usage("trust", "--name, --of and --make-operator go with add alone");
    }
    if (command->keyring == NULL && (command->name != NULL || command->make_operator)) {
        return chirr_cli_usage("trust", "--name and --make-operator go with --keyring: names and "
                                        "operators are for the keyring files to say");
    }
    if (command->keyring != NULL &&
        (command->signer != NULL || command->target.swarm != NULL ||
         command->target.agent != NULL || command->target.runtime != NULL)) {
        return chirr_cli_usage("trust", "--keyring changes a file alone: it goes without "
                                        "--operator, --swarm, --agent and --runtime");
    }
    return CHIRR_EXIT_OK;
}

static int run(struct command *command, int operand_count, char **operands)
{
    const char *verb = operand_count > 0 ? operands[0] : "";
    bool adds = strcmp(verb, "add") == 0;
    bool removes = strcmp(verb, "remove") == 0;
    if (!adds && !removes && strcmp(verb, "list") != 0) {
        return chirr_cli_usage("trust", "expected list, add or remove, got \"%s\"", verb);
    }
    if (operand_count != (adds || removes ? 2 : 1)) {
        return chirr_cli_usage("trust", adds      ? "add: expected one key"
                                        : removes ? "remove: expected one key, holder or name"
                                                  : "list: expected options alone");
    }
    int code = refuse_options(command, verb);
    if (code != CHIRR_EXIT_OK) {
        return code;
    }
    command->operand = operands[1];
    return adds || removes ? run_change(command, removes) : run_list(command);
}

int chirr_cli_trust(int argc, char **argv)
{
    static const struct option options[] = {CHIRR_CLI_TARGET_OPTIONS,
                                            {"keyring", required_argument, NULL, 'k'},
                                            {"operator", required_argument, NULL, 'o'},
                                            {"name", required_argument, NULL, 'n'},
                                            {"of", required_argument, NULL, 'f'},
                                            {"make-operator", no_argument, NULL, 'm'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const struct chirr_cli_arguments arguments = {"trust", help, options, argc, argv};
    struct command command = {0};
    int option;
    chirr_cli_begin();
    while ((option = chirr_cli_option_anywhere(&arguments)) >= 0) {
        take_option(&command, option);
    }
    if (option != CHIRR_CLI_END) {
        return option == CHIRR_CLI_HELP ? CHIRR_EXIT_OK : CHIRR_EXIT_USAGE;
    }
    return run(&command, argc - optind, argv + optind);
}
