/* A fleet's configuration: devices and entries of agents, unrolled into one configuration each. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config_fields.h"

/* The file as it is written; `fleet_config_load` turns it into struct chirr_fleet_config. */
struct device {
    char name[CHIRR_NAME_BYTES_MAX];
    uint32_t cpu_permille;
    uint32_t slots;
    uint32_t partition_count; /* 0: all */
    bool model;
    struct chirr_tags provides;
};

struct entry {
    char name[CHIRR_NAME_BYTES_MAX];
    char device[CHIRR_NAME_BYTES_MAX];
    uint32_t count; /* 0: one, called NAME */
    uint32_t port;  /* 0: any */
    uint32_t sense_count;
    struct chirr_sense_config senses[CHIRR_CONFIG_SENSES_MAX];
};

struct file {
    struct chirr_agent_config common;
    char swarm[CHIRR_NAME_BYTES_MAX];
    char state_dir[CHIRR_PATH_BYTES_MAX];
    char address[CHIRR_ENDPOINT_BYTES_MAX - sizeof "tcp://:65535"];
    uint64_t seed;
    bool restart;
    uint32_t device_count;
    struct device devices[CHIRR_FLEET_DEVICES_MAX];
    uint32_t entry_count;
    struct entry entries[CHIRR_FLEET_AGENTS_MAX];
    struct chirr_workload workload;
};

/* ---- Keys ---------------------------------------------------------------------------------- */

#define DEVICE(member) CHIRR_YAML_AT(struct device, member)
#define ENTRY(member) CHIRR_YAML_AT(struct entry, member)
#define FLEET(member) CHIRR_YAML_AT(struct file, member)
#define KIND(member) CHIRR_YAML_AT(struct chirr_workload_kind, member)
#define WORKLOAD(member) CHIRR_YAML_AT(struct chirr_workload, member)

static const struct chirr_yaml_field device_fields[] = {
    {"cpu", CHIRR_YAML_PERMILLE, DEVICE(cpu_permille), .min = 10, .max = 1000},
    {"slots", CHIRR_YAML_WHOLE, DEVICE(slots), .max = 256},
    {"partitions", CHIRR_YAML_WHOLE, DEVICE(partition_count), .min = 1,
     .max = CHIRR_LEARNER_PARTITIONS_MAX},
    {"model", CHIRR_YAML_BOOL, DEVICE(model)},
    {"provides", CHIRR_YAML_SEQUENCE, DEVICE(provides.names),
     CHIRR_YAML_COUNT(struct device, provides.count), .element = &chirr_config_tag_element},
    {0}};
static const struct chirr_yaml_field device_element = {
    .type = CHIRR_YAML_MAPPING, .bytes = sizeof(struct device), .fields = device_fields};
static const struct device device_initial = {
    .name = "default", .cpu_permille = 1000, .slots = 1, .model = true};

static const struct chirr_yaml_field entry_fields[] = {
    {"name", CHIRR_YAML_NAME, ENTRY(name), .required = true},
    {"device", CHIRR_YAML_NAME, ENTRY(device)},
    {"count", CHIRR_YAML_WHOLE, ENTRY(count), .min = 1, .max = CHIRR_FLEET_AGENTS_MAX},
    {"port", CHIRR_YAML_WHOLE, ENTRY(port), .min = 1, .max = 65534},
    {"senses", CHIRR_YAML_SEQUENCE, ENTRY(senses), CHIRR_YAML_COUNT(struct entry, sense_count),
     .element = &chirr_config_sense_element},
    {0}};
static const struct chirr_yaml_field entry_element = {
    .type = CHIRR_YAML_MAPPING, .bytes = sizeof(struct entry), .fields = entry_fields};

/* "/bin/sh", "-c" and the path that {input} becomes take the rest of a task's command. */
#define KIND_COMMAND_BYTES_MAX 401

static_assert(offsetof(struct chirr_workload_kind, size_bytes_max) ==
                  offsetof(struct chirr_workload_kind, size_bytes_min) + sizeof(uint64_t),
              "size: [MIN, MAX] is read as an array of two");

static const char *const inputs[] = {"none", "binary", "lines", "source", NULL};
static const struct chirr_yaml_field size_element = {
    .type = CHIRR_YAML_SIZE, .bytes = sizeof(uint64_t), .min = 1, .max = 1 << 30};
