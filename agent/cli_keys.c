/* `chirr keygen`: the key pair that an agent is. */
#include <stdio.h>

#include "agent/cli.h"
#include "agent/keyring.h"

static const char help[] =
    "usage: chirr keygen [--out FILE] [--successor-of FILE] [--json]\n"
    "\n"
    "Makes a new identity, readable by you alone, and prints its public key: what others put on\n"
    "their keyrings. An agent's identity is the file `identity` in its state directory.\n"
    "\n"
    "  --out FILE         where to; ./identity. What exists is never overwritten\n"
    "  --successor-of FILE  the next key of the agent with this identity, which keeps its id: let\n"
    "                     the others trust it (chirr trust add KEY --of ID), put it in the place\n"
    "                     of the old one, start the agent again, then remove the old key\n"
    "  --json             {\"file\", \"id\", \"key\"}\n"
    "\n"
    "Exit code: 0; 1 the file exists or cannot be written; 2 usage.\n";

static enum chirr_err create(const char *path, const char *old_path,
                             struct chirr_identity *identity, struct chirr_error *error)
{
    struct chirr_identity old;
    if (old_path == NULL) {
        return chirr_identity_create_file(path, identity, error);
    }
    enum chirr_err err = chirr_identity_load_file(old_path, &old, error);
    if (err == CHIRR_OK) {
        err = chirr_identity_create_successor(path, &old, identity, error);
    }
    chirr_identity_wipe(&old);
    return err;
}

static int make(const char *path, const char *old_path, bool json)
{
    struct chirr_error error = {0};
    struct chirr_identity identity;
    if (create(path, old_path, &identity, &error) != CHIRR_OK) {
        fprintf(stderr, "chirr: %s\n", error.text);
        return CHIRR_EXIT_FAILED;
    }
    char key[CHIRR_KEY_TEXT_BYTES], id[17];
    chirr_key_format(identity.public_key, key);
    snprintf(id, sizeof id, "%016llx", (unsigned long long)identity.id);
    chirr_identity_wipe(&identity);
    if (json) {
        chirr_cli_print_json(json_pack("{s:s, s:s, s:s}", "file", path, "id", id, "key", key));
    } else {
        puts(key);
    }
    return CHIRR_EXIT_OK;
}

int chirr_cli_keygen(int argc, char **argv)
{
    static const struct option options[] = {{"out", required_argument, NULL, 'o'},
                                            {"successor-of", required_argument, NULL, 's'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const struct chirr_cli_arguments arguments = {"keygen", help, options, argc, argv};
    const char *path = "identity";
    const char *old_path = NULL;
    bool json = false;
    int option;
    chirr_cli_begin();
    while ((option = chirr_cli_option(&arguments)) >= 0) {
        json = json || option == 'j';
        path = option == 'o' ? optarg : path;
        old_path = option == 's' ? optarg : old_path;
    }
    if (option != CHIRR_CLI_END) {
        return option == CHIRR_CLI_HELP ? CHIRR_EXIT_OK : CHIRR_EXIT_USAGE;
    }
    if (optind < argc) {
        return chirr_cli_usage("keygen", "expected options alone, got \"%s\"", argv[optind]);
    }
    return make(path, old_path, json);
}
