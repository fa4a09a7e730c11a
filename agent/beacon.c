/* Saying where one is to a local network, and hearing others say it. */
#include "agent/beacon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/random.h"
#include "swarm/budget.h"

#define DATAGRAMS_TURN 32 /* taken in before something else gets a turn */

/* A card that is to be met costs a signature, then a connection. A burst lets in a network that
 * wakes up as a whole; beyond, gossip is faster anyhow. (Counted with budgets of bytes.) */
#define MEETINGS_PER_S 4
#define MEETINGS_BURST 32

struct chirr_beacon {
    struct chirr_beacon_config config;
    uint64_t swarm;
    const struct chirr_identity *identity;
    const struct chirr_keyring *keyring;
    int socket;
    struct chirr_random random;
    chirr_time_us send_at;
    struct chirr_budget meetings;
    struct chirr_beacon_counters counters;
};

struct chirr_beacon_config chirr_beacon_config_default(void)
{
    return (struct chirr_beacon_config){.interval_ms = 5000};
}

/* ---- Life ----------------------------------------------------------------------------------- */

static struct sockaddr_in address_of(const struct chirr_beacon *beacon)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)beacon->config.group.port),
        .sin_addr.s_addr = htonl(beacon->config.group.address),
    };
}

/* Joins the group where the interface is now: it may have come only now, or be another one.
 * False: there is none. */
static bool join(const struct chirr_beacon *beacon)
{
    const struct in_addr interface = {.s_addr = htonl(beacon->config.interface)};
    const struct ip_mreq membership = {.imr_multiaddr.s_addr = htonl(beacon->config.group.address),
                                       .imr_interface = interface};
    bool joined = setsockopt(beacon->socket, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership,
                             sizeof membership) == 0 ||
                  errno == EADDRINUSE; /* it was in */
    return joined && setsockopt(beacon->socket, IPPROTO_IP, IP_MULTICAST_IF, &interface,
                                sizeof interface) == 0;
}

/* Other agents of this machine bind the same port and hear each other. Only datagrams to the group
 * arrive, and of them only those on the interface that was asked for, whoever else joined what. */
static bool open_socket(struct chirr_beacon *beacon)
{
    const int on = 1, off = 0, hops = 1;
    const struct sockaddr_in address = address_of(beacon);
    beacon->socket = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int fd = beacon->socket;
    return fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof off) == 0 &&
           setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof hops) == 0 &&
           setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &on, sizeof on) == 0 &&
           bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
}

struct chirr_beacon *chirr_beacon_create(const struct chirr_beacon_config *config,
                                         const char *swarm, const struct chirr_identity *identity,
                                         const struct chirr_keyring *keyring,
                                         struct chirr_error *error)
{
    struct chirr_beacon *beacon = calloc(1, sizeof *beacon);
    if (beacon == NULL) {
        (void)chirr_error_set(error, CHIRR_ERR_NOMEM, "no memory for a beacon");
        return NULL;
    }
    beacon->config = *config;
    beacon->swarm = chirr_beacon_swarm(swarm);
    beacon->identity = identity;
    beacon->keyring = keyring;
    /* Jitter must differ from agent to agent; it need not be a secret. */
    chirr_random_init(&beacon->random, identity->id, beacon->swarm);
    chirr_budget_init(&beacon->meetings, MEETINGS_PER_S, MEETINGS_BURST, 0);
    if (!open_socket(beacon)) {
        (void)chirr_error_set(error, CHIRR_ERR_IO, "beacon: cannot listen on UDP port %u: %s",
                              config->group.port, strerror(errno));
        chirr_beacon_destroy(beacon);
        return NULL;
    }
    (void)join(beacon); /* again with the first datagram, where a failure counts */
    return beacon;
}

void chirr_beacon_destroy(struct chirr_beacon *beacon)
{
    if (beacon == NULL) {
        return;
    }
    if (beacon->socket >= 0) {
        close(beacon->socket);
    }
    free(beacon);
}

int chirr_beacon_fd(const struct chirr_beacon *beacon)
{
    return beacon->socket;
}

const struct chirr_beacon_counters *chirr_beacon_count(const struct chirr_beacon *beacon)
{
    return &beacon->counters;
}

/* ---- Hearing -------------------------------------------------------------------------------- */

static bool drop(uint64_t *counter)
{
    (*counter)++;
    return false;
}

