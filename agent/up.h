/* `chirr up FLEET.yaml`: a whole swarm on this machine, watched, and summed up at the end. */
#ifndef CHIRR_AGENT_UP_H
#define CHIRR_AGENT_UP_H

/* `arguments[0]` is "up". Returns the exit code: 0; 1 when something failed or a job was lost (its
 * reason is on standard error, nothing is left running); 2 for a mistake in the arguments or the
 * fleet's file (nothing was started); 130 when --for was cut short by a signal.
 * For the main thread of the process, before it has made any other; blocks SIGINT, SIGTERM, SIGHUP
 * and SIGCHLD. */
int chirr_up_main(int count, char **arguments);

#endif
