/* Inside of configuration: the tables of keys, and the rules that fleets and agents share. */
#ifndef CHIRR_AGENT_CONFIG_FIELDS_H
#define CHIRR_AGENT_CONFIG_FIELDS_H

#include "agent/config.h"
#include "base/yaml.h"

/* What a fleet gives to all its agents, and an agent's own file says too; into struct
 * chirr_agent_config. `chirr_config_model_fields` is the body of the key "model". */
extern const struct chirr_yaml_field chirr_config_common_fields[];
extern const struct chirr_yaml_field chirr_config_model_fields[];
/* A whole AGENT.yaml; a whole FLEET.yaml (into a struct of agent/fleet_config.c). */
extern const struct chirr_yaml_field chirr_config_agent_fields[];
extern const struct chirr_yaml_field chirr_config_fleet_fields[];
/* Entries of lists. */
extern const struct chirr_yaml_field chirr_config_sense_element;
extern const struct chirr_yaml_field chirr_config_tag_element;

struct chirr_config_senses {
    struct chirr_sense_config *senses;
    uint32_t count;
};

/* Rules between the common fields: model shape, intervals. Paths are those of the whole file. */
enum chirr_err chirr_config_check_common(const struct chirr_yaml *yaml,
                                         const struct chirr_agent_config *config,
                                         struct chirr_error *error);
/* Rules between the senses of one agent, which stand at `path` ("agents[2]" or ""); makes their
 * globs absolute against `directory`. */
enum chirr_err chirr_config_settle_senses(const struct chirr_yaml *yaml, const char *path,
                                          struct chirr_config_senses senses, const char *directory,
                                          struct chirr_error *error);
/* The learner's view of the senses; then asks the learner whether it agrees with all of it. */
enum chirr_err chirr_config_settle_learner(const struct chirr_yaml *yaml,
                                           struct chirr_agent_config *config,
                                           struct chirr_error *error);
/* Makes a path that is not empty absolute. */
enum chirr_err chirr_config_settle_path(const struct chirr_yaml *yaml, const char *key,
                                        char path[CHIRR_PATH_BYTES_MAX], const char *directory,
                                        struct chirr_error *error);
/* Fills an empty path. */
enum chirr_err chirr_config_default_path(char path[CHIRR_PATH_BYTES_MAX], struct chirr_error *error,
                                         const char *format, ...) CHIRR_PRINTF(3, 4);
/* The directory of the file at `path`, absolute. */
enum chirr_err chirr_config_directory(const char *path, char directory[CHIRR_PATH_BYTES_MAX],
                                      struct chirr_error *error);

#endif
