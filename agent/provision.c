#include "agent/provision.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Below what systems hand out for outgoing connections, so that an agent that dials another cannot
 * take the port of a third by chance. */
#define PORT_LEAST 20000
#define PORT_COUNT 12000
#define PORT_TRIES_MAX 500

enum chirr_err chirr_provision_directory(const char *path, struct chirr_error *error)
{
    char part[CHIRR_PATH_BYTES_MAX];
    if (path[0] == '\0' || strlen(path) >= sizeof part) {
        return chirr_error_set(error, CHIRR_ERR_IO, "\"%s\": not a usable directory name", path);
    }
    for (size_t i = 1; i <= strlen(path); i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            return chirr_error_set(error, CHIRR_ERR_IO, "%s: cannot make this directory: %s", part,
                                   strerror(errno));
        }
    }
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: is not a directory", path);
    }
    return CHIRR_OK;
}

static enum chirr_err join(char *path, const char *directory, const char *name,
                           struct chirr_error *error)
{
    char joined[CHIRR_PATH_BYTES_MAX];
    int bytes = snprintf(joined, sizeof joined, "%s/%s", directory, name);
    if (bytes < 0 || (size_t)bytes >= sizeof joined) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG, "%s/%s: this path is too long", directory,
                               name);
    }
    memcpy(path, joined, sizeof joined);
    return CHIRR_OK;
}

/* ---- Ports ----------------------------------------------------------------------------------- */

/* Listening sockets that keep the chosen ports until all are chosen. */
struct ports {
    uint32_t count;
    int held[2 * CHIRR_FLEET_AGENTS_MAX];
};

static void release_ports(struct ports *ports)
{
    for (uint32_t i = 0; i < ports->count; i++) {
        close(ports->held[i]);
    }
    ports->count = 0;
}

/* Returns 0 or an errno. Listens too: only that finds another listener on the address. */
static int hold_port(struct ports *ports, struct in_addr host, uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = host};
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0) {
        int reason = errno;
        close(fd);
        return reason;
    }
    ports->held[ports->count++] = fd;
    return 0;
}

static int hold_any_port(struct ports *ports, struct in_addr host, uint16_t *port)
{
    int reason = EADDRINUSE;
    for (uint32_t i = 0; i < PORT_TRIES_MAX && reason == EADDRINUSE; i++) {
        uint16_t dice = 0;
        if (getrandom(&dice, sizeof dice, 0) != (ssize_t)sizeof dice) {
            return errno;
        }
        *port = (uint16_t)(PORT_LEAST + dice % PORT_COUNT);
        reason = hold_port(ports, host, *port);
    }
    return reason;
}

struct endpoint {
    char host[CHIRR_ENDPOINT_BYTES_MAX];
    bool any_port;
    uint16_t port;
};

static bool parse_endpoint(const char *text, struct endpoint *endpoint)
{
    const char *colon = strrchr(text, ':');
    if (strncmp(text, "tcp://", 6) != 0 || colon == NULL || colon < text + 6) {
        return false;
    }
    snprintf(endpoint->host, sizeof endpoint->host, "%.*s", (int)(colon - (text + 6)), text + 6);
    endpoint->any_port = strcmp(colon + 1, "*") == 0 || strcmp(colon + 1, "0") == 0;
    char *end = NULL;
    unsigned long port = endpoint->any_port ? 0 : strtoul(colon + 1, &end, 10);
    endpoint->port = (uint16_t)port;
    return endpoint->any_port || (*end == '\0' && end != colon + 1 && port <= UINT16_MAX);
}

static void format_endpoint(char text[CHIRR_ENDPOINT_BYTES_MAX], const char *host, uint16_t port)
{
    char line[CHIRR_ENDPOINT_BYTES_MAX + 16];
    snprintf(line, sizeof line, "tcp://%s:%u", host, (unsigned)port);
    snprintf(text, CHIRR_ENDPOINT_BYTES_MAX, "%.*s", CHIRR_ENDPOINT_BYTES_MAX - 1, line);
}

/* Takes the port of one endpoint, choosing it where it is open. What is not a numeric IPv4 host is
 * left to the agent, which says itself what is wrong with it. */
static enum chirr_err settle_endpoint(struct ports *ports, const char *agent, const char *what,
                                      char text[CHIRR_ENDPOINT_BYTES_MAX],
                                      struct chirr_error *error)
{
    struct endpoint endpoint;
    if (!parse_endpoint(text, &endpoint)) {
        return chirr_error_set(
            error, CHIRR_ERR_CONFIG,
            "agent %s, %s: \"%s\" is no endpoint (expected tcp://HOST:PORT, PORT may be *)", agent,
            what, text);
    }
    struct in_addr host = {htonl(INADDR_ANY)};
    if (strcmp(endpoint.host, "*") != 0 && inet_pton(AF_INET, endpoint.host, &host) != 1) {
        return CHIRR_OK;
    }
    int reason = endpoint.any_port ? hold_any_port(ports, host, &endpoint.port)
                                   : hold_port(ports, host, endpoint.port);
    if (reason == EADDRINUSE) {
        return chirr_error_set(
            error, CHIRR_ERR_BUSY,
            "agent %s, %s: port %u is in use already; stop what uses it (ss -ltnp "
            "shows it), give another port, or * for a free one",
            agent, what, (unsigned)endpoint.port);
    }
    if (reason != 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "agent %s, %s: %s cannot be bound: %s", agent,
                               what, text, strerror(reason));
    }
    format_endpoint(text, endpoint.host, endpoint.port);
    return CHIRR_OK;
}

