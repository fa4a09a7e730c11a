/* The agent's process: everything is opened here, and the event loop turns.
 *
 * One turn: wait for sockets, mailbox, jobs and the earliest deadline; take in a bounded number of
 * inputs of each kind; after every input carry out what the node wants; tick what is due. */
#include "agent/agent.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/process.h"

/* Inputs of one kind in one turn, so that none starves the others. */
#define MESSAGES_TURN 128
#define SILENCE_MS_MAX 3600000 /* that a transport takes */
#define REPORTS_TURN 64
#define REQUESTS_TURN 16
#define MEETINGS_TURN 16
#define WAIT_MS_MAX 1000

#define POLL_ITEMS_MAX (5 + CHIRR_EXECUTOR_FDS_MAX)

/* ---- Opening ------------------------------------------------------------------------------- */

/* First of all: it forks a guard that keeps what is in memory now, and no key is yet. */
static enum chirr_err open_executor(struct chirr_agent *agent, struct chirr_error *error)
{
    if (mkdir(agent->config.state_dir, 0700) != 0 && errno != EEXIST) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: %s", agent->config.state_dir,
                               strerror(errno));
    }
    struct chirr_executor_config config = chirr_executor_config_default();
    memcpy(config.state_dir, agent->config.state_dir, sizeof config.state_dir);
    config.slots_max = agent->config.slots == 0 ? 1 : agent->config.slots;
    config.cpu_permille = agent->config.cpu_permille;
    config.output_bytes_max = agent->config.output_bytes_max;
    agent->executor = chirr_executor_create(&config, error);
    return agent->executor == NULL ? error->code : CHIRR_OK;
}

static enum chirr_err open_identity(struct chirr_agent *agent, struct chirr_error *error)
{
    char path[CHIRR_PATH_BYTES_MAX + 16];
    snprintf(path, sizeof path, "%s/identity", agent->config.state_dir);
    enum chirr_err err = access(path, F_OK) == 0
                             ? chirr_identity_load_file(path, &agent->identity, error)
                             : chirr_identity_create_file(path, &agent->identity, error);
    if (err != CHIRR_OK) {
        return err;
    }
    agent->keyring = chirr_keyring_create();
    if (agent->keyring == NULL) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "no memory for a keyring");
    }
    struct chirr_keyring_addition self = {.holder = agent->identity.id, .name = agent->config.name};
    memcpy(self.public_key, agent->identity.public_key, sizeof self.public_key);
    err = chirr_keyring_add_key(agent->keyring, &self);
    if (err == CHIRR_OK && agent->config.keyring[0] != '\0') {
        err = chirr_keyring_load(agent->keyring, agent->config.keyring, error);
    }
    return err;
}

static enum chirr_err open_store(struct chirr_agent *agent, struct chirr_error *error)
{
    char path[CHIRR_PATH_BYTES_MAX + 16];
    snprintf(path, sizeof path, "%s/store.sqlite", agent->config.state_dir);
    struct chirr_store_config config = chirr_store_config_default();
    config.path = path;
    agent->store = chirr_store_create(&config, error);
    if (agent->store == NULL) {
        return error->code;
    }
    /* The wall clock only guards against a store that was lost; the store itself counts. */
    uint64_t floor = (uint64_t)time(NULL);
    return chirr_store_next_incarnation(agent->store, floor, &agent->config.node.incarnation,
                                        error);
}

static enum chirr_err open_sockets(struct chirr_agent *agent, struct chirr_error *error)
{
    const struct chirr_agent_config *config = &agent->config;
    struct chirr_transport_config transport = config->transport;
    /* Nobody is silent who has not missed a few of its heartbeats. */
    uint32_t patience_ms = 4 * config->node.heartbeat_interval_ms;
    if (transport.silence_ms != 0 && transport.silence_ms < patience_ms) {
        transport.silence_ms = patience_ms < SILENCE_MS_MAX ? patience_ms : SILENCE_MS_MAX;
    }
    agent->transport =
        chirr_transport_create(&transport, &agent->identity, agent->keyring, agent->log, error);
    if (agent->transport == NULL) {
        return error->code;
    }
    agent->control = chirr_control_create(chirr_transport_context(agent->transport),
                                          config->runtime_dir, config->name, error);
    return agent->control == NULL ? error->code : CHIRR_OK;
}

