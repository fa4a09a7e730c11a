/* Where a sense's input comes from: texts, recordings and pictures in files, standard input, a
 * command, this machine's own load.
 *
 * A source is polled and never blocks: it hands out what is there and what its rate allows, and
 * says when (deadline) or on what (fd) to ask again. Byte sources (all but proc) are read with
 * `_poll_bytes`, vector sources (proc) with `_poll_vector`. Time comes in as `now`; nothing here
 * reads a clock. One thread polls a source; a command is started by that thread, at the first poll,
 * and ended with its process group at destroy.
 *
 * Files: globs, and after a "|" those to take when none before it matches a path: "A B | C".
 * Recordings (WAV, FLAC, OGG: what libsndfile reads) become 8,000 mu-law bytes a second
 * (model/mulaw.h) of all channels mixed; pictures (PNG) rows of bytes, grey or red, green, blue.
 *
 * Rate: a token bucket that fills at rate_bytes_per_s and holds a quarter second; 0 is unlimited.
 * A command or pipe that offers more is simply read later. */
#ifndef CHIRR_AGENT_SENSE_H
#define CHIRR_AGENT_SENSE_H

#include "agent/config.h"

#define CHIRR_SENSE_FILES_MAX 4096 /* of one source; more are counted in files_dropped */

struct chirr_source;

/* NULL and words in `error`: CHIRR_ERR_NOTFOUND, no file matches (names the globs);
 * CHIRR_ERR_CONFIG, an empty command or an impossible figure; CHIRR_ERR_IO. `seed` feeds the jitter
 * of a command's restarts. `config` is copied. */
struct chirr_source *chirr_source_create(const struct chirr_sense_config *config, uint64_t seed,
                                         struct chirr_error *error);
void chirr_source_destroy(struct chirr_source *source);

/* Whether `from` are globs. */
bool chirr_source_reads_files(enum chirr_source_kind kind);
/* The kind of sense that learns from this source, and the sizes of what it delivers. */
void chirr_source_describe(const struct chirr_sense_config *config,
                           struct chirr_model_sense *sense);
/* Whether a source of this kind gives vectors, and how wide; 0 for bytes. */
uint32_t chirr_source_width(enum chirr_source_kind kind);

/* Copies at most `capacity` bytes; *count is 0 when nothing is due. CHIRR_ERR_NOTFOUND: it has
 * ended for good (stdin). CHIRR_ERR_STATE: gives vectors. Other errors are temporary, counted, and
 * retried after the deadline. */
CHIRR_NODISCARD enum chirr_err chirr_source_poll_bytes(struct chirr_source *source,
                                                       chirr_time_us now, uint8_t *buffer,
                                                       size_t capacity, size_t *count);

/* Whether the bytes polled last are the first ones of a recording or a picture. */
bool chirr_source_begins(const struct chirr_source *source);

/* What is wrong with a file, by name, told once; NULL: nothing new. Borrowed until the next poll.
 * Of several only the last is kept: counters tell how many. */
const char *chirr_source_complaint(struct chirr_source *source);

/* One vector into values[capacity >= width], NaN where a component is unknown; *count is the width,
 * or 0 when none is due. CHIRR_ERR_STATE: gives bytes. */
CHIRR_NODISCARD enum chirr_err chirr_source_poll_vector(struct chirr_source *source,
                                                        chirr_time_us now, float *values,
                                                        size_t capacity, size_t *count);

/* When to poll next even if the fd stays quiet; CHIRR_TIME_NEVER when only the fd matters. In the
 * past: now. */
chirr_time_us chirr_source_deadline(const struct chirr_source *source);
/* Readable when there is something to poll; -1 when only the deadline matters. Changes from poll to
 * poll. */
int chirr_source_fd(const struct chirr_source *source);

/* The parts that a file source never delivers: the last skip_bytes_per_mille of each file, evenly
 * from all of them where `capacity` does not hold everything. Deterministic for unchanged files.
 * CHIRR_ERR_NOTFOUND: no file, or nothing held out. CHIRR_ERR_STATE: not a file source. */
CHIRR_NODISCARD enum chirr_err chirr_source_held_out(const struct chirr_sense_config *config,
                                                     uint8_t *buffer, size_t capacity,
                                                     size_t *bytes, struct chirr_error *error);

struct chirr_source_counters {
    uint64_t bytes; /* delivered */
    uint64_t vectors;
    uint64_t files;            /* finished, counted again every time round */
    uint64_t rounds;           /* of all files */
    uint64_t files_unreadable; /* skipped: cannot be opened or read */
    uint64_t files_binary;     /* skipped: hold a NUL in the first 4 KiB */
    uint64_t files_empty;      /* skipped: nothing to deliver */
    uint64_t files_misfit;     /* skipped: pictures of another width, or larger than can be */
    uint64_t files_dropped;    /* beyond CHIRR_SENSE_FILES_MAX */
    uint64_t restarts;         /* of the command */
    uint64_t missing;          /* components that were NaN */
    uint64_t errors;
};
const struct chirr_source_counters *chirr_source_count(const struct chirr_source *source);

/* ---- proc: ----------------------------------------------------------------------------------- */

/* `from` names another root than /proc (of a container's host, say). An interval of 0 is one
 * second. Components of the vector. Rates are over the time since the last vector; the first one
 * has them missing. Bytes are log1p(MB/s), MB = 1e6 bytes. The network counts every interface but
 * the loopback; the disk counts whole devices, not their partitions, nor what is mapped onto others
 * (loop, device mapper, RAID) or lies in RAM. */
enum chirr_proc_component {
    CHIRR_PROC_CPU,        /* busy fraction of all CPUs, 0…1: the load that prices depend on */
    CHIRR_PROC_LOAD,       /* log1p(one-minute load average / CPUs) */
    CHIRR_PROC_MEMORY,     /* 1 - available/total, 0…1 */
    CHIRR_PROC_SWAP,       /* used fraction; 0 without swap */
    CHIRR_PROC_DISK_READ,  /* log1p(MB/s) */
    CHIRR_PROC_DISK_WRITE, /* log1p(MB/s) */
    CHIRR_PROC_NET_IN,     /* log1p(MB/s) */
    CHIRR_PROC_NET_OUT,    /* log1p(MB/s) */
    CHIRR_PROC_WIDTH,
};
const char *chirr_proc_component_name(enum chirr_proc_component component); /* "cpu", "load", … */

#endif
