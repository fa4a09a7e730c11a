/* The traps of libzmq: file descriptors, silent loss, stuck peers, networks that go away.
 *
 * Others of them: full queues in test_transport.c, slow joiners in test_transport_links.c, options
 * that come too late in test_transport_connecting.c, answers that nobody gets in
 * test_transport_routes.c, messages left unread in test_transport_ready.c. */
#include "agent/transport.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/transport_state.h"
#include "tests/agent/transport_nodes.h"
#include "tests/support/sanitizer.h"

TestSuite(transport_traps, .init = nodes_setup, .fini = nodes_teardown, .timeout = 120);

/* ---- File descriptors --------------------------------------------------------------------------
 */

static rlim_t open_files(void)
{
    rlim_t count = 0;
    DIR *files = opendir("/proc/self/fd");
    cr_assert_not_null(files);
    while (readdir(files) != NULL) {
        count++;
    }
    closedir(files);
    return count - 3; /* ".", "..", and the directory itself */
}

static void limit_files(rlim_t files)
{
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = files;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Fails without raising the limit: a shell's 256 are fewer than 64 peers need. */
Test(transport_traps, the_limit_of_open_files_is_raised_to_what_the_peers_need)
{
    struct rlimit limit;
    limit_files(256);
    start(a);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_assert_geq(limit.rlim_cur, (rlim_t)a->config.peers_max * 8);
}

Test(transport_traps, a_limit_that_cannot_be_raised_is_refused_with_words)
{
    struct rlimit limit = {256, 256};
    struct chirr_error error;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_assert_null(chirr_transport_create(&a->config, &a->identity, a->keyring, &a->log, &error));
    cr_assert_eq(error.code, CHIRR_ERR_CONFIG);
    cr_assert_not_null(strstr(error.text, "raise it (ulimit -Hn), or lower peers_max"), "%s",
                       error.text);
}

/* Fails without looking before a link is opened: it would take the last descriptors, and the store
 * or a job would find none. */
Test(transport_traps, a_link_is_refused_while_few_file_descriptors_are_left)
{
    start_all();
    befriend(a, b);
    WAIT_DOING(ping(a, b, 1), b->received[CHIRR_MESSAGE_PING] > 0);
    struct rlimit before;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit_files(open_files() + 20);
    struct chirr_peer_address address = address_of(c);
    cr_assert_eq(chirr_transport_connect(a->transport, &address, CHIRR_LINK_NEIGHBOUR),
                 CHIRR_ERR_FULL);
    cr_assert_eq(dropped(a, CHIRR_DROP_FILES), 1);
    WAIT_DOING(ping(a, b, 2), b->last_sequence == 2);
    limit_files(before.rlim_cur);
    link_to(a, c);
    WAIT_DOING(ping(a, c, 1), c->received[CHIRR_MESSAGE_PING] > 0);
}

/* How many could still be opened, at most 16. */
static int free_files(void)
{
    int files[16];
    int count = 0;
    while (count < 16 && (files[count] = dup(STDOUT_FILENO)) >= 0) {
        count++;
    }
    for (int i = 0; i < count; i++) {
        close(files[i]);
    }
    return count;
}

/* A process of its own, whose descriptors are not counted here. */
static pid_t connect_in_vain(const char *endpoint, int connections)
{
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child > 0) {
        return child;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when a test fails */
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)atoi(strrchr(endpoint, ':') + 1));
    closefrom(STDERR_FILENO + 1); /* what the parent has open counts against the limit, too */
    for (int i = 0; i < connections; i++) {
        int file = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(file, (struct sockaddr *)&address, sizeof address) != 0) {
            _exit(1);
        }
    }
    pause();
    _exit(0);
}