static enum chirr_err open_learner(struct chirr_agent *agent, struct chirr_error *error)
{
    if (!agent->config.model) {
        return CHIRR_OK;
    }
    chirr_agent_config_derive_senses(&agent->config);
    enum chirr_err err = chirr_learner_config_validate(&agent->config.learner, error);
    if (err != CHIRR_OK) {
        return err;
    }
    agent->learner = chirr_learner_thread_create(&agent->config, agent->log, error);
    if (agent->learner == NULL) {
        return error->code;
    }
    struct chirr_model_config model = chirr_learner_model_config(&agent->config.learner);
    agent->lineage = chirr_model_lineage(&model);
    return CHIRR_OK;
}

static enum chirr_err host(struct chirr_agent *agent, struct chirr_error *error)
{
    for (uint32_t p = 0; agent->learner != NULL && p < CHIRR_MODEL_PARTITIONS_MAX; p++) {
        if ((agent->config.node.card.hosted >> p & 1) != 0) {
            enum chirr_err err = chirr_transport_host(agent->transport, agent->lineage, p);
            if (err != CHIRR_OK) {
                return chirr_error_set(error, err, "cannot subscribe: %s", chirr_err_text(err));
            }
        }
    }
    return CHIRR_OK;
}

/* Into a field of equal size that is all zero: what is signed has nothing behind its NUL. */
static void copy_text(char *field, const char *text)
{
    memcpy(field, text, strlen(text));
}

static bool is_wildcard(const char *endpoint)
{
    return strncmp(endpoint, "tcp://0.0.0.0:", 14) == 0 ||
           strncmp(endpoint, "tcp://[::]:", 11) == 0 || strncmp(endpoint, "tcp://*:", 8) == 0;
}

/* Who this agent is, for the others: known only now that its sockets are bound. */
static enum chirr_err write_card(struct chirr_agent *agent, struct chirr_error *error)
{
    struct chirr_card *card = &agent->config.node.card;
    char publish[CHIRR_ENDPOINT_BYTES_MAX];
    char unicast[CHIRR_ENDPOINT_BYTES_MAX];
    memset(card, 0, sizeof *card);
    memcpy(card->public_key, agent->identity.first_key, sizeof card->public_key);
    if (memcmp(agent->identity.first_key, agent->identity.public_key, CHIRR_KEY_BYTES) != 0) {
        memcpy(card->current_key, agent->identity.public_key, sizeof card->current_key);
    }
    copy_text(card->name, agent->config.name);
    copy_text(card->device, agent->config.device);
    chirr_transport_endpoints(agent->transport, publish, unicast);
    copy_text(card->publish_endpoint, agent->config.publish_advertise[0] != '\0'
                                          ? agent->config.publish_advertise
                                          : publish);
    copy_text(card->unicast_endpoint, agent->config.unicast_advertise[0] != '\0'
                                          ? agent->config.unicast_advertise
                                          : unicast);
    card->lineage = agent->lineage;
    card->hosted = agent->learner == NULL ? 0 : chirr_learner_units(&agent->config.learner);
    agent->config.node.ledger.origins_max = agent->config.learner.model.origins_max;
    card->cpu_permille = agent->config.cpu_permille;
    card->slots = agent->config.slots;
    card->provides = agent->config.provides;
    if (is_wildcard(card->publish_endpoint) || is_wildcard(card->unicast_endpoint)) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG,
                               "%s: listens on every address, which others cannot connect to; set "
                               "advertise to an address of this machine that they can reach",
                               is_wildcard(card->publish_endpoint) ? card->publish_endpoint
                                                                   : card->unicast_endpoint);
    }
    return CHIRR_OK;
}

static enum chirr_err restore_records(struct chirr_agent *agent, struct chirr_error *error)
{
    struct chirr_store_cursor cursor = {0};
    struct chirr_record record;
    enum chirr_err err;
    while ((err = chirr_store_next_record(agent->store, &cursor, &record, error)) == CHIRR_OK) {
        if (chirr_node_restore(agent->node, &record) != CHIRR_OK) {
            chirr_log_warning(agent->log, "a stored record of %016llx was refused",
                              (unsigned long long)record.author);
        }
    }
    return err == CHIRR_ERR_NOTFOUND ? CHIRR_OK : err;
}