static enum chirr_err settle_ports(struct chirr_fleet_config *fleet, struct chirr_error *error)
{
    struct ports ports = {0};
    enum chirr_err err = CHIRR_OK;
    for (uint32_t i = 0; i < fleet->agent_count && err == CHIRR_OK; i++) {
        struct chirr_agent_config *agent = &fleet->agents[i];
        err = settle_endpoint(&ports, agent->name, "publish", agent->transport.publish_bind, error);
        if (err == CHIRR_OK) {
            err = settle_endpoint(&ports, agent->name, "unicast", agent->transport.unicast_bind,
                                  error);
        }
    }
    release_ports(&ports);
    return err;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

/* `made`: it did not exist before. */
static enum chirr_err settle_identity(const char *directory, const char *name,
                                      struct chirr_identity *identity, bool *made,
                                      struct chirr_error *error)
{
    char path[CHIRR_PATH_BYTES_MAX];
    enum chirr_err err = join(path, directory, name, error);
    if (err != CHIRR_OK) {
        return err;
    }
    *made = access(path, F_OK) != 0;
    return *made ? chirr_identity_create_file(path, identity, error)
                 : chirr_identity_load_file(path, identity, error);
}

/* The file that all agents of the fleet share, as it is to be. */
struct fleet_keyring {
    char path[CHIRR_PATH_BYTES_MAX];
    bool existed;
    struct chirr_keyring *keyring;
};

/* What is in there already stays. A key that is not, though its identity is older than this run,
 * was removed by an operator, and stays out. */
static enum chirr_err admit(struct fleet_keyring *shared, const struct chirr_identity *identity,
                            const char *name, bool made, bool is_operator)
{
    struct chirr_keyring_addition addition = {
        .holder = identity->id, .name = name, .is_operator = is_operator};
    if (shared->existed && !made) {
        return CHIRR_OK;
    }
    memcpy(addition.public_key, identity->public_key, sizeof addition.public_key);
    return chirr_keyring_add_key(shared->keyring, &addition);
}

static enum chirr_err settle_agent_keys(struct chirr_fleet_config *fleet,
                                        struct fleet_keyring *shared, struct chirr_error *error)
{
    enum chirr_err err = CHIRR_OK;
    for (uint32_t i = 0; i < fleet->agent_count && err == CHIRR_OK; i++) {
        struct chirr_agent_config *agent = &fleet->agents[i];
        struct chirr_identity identity = {0};
        bool made = false;
        err = join(agent->state_dir, fleet->state_dir, agent->name, error);
        if (err == CHIRR_OK) {
            err = chirr_provision_directory(agent->state_dir, error);
        }
        if (err == CHIRR_OK) {
            err = settle_identity(agent->state_dir, "identity", &identity, &made, error);
        }
        if (err == CHIRR_OK && admit(shared, &identity, agent->name, made, false) != CHIRR_OK) {
            err = chirr_error_set(error, CHIRR_ERR_CONFIG, "%s: no room for the key of %s",
                                  shared->path, agent->name);
        }
        memcpy(agent->node.card.public_key, identity.first_key, CHIRR_KEY_BYTES);
        memcpy(agent->keyring, shared->path, sizeof shared->path);
        chirr_identity_wipe(&identity);
    }
    return err;
}

/* Whose word `chirr trust` gives: a key in the fleet's directory, and on its keyring. */
static enum chirr_err settle_operator(const struct chirr_fleet_config *fleet,
                                      struct fleet_keyring *shared, struct chirr_error *error)
{
    struct chirr_identity identity = {0};
    bool made = false;
    enum chirr_err err = settle_identity(fleet->state_dir, "operator", &identity, &made, error);
    if (err == CHIRR_OK && admit(shared, &identity, "operator", made, true) != CHIRR_OK) {
        err = chirr_error_set(error, CHIRR_ERR_CONFIG, "%s: no room for the operator's key",
                              shared->path);
    }
    chirr_identity_wipe(&identity);
    return err;
}

static enum chirr_err open_keyring(struct fleet_keyring *shared,
                                   const struct chirr_fleet_config *fleet,
                                   struct chirr_error *error)
{
    enum chirr_err err = join(shared->path, fleet->state_dir, "keyring", error);
    if (err != CHIRR_OK) {
        return err;
    }
    shared->keyring = chirr_keyring_create();
    if (shared->keyring == NULL) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "no memory for a keyring");
    }
    shared->existed = access(shared->path, F_OK) == 0;
    return shared->existed ? chirr_keyring_load(shared->keyring, shared->path, error) : CHIRR_OK;
}

