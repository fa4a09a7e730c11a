/* The learner's thread: requests first, then a little of every sense, then sleep. */
#include "agent/learner_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/learner_checkpoint.h"
#include "agent/mailbox.h"

/* So much of a sense is learned between two looks at the mailbox: about a tenth of a second on the
 * slowest device, a few milliseconds on the reference machine. */
#define SENSE_BYTES_TURN 128
#define STATUS_INTERVAL_US (200 * CHIRR_US_PER_MS)
#define POLL_MS_MAX 100
/* Learning yields to the event loop and to jobs (agent/executor.h gives those 5), whose durations
 * would otherwise depend on how much there is to learn. */
#define LEARNER_NICE 15
#define MAILBOX_BYTES ((size_t)512 * 1024)
#define REPORT_MAILBOX_BYTES ((size_t)128 * 1024)

enum order_kind {
    ORDER_REQUEST = 1,
    ORDER_EVALUATE,
    ORDER_EXPLAIN,
};

/* What travels to the thread, followed by the payload of a delta or the bytes of a feed. */
struct order {
    enum order_kind kind;
    union {
        struct chirr_learner_request request;
        struct {
            char path[CHIRR_PATH_BYTES_MAX];
            uint32_t bytes_max;
            uint64_t tag;
        } evaluate;
        uint64_t explain_tag;
    };
};

#define ORDER_PAYLOAD_BYTES_MAX 4096

struct chirr_learner_thread {
    struct chirr_agent_config config;
    const struct chirr_log *log;
    struct chirr_arena arena;
    struct chirr_learner *learner;
    struct chirr_source *sources[CHIRR_CONFIG_SENSES_MAX]; /* NULL: none, or it has ended */
    struct chirr_mailbox *orders;
    struct chirr_mailbox *reports;
    pthread_t thread;
    bool started;
    atomic_bool stopping;

    /* The thread's own. */
    enum chirr_checkpoint_origin checkpoint_origin;
    uint64_t checkpoints_saved, checkpoints_failed;
    chirr_time_us checkpoint_at;
    chirr_time_us checkpoint_due;
    chirr_time_us status_due;
    chirr_time_us resume_at; /* of sensing: the CPU share */
    uint8_t incoming[sizeof(struct order) + ORDER_PAYLOAD_BYTES_MAX];
    uint8_t text[CHIRR_EVALUATE_BYTES_MAX];
};

/* ---- The thread ---------------------------------------------------------------------------- */

/* Maps of activation are far larger than all else, and mostly not full. */
static size_t report_bytes(const struct chirr_learner_report *report)
{
    switch (report->kind) {
    case CHIRR_LEARNER_REPORT_REPLY:
        return offsetof(struct chirr_learner_report, reply) + sizeof report->reply;
    case CHIRR_LEARNER_REPORT_STATUS:
        return offsetof(struct chirr_learner_report, status) + sizeof report->status;
    case CHIRR_LEARNER_REPORT_FAILURE:
        return offsetof(struct chirr_learner_report, failure) + sizeof report->failure;
    case CHIRR_LEARNER_REPORT_ACTIVATION:
        return offsetof(struct chirr_learner_report, activation.of) +
               chirr_activation_bytes(&report->activation.of);
    }
    return sizeof *report;
}

static void report(struct chirr_learner_thread *thread, const struct chirr_learner_report *report)
{
    chirr_mailbox_put(thread->reports, report, report_bytes(report));
}

static void handle(struct chirr_learner_thread *thread, const struct chirr_learner_request *request)
{
    struct chirr_learner_report answer = {.kind = CHIRR_LEARNER_REPORT_REPLY};
    /* What is refused is counted by the learner and shows in its status. */
    if (chirr_learner_handle(thread->learner, request, &answer.reply) == CHIRR_OK &&
        answer.reply.kind != CHIRR_LEARNER_REPLY_NONE) {
        report(thread, &answer);
    }
}

static uint32_t first_byte_sense(const struct chirr_learner_thread *thread)
{
    const struct chirr_model_config *model = &thread->config.learner.model;
    for (uint32_t i = 0; i < model->sense_count; i++) {
        if (model->senses[i].kind == CHIRR_SENSE_BYTES) {
            return i;
        }
    }
    return CHIRR_LEARNER_NO_SENSE;
}

