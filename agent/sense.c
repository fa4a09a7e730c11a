/* What all sources have in common: their rate, and who reads them. */
#include "agent/sense.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/sense_parts.h"

#define BUCKET_HOLDS_US (CHIRR_US_PER_S / 4)
#define BUCKET_WORTH_US (CHIRR_US_PER_S / 20) /* not a wake-up for every byte */

/* ---- Rate ------------------------------------------------------------------------------------ */

static int64_t at_least_a_byte(int64_t level)
{
    return level < CHIRR_US_PER_S ? CHIRR_US_PER_S : level;
}

size_t chirr_bucket_allow(struct chirr_bucket *bucket, chirr_time_us now, size_t wanted)
{
    int64_t rate = bucket->rate_bytes_per_s;
    if (rate == 0) {
        return wanted;
    }
    int64_t full = at_least_a_byte(rate * BUCKET_HOLDS_US);
    if (!bucket->begun) {
        bucket->begun = true;
        bucket->filled_at = now;
    }
    int64_t elapsed = now - bucket->filled_at;
    if (elapsed > 0) {
        /* The bound on `elapsed` keeps the product in range; more would overflow the bucket. */
        int64_t more = elapsed > full / rate ? full : elapsed * rate;
        bucket->level = bucket->level + more > full ? full : bucket->level + more;
        bucket->filled_at = now;
    }
    size_t allowed = (size_t)(bucket->level / CHIRR_US_PER_S);
    return allowed < wanted ? allowed : wanted;
}

void chirr_bucket_take(struct chirr_bucket *bucket, size_t bytes)
{
    if (bucket->rate_bytes_per_s != 0) {
        bucket->level -= (int64_t)bytes * CHIRR_US_PER_S;
    }
}

chirr_time_us chirr_bucket_deadline(const struct chirr_bucket *bucket)
{
    int64_t rate = bucket->rate_bytes_per_s;
    int64_t worth = at_least_a_byte(rate * BUCKET_WORTH_US);
    if (rate == 0 || !bucket->begun || bucket->level >= worth) {
        return 0;
    }
    return bucket->filled_at + (worth - bucket->level + rate - 1) / rate;
}

/* ---- Sources --------------------------------------------------------------------------------- */

bool chirr_source_reads_files(enum chirr_source_kind kind)
{
    return kind == CHIRR_SOURCE_FILE || kind == CHIRR_SOURCE_AUDIO || kind == CHIRR_SOURCE_IMAGE;
}

