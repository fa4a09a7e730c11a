/* Whole agents on loopback, several in one process, their loops turned one after the other. */
#ifndef CHIRR_TESTS_AGENT_LOOPBACK_AGENTS_H
#define CHIRR_TESTS_AGENT_LOOPBACK_AGENTS_H

#include <criterion/criterion.h>

#include "agent/agent.h"
#include "agent/clock.h"
#include "tests/support/directory.h"

#define PATIENCE_US (40 * CHIRR_US_PER_S)

extern char loopback_directory[DIRECTORY_PATH_BYTES_MAX];

void loopback_setup(void);
void loopback_teardown(void);

/* With a state directory of that name, without a model or a keyring. */
struct chirr_agent_config config_of(const char *name);
/* The same with the keyring that was made for it. */
struct chirr_agent_config config_of_member(const char *name);
/* An identity for each, and a keyring with all of them. */
void make_keyring(const char *const *names, int count);

struct chirr_agent *open_agent(const struct chirr_agent_config *config);
void turn_all(struct chirr_agent **agents, int count);
/* The card of `of` as `agent` holds it; NULL: it does not. */
const struct chirr_card *card_of(const struct chirr_agent *agent, const struct chirr_agent *of);
/* That all of them are alive. */
bool everybody_sees(struct chirr_agent **agents, int count);

struct chirr_task_spec spec_of(const char *command, size_t bytes, uint32_t arguments);
#define SPEC(arguments, text) spec_of(text "\0", sizeof text, arguments)
const struct chirr_task *task_of(const struct chirr_agent *agent, chirr_task_id id);
/* As the first of them sees it. */
const struct chirr_task *turn_until_done(struct chirr_agent **agents, int count, chirr_task_id id);

#endif
