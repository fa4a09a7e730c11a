/* Agents in the test's own process. */
#include "tests/agent/loopback_agents.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

char loopback_directory[DIRECTORY_PATH_BYTES_MAX];

void loopback_setup(void)
{
    directory_create(loopback_directory);
}

void loopback_teardown(void)
{
    directory_remove(loopback_directory);
}

struct chirr_agent_config config_of(const char *name)
{
    struct chirr_agent_config config = chirr_agent_config_default();
    snprintf(config.name, sizeof config.name, "%s", name);
    snprintf(config.swarm, sizeof config.swarm, "test");
    snprintf(config.device, sizeof config.device, "bench");
    snprintf(config.state_dir, sizeof config.state_dir, "%s/%s", loopback_directory, name);
    snprintf(config.runtime_dir, sizeof config.runtime_dir, "%s/run", loopback_directory);
    config.slots = 1;
    config.model = false;
    return config;
}

struct chirr_agent_config config_of_member(const char *name)
{
    struct chirr_agent_config config = config_of(name);
    snprintf(config.keyring, sizeof config.keyring, "%s/keyring", loopback_directory);
    return config;
}

void make_keyring(const char *const *names, int count)
{
    FILE *file = fopen(directory_file(loopback_directory, "keyring"), "w");
    cr_assert_not_null(file);
    for (int i = 0; i < count; i++) {
        struct chirr_identity identity;
        char path[512];
        char text[CHIRR_KEY_TEXT_BYTES];
        struct chirr_error error;
        snprintf(path, sizeof path, "%s/%s", loopback_directory, names[i]);
        mkdir(path, 0700);
        snprintf(path, sizeof path, "%s/%s/identity", loopback_directory, names[i]);
        cr_assert_eq(chirr_identity_create_file(path, &identity, &error), CHIRR_OK, "%s",
                     error.text);
        chirr_key_format(identity.public_key, text);
        fprintf(file, "%s %s\n", text, names[i]);
    }
    fclose(file);
}

struct chirr_agent *open_agent(const struct chirr_agent_config *config)
{
    struct chirr_error error = {0};
    struct chirr_agent *agent = chirr_agent_create(config, NULL, &error);
    cr_assert_not_null(agent, "%s", error.text);
    return agent;
}

void turn_all(struct chirr_agent **agents, int count)
{
    for (int i = 0; i < count; i++) {
        struct chirr_error error;
        cr_assert_eq(chirr_agent_turn(agents[i], 5, &error), CHIRR_OK, "%s", error.text);
    }
}

const struct chirr_card *card_of(const struct chirr_agent *agent, const struct chirr_agent *of)
{
    const struct chirr_record *record =
        chirr_records_card(chirr_node_records(chirr_agent_node(agent)), chirr_agent_identity(of));
    return record == NULL ? NULL : &record->card;
}

bool everybody_sees(struct chirr_agent **agents, int count)
{
    for (int i = 0; i < count; i++) {
        const struct chirr_membership *membership =
            chirr_node_membership(chirr_agent_node(agents[i]));
        for (int j = 0; j < count; j++) {
            const struct chirr_member *member =
                chirr_membership_find(membership, chirr_agent_identity(agents[j]));
            if (j != i && (member == NULL || member->status != CHIRR_MEMBER_ALIVE)) {
                return false;
            }
        }
    }
    return true;
}

struct chirr_task_spec spec_of(const char *command, size_t bytes, uint32_t arguments)
{
    struct chirr_task_spec spec = {
        .kind = "test",
        .time_limit_ms = 10000,
        .argument_count = arguments,
        .command_bytes = (uint32_t)bytes,
    };
    memcpy(spec.command, command, bytes);
    return spec;
}

const struct chirr_task *task_of(const struct chirr_agent *agent, chirr_task_id id)
{
    const struct chirr_record *record =
        chirr_records_task(chirr_node_records(chirr_agent_node(agent)), id);
    return record == NULL ? NULL : &record->task;
}

const struct chirr_task *turn_until_done(struct chirr_agent **agents, int count, chirr_task_id id)
{
    chirr_time_us until = chirr_clock_now() + PATIENCE_US;
    while (chirr_clock_now() < until) {
        turn_all(agents, count);
        const struct chirr_task *task = task_of(agents[0], id);
        if (task != NULL && task->phase == CHIRR_TASK_DONE) {
            return task;
        }
    }
    cr_assert_fail("the task was not done in time");
    return NULL;
}
