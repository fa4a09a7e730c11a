/* The inside of a source: what sense.c shares with its kinds. Not installed. */
#ifndef CHIRR_AGENT_SENSE_PARTS_H
#define CHIRR_AGENT_SENSE_PARTS_H

#include <glob.h>

#include "agent/sense.h"
#include "agent/spawn.h"
#include "base/random.h"

#define CHIRR_SENSE_RETRY_US (CHIRR_US_PER_S)
#define CHIRR_SENSE_COMPLAINT_BYTES 512

struct chirr_source;

/* How one file becomes bytes. */
struct chirr_decoder {
    const char *scheme; /* "file:", for words */
    const char *wanted; /* "a readable text", likewise */
    bool items;         /* each file is one, and no read goes from one into the next */
    /* `fd` is a regular file, and the decoder's from here on, whatever comes of it. False, counted
     * and told: it cannot serve. */
    bool (*open)(struct chirr_source *source, int fd, const char *path);
    /* At most `capacity` bytes. `*ended`: there are no more, or it cannot be read on, counted. */
    size_t (*read)(struct chirr_source *source, uint8_t *buffer, size_t capacity, bool *ended);
    void (*close)(struct chirr_source *source);
};
extern const struct chirr_decoder chirr_decoder_text;
extern const struct chirr_decoder chirr_decoder_audio;
extern const struct chirr_decoder chirr_decoder_image;

/* Fills at `rate` and holds a quarter second; counts in bytes · µs, so nothing is rounded away. */
struct chirr_bucket {
    uint32_t rate_bytes_per_s; /* 0: unlimited */
    bool begun;
    chirr_time_us filled_at;
    int64_t level;
};

/* Bytes that may be taken now, at most `wanted`. */
size_t chirr_bucket_allow(struct chirr_bucket *bucket, chirr_time_us now, size_t wanted);
void chirr_bucket_take(struct chirr_bucket *bucket, size_t bytes);
/* When it is worth coming back; 0 when it is now. */
chirr_time_us chirr_bucket_deadline(const struct chirr_bucket *bucket);

struct chirr_sense_files {
    glob_t globs;
    char **paths; /* sorted, regular files, each once; borrowed from `globs` */
    size_t count;
    size_t next;    /* the file after the open one */
    bool *hopeless; /* [count] recordings and pictures that could not be opened once: not tried
                       again, as libraries may lose memory each time (libsndfile 1.2 does on OGG) */
    const struct chirr_decoder *decoder;
    bool open;
    bool fresh; /* nothing of the open one was delivered yet */
    chirr_time_us retry_at;
    union { /* the decoder's, of the open one */
        struct {
            int fd;
            uint64_t remaining; /* bytes still to deliver */
        } text;
        struct chirr_sense_audio *audio;
        struct chirr_sense_image *image;
    };
};

struct chirr_sense_command {
    struct chirr_child child;
    int fd; /* what it prints; 0 for standard input; -1 */
    chirr_time_us started_at, restart_at;
    chirr_time_us backoff_us;
    bool started;
    struct chirr_random jitter;
};

struct chirr_sense_proc {
    char root[CHIRR_SOURCE_BYTES_MAX]; /* "/proc" */
    chirr_time_us interval_us, next_at;
    chirr_time_us read_at;
    bool begun;
    struct chirr_proc_totals {
        double cpu_busy, cpu_total;                    /* ticks; NaN where unknown */
        double disk_read, disk_write, net_in, net_out; /* bytes */
    } last;
    char *text; /* [CHIRR_SENSE_PROC_BYTES] a file of /proc */
};
#define CHIRR_SENSE_PROC_BYTES ((size_t)64 * 1024)

struct chirr_source {
    struct chirr_sense_config config;
    struct chirr_bucket bucket;
    struct chirr_source_counters counters;
    bool ended;
    bool begun;      /* what was polled last begins an item */
    bool complained; /* `complaint` was not told yet */
    char complaint[CHIRR_SENSE_COMPLAINT_BYTES];
    union {
        struct chirr_sense_files files;
        struct chirr_sense_command command;
        struct chirr_sense_proc proc;
    };
};

enum chirr_err chirr_sense_files_open(struct chirr_source *source, struct chirr_error *error);
void chirr_sense_files_close(struct chirr_source *source);
enum chirr_err chirr_sense_files_read(struct chirr_source *source, chirr_time_us now,
                                      uint8_t *buffer, size_t capacity, size_t *count);

/* Of `units` at the start of a file, what is learned: the rest is held out. */
uint64_t chirr_sense_learned_part(const struct chirr_sense_config *config, uint64_t units);
/* Keeps words for people, the last ones, while every file is met for the first time. */
void chirr_sense_complain(struct chirr_source *source, const char *format, ...) CHIRR_PRINTF(2, 3);

enum chirr_err chirr_sense_command_open(struct chirr_source *source, uint64_t seed,
                                        struct chirr_error *error);
void chirr_sense_command_close(struct chirr_source *source);
enum chirr_err chirr_sense_command_read(struct chirr_source *source, chirr_time_us now,
                                        uint8_t *buffer, size_t capacity, size_t *count);

enum chirr_err chirr_sense_proc_open(struct chirr_source *source, struct chirr_error *error);
void chirr_sense_proc_close(struct chirr_source *source);
void chirr_sense_proc_read(struct chirr_source *source, chirr_time_us now, float *values,
                           size_t *count);

#endif