static void end_child(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* Fails where a handler of libzmq takes the lack of a descriptor for a bug and aborts. */
Test(transport_traps, strangers_that_take_every_file_descriptor_are_survived)
{
    start_all();
    befriend(a, b);
    WAIT_DOING(ping(a, b, 1), b->received[CHIRR_MESSAGE_PING] > 0);
    struct chirr_peer_address address = address_of(a);
    struct rlimit before;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    rlim_t files = open_files();
    limit_files(files + 20);
    pid_t strangers = connect_in_vain(address.unicast_endpoint, 60);
    WAIT(free_files() == 0);
    WAIT_DOING((ping(a, b, 2), ping(b, a, 3)), b->last_sequence == 2 && a->last_sequence == 3);
    struct chirr_peer_address other = address_of(c);
    cr_assert_eq(chirr_transport_connect(a->transport, &other, CHIRR_LINK_UNICAST), CHIRR_ERR_FULL);
    end_child(strangers);
    WAIT(free_files() > 10);
    limit_files(before.rlim_cur);
    link_to(a, c);
    WAIT_DOING(ping(a, c, 1), c->received[CHIRR_MESSAGE_PING] > 0);
}

/* ---- Sockets -----------------------------------------------------------------------------------
 */

static int64_t option_of(void *socket, int option, size_t bytes)
{
    int64_t wide = 0;
    int narrow = 0;
    cr_assert_eq(
        zmq_getsockopt(socket, option, bytes == sizeof wide ? (void *)&wide : &narrow, &bytes), 0);
    return bytes == sizeof wide ? wide : narrow;
}

/* That they were set in time, test_transport_connecting.c proves by what they do. */
Test(transport_traps, every_socket_that_connects_has_its_limits)
{
    start_all();
    link_to(a, b);
    struct chirr_transport_peer *peer = chirr_transport_find_peer(a->transport, b->identity.id);
    cr_assert_eq(chirr_transport_open_dealer(a->transport, peer), CHIRR_OK);
    void *sockets[] = {peer->dealer, peer->subscriber, a->transport->router,
                       a->transport->publisher};
    for (size_t i = 0; i < sizeof sockets / sizeof sockets[0]; i++) {
        cr_expect_eq(option_of(sockets[i], ZMQ_LINGER, sizeof(int)), 0);
        cr_expect_gt(option_of(sockets[i], ZMQ_HEARTBEAT_IVL, sizeof(int)), 0);
        cr_expect_gt(option_of(sockets[i], ZMQ_HEARTBEAT_TTL, sizeof(int)), 0);
        cr_expect_gt(option_of(sockets[i], ZMQ_HEARTBEAT_TIMEOUT, sizeof(int)),
                     option_of(sockets[i], ZMQ_HEARTBEAT_IVL, sizeof(int)));
        cr_expect_gt(option_of(sockets[i], ZMQ_HANDSHAKE_IVL, sizeof(int)), 0);
        cr_expect_gt(option_of(sockets[i], ZMQ_CONNECT_TIMEOUT, sizeof(int)), 0);
        cr_expect_eq(option_of(sockets[i], ZMQ_SNDHWM, sizeof(int)), a->config.queue_messages_max);
        cr_expect_eq(option_of(sockets[i], ZMQ_RCVHWM, sizeof(int)), a->config.queue_messages_max);
        cr_expect_gt(option_of(sockets[i], ZMQ_MAXMSGSIZE, sizeof(int64_t)), 0);
    }
}

/* Fails with libzmq's own limit, 1,023: every link has two sockets, and as many may still close. */
Test(transport_traps, the_most_peers_find_sockets_enough_while_as_many_are_closing)
{
    enum { SOCKETS = 4 * CHIRR_TRANSPORT_PEERS_MAX };
    static void *sockets[SOCKETS];
    a->config.peers_max = CHIRR_TRANSPORT_PEERS_MAX;
    start(a);
    int count = 0;
    while (count < SOCKETS) {
        sockets[count] = zmq_socket(chirr_transport_context(a->transport), ZMQ_DEALER);
        if (sockets[count] == NULL) {
            break;
        }
        count++;
    }
    cr_expect_eq(count, SOCKETS);
    while (count > 0) {
        zmq_close(sockets[--count]);
    }
}

/* Fails when a monitor has a high-water mark: at it libzmq's own thread stops for all sockets. */
Test(transport_traps, strangers_who_come_and_go_stop_nothing_while_the_loop_is_busy)
{
    enum { STRANGERS = 1200, GREETING_BYTES = 10 }; /* two events each; libzmq's marks are 1,000 */
    start(a);
    struct chirr_peer_address address = address_of(a);
    for (int i = 0; i < STRANGERS; i++) {
        uint8_t greeting[GREETING_BYTES];
        int file = connect_plainly(address.publish_endpoint);
        struct timeval patience = {.tv_sec = NODES_DEADLINE_US / CHIRR_US_PER_S};
        cr_assert_eq(setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
        cr_assert_gt(recv(file, greeting, sizeof greeting, 0), 0, "no greeting for stranger %d", i);
        close(file);
    }
    WAIT(dropped(a, CHIRR_DROP_HANDSHAKE) == STRANGERS);
}

/* ---- A process that is stopped -----------------------------------------------------------------
 */

static void tell(int end, const struct chirr_peer_address *address)
{
    cr_assert_eq(write(end, address, sizeof *address), (ssize_t)sizeof *address);
}

static void ask(int end, struct chirr_peer_address *address)
{
    cr_assert_eq(read(end, address, sizeof *address), (ssize_t)sizeof *address);
}

/* Agent b as a process of its own: it befriends the one at the address that it is told, publishes a
 * heartbeat and sends a ping in every turn. */
static void be_other(int from_parent, int to_parent)
{
    struct chirr_peer_address address;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when a test fails */
    start(b);
    address = address_of(b);
    tell(to_parent, &address);
    ask(from_parent, &address);
    if (chirr_transport_connect(b->transport, &address, CHIRR_LINK_NEIGHBOUR) != CHIRR_OK) {
        _exit(1);
    }
    for (;;) {
        turn();
        publish(b, CHIRR_TOPIC_HEARTBEAT);
        ping(b, a, 1);
    }
}

/* Forked before this process has threads: one of them could hold a lock that nobody in the child
 * would ever release. */
static pid_t start_both(struct chirr_peer_address *address)
{
    int down[2];
    int up[2];
    cr_assert(pipe(down) == 0 && pipe(up) == 0);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        be_other(down[0], up[1]);
    }
    start(a);
    struct chirr_peer_address own = address_of(a);
    tell(down[1], &own);
    ask(up[0], address);
    for (int i = 0; i < 2; i++) {
        close(down[i]);
        close(up[i]);
    }
    return child;
}

static uint64_t resident_kib(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    cr_assert_not_null(file);
    cr_assert_eq(fscanf(file, "%*u %lu", &pages), 1);
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static void start_with_other(struct chirr_peer_address *address, pid_t *child)
{
    trust(a, b);
    trust(b, a);
    *child = start_both(address);
    cr_assert_eq(chirr_transport_connect(a->transport, address, CHIRR_LINK_NEIGHBOUR), CHIRR_OK);
    WAIT(a->received[CHIRR_MESSAGE_HEARTBEAT] > 0 && subscribers(a, "e/", b) == 1);
}

/* Fails without ZMQ_HEARTBEAT_TTL: a sends no heartbeats of its own. */
Test(transport_traps, who_connected_and_says_nothing_any_more_is_given_up)
{
    struct chirr_peer_address address;
    pid_t child;
    a->config.heartbeat_ms = 0;
    b->config.heartbeat_ms = 100;
    start_with_other(&address, &child);
    chirr_time_us until = now_us() + CHIRR_US_PER_S; /* for a heartbeat, at least */
    WAIT(now_us() > until);
    kill(child, SIGSTOP);
    WAIT(subscribers(a, "h/", NULL) == 0);
    kill(child, SIGCONT);
    WAIT(subscribers(a, "h/", NULL) == 1);
    end_child(child);
}

/* Fails without heartbeats of the side that was connected to: libzmq forgets the other side's TTL
 * with its next message, and an answer over that connection would vanish. */
Test(transport_traps, who_was_speaking_when_it_stopped_is_given_up_and_gets_a_connection_of_its_own)
{
    struct chirr_peer_address address;
    pid_t child;
    a->config.heartbeat_ms = 100;
    a->config.silence_ms = 0;
    b->config.heartbeat_ms = 0;
    start_with_other(&address, &child);
    WAIT(a->received[CHIRR_MESSAGE_PING] > 0);
    const struct chirr_transport_peer *peer = chirr_transport_find_peer(a->transport, address.id);
    ping(a, b, 1);
    cr_assert_null(peer->dealer);
    kill(child, SIGSTOP);
    WAIT_DOING(ping(a, b, 1), peer->dealer != NULL);
    end_child(child);
}

/* Whether a connection ended, as far as a monitor was told since it was asked last. */
static bool has_ended(void *monitor)
{
    char part[CHIRR_ENDPOINT_BYTES_MAX];
    bool ended = false;
    while (zmq_recv(monitor, part, sizeof part, ZMQ_DONTWAIT) >= 0) {
        ended = true;
    }
    return ended;
}

/* Fails without ZMQ_HEARTBEAT_TIMEOUT: libzmq waits for an answer no longer than the pause between
 * two questions, here a second. Of several tries since a machine that is busy makes it later yet.
 */
Test(transport_traps, who_answers_a_heartbeat_late_keeps_its_connection)
{
    enum { HELD_MS = 2500, TRIES = 4 };
    struct chirr_peer_address address;
    pid_t child;
    a->config.heartbeat_ms = 1000;
    a->config.silence_ms = 0;
    b->config.heartbeat_ms = 0;
    start_with_other(&address, &child);
    void *subscriber = chirr_transport_find_peer(a->transport, address.id)->subscriber;
    cr_assert_eq(zmq_socket_monitor(subscriber, "inproc://late", ZMQ_EVENT_DISCONNECTED), 0);
    void *monitor = zmq_socket(chirr_transport_context(a->transport), ZMQ_PAIR);
    cr_assert_eq(zmq_connect(monitor, "inproc://late"), 0);
    bool kept = false;
    for (int i = 0; i < TRIES && !kept; i++) {
        kill(child, SIGSTOP);
        chirr_time_us until = now_us() + HELD_MS * CHIRR_US_PER_MS;
        WAIT(now_us() > until);
        kill(child, SIGCONT);
        unsigned heard = a->received[CHIRR_MESSAGE_HEARTBEAT];
        WAIT(a->received[CHIRR_MESSAGE_HEARTBEAT] > heard + 10);
        kept = !has_ended(monitor);
    }
    cr_assert(kept);
    zmq_close(monitor);
    end_child(child);
}

/* The sanitizer keeps a quarter of a gigabyte of what was freed. */
#if ADDRESS_SANITIZER
#define GROWTH_KIB_MAX ((uint64_t)448 * 1024)
#else
#define GROWTH_KIB_MAX ((uint64_t)48 * 1024)
#endif

/* Fails without bounded queues: half a gigabyte would wait for the stopped process; and without
 * eviction what waits would stay until it goes on. */
Test(transport_traps, a_flood_to_a_stopped_process_takes_no_memory_and_it_is_heard_when_it_goes_on)
{
    enum { FLOOD = 20000, LARGE_ENTRIES = 1024 };
    static struct chirr_digest_entry entries[LARGE_ENTRIES];
    struct chirr_peer_address address;
    pid_t child;
    for (int i = 0; i < NODES_MAX; i++) {
        nodes[i].config.stuck_ms = 500;
    }
    start_with_other(&address, &child);
    for (uint32_t i = 0; i < LARGE_ENTRIES; i++) {
        entries[i] = (struct chirr_digest_entry){i + 1, {UINT64_MAX, UINT64_MAX}};
    }
    struct chirr_message large = {.kind = CHIRR_MESSAGE_DIGEST,
                                  .digest = {.count = LARGE_ENTRIES, .entries = entries}};
    uint64_t before = resident_kib();
    uint64_t most = before;
    kill(child, SIGSTOP);
    for (int i = 0; i < FLOOD; i++) {
        chirr_transport_publish(a->transport, CHIRR_TOPIC_EAGER, 0, &large);
        chirr_transport_send(a->transport, b->identity.id, &large);
        if (i % 100 == 0) {
            turn();
            most = resident_kib() > most ? resident_kib() : most;
        }
    }
    cr_expect_lt(most - before, GROWTH_KIB_MAX, "grew by %lu KiB", (unsigned long)(most - before));
    WAIT_DOING(chirr_transport_send(a->transport, b->identity.id, &large),
               dropped(a, CHIRR_DROP_EVICTED) > 0);
    cr_expect_gt(dropped(a, CHIRR_DROP_PUBLISH_FULL), 0);
    cr_expect_gt(dropped(a, CHIRR_DROP_SEND_FULL), 0);
    kill(child, SIGCONT);
    unsigned heard = a->received[CHIRR_MESSAGE_HEARTBEAT];
    WAIT(a->received[CHIRR_MESSAGE_HEARTBEAT] > heard + 10);
    end_child(child);
}

/* ---- A network that goes away ------------------------------------------------------------------
 */

static bool set_loopback(bool up)
{
    struct ifreq request = {.ifr_name = "lo"};
    int file = socket(AF_INET, SOCK_DGRAM, 0);
    request.ifr_flags = up ? IFF_UP | IFF_LOOPBACK | IFF_RUNNING : IFF_LOOPBACK;
    bool done = file >= 0 && ioctl(file, SIOCSIFFLAGS, &request) == 0;
    close(file);
    return done;
}

/* Fails when connections are taken for good ones for longer than the network is away and pauses
 * between attempts then grow beyond some seconds. Here an attempt fails at once; one that hangs,
 * for which ZMQ_CONNECT_TIMEOUT is set, takes a network that swallows packets. */
Test(transport_traps, links_are_back_seconds_after_the_network_is)
{
    enum { AWAY_S = 8, BACK_S = 8 };
    /* As root, or else as whoever the system lets be root among its own. */
    if ((unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) ||
        !set_loopback(true)) {
        cr_skip_test("no network namespace of its own is permitted here");
    }
    for (int i = 0; i < NODES_MAX; i++) {
        nodes[i].config = chirr_transport_config_default();
    }
    start_all();
    befriend(a, b);
    WAIT(subscribers(a, "e/", b) == 1 && subscribers(b, "e/", a) == 1);
    cr_assert(set_loopback(false));
    chirr_time_us until = now_us() + AWAY_S * CHIRR_US_PER_S;
    WAIT(now_us() > until);
    cr_assert(set_loopback(true));
    unsigned heard = b->received[CHIRR_MESSAGE_HEARTBEAT];
    chirr_time_us back = now_us();
    WAIT_DOING((publish(a, CHIRR_TOPIC_HEARTBEAT), ping(b, a, 5)),
               b->received[CHIRR_MESSAGE_HEARTBEAT] > heard && a->last_sequence == 5);
    cr_expect_lt(now_us() - back, BACK_S * CHIRR_US_PER_S);
}
