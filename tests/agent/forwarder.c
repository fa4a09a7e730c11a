/* Forwards TCP connections. */
#include "tests/agent/forwarder.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS_MAX 32
#define WAKE_MS 20

struct forwarder {
    int listener;
    pthread_t thread;
    atomic_bool stopped;
    atomic_int port; /* that it is aimed at; 0: none */
    atomic_uint count;
    int pair_count;
    struct pollfd files[1 + 2 * PAIRS_MAX]; /* the listener, then both ends of each pair */
};

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void take_in(struct forwarder *forwarder)
{
    struct sockaddr_in target = loopback(forwarder->port);
    int near = accept(forwarder->listener, NULL, NULL);
    int far = socket(AF_INET, SOCK_STREAM, 0);
    if (forwarder->pair_count == PAIRS_MAX || near < 0 || far < 0 || forwarder->port == 0 ||
        connect(far, (struct sockaddr *)&target, sizeof target) != 0) {
        close(near);
        close(far);
        return;
    }
    struct pollfd *pair = &forwarder->files[1 + 2 * forwarder->pair_count++];
    pair[0] = (struct pollfd){.fd = near, .events = POLLIN};
    pair[1] = (struct pollfd){.fd = far, .events = POLLIN};
    forwarder->count++;
}

/* False: one end is closed. */
static bool pass_on(const struct pollfd *from, const struct pollfd *to)
{
    static char bytes[1 << 16];
    if (from->revents == 0) {
        return true;
    }
    ssize_t count = recv(from->fd, bytes, sizeof bytes, 0);
    for (ssize_t sent = 0; sent < count;) {
        ssize_t more = send(to->fd, bytes + sent, (size_t)(count - sent), MSG_NOSIGNAL);
        if (more <= 0) {
            return false;
        }
        sent += more;
    }
    return count > 0;
}

static void hang_up(struct forwarder *forwarder, int index)
{
    struct pollfd *pair = &forwarder->files[1 + 2 * index];
    close(pair[0].fd);
    close(pair[1].fd);
    const struct pollfd *last = &forwarder->files[1 + 2 * --forwarder->pair_count];
    pair[0] = last[0];
    pair[1] = last[1];
}

static void *work(void *context)
{
    struct forwarder *forwarder = context;
    while (!forwarder->stopped) {
        poll(forwarder->files, 1 + 2 * (nfds_t)forwarder->pair_count, WAKE_MS);
        for (int i = forwarder->pair_count - 1; i >= 0; i--) {
            const struct pollfd *pair = &forwarder->files[1 + 2 * i];
            if (!pass_on(&pair[0], &pair[1]) || !pass_on(&pair[1], &pair[0])) {
                hang_up(forwarder, i);
            }
        }
        if (forwarder->files[0].revents != 0) {
            take_in(forwarder);
        }
    }
    while (forwarder->pair_count > 0) {
        hang_up(forwarder, 0);
    }
    return NULL;
}

struct forwarder *forwarder_create(char endpoint[CHIRR_ENDPOINT_BYTES_MAX])
{
    struct forwarder *forwarder = calloc(1, sizeof *forwarder);
    cr_assert_not_null(forwarder);
    struct sockaddr_in address = loopback(0);
    socklen_t bytes = sizeof address;
    forwarder->listener = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(forwarder->listener, (struct sockaddr *)&address, bytes), 0);
    cr_assert_eq(listen(forwarder->listener, PAIRS_MAX), 0);
    cr_assert_eq(getsockname(forwarder->listener, (struct sockaddr *)&address, &bytes), 0);
    snprintf(endpoint, CHIRR_ENDPOINT_BYTES_MAX, "tcp://127.0.0.1:%d", ntohs(address.sin_port));
    forwarder->files[0] = (struct pollfd){.fd = forwarder->listener, .events = POLLIN};
    cr_assert_eq(pthread_create(&forwarder->thread, NULL, work, forwarder), 0);
    return forwarder;
}

void forwarder_destroy(struct forwarder *forwarder)
{
    forwarder->stopped = true;
    pthread_join(forwarder->thread, NULL);
    close(forwarder->listener);
    free(forwarder);
}

void forwarder_aim(struct forwarder *forwarder, const char *endpoint)
{
    forwarder->port = atoi(strrchr(endpoint, ':') + 1);
}

unsigned forwarder_count(const struct forwarder *forwarder)
{
    return forwarder->count;
}
