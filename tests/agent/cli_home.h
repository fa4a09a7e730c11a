/* Where the suites of the executable run it: each test in a home of its own, which is the current
 * directory. */
#ifndef CHIRR_TESTS_AGENT_CLI_HOME_H
#define CHIRR_TESTS_AGENT_CLI_HOME_H

#include "tests/agent/fake_agent.h"
#include "tests/support/directory.h"

extern char home[DIRECTORY_PATH_BYTES_MAX];
extern char runtime[DIRECTORY_PATH_BYTES_MAX + 32]; /* of the swarm "hill" */
extern struct run run;                              /* the last one */

/* Before and after each test. */
void cli_home_enter(void);
void cli_home_leave(void);

#endif
