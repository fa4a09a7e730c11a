/* Which sockets have something to read, at a cost that does not grow with how many there are.
 *
 * A receive that finds nothing costs a system call, and so does a look by zmq_poll at each socket.
 * So libzmq's descriptor of each is in one epoll set. It tells of news once: whatever uses the
 * socket meanwhile, a send as well, may have taken the sign in. Hence a flag for each, set by the
 * descriptor and by every other use, and cleared only when a receive found nothing. */
#include "agent/transport_state.h"

#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_TURN 64 /* the rest with the next look */

static uint32_t way_count(const struct chirr_transport *transport)
{
    return CHIRR_WAY_PEERS + CHIRR_WAYS_PER_PEER * transport->config.peers_max;
}

size_t chirr_transport_ready_bytes(const struct chirr_transport_config *config)
{
    return (CHIRR_WAY_PEERS + CHIRR_WAYS_PER_PEER * config->peers_max) * sizeof(bool);
}

enum chirr_err chirr_transport_ready_add(struct chirr_transport *transport, uint32_t way,
                                         void *socket)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = way};
    int fd;
    size_t bytes = sizeof fd;
    if (zmq_getsockopt(socket, ZMQ_FD, &fd, &bytes) != 0 ||
        epoll_ctl(transport->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        return CHIRR_ERR_IO;
    }
    transport->ready[way] = true;
    return CHIRR_OK;
}

void chirr_transport_ready_remove(struct chirr_transport *transport, uint32_t way, void *socket)
{
    int fd;
    size_t bytes = sizeof fd;
    transport->ready[way] = false;
    if (socket != NULL && zmq_getsockopt(socket, ZMQ_FD, &fd, &bytes) == 0) {
        epoll_ctl(transport->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    }
}

uint32_t chirr_transport_way_of(const struct chirr_transport *transport,
                                const struct chirr_transport_peer *peer, bool published)
{
    uint32_t index = (uint32_t)(peer - transport->peers);
    return CHIRR_WAY_PEERS + CHIRR_WAYS_PER_PEER * index + (published ? 0 : 1);
}

void chirr_transport_ready_look(struct chirr_transport *transport)
{
    struct epoll_event events[EVENTS_TURN];
    int count = epoll_wait(transport->epoll_fd, events, EVENTS_TURN, 0);
    for (int i = 0; i < count; i++) {
        transport->ready[events[i].data.u32] = true;
    }
}

void *chirr_transport_socket_of(const struct chirr_transport *transport, uint32_t way)
{
    switch (way) {
    case CHIRR_WAY_PUBLISHER:
        return transport->publisher;
    case CHIRR_WAY_ROUTER:
        return transport->router;
    case CHIRR_WAY_ZAP:
        return transport->zap.socket;
    case CHIRR_WAY_MONITOR_PUBLISHER:
        return transport->watches[CHIRR_WATCH_PUBLISHER].monitor;
    case CHIRR_WAY_MONITOR_ROUTER:
        return transport->watches[CHIRR_WATCH_ROUTER].monitor;
    default:
        break;
    }
    const struct chirr_transport_peer *peer =
        &transport->peers[(way - CHIRR_WAY_PEERS) / CHIRR_WAYS_PER_PEER];
    return (way - CHIRR_WAY_PEERS) % CHIRR_WAYS_PER_PEER == 0 ? peer->subscriber : peer->dealer;
}

static bool has_message(void *socket)
{
    int events = 0;
    size_t bytes = sizeof events;
    return socket != NULL && zmq_getsockopt(socket, ZMQ_EVENTS, &events, &bytes) == 0 &&
           (events & ZMQ_POLLIN) != 0;
}

int chirr_transport_fd(const struct chirr_transport *transport)
{
    return transport->epoll_fd;
}

bool chirr_transport_is_waiting(struct chirr_transport *transport)
{
    for (uint32_t way = 0; way < way_count(transport); way++) {
        if (!transport->ready[way]) {
            continue;
        }
        if (has_message(chirr_transport_socket_of(transport, way))) {
            return true;
        }
        transport->ready[way] = false;
    }
    return false;
}
