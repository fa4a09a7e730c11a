#include "agent/mailbox.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/random.h"

static struct chirr_mailbox *make(size_t capacity_bytes, size_t message_bytes_max)
{
    struct chirr_error error = {0};
    struct chirr_mailbox *mailbox = chirr_mailbox_create(
        &(struct chirr_mailbox_config){capacity_bytes, message_bytes_max}, &error);
    cr_assert_not_null(mailbox, "%s", error.text);
    return mailbox;
}

static bool readable(const struct chirr_mailbox *mailbox, int timeout_ms)
{
    struct pollfd item = {.fd = chirr_mailbox_fd(mailbox), .events = POLLIN};
    return poll(&item, 1, timeout_ms) == 1;
}

Test(mailbox, hands_out_whole_messages_in_order)
{
    struct chirr_mailbox *mailbox = make(256, 64);
    uint8_t out[64];
    size_t bytes;
    /* Lengths that do not divide the capacity, so that messages wrap at every offset. */
    for (uint32_t i = 0; i < 1000; i++) {
        uint8_t message[64];
        memset(message, (int)i, sizeof message);
        cr_assert(chirr_mailbox_put(mailbox, message, 1 + i % 64));
        cr_assert(chirr_mailbox_take(mailbox, out, sizeof out, &bytes));
        cr_assert_eq(bytes, 1 + i % 64);
        cr_assert_eq(memcmp(out, message, bytes), 0);
    }
    cr_assert_not(chirr_mailbox_take(mailbox, out, sizeof out, &bytes));
    chirr_mailbox_destroy(mailbox);
}

Test(mailbox, joins_the_parts_of_a_message)
{
    struct chirr_mailbox *mailbox = make(256, 64);
    struct iovec parts[] = {{"head", 4}, {NULL, 0}, {"payload", 7}};
    cr_assert(chirr_mailbox_put_parts(mailbox, parts, 3));
    char out[64];
    size_t bytes;
    cr_assert(chirr_mailbox_take(mailbox, out, sizeof out, &bytes));
    cr_assert_eq(bytes, 11);
    cr_assert_eq(memcmp(out, "headpayload", 11), 0);
    chirr_mailbox_destroy(mailbox);
}

Test(mailbox, refuses_and_counts_when_full_and_recovers)
{
    struct chirr_mailbox *mailbox = make(256, 60);
    uint8_t message[60] = {7}, out[60];
    size_t bytes;
    for (int i = 0; i < 4; i++) {
        cr_assert(chirr_mailbox_put(mailbox, message, sizeof message)); /* 64 with its length */
    }
    cr_assert_not(chirr_mailbox_put(mailbox, message, 1));
    struct chirr_mailbox_counters count;
    chirr_mailbox_count(mailbox, &count);
    cr_assert_eq(count.put, 4);
    cr_assert_eq(count.refused, 1);
    cr_assert(chirr_mailbox_take(mailbox, out, sizeof out, &bytes));
    cr_assert(chirr_mailbox_put(mailbox, message, sizeof message));
    chirr_mailbox_destroy(mailbox);
}

Test(mailbox, is_readable_exactly_while_something_waits)
{
    struct chirr_mailbox *mailbox = make(256, 64);
    uint8_t out[64];
    size_t bytes;
    cr_assert_not(readable(mailbox, 0));
    for (int i = 0; i < 3; i++) {
        cr_assert(chirr_mailbox_put(mailbox, "x", 1));
    }
    struct chirr_mailbox_counters count;
    chirr_mailbox_count(mailbox, &count);
    cr_assert_eq(count.wakes, 1, "three puts are one wake-up");
    while (chirr_mailbox_take(mailbox, out, sizeof out, &bytes)) {
    }
    cr_assert_not(readable(mailbox, 0));
    cr_assert(chirr_mailbox_put(mailbox, "y", 1));
    cr_assert(readable(mailbox, 0), "a put after the last take wakes again");
    chirr_mailbox_destroy(mailbox);
}

Test(mailbox, refuses_sizes_that_cannot_work)
{
    struct chirr_mailbox_config wrong[] = {{0, 1}, {64, 0}, {64, 17}, {(size_t)2 << 30, 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct chirr_error error = {0};
        cr_assert_null(chirr_mailbox_create(&wrong[i], &error));
        cr_assert_eq(error.code, CHIRR_ERR_RANGE);
    }
    chirr_mailbox_destroy(NULL);
}

/* The stress: [u64 sequence][u64 digest of the body][body of 0…200 random bytes]. */
#define STRESS_MESSAGES 200000
#define STRESS_SEED UINT64_C(20240611)

static void *produce(void *context)
{
    struct chirr_mailbox *mailbox = context;
    struct chirr_random random;
    chirr_random_init(&random, STRESS_SEED, 1);
    for (uint64_t sequence = 0; sequence < STRESS_MESSAGES; sequence++) {
        uint8_t body[200];
        size_t bytes = chirr_random_below(&random, sizeof body + 1);
        for (size_t i = 0; i < bytes; i += 4) {
            uint32_t word = chirr_random_u32(&random);
            memcpy(body + i, &word, bytes - i < 4 ? bytes - i : 4);
        }
        uint64_t head[2] = {sequence, chirr_digest(body, bytes)};
        struct iovec parts[] = {{head, sizeof head}, {body, bytes}};
        while (!chirr_mailbox_put_parts(mailbox, parts, 2)) {
            sched_yield();
        }
    }
    return NULL;
}

Test(mailbox, loses_and_damages_nothing_between_two_threads, .timeout = 120)
{
    struct chirr_mailbox *mailbox = make(2048, 216);
    pthread_t producer;
    cr_assert_eq(pthread_create(&producer, NULL, produce, mailbox), 0);
    uint8_t out[216];
    size_t bytes;
    uint64_t expected = 0;
    while (expected < STRESS_MESSAGES) {
        cr_assert(readable(mailbox, 20000), "no wake-up before message %llu, seed %llu",
                  (unsigned long long)expected, (unsigned long long)STRESS_SEED);
        while (chirr_mailbox_take(mailbox, out, sizeof out, &bytes)) {
            uint64_t head[2];
            memcpy(head, out, sizeof head);
            cr_assert_eq(head[0], expected, "seed %llu", (unsigned long long)STRESS_SEED);
            cr_assert_eq(head[1], chirr_digest(out + sizeof head, bytes - sizeof head));
            expected++;
        }
    }
    cr_assert_eq(pthread_join(producer, NULL), 0);
    struct chirr_mailbox_counters count;
    chirr_mailbox_count(mailbox, &count);
    cr_assert_eq(count.put, STRESS_MESSAGES);
    cr_assert_eq(count.taken, STRESS_MESSAGES);
    chirr_mailbox_destroy(mailbox);
}