static enum chirr_err open_node(struct chirr_agent *agent, struct chirr_error *error)
{
    struct chirr_node_config *config = &agent->config.node;
    enum chirr_err err = write_card(agent, error);
    if (err != CHIRR_OK) {
        return err;
    }
    if (getrandom(&config->seed, sizeof config->seed, 0) != sizeof config->seed) {
        return chirr_error_set(error, CHIRR_ERR_IO, "no random numbers: %s", strerror(errno));
    }
    err = chirr_node_config_validate(config, error);
    if (err != CHIRR_OK) {
        return err;
    }
    err = chirr_arena_init(&agent->arena, chirr_node_bytes(config));
    if (err != CHIRR_OK) {
        return chirr_error_set(error, err, "no memory for a node of %zu bytes",
                               chirr_node_bytes(config));
    }
    agent->node = chirr_node_create(&agent->arena, config, chirr_clock_now());
    if (agent->node == NULL) {
        return chirr_error_set(error, CHIRR_ERR_NOMEM, "the node does not fit its arena");
    }
    err = restore_records(agent, error);
    if (err == CHIRR_OK) {
        chirr_process_trust(agent, chirr_clock_now()); /* before anybody is let in */
    }
    return err;
}

/* After the node: what it says is who this agent is. */
static enum chirr_err open_beacon(struct chirr_agent *agent, struct chirr_error *error)
{
    const struct chirr_agent_config *config = &agent->config;
    if (config->beacon.group.address == 0) {
        return CHIRR_OK;
    }
    agent->beacon = chirr_beacon_create(&config->beacon, config->swarm, &agent->identity,
                                        agent->keyring, error);
    return agent->beacon == NULL ? error->code : CHIRR_OK;
}

static enum chirr_err open_all(struct chirr_agent *agent, struct chirr_error *error)
{
    enum chirr_err err = open_executor(agent, error);
    if (err == CHIRR_OK) {
        err = open_identity(agent, error);
    }
    if (err == CHIRR_OK) {
        err = open_store(agent, error);
    }
    if (err == CHIRR_OK) {
        err = open_sockets(agent, error);
    }
    if (err == CHIRR_OK) {
        err = open_learner(agent, error);
    }
    if (err == CHIRR_OK) {
        err = open_node(agent, error);
    }
    if (err == CHIRR_OK) {
        err = open_beacon(agent, error);
    }
    return err == CHIRR_OK ? host(agent, error) : err;
}

struct chirr_agent *chirr_agent_create(const struct chirr_agent_config *config,
                                       const struct chirr_log *log, struct chirr_error *error)
{
    struct chirr_error why = {0};
    struct chirr_agent *agent = calloc(1, sizeof *agent);
    if (agent == NULL) {
        (void)chirr_error_set(error, CHIRR_ERR_NOMEM, "no memory for an agent");
        return NULL;
    }
    agent->config = *config;
    agent->log = log;
    agent->predicted_s_last = NAN;
    agent->real_s_last = NAN;
    agent->started_at = chirr_clock_now();
    agent->connect_limit.interval_us = 60 * CHIRR_US_PER_S;
    agent->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum chirr_err err = agent->stop_fd < 0
                             ? chirr_error_set(&why, CHIRR_ERR_IO, "eventfd: %s", strerror(errno))
                             : open_all(agent, &why);
    if (err != CHIRR_OK) {
        (void)chirr_error_set(error, err, "%s", why.text);
        chirr_agent_destroy(agent);
        return NULL;
    }
    chirr_process_drain(agent, agent->started_at);
    return agent;
}

void chirr_agent_destroy(struct chirr_agent *agent)
{
    if (agent == NULL) {
        return;
    }
    chirr_executor_destroy(agent->executor);
    chirr_learner_thread_destroy(agent->learner);
    chirr_beacon_destroy(agent->beacon);
    chirr_control_destroy(agent->control);
    chirr_transport_destroy(agent->transport);
    chirr_process_commit(agent);
    chirr_store_destroy(agent->store);
    chirr_keyring_destroy(agent->keyring);
    chirr_arena_finish(&agent->arena);
    chirr_identity_wipe(&agent->identity);
    if (agent->stop_fd >= 0) {
        close(agent->stop_fd);
    }
    free(agent);
}

/* ---- The loop ------------------------------------------------------------------------------ */

/* Who takes leave looks for nobody any more. */
static bool is_beaconing(const struct chirr_agent *agent)
{
    return agent->beacon != NULL && !agent->leaving;
}

static chirr_time_us next_deadline(const struct chirr_agent *agent)
{
    chirr_time_us at = agent->leaving ? agent->leave_at : CHIRR_TIME_NEVER;
    at = chirr_time_min(at, chirr_node_deadline(agent->node));
    at = chirr_time_min(at, chirr_executor_deadline(agent->executor));
    at = chirr_time_min(at, chirr_process_commit_at(agent));
    if (is_beaconing(agent)) {
        at = chirr_time_min(at, chirr_beacon_deadline(agent->beacon));
    }
    return chirr_time_min(at, chirr_process_waiters_deadline(agent));
}

