#include "agent/paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The XDG base directory specification has relative paths ignored. */
static const char *absolute(const char *variable)
{
    const char *value = getenv(variable);
    return value != NULL && value[0] == '/' ? value : NULL;
}

enum chirr_err chirr_paths_read(struct chirr_paths *paths, struct chirr_error *error)
{
    const char *state = absolute("XDG_STATE_HOME");
    const char *home = absolute("HOME");
    const char *runtime = absolute("XDG_RUNTIME_DIR");
    const int room = CHIRR_PATH_BYTES_MAX;
    if (state == NULL && home == NULL) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG,
                               "expected HOME or XDG_STATE_HOME to be an absolute path");
    }
    int state_bytes = state != NULL
                          ? snprintf(paths->state_home, (size_t)room, "%s", state)
                          : snprintf(paths->state_home, (size_t)room, "%s/.local/state", home);
    int runtime_bytes = runtime != NULL ? snprintf(paths->runtime_home, (size_t)room, "%s", runtime)
                                        : snprintf(paths->runtime_home, (size_t)room,
                                                   "/tmp/chirr-%u", (unsigned)geteuid());
    if (state_bytes >= room || runtime_bytes >= room) {
        return chirr_error_set(error, CHIRR_ERR_CONFIG,
                               "expected HOME, XDG_STATE_HOME and XDG_RUNTIME_DIR to be paths of "
                               "at most %d bytes",
                               room - 1);
    }
    return CHIRR_OK;
}
