/* Inside of `chirr task`: what submit and the questions share. */
#ifndef CHIRR_AGENT_CLI_TASK_H
#define CHIRR_AGENT_CLI_TASK_H

#include "agent/cli.h"

#define CHIRR_CLI_NO_TIMEOUT UINT64_MAX

int chirr_cli_task_submit(int argc, char **argv);
int chirr_cli_task_list(int argc, char **argv);
int chirr_cli_task_show(int argc, char **argv);
int chirr_cli_task_wait(int argc, char **argv);
int chirr_cli_task_cancel(int argc, char **argv);

/* Waits until the task has ended, at whichever agent of the swarm lives: one that is killed
 * meanwhile is replaced by another. Gives up when no agent has been there for a while.
 * CHIRR_ERR_TIMEOUT, CHIRR_ERR_NOTFOUND; the caller owns `*task`. */
CHIRR_NODISCARD enum chirr_err chirr_cli_task_await(struct chirr_cli_agents *agents, const char *id,
                                                    uint64_t timeout_ms, json_t **task,
                                                    struct chirr_error *error);

/* The output on standard output, and on standard error how it ended where it did not end well; the
 * exit code: 0 when it exited with 0. */
int chirr_cli_task_report(json_t *task, bool json);

/* "ok", "exit 3", "signal 9", "timeout", …; "" before the end. */
void chirr_cli_task_end(const json_t *task, char cell[CHIRR_CLI_CELL_BYTES_MAX]);

const char *chirr_cli_text(const json_t *object, const char *key); /* "" when missing */

#endif