/* Fills `text`; at most `bytes_max` of the file. */
static enum chirr_err read_text(struct chirr_learner_thread *thread, const char *path,
                                uint32_t bytes_max, uint32_t *bytes, struct chirr_error *error)
{
    *bytes = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: %s", path, strerror(errno));
    }
    enum chirr_err err = CHIRR_OK;
    while (*bytes < bytes_max) {
        ssize_t got = read(fd, thread->text + *bytes, bytes_max - *bytes);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            err = chirr_error_set(error, CHIRR_ERR_IO, "%s: %s", path, strerror(errno));
        }
        if (got <= 0) {
            break;
        }
        *bytes += (uint32_t)got;
    }
    close(fd);
    return err;
}

static enum chirr_err evaluate(struct chirr_learner_thread *thread, const struct order *order,
                               struct chirr_learner_report *answer, struct chirr_error *error)
{
    struct chirr_learner_request request = {
        .kind = CHIRR_LEARNER_EVALUATE,
        .sense = first_byte_sense(thread),
        .bytes = thread->text,
        .tag = order->evaluate.tag,
    };
    if (request.sense == CHIRR_LEARNER_NO_SENSE) {
        return chirr_error_set(error, CHIRR_ERR_STATE, "this agent has no byte sense");
    }
    enum chirr_err err =
        read_text(thread, order->evaluate.path, order->evaluate.bytes_max, &request.count, error);
    if (err != CHIRR_OK) {
        return err;
    }
    err = chirr_learner_handle(thread->learner, &request, &answer->reply);
    return err == CHIRR_OK
               ? CHIRR_OK
               : chirr_error_set(error, err, "%s: %s", order->evaluate.path, chirr_err_text(err));
}

static void handle_evaluate(struct chirr_learner_thread *thread, const struct order *order)
{
    struct chirr_learner_report answer = {.kind = CHIRR_LEARNER_REPORT_REPLY};
    struct chirr_error error;
    enum chirr_err err = evaluate(thread, order, &answer, &error);
    if (err != CHIRR_OK) {
        answer.kind = CHIRR_LEARNER_REPORT_FAILURE;
        answer.failure.tag = order->evaluate.tag;
        answer.failure.code = err;
        snprintf(answer.failure.text, sizeof answer.failure.text, "%.250s", error.text);
    }
    report(thread, &answer);
}

static void handle_explain(struct chirr_learner_thread *thread, uint64_t tag)
{
    struct chirr_learner_report answer = {.kind = CHIRR_LEARNER_REPORT_ACTIVATION};
    answer.activation.tag = tag;
    chirr_activation_read(chirr_learner_model(thread->learner), &answer.activation.of);
    report(thread, &answer);
}

static void handle_orders(struct chirr_learner_thread *thread)
{
    size_t bytes;
    while (!atomic_load(&thread->stopping) &&
           chirr_mailbox_take(thread->orders, thread->incoming, sizeof thread->incoming, &bytes)) {
        struct order order;
        memcpy(&order, thread->incoming, sizeof order);
        const uint8_t *payload = thread->incoming + sizeof order;
        if (order.kind == ORDER_EVALUATE) {
            handle_evaluate(thread, &order);
            continue;
        }
        if (order.kind == ORDER_EXPLAIN) {
            handle_explain(thread, order.explain_tag);
            continue;
        }
        if (order.request.kind == CHIRR_LEARNER_APPLY) {
            order.request.delta.payload = payload;
        } else if (order.request.kind == CHIRR_LEARNER_BYTES) {
            order.request.bytes = payload;
        }
        handle(thread, &order.request);
    }
}

static void end_source(struct chirr_learner_thread *thread, uint32_t sense)
{
    chirr_log_info(thread->log, "sense %s has ended", thread->config.senses[sense].name);
    chirr_source_destroy(thread->sources[sense]);
    thread->sources[sense] = NULL;
}