static const struct chirr_yaml_field kind_fields[] = {
    {"kind", CHIRR_YAML_NAME, KIND(kind), .required = true},
    {"command", CHIRR_YAML_TEXT, KIND(command), .min = 1, .max = KIND_COMMAND_BYTES_MAX - 1,
     .required = true},
    {"input", CHIRR_YAML_CHOICE, KIND(input), .choices = inputs},
    {"size", CHIRR_YAML_SEQUENCE, .offset = offsetof(struct chirr_workload_kind, size_bytes_min),
     .bytes = 2 * sizeof(uint64_t), .element = &size_element},
    {0}};
static const struct chirr_yaml_field kind_element = {
    .type = CHIRR_YAML_MAPPING, .bytes = sizeof(struct chirr_workload_kind), .fields = kind_fields};

static const struct chirr_yaml_field workload_fields[] = {
    {"jobs", CHIRR_YAML_WHOLE, WORKLOAD(job_count), .min = 1, .max = 65536, .required = true},
    {"over", CHIRR_YAML_DURATION, WORKLOAD(over_ms), .max = 86400000},
    {"seed", CHIRR_YAML_WHOLE, WORKLOAD(seed)},
    {"time_limit", CHIRR_YAML_DURATION, WORKLOAD(time_limit_ms), .min = 1, .max = 86400000},
    {"kinds", CHIRR_YAML_SEQUENCE, WORKLOAD(kinds),
     CHIRR_YAML_COUNT(struct chirr_workload, kind_count), .min = 1, .element = &kind_element,
     .required = true},
    {0}};

const struct chirr_yaml_field chirr_config_fleet_fields[] = {
    {"swarm", CHIRR_YAML_NAME, FLEET(swarm), .required = true},
    {"seed", CHIRR_YAML_WHOLE, FLEET(seed)},
    {"state", CHIRR_YAML_TEXT, FLEET(state_dir), .min = 1},
    {"address", CHIRR_YAML_NAME, FLEET(address)},
    {"restart", CHIRR_YAML_BOOL, FLEET(restart)},
    {NULL, CHIRR_YAML_INCLUDE, FLEET(common), .fields = chirr_config_common_fields},
    {"model", CHIRR_YAML_MAPPING, FLEET(common), .fields = chirr_config_model_fields},
    {"devices", CHIRR_YAML_NAMED, FLEET(devices), CHIRR_YAML_COUNT(struct file, device_count),
     CHIRR_YAML_KEY(struct device, name), .element = &device_element, .initial = &device_initial},
    {"agents", CHIRR_YAML_SEQUENCE, FLEET(entries), CHIRR_YAML_COUNT(struct file, entry_count),
     .min = 1, .element = &entry_element, .required = true},
    {"workload", CHIRR_YAML_MAPPING, FLEET(workload), .fields = workload_fields},
    {0}};

/* ---- Workload ------------------------------------------------------------------------------ */

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < 0x20 || *text > 0x7E) {
            return false;
        }
    }
    return true;
}

static enum chirr_err check_kind(const struct chirr_yaml *yaml, const struct chirr_workload *work,
                                 uint32_t index, struct chirr_error *error)
{
    const struct chirr_workload_kind *kind = &work->kinds[index];
    bool input = kind->input != CHIRR_INPUT_NONE;
    bool named = strstr(kind->command, "{input}") != NULL;
    char path[64];
    char *key = path + snprintf(path, sizeof path, "workload.kinds[%u].", index);
    for (uint32_t i = 0; i < index; i++) {
        if (strcmp(work->kinds[i].kind, kind->kind) == 0) {
            strcpy(key, "kind");
            return chirr_yaml_reject(yaml, path, error, "a kind that no other entry has", NULL);
        }
    }
    strcpy(key, "command");
    if (!is_printable(kind->command)) {
        return chirr_yaml_reject(yaml, path, error, "printable ASCII", NULL);
    }
    if (input != named) {
        return chirr_yaml_reject(yaml, path, error,
                                 input ? "{input} somewhere, since there is an input"
                                       : "no {input}, since input is none",
                                 NULL);
    }
    strcpy(key, "size");
    if (input != (kind->size_bytes_max > 0)) {
        return chirr_yaml_reject(yaml, path, error,
                                 input ? "[MIN, MAX] of the input" : "no size, since input is none",
                                 NULL);
    }
    if (kind->size_bytes_min > kind->size_bytes_max) {
        return chirr_yaml_reject(yaml, path, error, "MIN at most MAX", "more");
    }
    return CHIRR_OK;
}