static enum chirr_err settle_keys(struct chirr_fleet_config *fleet, struct chirr_error *error)
{
    struct fleet_keyring shared = {0};
    enum chirr_err err = open_keyring(&shared, fleet, error);
    if (err == CHIRR_OK) {
        err = settle_agent_keys(fleet, &shared, error);
    }
    if (err == CHIRR_OK) {
        err = settle_operator(fleet, &shared, error);
    }
    if (err == CHIRR_OK) {
        err = chirr_keyring_save(shared.keyring, shared.path, error);
    }
    chirr_keyring_destroy(shared.keyring);
    return err;
}

/* ---- Who is told of whom --------------------------------------------------------------------- */

/* What another agent dials: what is advertised, else what is bound, by the loopback where that is
 * every address. */
static void dial_endpoint(char out[CHIRR_ENDPOINT_BYTES_MAX], const char *advertised,
                          const char *bound)
{
    struct endpoint endpoint;
    if (advertised[0] == '\0' && parse_endpoint(bound, &endpoint) &&
        (strcmp(endpoint.host, "*") == 0 || strcmp(endpoint.host, "0.0.0.0") == 0)) {
        format_endpoint(out, "127.0.0.1", endpoint.port);
    } else {
        snprintf(out, CHIRR_ENDPOINT_BYTES_MAX, "%s", advertised[0] != '\0' ? advertised : bound);
    }
}

/* The next one, and others at distances that grow by the same factor (as Chord's fingers do): if
 * each knew its next five alone, the first news would go round the whole ring. */
uint32_t chirr_provision_seed_distance(uint32_t index, uint32_t agent_count)
{
    uint64_t reach = 0;
    uint64_t factor = 1;
    if (index >= CHIRR_PROVISION_SEEDS || index + 1 >= agent_count) {
        return 0;
    }
    if (agent_count <= CHIRR_PROVISION_SEEDS + 1) {
        return index + 1;
    }
    while (reach < agent_count) {
        factor++;
        reach = 1;
        for (uint32_t i = 0; i < CHIRR_PROVISION_SEEDS; i++) {
            reach *= factor;
        }
    }
    uint64_t distance = 1;
    for (uint32_t i = 0; i < index; i++) {
        distance *= factor;
    }
    return distance < agent_count ? (uint32_t)distance : 0;
}

/* Whoever dies, each agent is still known to several. Seeds that the fleet's file gave come
 * first. */
static void settle_seeds(struct chirr_fleet_config *fleet)
{
    for (uint32_t i = 0; i < fleet->agent_count; i++) {
        struct chirr_node_config *node = &fleet->agents[i].node;
        uint32_t distance;
        for (uint32_t k = 0; (distance = chirr_provision_seed_distance(k, fleet->agent_count)) > 0;
             k++) {
            if (node->seed_count == CHIRR_NODE_SEEDS_MAX) {
                break;
            }
            const struct chirr_agent_config *other =
                &fleet->agents[(i + distance) % fleet->agent_count];
            struct chirr_card *seed = &node->seeds[node->seed_count++];
            *seed = (struct chirr_card){0};
            memcpy(seed->public_key, other->node.card.public_key, CHIRR_KEY_BYTES);
            memcpy(seed->name, other->name, sizeof seed->name);
            dial_endpoint(seed->publish_endpoint, other->publish_advertise,
                          other->transport.publish_bind);
            dial_endpoint(seed->unicast_endpoint, other->unicast_advertise,
                          other->transport.unicast_bind);
        }
    }
}

static enum chirr_err write_agent_files(const struct chirr_fleet_config *fleet,
                                        struct chirr_error *error)
{
    for (uint32_t i = 0; i < fleet->agent_count; i++) {
        char name[CHIRR_NAME_BYTES_MAX + 8];
        char path[CHIRR_PATH_BYTES_MAX];
        snprintf(name, sizeof name, "%s.yaml", fleet->agents[i].name);
        enum chirr_err err = join(path, fleet->state_dir, name, error);
        if (err == CHIRR_OK) {
            err = chirr_agent_config_write(path, &fleet->agents[i], error);
        }
        if (err != CHIRR_OK) {
            return err;
        }
    }
    return CHIRR_OK;
}

enum chirr_err chirr_provision_fleet(struct chirr_fleet_config *fleet, struct chirr_error *error)
{
    enum chirr_err err = chirr_provision_directory(fleet->state_dir, error);
    if (err == CHIRR_OK) {
        err = settle_ports(fleet, error);
    }
    if (err == CHIRR_OK) {
        err = settle_keys(fleet, error);
    }
    if (err != CHIRR_OK) {
        return err;
    }
    settle_seeds(fleet);
    return write_agent_files(fleet, error);
}
