/* Where this user's things are, from the environment: the one place that reads it.
 *
 * State: XDG_STATE_HOME, else ~/.local/state. Control sockets: XDG_RUNTIME_DIR, else
 * /tmp/chirr-UID. Both get chirr/SWARM below them. */
#ifndef CHIRR_AGENT_PATHS_H
#define CHIRR_AGENT_PATHS_H

#include "agent/config.h"

/* CHIRR_ERR_CONFIG: neither XDG_STATE_HOME nor HOME is an absolute path, or one is too long. */
CHIRR_NODISCARD enum chirr_err chirr_paths_read(struct chirr_paths *paths,
                                                struct chirr_error *error);

#endif