static void sense_one(struct chirr_learner_thread *thread, uint32_t sense, chirr_time_us now)
{
    struct chirr_source *source = thread->sources[sense];
    struct chirr_learner_request request = {.sense = sense};
    uint8_t bytes[SENSE_BYTES_TURN];
    float values[CHIRR_MODEL_VECTOR_WIDTH_MAX];
    size_t count = 0;
    enum chirr_err err;
    if (chirr_source_width(thread->config.senses[sense].source) > 0) {
        request.kind = CHIRR_LEARNER_VECTOR;
        request.values = values;
        err = chirr_source_poll_vector(source, now, values, CHIRR_MODEL_VECTOR_WIDTH_MAX, &count);
    } else {
        request.kind = CHIRR_LEARNER_BYTES;
        request.bytes = bytes;
        err = chirr_source_poll_bytes(source, now, bytes, sizeof bytes, &count);
        request.begins = chirr_source_begins(source);
    }
    const char *complaint = chirr_source_complaint(source);
    if (complaint != NULL) {
        chirr_log_warning(thread->log, "sense %s: %s", thread->config.senses[sense].name,
                          complaint);
    }
    if (err == CHIRR_ERR_NOTFOUND) {
        end_source(thread, sense);
    } else if (err == CHIRR_OK && count > 0) {
        request.count = (uint32_t)count;
        handle(thread, &request);
    }
}

/* Learns what is due of every sense, then rests until the share of the CPU is kept. */
static void sense_all(struct chirr_learner_thread *thread, chirr_time_us now)
{
    if (now < thread->resume_at) {
        return;
    }
    chirr_time_us before = chirr_clock_thread_cpu();
    for (uint32_t i = 0; i < thread->config.sense_count; i++) {
        if (thread->sources[i] != NULL) {
            sense_one(thread, i, now);
        }
    }
    chirr_time_us used = chirr_clock_thread_cpu() - before;
    uint32_t share = thread->config.cpu_permille;
    if (share < 1000) {
        thread->resume_at = chirr_clock_now() + used * (1000 - share) / share;
    }
}

static void save_checkpoint(struct chirr_learner_thread *thread, chirr_time_us now)
{
    struct chirr_error error;
    enum chirr_err err =
        chirr_learner_checkpoint_save(thread->learner, thread->config.state_dir, &error);
    if (err == CHIRR_OK) {
        thread->checkpoints_saved++;
        thread->checkpoint_at = now;
    } else {
        thread->checkpoints_failed++;
        chirr_log_error(thread->log, "no checkpoint: %s", error.text);
    }
    thread->checkpoint_due = now + chirr_time_from_ms(thread->config.checkpoint_interval_ms);
}

static void report_status(struct chirr_learner_thread *thread, chirr_time_us now)
{
    struct chirr_learner_report status = {.kind = CHIRR_LEARNER_REPORT_STATUS};
    struct chirr_source_counters *sum = &status.status.senses;
    chirr_learner_status(thread->learner, &status.status.learner);
    status.status.checkpoint_origin = thread->checkpoint_origin;
    status.status.checkpoints_saved = thread->checkpoints_saved;
    status.status.checkpoints_failed = thread->checkpoints_failed;
    status.status.checkpoint_at = thread->checkpoint_at;
    for (uint32_t i = 0; i < thread->config.sense_count; i++) {
        if (thread->sources[i] == NULL) {
            continue;
        }
        const struct chirr_source_counters *one = chirr_source_count(thread->sources[i]);
        sum->bytes += one->bytes;
        sum->vectors += one->vectors;
        sum->files += one->files;
        sum->files_unreadable += one->files_unreadable;
        sum->files_binary += one->files_binary;
        sum->files_empty += one->files_empty;
        sum->files_misfit += one->files_misfit;
        sum->files_dropped += one->files_dropped;
        sum->restarts += one->restarts;
        sum->errors += one->errors;
    }
    report(thread, &status);
    thread->status_due = now + STATUS_INTERVAL_US;
}

static void wait_for_work(struct chirr_learner_thread *thread)
{
    struct pollfd fds[1 + CHIRR_CONFIG_SENSES_MAX] = {
        {.fd = chirr_mailbox_fd(thread->orders), .events = POLLIN}};
    nfds_t count = 1;
    chirr_time_us now = chirr_clock_now();
    chirr_time_us at = chirr_time_min(thread->status_due, thread->checkpoint_due);
    chirr_time_us senses_at = CHIRR_TIME_NEVER;
    for (uint32_t i = 0; i < thread->config.sense_count; i++) {
        if (thread->sources[i] == NULL) {
            continue;
        }
        senses_at = chirr_time_min(senses_at, chirr_source_deadline(thread->sources[i]));
        int fd = chirr_source_fd(thread->sources[i]);
        if (fd >= 0 && now >= thread->resume_at) {
            fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
        }
    }
    if (senses_at < thread->resume_at) {
        senses_at = thread->resume_at;
    }
    at = chirr_time_min(at, senses_at);
    if (at > now) {
        poll(fds, count, chirr_clock_wait_ms(now, at, POLL_MS_MAX));
    }
}

