/* What every agent's model is worth on text that it never read.
 *
 * The held-out parts of the agents' own file senses become files: one an agent, and one mix of all
 * kinds in equal parts. At the end each agent is asked about both; all are asked at once.
 *
 * Held out is what an agent never reads of its files, not what is found nowhere else: copyright
 * files quote licences, so that what one agent holds out another may have learned and told of. */
#ifndef CHIRR_AGENT_EVALUATION_H
#define CHIRR_AGENT_EVALUATION_H

#include "agent/launcher.h"

/* Both models of an agent read the same bytes, so that a few thousand tell them apart; little
 * enough for a few seconds of work on a small device, which reads each file three times. */
#define CHIRR_EVALUATION_OWN_BYTES 6144
#define CHIRR_EVALUATION_MIX_BYTES 9216

/* Bits per byte; NaN: not known. */
struct chirr_bits {
    double start; /* before anything was learned */
    double swarm;
    double alone; /* the control that heard nothing from others */
};

struct chirr_evaluation_agent {
    struct chirr_bits own;         /* on its stream, each byte before it was learned */
    struct chirr_bits own_heldout; /* on what it never reads of its own kind of text */
    struct chirr_bits heldout;     /* on the mix of the held-out parts of all kinds */
    bool own_file;                 /* there is held-out text of its own */
};

struct chirr_evaluation {
    char directory[CHIRR_PATH_BYTES_MAX];
    uint64_t mix_bytes;
    struct chirr_evaluation_agent agents[CHIRR_FLEET_AGENTS_MAX];
};

/* Writes the files into `directory`. An agent without a file sense that holds something out gets
 * none. CHIRR_ERR_IO: a file cannot be written. */
CHIRR_NODISCARD enum chirr_err chirr_evaluation_prepare(struct chirr_evaluation *evaluation,
                                                        const struct chirr_fleet_config *fleet,
                                                        const char *directory,
                                                        struct chirr_error *error);
/* Asks every agent that is ready; what is not answered stays NaN. Blocks, at most 20 s. Once
 * SIGINT, SIGTERM or SIGHUP is pending (so the caller must block them), nothing more is asked. */
void chirr_evaluation_run(struct chirr_evaluation *evaluation, struct chirr_launcher *launcher);
/* Removes the files. */
void chirr_evaluation_remove(const struct chirr_evaluation *evaluation,
                             const struct chirr_fleet_config *fleet);

#endif