static int collect_items(struct chirr_agent *agent, zmq_pollitem_t *items)
{
    int fds[CHIRR_EXECUTOR_FDS_MAX];
    int count = 0;
    items[count++] =
        (zmq_pollitem_t){.fd = chirr_transport_fd(agent->transport), .events = ZMQ_POLLIN};
    count += chirr_control_poll_items(agent->control, items + count);
    items[count++] = (zmq_pollitem_t){.fd = agent->stop_fd, .events = ZMQ_POLLIN};
    if (agent->learner != NULL) {
        items[count++] =
            (zmq_pollitem_t){.fd = chirr_learner_thread_fd(agent->learner), .events = ZMQ_POLLIN};
    }
    if (is_beaconing(agent)) {
        items[count++] =
            (zmq_pollitem_t){.fd = chirr_beacon_fd(agent->beacon), .events = ZMQ_POLLIN};
    }
    size_t fd_count = chirr_executor_fds(agent->executor, fds, CHIRR_EXECUTOR_FDS_MAX);
    for (size_t i = 0; i < fd_count; i++) {
        items[count++] = (zmq_pollitem_t){.fd = fds[i], .events = ZMQ_POLLIN};
    }
    return count;
}

/* True when more is waiting than one turn takes. */
static bool take_messages(struct chirr_agent *agent, chirr_time_us now)
{
    chirr_agent_id from;
    struct chirr_message message;
    for (int i = 0; i < MESSAGES_TURN; i++) {
        if (!chirr_transport_receive(agent->transport, now, &from, &message)) {
            return false;
        }
        /* What the node refuses is counted there. */
        if (chirr_node_receive(agent->node, from, &message, now) == CHIRR_OK) {
            chirr_process_drain(agent, now);
        }
    }
    return true;
}

static void take_report(struct chirr_agent *agent, const struct chirr_learner_report *report,
                        chirr_time_us now)
{
    if (report->kind == CHIRR_LEARNER_REPORT_STATUS) {
        agent->status = report->status;
        struct chirr_learner_news news = chirr_bridge_news(&report->status.learner);
        chirr_node_news(agent->node, &news);
    } else if (report->kind != CHIRR_LEARNER_REPORT_REPLY ||
               report->reply.kind == CHIRR_LEARNER_REPLY_EVALUATION) {
        chirr_process_answer_learned(agent, report);
    } else if (chirr_bridge_reply(agent->node, &report->reply, now) != CHIRR_OK) {
        agent->counters.replies_dropped++;
    }
    chirr_process_drain(agent, now);
}

static bool take_reports(struct chirr_agent *agent, chirr_time_us now)
{
    struct chirr_learner_report report;
    for (int i = 0; agent->learner != NULL && i < REPORTS_TURN; i++) {
        if (!chirr_learner_thread_take(agent->learner, &report)) {
            return false;
        }
        take_report(agent, &report, now);
    }
    return agent->learner != NULL;
}

static bool take_requests(struct chirr_agent *agent, chirr_time_us now)
{
    struct chirr_control_client client;
    json_t *request;
    for (int i = 0; i < REQUESTS_TURN; i++) {
        if (!chirr_control_receive(agent->control, &client, &request)) {
            return false;
        }
        chirr_process_request(agent, &client, request, now);
        json_decref(request);
    }
    return true;
}

/* The rest waits for the next turn, and what has no room to wait is lost: more will come. */
static void turn_beacon(struct chirr_agent *agent, chirr_time_us now)
{
    struct chirr_record card;
    if (!is_beaconing(agent)) {
        return;
    }
    for (int i = 0;
         i < MEETINGS_TURN && chirr_beacon_receive(agent->beacon, agent->node, now, &card); i++) {
        /* What the node refuses is counted there. */
        if (chirr_node_meet(agent->node, &card, now) == CHIRR_OK) {
            chirr_process_drain(agent, now);
        }
    }
    chirr_beacon_tick(agent->beacon, agent->node, now);
}

static void take_stop(struct chirr_agent *agent, chirr_time_us now)
{
    uint64_t count;
    if (read(agent->stop_fd, &count, sizeof count) == sizeof count) {
        chirr_process_leave(agent, now);
    }
}

/* What came in, what ended, what is due. True when there is more of it at once. */
static bool work(struct chirr_agent *agent, chirr_time_us now)
{
    struct chirr_executor_ended ended;
    bool more = take_messages(agent, now);
    more = take_reports(agent, now) || more;
    while (chirr_executor_poll(agent->executor, now, &ended)) {
        chirr_process_ended(agent, &ended, now);
    }
    more = take_requests(agent, now) || more;
    take_stop(agent, now);
    turn_beacon(agent, now);
    chirr_node_tick(agent->node, now);
    chirr_process_drain(agent, now);
    chirr_process_answer_waiters(agent, now);
    if (agent->leaving && now >= agent->leave_at) {
        agent->stopped = true;
    }
    return more;
}