static void *run(void *context)
{
    struct chirr_learner_thread *thread = context;
    /* On Linux a niceness belongs to the thread. Not being allowed to be nicer cannot happen. */
    pid_t tid = (pid_t)syscall(SYS_gettid);
    setpriority(PRIO_PROCESS, (id_t)tid, getpriority(PRIO_PROCESS, (id_t)tid) + LEARNER_NICE);
    while (!atomic_load(&thread->stopping)) {
        handle_orders(thread);
        chirr_time_us now = chirr_clock_now();
        sense_all(thread, now);
        if (now >= thread->status_due) {
            report_status(thread, now);
        }
        if (now >= thread->checkpoint_due) {
            save_checkpoint(thread, now);
        }
        wait_for_work(thread);
    }
    save_checkpoint(thread, chirr_clock_now());
    return NULL;
}

/* ---- The loop's side ------------------------------------------------------------------------ */

static enum chirr_err create_mailboxes(struct chirr_learner_thread *thread,
                                       struct chirr_error *error)
{
    struct chirr_mailbox_config orders = {.capacity_bytes = MAILBOX_BYTES,
                                          .message_bytes_max = sizeof thread->incoming};
    struct chirr_mailbox_config reports = {.capacity_bytes = REPORT_MAILBOX_BYTES,
                                           .message_bytes_max =
                                               sizeof(struct chirr_learner_report)};
    thread->orders = chirr_mailbox_create(&orders, error);
    thread->reports = thread->orders == NULL ? NULL : chirr_mailbox_create(&reports, error);
    return thread->reports == NULL ? CHIRR_ERR_IO : CHIRR_OK;
}

static enum chirr_err create_sources(struct chirr_learner_thread *thread, struct chirr_error *error)
{
    for (uint32_t i = 0; i < thread->config.sense_count; i++) {
        const struct chirr_sense_config *sense = &thread->config.senses[i];
        if (sense->source == CHIRR_SOURCE_FEED) {
            continue;
        }
        struct chirr_error why;
        thread->sources[i] = chirr_source_create(sense, thread->config.node.seed + i, &why);
        if (thread->sources[i] == NULL) {
            return chirr_error_set(error, why.code, "sense %s: %.400s", sense->name, why.text);
        }
    }
    return CHIRR_OK;
}

static enum chirr_err create_learner(struct chirr_learner_thread *thread, struct chirr_error *error)
{
    const struct chirr_learner_config *config = &thread->config.learner;
    enum chirr_err err = chirr_arena_init(&thread->arena, chirr_learner_bytes(config));
    if (err != CHIRR_OK) {
        return chirr_error_set(error, err, "no memory for a model of %zu bytes",
                               chirr_learner_bytes(config));
    }
    thread->learner = chirr_learner_create(&thread->arena, config);
    CHIRR_ASSERT(thread->learner != NULL); /* the arena is as large as it asked for */
    return chirr_learner_checkpoint_load(thread->learner, thread->config.state_dir, thread->log,
                                         &thread->checkpoint_origin, error);
}

struct chirr_learner_thread *chirr_learner_thread_create(const struct chirr_agent_config *config,
                                                         const struct chirr_log *log,
                                                         struct chirr_error *error)
{
    struct chirr_learner_thread *thread = calloc(1, sizeof *thread);
    if (thread == NULL) {
        (void)chirr_error_set(error, CHIRR_ERR_NOMEM, "no memory for the learner's thread");
        return NULL;
    }
    thread->config = *config;
    thread->log = log;
    atomic_init(&thread->stopping, false);
    thread->checkpoint_due = chirr_clock_now() + chirr_time_from_ms(config->checkpoint_interval_ms);
    if (create_mailboxes(thread, error) != CHIRR_OK || create_sources(thread, error) != CHIRR_OK ||
        create_learner(thread, error) != CHIRR_OK) {
        chirr_learner_thread_destroy(thread);
        return NULL;
    }
    int failed = pthread_create(&thread->thread, NULL, run, thread);
    if (failed != 0) {
        (void)chirr_error_set(error, CHIRR_ERR_IO, "no thread for the learner: %s",
                              strerror(failed));
        chirr_learner_thread_destroy(thread);
        return NULL;
    }
    thread->started = true;
    return thread;
}

