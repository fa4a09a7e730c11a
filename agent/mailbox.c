/* The mailbox between two threads. */
#include "agent/mailbox.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LENGTH_BYTES sizeof(uint32_t)
#define CAPACITY_BYTES_MAX ((size_t)1 << 30)
#define CACHE_LINE 64

/* What each thread writes stands on cache lines of its own. */
struct chirr_mailbox {
    uint8_t *ring;
    size_t capacity; /* a power of two */
    size_t message_bytes_max;
    int wake_fd;
    _Alignas(CACHE_LINE) _Atomic uint64_t head; /* producer: bytes ever put */
    _Atomic uint64_t put, refused, wakes;
    _Alignas(CACHE_LINE) _Atomic uint64_t tail; /* consumer: bytes ever taken */
    _Atomic uint64_t taken;
    _Alignas(CACHE_LINE) atomic_bool announced; /* both: the consumer has a wake-up to come */
};

static size_t padded(size_t bytes)
{
    return (bytes + LENGTH_BYTES - 1) & ~(LENGTH_BYTES - 1);
}

static size_t power_of_two(size_t bytes)
{
    size_t power = CACHE_LINE;
    while (power < bytes) {
        power *= 2;
    }
    return power;
}

struct chirr_mailbox *chirr_mailbox_create(const struct chirr_mailbox_config *config,
                                           struct chirr_error *error)
{
    if (config->capacity_bytes == 0 || config->capacity_bytes > CAPACITY_BYTES_MAX ||
        config->message_bytes_max == 0 ||
        config->message_bytes_max > power_of_two(config->capacity_bytes) / 4) {
        chirr_error_set(error, CHIRR_ERR_RANGE, "mailbox of %zu bytes for messages of %zu",
                        config->capacity_bytes, config->message_bytes_max);
        return NULL;
    }
    size_t capacity = power_of_two(config->capacity_bytes);
    struct chirr_mailbox *mailbox = aligned_alloc(CACHE_LINE, sizeof *mailbox + capacity);
    if (mailbox == NULL) {
        chirr_error_set(error, CHIRR_ERR_NOMEM, "mailbox of %zu bytes", capacity);
        return NULL;
    }
    memset(mailbox, 0, sizeof *mailbox + capacity);
    mailbox->ring = (uint8_t *)(mailbox + 1);
    mailbox->capacity = capacity;
    mailbox->message_bytes_max = config->message_bytes_max;
    mailbox->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (mailbox->wake_fd < 0) {
        chirr_error_set(error, CHIRR_ERR_IO, "mailbox: eventfd: %s", strerror(errno));
        free(mailbox);
        return NULL;
    }
    return mailbox;
}

void chirr_mailbox_destroy(struct chirr_mailbox *mailbox)
{
    if (mailbox == NULL) {
        return;
    }
    close(mailbox->wake_fd);
    free(mailbox);
}

/* The same, of bytes that may wrap round the end of the ring. */
static void copy_in(struct chirr_mailbox *mailbox, uint64_t position, const void *from,
                    size_t bytes)
{
    size_t at = position & (mailbox->capacity - 1);
    size_t first = bytes < mailbox->capacity - at ? bytes : mailbox->capacity - at;
    if (bytes > 0) {
        memcpy(mailbox->ring + at, from, first);
        memcpy(mailbox->ring, (const uint8_t *)from + first, bytes - first);
    }
}

static void copy_out(const struct chirr_mailbox *mailbox, uint64_t position, void *to, size_t bytes)
{
    size_t at = position & (mailbox->capacity - 1);
    size_t first = bytes < mailbox->capacity - at ? bytes : mailbox->capacity - at;
    memcpy(to, mailbox->ring + at, first);
    memcpy((uint8_t *)to + first, mailbox->ring, bytes - first);
}

static void count_one(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* An eventfd that is not read can only refuse a write when it is readable already. */
static void wake(struct chirr_mailbox *mailbox)
{
    if (!atomic_exchange(&mailbox->announced, true)) {
        uint64_t one = 1;
        ssize_t written = write(mailbox->wake_fd, &one, sizeof one);
        (void)written;
        count_one(&mailbox->wakes);
    }
}

bool chirr_mailbox_put_parts(struct chirr_mailbox *mailbox, const struct iovec *parts, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += parts[i].iov_len;
    }
    CHIRR_ASSERT(bytes > 0);
    CHIRR_ASSERT(bytes <= mailbox->message_bytes_max);
    uint64_t head = atomic_load_explicit(&mailbox->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&mailbox->tail, memory_order_acquire);
    if (mailbox->capacity - (head - tail) < LENGTH_BYTES + padded(bytes)) {
        count_one(&mailbox->refused);
        return false;
    }
    uint32_t length = (uint32_t)bytes;
    copy_in(mailbox, head, &length, sizeof length);
    uint64_t at = head + LENGTH_BYTES;
    for (size_t i = 0; i < count; i++) {
        copy_in(mailbox, at, parts[i].iov_base, parts[i].iov_len);
        at += parts[i].iov_len;
    }
    count_one(&mailbox->put);
    /* Sequentially consistent, as the exchange that follows: see chirr_mailbox_take. */
    atomic_store(&mailbox->head, head + LENGTH_BYTES + padded(bytes));
    wake(mailbox);
    return true;
}

bool chirr_mailbox_put(struct chirr_mailbox *mailbox, const void *message, size_t bytes)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = bytes};
    return chirr_mailbox_put_parts(mailbox, &part, 1);
}

/* Quietens the eventfd, then looks once more. In the one total order of the sequentially consistent
 * operations either a put's exchange comes after the store here, and wakes again, or its head was
 * stored before the load here, and is seen. A spurious wake-up is possible, a lost one is not. */
static bool still_empty(struct chirr_mailbox *mailbox, uint64_t tail)
{
    uint64_t wakes;
    ssize_t drained = read(mailbox->wake_fd, &wakes, sizeof wakes);
    (void)drained;
    atomic_store(&mailbox->announced, false);
    return atomic_load(&mailbox->head) == tail;
}

bool chirr_mailbox_take(struct chirr_mailbox *mailbox, void *message, size_t capacity,
                        size_t *bytes)
{
    CHIRR_ASSERT(capacity >= mailbox->message_bytes_max);
    uint64_t tail = atomic_load_explicit(&mailbox->tail, memory_order_relaxed);
    if (atomic_load_explicit(&mailbox->head, memory_order_acquire) == tail &&
        still_empty(mailbox, tail)) {
        return false;
    }
    uint32_t length;
    copy_out(mailbox, tail, &length, sizeof length);
    copy_out(mailbox, tail + LENGTH_BYTES, message, length);
    *bytes = length;
    count_one(&mailbox->taken);
    atomic_store_explicit(&mailbox->tail, tail + LENGTH_BYTES + padded(length),
                          memory_order_release);
    return true;
}

int chirr_mailbox_fd(const struct chirr_mailbox *mailbox)
{
    return mailbox->wake_fd;
}

void chirr_mailbox_count(const struct chirr_mailbox *mailbox, struct chirr_mailbox_counters *out)
{
    out->put = atomic_load_explicit(&mailbox->put, memory_order_relaxed);
    out->refused = atomic_load_explicit(&mailbox->refused, memory_order_relaxed);
    out->taken = atomic_load_explicit(&mailbox->taken, memory_order_relaxed);
    out->wakes = atomic_load_explicit(&mailbox->wakes, memory_order_relaxed);
}