/* How late the loop is for a deadline. One before the last turn, where all that was due was done,
 * only says "at once": it counts from then. */
static void note_lag(struct chirr_agent *agent, chirr_time_us deadline, chirr_time_us now)
{
    chirr_time_us due = deadline > agent->turned_at ? deadline : agent->turned_at;
    if (agent->counters.turns > 0 && now - due > agent->counters.lag_us_max) {
        agent->counters.lag_us_max = now - due;
    }
    agent->turned_at = now;
}

enum chirr_err chirr_agent_turn(struct chirr_agent *agent, int timeout_ms,
                                struct chirr_error *error)
{
    zmq_pollitem_t items[POLL_ITEMS_MAX];
    if (agent->stopped) {
        return CHIRR_ERR_CANCELLED;
    }
    chirr_time_us deadline = next_deadline(agent);
    int count = collect_items(agent, items);
    int wait_ms = chirr_transport_is_waiting(agent->transport)
                      ? 0
                      : chirr_clock_wait_ms(chirr_clock_now(), deadline, timeout_ms);
    if (zmq_poll(items, count, wait_ms) < 0 && errno != EINTR) {
        return chirr_error_set(error, CHIRR_ERR_IO, "zmq_poll: %s", zmq_strerror(errno));
    }
    chirr_time_us now = chirr_clock_now();
    note_lag(agent, deadline, now);
    chirr_time_us began = now;
    while (work(agent, now) && !agent->stopped && now - began < 10 * CHIRR_US_PER_MS) {
        now = chirr_clock_now();
    }
    agent->counters.turns++;
    chirr_time_us spent = chirr_clock_now() - began;
    if (spent > agent->counters.turn_us_max) {
        agent->counters.turn_us_max = spent;
    }
    return agent->failure == CHIRR_OK
               ? CHIRR_OK
               : chirr_error_set(error, agent->failure, "the store failed: %.400s",
                                 agent->failure_why.text);
}

enum chirr_err chirr_agent_run(struct chirr_agent *agent, struct chirr_error *error)
{
    enum chirr_err err;
    do {
        err = chirr_agent_turn(agent, WAIT_MS_MAX, error);
    } while (err == CHIRR_OK);
    return err == CHIRR_ERR_CANCELLED ? CHIRR_OK : err;
}

void chirr_agent_stop(struct chirr_agent *agent)
{
    uint64_t one = 1;
    /* Only a counter that is full could refuse, and then the stop is already there. */
    ssize_t written = write(agent->stop_fd, &one, sizeof one);
    (void)written;
}

/* ---- For programs that embed --------------------------------------------------------------- */

chirr_agent_id chirr_agent_identity(const struct chirr_agent *agent)
{
    return agent->identity.id;
}

const struct chirr_node *chirr_agent_node(const struct chirr_agent *agent)
{
    return agent->node;
}

enum chirr_err chirr_agent_feed(struct chirr_agent *agent, const char *sense, const uint8_t *bytes,
                                size_t count)
{
    if (count == 0 || count > 4096) {
        return CHIRR_ERR_RANGE;
    }
    for (uint32_t i = 0; agent->learner != NULL && i < agent->config.sense_count; i++) {
        const struct chirr_sense_config *config = &agent->config.senses[i];
        if (config->source == CHIRR_SOURCE_FEED && strcmp(config->name, sense) == 0) {
            struct chirr_learner_request request = {
                .kind = CHIRR_LEARNER_BYTES,
                .sense = i,
                .count = (uint32_t)count,
                .bytes = bytes,
            };
            bool posted = chirr_learner_thread_post(agent->learner, &request);
            agent->counters.texts_unposted += !posted;
            return posted ? CHIRR_OK : CHIRR_ERR_FULL;
        }
    }
    return CHIRR_ERR_NOTFOUND;
}

enum chirr_err chirr_agent_submit(struct chirr_agent *agent, const struct chirr_task_spec *spec,
                                  chirr_task_id *id)
{
    chirr_time_us now = chirr_clock_now();
    enum chirr_err err = chirr_node_submit(agent->node, spec, now, id);
    if (err != CHIRR_OK) {
        return err;
    }
    chirr_process_drain(agent, now);
    return agent->failure; /* not durable: not accepted */
}
