/* Files for the jobs of a demonstration to work on: random bytes, random words, or a C program.
 *
 * A file is a pure function of (input, bytes, seed, stream), so a workload can be repeated to the
 * byte. Not thread-safe only in that two writers of one path get in each other's way. */
#ifndef CHIRR_AGENT_INPUTS_H
#define CHIRR_AGENT_INPUTS_H

#include "agent/config.h"

struct chirr_input {
    enum chirr_workload_input kind; /* not NONE */
    uint64_t size_bytes;            /* exact for BINARY; others end with the first whole line or
                                       function at or past it */
    uint64_t seed, stream;
};

/* Replaces `path`; `*written_bytes` is its size. CHIRR_ERR_IO (a full disk too): nothing is left
 * at `path`. */
CHIRR_NODISCARD enum chirr_err chirr_input_write(const struct chirr_input *input, const char *path,
                                                 uint64_t *written_bytes,
                                                 struct chirr_error *error);

#endif
