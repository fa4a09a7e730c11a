/* An agent inside a program of yours.
 *
 * Makes an agent in a directory, hands it text to learn from, submits a job, turns its loop until
 * the job is done, and prints what came out. There is no other agent here: add keys and seeds to
 * the configuration, as docs/configuration.md says, and it joins a swarm.
 *
 *   cc embed.c $(pkg-config --cflags --libs chirr) -o embed && ./embed DIRECTORY
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"

#define TURN_MS 50
#define TURNS_MAX 600 /* half a minute */

static void write_log(void *context, enum chirr_log_level level, const char *line)
{
    fprintf(stderr, "%s: %s\n", chirr_log_level_name(level), line);
}

static struct chirr_agent_config configure(const char *directory)
{
    struct chirr_agent_config config = chirr_agent_config_default();
    snprintf(config.name, sizeof config.name, "embedded");
    snprintf(config.swarm, sizeof config.swarm, "example");
    snprintf(config.state_dir, sizeof config.state_dir, "%s", directory);
    snprintf(config.runtime_dir, sizeof config.runtime_dir, "%s/run", directory);
    config.slots = 1;
    config.sense_count = 1;
    snprintf(config.senses[0].name, sizeof config.senses[0].name, "text");
    config.senses[0].source = CHIRR_SOURCE_FEED;
    return config;
}

static struct chirr_task_spec describe_job(void)
{
    static const char command[] = "echo\0hello from a job\0";
    struct chirr_task_spec spec = {
        .kind = "greet",
        .time_limit_ms = 5000,
        .argument_count = 2,
        .command_bytes = sizeof command - 1,
    };
    memcpy(spec.command, command, sizeof command - 1);
    return spec;
}

/* NULL while it has not ended. */
static const struct chirr_task *ended_task(const struct chirr_agent *agent, chirr_task_id id)
{
    const struct chirr_record *record =
        chirr_records_task(chirr_node_records(chirr_agent_node(agent)), id);
    return record != NULL && record->task.phase == CHIRR_TASK_DONE ? &record->task : NULL;
}

static int run(struct chirr_agent *agent)
{
    static const char text[] = "the trilling sound by which insects talk to each other; ";
    struct chirr_error error;
    struct chirr_task_spec spec = describe_job();
    chirr_task_id id;
    enum chirr_err err = chirr_agent_submit(agent, &spec, &id);
    if (err != CHIRR_OK) {
        fprintf(stderr, "not accepted: %s\n", chirr_err_text(err));
        return 1;
    }
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        /* CHIRR_ERR_FULL says that the learner is behind: the text comes again next turn. */
        err = chirr_agent_feed(agent, "text", (const uint8_t *)text, sizeof text - 1);
        if (err != CHIRR_OK && err != CHIRR_ERR_FULL) {
            fprintf(stderr, "cannot feed: %s\n", chirr_err_text(err));
            return 1;
        }
        if (chirr_agent_turn(agent, TURN_MS, &error) != CHIRR_OK) {
            fprintf(stderr, "%s\n", error.text);
            return 1;
        }
        const struct chirr_task *task = ended_task(agent, id);
        if (task != NULL) {
            printf("agent %016" PRIx64 " says: %.*s", chirr_agent_identity(agent),
                   (int)task->result.output_bytes, (const char *)task->result.output);
            return task->result.code;
        }
    }
    fprintf(stderr, "the job was not done in time\n");
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    struct chirr_log log = {CHIRR_LOG_WARNING, write_log, NULL};
    struct chirr_error error;
    struct chirr_agent_config config = configure(argv[1]);
    struct chirr_agent *agent = chirr_agent_create(&config, &log, &error);
    if (agent == NULL) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    int status = run(agent);
    chirr_agent_destroy(agent);
    return status;
}