static enum chirr_err check_workload(const struct chirr_yaml *yaml, const struct file *file,
                                     struct chirr_error *error)
{
    if (file->workload.job_count > file->common.node.tasks_max) {
        char expected[64];
        snprintf(expected, sizeof expected, "at most auction.tasks_max = %u",
                 file->common.node.tasks_max);
        return chirr_yaml_reject(yaml, "workload.jobs", error, expected, NULL);
    }
    for (uint32_t i = 0; i < file->workload.kind_count; i++) {
        enum chirr_err err = check_kind(yaml, &file->workload, i, error);
        if (err != CHIRR_OK) {
            return err;
        }
    }
    return CHIRR_OK;
}

/* ---- Agents -------------------------------------------------------------------------------- */

static enum chirr_err find_device(const struct chirr_yaml *yaml, const struct file *file,
                                  uint32_t entry, const struct device **device,
                                  struct chirr_error *error)
{
    const char *name = file->entries[entry].device;
    *device = &device_initial;
    for (uint32_t i = 0; i < file->device_count; i++) {
        if (strcmp(file->devices[i].name, name[0] != '\0' ? name : device_initial.name) == 0) {
            *device = &file->devices[i];
            return CHIRR_OK;
        }
    }
    if (name[0] == '\0') {
        return CHIRR_OK;
    }
    char path[48];
    snprintf(path, sizeof path, "agents[%u].device", entry);
    return chirr_yaml_reject(yaml, path, error, "a name from devices", NULL);
}

static enum chirr_err check_devices(const struct chirr_yaml *yaml, const struct file *file,
                                    struct chirr_error *error)
{
    for (uint32_t i = 0; i < file->device_count; i++) {
        if (file->devices[i].partition_count > file->common.learner.model.partitions) {
            char path[64], expected[64];
            snprintf(path, sizeof path, "devices.%s.partitions", file->devices[i].name);
            snprintf(expected, sizeof expected, "at most model.partitions = %u",
                     file->common.learner.model.partitions);
            return chirr_yaml_reject(yaml, path, error, expected, NULL);
        }
    }
    return CHIRR_OK;
}

/* Small devices share the partitions out among themselves: each takes those after the last one's,
 * so that together they host all, about equally often. */
static uint64_t deal_partitions(uint32_t count, uint32_t partitions, uint32_t *next)
{
    uint64_t hosted = 0;
    if (count == 0 || count == partitions) {
        return (UINT64_C(1) << partitions) - 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        hosted |= UINT64_C(1) << (*next)++ % partitions;
    }
    return hosted;
}

struct unroll {
    const struct chirr_yaml *yaml;
    struct file *file;
    struct chirr_fleet_config *fleet;
    uint32_t next_partition;
};

static enum chirr_err name_agent(const struct unroll *unroll, uint32_t entry, uint32_t number,
                                 struct chirr_agent_config *agent, struct chirr_error *error)
{
    const struct entry *from = &unroll->file->entries[entry];
    char path[48], name[CHIRR_NAME_BYTES_MAX + 16];
    snprintf(path, sizeof path, "agents[%u].name", entry);
    snprintf(name, sizeof name, from->count > 0 ? "%s-%u" : "%s", from->name, number);
    if (strlen(name) >= CHIRR_NAME_BYTES_MAX) {
        return chirr_yaml_reject(unroll->yaml, path, error,
                                 "a name that has room for -NUMBER in 31 bytes", NULL);
    }
    for (uint32_t i = 0; i < unroll->fleet->agent_count; i++) {
        if (strcmp(unroll->fleet->agents[i].name, name) == 0) {
            char got[64];
            snprintf(got, sizeof got, "\"%s\" again", name);
            return chirr_yaml_reject(unroll->yaml, path, error, "a name that no other agent has",
                                     got);
        }
    }
    strcpy(agent->name, name);
    return CHIRR_OK;
}

