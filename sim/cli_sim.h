/* `chirr sim`: scenarios from the command line. */
#ifndef CHIRR_SIM_CLI_SIM_H
#define CHIRR_SIM_CLI_SIM_H

/* `argv[0]` is "sim". Returns the exit code: 0, 1 when an invariant was violated, 2 when the
 * command line or the scenario is wrong. */
int chirr_cli_sim(int argc, char **argv);

#endif