void chirr_learner_thread_destroy(struct chirr_learner_thread *thread)
{
    if (thread == NULL) {
        return;
    }
    if (thread->started) {
        atomic_store(&thread->stopping, true);
        pthread_join(thread->thread, NULL); /* it looks at least every POLL_MS_MAX */
    }
    for (uint32_t i = 0; i < CHIRR_CONFIG_SENSES_MAX; i++) {
        chirr_source_destroy(thread->sources[i]);
    }
    chirr_mailbox_destroy(thread->orders);
    chirr_mailbox_destroy(thread->reports);
    chirr_arena_finish(&thread->arena);
    free(thread);
}

bool chirr_learner_thread_post(struct chirr_learner_thread *thread,
                               const struct chirr_learner_request *request)
{
    struct order order;
    memset(&order, 0, sizeof order);
    order.kind = ORDER_REQUEST;
    order.request = *request;
    const void *payload = NULL;
    size_t bytes = 0;
    if (request->kind == CHIRR_LEARNER_APPLY) {
        payload = request->delta.payload;
        bytes = request->delta.payload_bytes;
    } else if (request->kind == CHIRR_LEARNER_BYTES) {
        payload = request->bytes;
        bytes = request->count;
    }
    CHIRR_ASSERT(bytes <= ORDER_PAYLOAD_BYTES_MAX);
    CHIRR_ASSERT(request->kind != CHIRR_LEARNER_EVALUATE);
    CHIRR_ASSERT(request->kind != CHIRR_LEARNER_VECTOR);
    const struct iovec parts[] = {{&order, sizeof order}, {(void *)payload, bytes}};
    return chirr_mailbox_put_parts(thread->orders, parts, bytes > 0 ? 2 : 1);
}

enum chirr_err chirr_learner_thread_evaluate(struct chirr_learner_thread *thread, const char *path,
                                             uint32_t bytes_max, uint64_t tag)
{
    struct order order;
    memset(&order, 0, sizeof order);
    order.kind = ORDER_EVALUATE;
    if (strlen(path) >= sizeof order.evaluate.path || bytes_max < 2 ||
        bytes_max > CHIRR_EVALUATE_BYTES_MAX) {
        return CHIRR_ERR_RANGE;
    }
    strcpy(order.evaluate.path, path);
    order.evaluate.bytes_max = bytes_max;
    order.evaluate.tag = tag;
    return chirr_mailbox_put(thread->orders, &order, sizeof order) ? CHIRR_OK : CHIRR_ERR_FULL;
}

enum chirr_err chirr_learner_thread_explain(struct chirr_learner_thread *thread, uint64_t tag)
{
    struct order order;
    memset(&order, 0, sizeof order);
    order.kind = ORDER_EXPLAIN;
    order.explain_tag = tag;
    return chirr_mailbox_put(thread->orders, &order, sizeof order) ? CHIRR_OK : CHIRR_ERR_FULL;
}

bool chirr_learner_thread_take(struct chirr_learner_thread *thread,
                               struct chirr_learner_report *report)
{
    size_t bytes;
    return chirr_mailbox_take(thread->reports, report, sizeof *report, &bytes);
}

int chirr_learner_thread_fd(const struct chirr_learner_thread *thread)
{
    return chirr_mailbox_fd(thread->reports);
}

size_t chirr_learner_thread_bytes(const struct chirr_learner_thread *thread)
{
    return thread->arena.capacity;
}

void chirr_learner_thread_count(const struct chirr_learner_thread *thread,
                                struct chirr_learner_thread_counters *out)
{
    struct chirr_mailbox_counters count;
    chirr_mailbox_count(thread->orders, &count);
    out->requests_refused = count.refused;
    chirr_mailbox_count(thread->reports, &count);
    out->reports_refused = count.refused;
}