static enum chirr_err bind_agent(const struct unroll *unroll, uint32_t entry, uint32_t number,
                                 struct chirr_agent_config *agent, struct chirr_error *error)
{
    const struct entry *from = &unroll->file->entries[entry];
    char path[48];
    char *const ends[] = {agent->transport.publish_bind, agent->transport.unicast_bind};
    snprintf(path, sizeof path, "agents[%u].port", entry);
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t port = from->port + 2 * (number - 1) + i;
        if (from->port == 0) {
            snprintf(ends[i], CHIRR_ENDPOINT_BYTES_MAX, "tcp://%s:*", unroll->file->address);
            continue;
        }
        if (port > UINT16_MAX) {
            return chirr_yaml_reject(unroll->yaml, path, error,
                                     "two ports for each agent below 65536", NULL);
        }
        snprintf(ends[i], CHIRR_ENDPOINT_BYTES_MAX, "tcp://%s:%u", unroll->file->address, port);
        for (uint32_t other = 0; other < unroll->fleet->agent_count; other++) {
            const struct chirr_transport_config *taken = &unroll->fleet->agents[other].transport;
            if (strcmp(ends[i], taken->publish_bind) == 0 ||
                strcmp(ends[i], taken->unicast_bind) == 0) {
                return chirr_yaml_reject(unroll->yaml, path, error,
                                         "two ports for each agent that no other has", NULL);
            }
        }
    }
    return CHIRR_OK;
}

static enum chirr_err add_agent(struct unroll *unroll, uint32_t entry, uint32_t number,
                                const struct device *device, struct chirr_error *error)
{
    const struct entry *from = &unroll->file->entries[entry];
    struct chirr_fleet_config *fleet = unroll->fleet;
    if (fleet->agent_count == CHIRR_FLEET_AGENTS_MAX) {
        return chirr_yaml_reject(unroll->yaml, "agents", error, "at most 64 agents in all", "more");
    }
    struct chirr_agent_config *agent = &fleet->agents[fleet->agent_count];
    *agent = unroll->file->common;
    memcpy(agent->swarm, fleet->swarm, sizeof agent->swarm);
    memcpy(agent->device, device->name, sizeof agent->device);
    agent->cpu_permille = device->cpu_permille;
    agent->slots = device->slots;
    agent->provides = device->provides;
    agent->model = device->model;
    agent->learner.model.hosted = deal_partitions(
        device->partition_count, agent->learner.model.partitions, &unroll->next_partition);
    agent->sense_count = from->sense_count;
    memcpy(agent->senses, from->senses, sizeof agent->senses);
    enum chirr_err err = name_agent(unroll, entry, number, agent, error);
    if (err == CHIRR_OK) {
        err = bind_agent(unroll, entry, number, agent, error);
    }
    if (err == CHIRR_OK) {
        err = chirr_config_settle_learner(unroll->yaml, agent, error);
    }
    fleet->agent_count++;
    return err;
}

/* A fleet has one terminal at most, and its agents do not get it. */
static enum chirr_err refuse_stdin(const struct chirr_yaml *yaml, const struct entry *entry,
                                   const char *path, struct chirr_error *error)
{
    for (uint32_t i = 0; i < entry->sense_count; i++) {
        if (entry->senses[i].source == CHIRR_SOURCE_STDIN) {
            char key[64];
            snprintf(key, sizeof key, "%s.senses[%u].from", path, i);
            return chirr_yaml_reject(yaml, key, error,
                                     "another source, since the agents of a fleet have no stdin",
                                     NULL);
        }
    }
    return CHIRR_OK;
}

static enum chirr_err unroll_entry(struct unroll *unroll, uint32_t index, const char *directory,
                                   struct chirr_error *error)
{
    struct entry *entry = &unroll->file->entries[index];
    struct chirr_config_senses senses = {entry->senses, entry->sense_count};
    const struct device *device;
    char path[32];
    snprintf(path, sizeof path, "agents[%u]", index);
    enum chirr_err err = refuse_stdin(unroll->yaml, entry, path, error);
    if (err == CHIRR_OK) {
        err = chirr_config_settle_senses(unroll->yaml, path, senses, directory, error);
    }
    if (err == CHIRR_OK) {
        err = find_device(unroll->yaml, unroll->file, index, &device, error);
    }
    uint32_t count = entry->count > 0 ? entry->count : 1;
    for (uint32_t number = 1; number <= count && err == CHIRR_OK; number++) {
        err = add_agent(unroll, index, number, device, error);
    }
    return err;
}

