/* Configuration of one agent and of a fleet, as plain data and from YAML.
 *
 * `chirr agent AGENT.yaml` reads one agent; `chirr up FLEET.yaml` a fleet, whose agents inherit
 * what the fleet's top level and their device profile say. A mistake names file, line, key and what
 * was expected; an unknown key is a mistake. docs/configuration.md lists every key. */
#ifndef CHIRR_AGENT_CONFIG_H
#define CHIRR_AGENT_CONFIG_H

#include "agent/beacon.h"
#include "agent/learner.h"
#include "agent/node.h"
#include "agent/transport.h"

#define CHIRR_PATH_BYTES_MAX 512
#define CHIRR_SOURCE_BYTES_MAX 1024
#define CHIRR_CONFIG_SENSES_MAX (CHIRR_MODEL_SENSES_MAX - 1) /* the outcome sense takes one */
#define CHIRR_SENSE_WIDTH_MAX 4096                           /* pixels of a picture's row */
#define CHIRR_FLEET_AGENTS_MAX 64
#define CHIRR_FLEET_DEVICES_MAX 16
#define CHIRR_WORKLOAD_KINDS_MAX 16

/* Where a sense reads from. */
enum chirr_source_kind {
    CHIRR_SOURCE_FILE,  /* file:GLOB[ GLOB…]: the files one after another, for ever, at `rate` */
    CHIRR_SOURCE_STDIN, /* stdin: */
    CHIRR_SOURCE_EXEC,  /* exec:COMMAND: what it prints */
    CHIRR_SOURCE_PROC,  /* proc: load, memory, disk and network rates of this machine, a vector */
    CHIRR_SOURCE_FEED,  /* feed: bytes that an embedding program hands over (agent/agent.h) */
    CHIRR_SOURCE_AUDIO, /* audio:GLOB[ GLOB…]: recordings, as file: */
    CHIRR_SOURCE_IMAGE, /* image:GLOB[ GLOB…]: pictures of one width, as file: */
};

struct chirr_sense_config {
    char name[CHIRR_MODEL_NAME_BYTES_MAX];
    enum chirr_source_kind source;
    char from[CHIRR_SOURCE_BYTES_MAX]; /* globs or command, without the scheme */
    uint32_t rate_bytes_per_s;         /* byte senses; 0: as fast as it learns */
    uint32_t interval_ms;              /* vector senses */
    uint64_t skip_bytes_per_mille; /* of every file, the last so many ‰ are kept unseen: held out */
    uint32_t width;                /* pictures: pixels of a row */
    uint32_t channels;             /* pictures: bytes of a pixel, 1 grey, 3 colour; 0: 1 */
};

struct chirr_agent_config {
    char name[CHIRR_NAME_BYTES_MAX];
    char swarm[CHIRR_NAME_BYTES_MAX];
    char device[CHIRR_NAME_BYTES_MAX];
    char state_dir[CHIRR_PATH_BYTES_MAX];   /* identity, store, checkpoints, runs */
    char runtime_dir[CHIRR_PATH_BYTES_MAX]; /* control socket NAME.sock */
    char keyring[CHIRR_PATH_BYTES_MAX];     /* file of trusted keys */
    enum chirr_log_level log_level;
    uint32_t cpu_permille; /* share of one CPU for each job and for learning, 10…1,000 */
    uint32_t slots;
    struct chirr_tags provides;
    bool model; /* false: takes part without learning */
    uint32_t checkpoint_interval_ms;
    uint32_t output_bytes_max; /* of a job, kept in its run directory */
    struct chirr_transport_config transport;
    struct chirr_beacon_config beacon;
    char publish_advertise[CHIRR_ENDPOINT_BYTES_MAX]; /* "": as bound */
    char unicast_advertise[CHIRR_ENDPOINT_BYTES_MAX];
    struct chirr_learner_config learner; /* its senses follow from `senses` */
    struct chirr_node_config node;       /* card, incarnation, seed are filled in when it starts */
    uint32_t sense_count;
    struct chirr_sense_config senses[CHIRR_CONFIG_SENSES_MAX];
};

struct chirr_agent_config chirr_agent_config_default(void);

/* Sets the learner's senses from `senses`: the loaders do, and chirr_agent_create. */
void chirr_agent_config_derive_senses(struct chirr_agent_config *config);

/* Both loaders: CHIRR_ERR_IO (the file cannot be read), CHIRR_ERR_CONFIG (what it says),
 * CHIRR_ERR_NOMEM. Relative paths in a file count from the file's own directory. Directories that
 * it does not name stay empty until `_place` fills them. */
CHIRR_NODISCARD enum chirr_err chirr_agent_config_load(const char *path,
                                                       struct chirr_agent_config *config,
                                                       struct chirr_error *error);
/* Writes a file that loads as this configuration: under a temporary name, then renamed; readable by
 * its owner alone. What an agent fills in when it starts is not written. */
CHIRR_NODISCARD enum chirr_err chirr_agent_config_write(const char *path,
                                                        const struct chirr_agent_config *config,
                                                        struct chirr_error *error);

/* Where state and control sockets go by default; agent/paths.h reads them from the environment. */
struct chirr_paths {
    char state_home[CHIRR_PATH_BYTES_MAX];
    char runtime_home[CHIRR_PATH_BYTES_MAX];
};
/* STATE_HOME/chirr/SWARM/NAME and RUNTIME_HOME/chirr/SWARM. CHIRR_ERR_CONFIG: a path too long. */
CHIRR_NODISCARD enum chirr_err chirr_agent_config_place(struct chirr_agent_config *config,
                                                        const struct chirr_paths *paths,
                                                        struct chirr_error *error);

/* What the jobs of a kind work on. */
enum chirr_workload_input {
    CHIRR_INPUT_NONE,
    CHIRR_INPUT_BINARY, /* random bytes */
    CHIRR_INPUT_LINES,  /* random words, a line each */
    CHIRR_INPUT_SOURCE, /* a C source file */
};

struct chirr_workload_kind {
    char kind[CHIRR_NAME_BYTES_MAX];
    char command[CHIRR_COMMAND_BYTES_MAX]; /* run by /bin/sh -c; {input} is the generated file */
    enum chirr_workload_input input;
    uint64_t size_bytes_min, size_bytes_max;
};

struct chirr_workload {
    uint32_t job_count;
    uint32_t over_ms; /* jobs arrive evenly, with jitter, in this time */
    uint64_t seed;
    uint32_t time_limit_ms;
    uint32_t kind_count;
    struct chirr_workload_kind kinds[CHIRR_WORKLOAD_KINDS_MAX];
};

struct chirr_fleet_config {
    char swarm[CHIRR_NAME_BYTES_MAX];
    char state_dir[CHIRR_PATH_BYTES_MAX];
    uint64_t seed;
    bool restart; /* an agent that dies is started again */
    struct chirr_workload workload;
    uint32_t agent_count;
    struct chirr_agent_config agents[CHIRR_FLEET_AGENTS_MAX];
};

/* Large: take it from the heap. */
CHIRR_NODISCARD enum chirr_err chirr_fleet_config_load(const char *path,
                                                       struct chirr_fleet_config *config,
                                                       struct chirr_error *error);
/* STATE_HOME/chirr/SWARM, a directory NAME in it for each agent, and RUNTIME_HOME/chirr/SWARM. */
CHIRR_NODISCARD enum chirr_err chirr_fleet_config_place(struct chirr_fleet_config *config,
                                                        const struct chirr_paths *paths,
                                                        struct chirr_error *error);

#endif
