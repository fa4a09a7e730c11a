/* Messages from one thread to one other, through a bounded lock-free ring of bytes.
 *
 * One producer thread puts, one consumer thread takes; neither ever waits for the other. A message
 * is some bytes, copied in and copied out; it arrives whole, once, and in order. What does not fit
 * is refused and counted, and the producer decides what that means. An eventfd is readable while
 * something waits, so that the consumer can sleep in poll() or zmq_poll(); wake-ups are coalesced:
 * a put into a mailbox that was already announced costs no system call.
 *
 * Memory: one block, taken at creation. Layout of the ring (`capacity`, a power of two):
 *   [u32 bytes][message, padded to 4] [u32 bytes][message, padded to 4] …
 * positions grow for ever and are cut to the capacity where used, so full and empty differ.
 * Source: Lamport, "Specifying Concurrent Program Modules", TOPLAS 1983, section 3 (one writer, one
 * reader, no lock). */
#ifndef CHIRR_AGENT_MAILBOX_H
#define CHIRR_AGENT_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/error.h"

struct chirr_mailbox_config {
    size_t capacity_bytes;    /* rounded up to a power of two; at most 1 GiB */
    size_t message_bytes_max; /* at most a quarter of the capacity; 1… */
};

struct chirr_mailbox;

/* NULL and words in `error` on failure. */
struct chirr_mailbox *chirr_mailbox_create(const struct chirr_mailbox_config *config,
                                           struct chirr_error *error);
/* After both threads have let go of it. */
void chirr_mailbox_destroy(struct chirr_mailbox *mailbox);

/* Producer. Copies one message in and wakes the consumer; false, and one more `refused`, when there
 * is no room. Never blocks. Asserts 0 < bytes <= message_bytes_max. */
bool chirr_mailbox_put(struct chirr_mailbox *mailbox, const void *message, size_t bytes);
/* The same, of one message that lies in several parts (a header and its payload). */
bool chirr_mailbox_put_parts(struct chirr_mailbox *mailbox, const struct iovec *parts,
                             size_t count);

/* Consumer. Copies the oldest message out; false when there is none, and only then is the eventfd
 * quiet again: take until false, then poll. `capacity` >= message_bytes_max. */
bool chirr_mailbox_take(struct chirr_mailbox *mailbox, void *message, size_t capacity,
                        size_t *bytes);

/* Readable (POLLIN) while a message waits. Poll it only; belongs to the mailbox. */
int chirr_mailbox_fd(const struct chirr_mailbox *mailbox);

struct chirr_mailbox_counters {
    uint64_t put;     /* accepted */
    uint64_t refused; /* for lack of room */
    uint64_t taken;
    uint64_t wakes; /* system calls that woke the consumer */
};
/* From any thread; each figure for itself is exact. */
void chirr_mailbox_count(const struct chirr_mailbox *mailbox, struct chirr_mailbox_counters *out);

#endif