/* ---- Loading ------------------------------------------------------------------------------- */

static struct file file_default(void)
{
    return (struct file){
        .common = chirr_agent_config_default(),
        .address = "127.0.0.1",
        .seed = 1,
        .restart = true,
        .workload = {.over_ms = 60000, .time_limit_ms = 60000},
    };
}

/* Seeds that the file does not name are the fleet's. */
static void settle_seeds(const struct chirr_yaml *yaml, struct file *file)
{
    if (!chirr_yaml_has(yaml, "model.seed")) {
        file->common.learner.model.genesis_seed = file->seed;
    }
    if (!chirr_yaml_has(yaml, "workload.seed")) {
        file->workload.seed = file->seed;
    }
}

static enum chirr_err settle(const struct chirr_yaml *yaml, const char *path, struct file *file,
                             struct chirr_fleet_config *fleet, struct chirr_error *error)
{
    char directory[CHIRR_PATH_BYTES_MAX];
    struct unroll unroll = {.yaml = yaml, .file = file, .fleet = fleet};
    settle_seeds(yaml, file);
    enum chirr_err err = chirr_config_directory(path, directory, error);
    if (err == CHIRR_OK) {
        err = chirr_config_settle_path(yaml, "state", file->state_dir, directory, error);
    }
    if (err == CHIRR_OK) {
        err = chirr_config_settle_path(yaml, "runtime", file->common.runtime_dir, directory, error);
    }
    if (err == CHIRR_OK) {
        err = chirr_config_check_common(yaml, &file->common, error);
    }
    if (err == CHIRR_OK) {
        err = check_devices(yaml, file, error);
    }
    if (err == CHIRR_OK) {
        err = check_workload(yaml, file, error);
    }
    memset(fleet, 0, sizeof *fleet);
    memcpy(fleet->swarm, file->swarm, sizeof fleet->swarm);
    memcpy(fleet->state_dir, file->state_dir, sizeof fleet->state_dir);
    fleet->seed = file->seed;
    fleet->restart = file->restart;
    fleet->workload = file->workload;
    for (uint32_t i = 0; i < file->entry_count && err == CHIRR_OK; i++) {
        err = unroll_entry(&unroll, i, directory, error);
    }
    return err;
}

enum chirr_err chirr_fleet_config_load(const char *path, struct chirr_fleet_config *config,
                                       struct chirr_error *error)
{
    struct chirr_error why = {0};
    struct chirr_yaml *yaml = chirr_yaml_load(path, &why);
    struct file *file = malloc(sizeof *file);
    if (yaml == NULL || file == NULL) {
        enum chirr_err err =
            yaml == NULL ? chirr_error_set(error, why.code, "%s", why.text)
                         : chirr_error_set(error, CHIRR_ERR_NOMEM, "%s: out of memory", path);
        chirr_yaml_destroy(yaml);
        free(file);
        return err;
    }
    *file = file_default();
    enum chirr_err err = chirr_yaml_read(yaml, "", chirr_config_fleet_fields, file, error);
    if (err == CHIRR_OK) {
        err = settle(yaml, path, file, config, error);
    }
    chirr_yaml_destroy(yaml);
    free(file);
    return err;
}

enum chirr_err chirr_fleet_config_place(struct chirr_fleet_config *config,
                                        const struct chirr_paths *paths, struct chirr_error *error)
{
    enum chirr_err err = chirr_config_default_path(config->state_dir, error, "%s/chirr/%s",
                                                   paths->state_home, config->swarm);
    for (uint32_t i = 0; i < config->agent_count && err == CHIRR_OK; i++) {
        struct chirr_agent_config *agent = &config->agents[i];
        err = chirr_config_default_path(agent->state_dir, error, "%s/%s", config->state_dir,
                                        agent->name);
        if (err == CHIRR_OK) {
            err = chirr_agent_config_place(agent, paths, error);
        }
    }
    return err;
}