/* Who took leave in this life is not brought back by what it said before. */
static bool has_left(const struct chirr_node *node, const struct chirr_record *card)
{
    const struct chirr_member *member =
        chirr_membership_find(chirr_node_membership(node), card->author);
    return member != NULL && member->status == CHIRR_MEMBER_LEFT &&
           card->stamp.incarnation <= member->incarnation;
}

/* What costs least is asked first, the signature last: in a swarm that has met, never. */
static bool is_worth_meeting(struct chirr_beacon *beacon, const struct chirr_node *node,
                             chirr_time_us now, const struct chirr_record *card)
{
    struct chirr_beacon_counters *counters = &beacon->counters;
    if (card->author == beacon->identity->id) {
        return drop(&counters->own);
    }
    if (chirr_keyring_find(beacon->keyring, card->author) == NULL) {
        return drop(&counters->untrusted);
    }
    const struct chirr_record *held = chirr_records_card(chirr_node_records(node), card->author);
    int news = held == NULL ? 1 : chirr_stamp_compare(card->stamp, held->stamp);
    if (news < 0 || has_left(node, card)) {
        return drop(&counters->stale);
    }
    if (news == 0 && chirr_membership_is_live(chirr_node_membership(node), card->author)) {
        counters->known++;
        return false;
    }
    if (!chirr_budget_allows(&beacon->meetings, now)) {
        return drop(&counters->too_many);
    }
    chirr_budget_spend(&beacon->meetings, 1);
    if (chirr_keyring_verify_record(beacon->keyring, card) != CHIRR_OK) {
        return drop(&counters->signature);
    }
    counters->met++;
    return true;
}

static bool take(struct chirr_beacon *beacon, const uint8_t *datagram, size_t bytes,
                 struct chirr_record *card)
{
    enum chirr_err err = chirr_beacon_decode(beacon->swarm, datagram, bytes, card);
    if (err == CHIRR_ERR_NOTFOUND) {
        return drop(&beacon->counters.other_swarm);
    }
    return err == CHIRR_OK || drop(&beacon->counters.malformed);
}

bool chirr_beacon_receive(struct chirr_beacon *beacon, const struct chirr_node *node,
                          chirr_time_us now, struct chirr_record *card)
{
    uint8_t datagram[CHIRR_BEACON_BYTES_MAX + 1]; /* one more: what is too long is seen to be */
    for (int i = 0; i < DATAGRAMS_TURN; i++) {
        ssize_t bytes = recv(beacon->socket, datagram, sizeof datagram, 0);
        if (bytes < 0) {
            return false;
        }
        if (take(beacon, datagram, (size_t)bytes, card) &&
            is_worth_meeting(beacon, node, now, card)) {
            return true;
        }
    }
    return false;
}

/* ---- Saying --------------------------------------------------------------------------------- */

static bool send_card(const struct chirr_beacon *beacon, const struct chirr_record *own)
{
    uint8_t datagram[CHIRR_BEACON_BYTES_MAX];
    size_t bytes;
    struct chirr_record card;
    const struct sockaddr_in address = address_of(beacon);
    chirr_record_copy(&card, own);
    return chirr_record_sign(&card, beacon->identity) == CHIRR_OK &&
           chirr_beacon_encode(beacon->swarm, &card, datagram, &bytes) == CHIRR_OK &&
           join(beacon) &&
           sendto(beacon->socket, datagram, bytes, 0, (const struct sockaddr *)&address,
                  sizeof address) == (ssize_t)bytes;
}

void chirr_beacon_tick(struct chirr_beacon *beacon, const struct chirr_node *node,
                       chirr_time_us now)
{
    if (now < beacon->send_at) {
        return;
    }
    chirr_time_us interval = chirr_time_from_ms(beacon->config.interval_ms);
    beacon->send_at =
        now + interval * 3 / 4 +
        (chirr_time_us)chirr_random_below(&beacon->random, (uint64_t)interval / 2 + 1);
    const struct chirr_record *own =
        chirr_records_card(chirr_node_records(node), chirr_node_id(node));
    if (own != NULL && send_card(beacon, own)) {
        beacon->counters.sent++;
    } else {
        beacon->counters.unsent++;
    }
}

chirr_time_us chirr_beacon_deadline(const struct chirr_beacon *beacon)
{
    return beacon->send_at;
}