void chirr_sense_complain(struct chirr_source *source, const char *format, ...)
{
    if (source->counters.rounds > 0) {
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(source->complaint, sizeof source->complaint, format, args);
    va_end(args);
    source->complained = true;
}

const char *chirr_source_complaint(struct chirr_source *source)
{
    bool new = source->complained;
    source->complained = false;
    return new ? source->complaint : NULL;
}

bool chirr_source_begins(const struct chirr_source *source)
{
    return source->begun;
}

static enum chirr_err open_kind(struct chirr_source *source, uint64_t seed,
                                struct chirr_error *error)
{
    switch (source->config.source) {
    case CHIRR_SOURCE_FILE:
    case CHIRR_SOURCE_AUDIO:
    case CHIRR_SOURCE_IMAGE:
        return chirr_sense_files_open(source, error);
    case CHIRR_SOURCE_STDIN:
    case CHIRR_SOURCE_EXEC:
        return chirr_sense_command_open(source, seed, error);
    case CHIRR_SOURCE_PROC:
        return chirr_sense_proc_open(source, error);
    default:
        return chirr_error_set(error, CHIRR_ERR_CONFIG, "sense %s: nothing to read from",
                               source->config.name);
    }
}

struct chirr_source *chirr_source_create(const struct chirr_sense_config *config, uint64_t seed,
                                         struct chirr_error *error)
{
    struct chirr_source *source = calloc(1, sizeof *source);
    if (source == NULL) {
        chirr_error_set(error, CHIRR_ERR_NOMEM, "sense %s: out of memory", config->name);
        return NULL;
    }
    source->config = *config;
    source->bucket.rate_bytes_per_s = config->rate_bytes_per_s;
    if (open_kind(source, seed, error) != CHIRR_OK) {
        free(source);
        return NULL;
    }
    return source;
}

void chirr_source_destroy(struct chirr_source *source)
{
    if (source == NULL) {
        return;
    }
    switch (source->config.source) {
    case CHIRR_SOURCE_FILE:
    case CHIRR_SOURCE_AUDIO:
    case CHIRR_SOURCE_IMAGE:
        chirr_sense_files_close(source);
        break;
    case CHIRR_SOURCE_PROC:
        chirr_sense_proc_close(source);
        break;
    default:
        chirr_sense_command_close(source);
        break;
    }
    free(source);
}

uint32_t chirr_source_width(enum chirr_source_kind kind)
{
    return kind == CHIRR_SOURCE_PROC ? CHIRR_PROC_WIDTH : 0;
}

void chirr_source_describe(const struct chirr_sense_config *config, struct chirr_model_sense *sense)
{
    sense->width = sense->channels = 0;
    switch (config->source) {
    case CHIRR_SOURCE_PROC:
        sense->kind = CHIRR_SENSE_VECTOR;
        sense->width = CHIRR_PROC_WIDTH;
        break;
    case CHIRR_SOURCE_AUDIO:
        sense->kind = CHIRR_SENSE_AUDIO;
        break;
    case CHIRR_SOURCE_IMAGE:
        sense->kind = CHIRR_SENSE_IMAGE;
        sense->channels = config->channels == 0 ? 1 : config->channels;
        sense->width = config->width * sense->channels;
        break;
    default:
        sense->kind = CHIRR_SENSE_BYTES;
        break;
    }
}

enum chirr_err chirr_source_poll_bytes(struct chirr_source *source, chirr_time_us now,
                                       uint8_t *buffer, size_t capacity, size_t *count)
{
    *count = 0;
    if (source->config.source == CHIRR_SOURCE_PROC) {
        return CHIRR_ERR_STATE;
    }
    if (source->ended) {
        return CHIRR_ERR_NOTFOUND;
    }
    size_t allowed = chirr_bucket_allow(&source->bucket, now, capacity);
    enum chirr_err err = chirr_source_reads_files(source->config.source)
                             ? chirr_sense_files_read(source, now, buffer, allowed, count)
                             : chirr_sense_command_read(source, now, buffer, allowed, count);
    chirr_bucket_take(&source->bucket, *count);
    source->counters.bytes += *count;
    source->counters.errors += err != CHIRR_OK && err != CHIRR_ERR_NOTFOUND;
    return err;
}

enum chirr_err chirr_source_poll_vector(struct chirr_source *source, chirr_time_us now,
                                        float *values, size_t capacity, size_t *count)
{
    *count = 0;
    if (source->config.source != CHIRR_SOURCE_PROC) {
        return CHIRR_ERR_STATE;
    }
    CHIRR_ASSERT(capacity >= CHIRR_PROC_WIDTH);
    chirr_sense_proc_read(source, now, values, count);
    source->counters.vectors += *count > 0;
    return CHIRR_OK;
}

static chirr_time_us later(chirr_time_us a, chirr_time_us b)
{
    return a > b ? a : b;
}

chirr_time_us chirr_source_deadline(const struct chirr_source *source)
{
    chirr_time_us paced_at = chirr_bucket_deadline(&source->bucket);
    switch (source->config.source) {
    case CHIRR_SOURCE_FILE:
    case CHIRR_SOURCE_AUDIO:
    case CHIRR_SOURCE_IMAGE:
        return later(paced_at, source->files.retry_at);
    case CHIRR_SOURCE_PROC:
        return source->proc.next_at;
    default:
        if (source->ended) {
            return CHIRR_TIME_NEVER;
        }
        if (source->command.fd < 0) {
            return source->command.restart_at;
        }
        return paced_at > 0 ? paced_at : CHIRR_TIME_NEVER;
    }
}

int chirr_source_fd(const struct chirr_source *source)
{
    bool pipe =
        source->config.source == CHIRR_SOURCE_STDIN || source->config.source == CHIRR_SOURCE_EXEC;
    /* While its rate allows nothing, readability would only make the poller spin. */
    bool wanted = pipe && !source->ended && chirr_bucket_deadline(&source->bucket) == 0;
    return wanted ? source->command.fd : -1;
}

const struct chirr_source_counters *chirr_source_count(const struct chirr_source *source)
{
    return &source->counters;
}
