/* The control socket: one JSON request, one JSON reply, over a local ZeroMQ socket.
 *
 * `ipc://RUNTIME_DIR/NAME.sock` in a directory that only its owner may enter. Requests are objects
 * {"verb": …}; replies {"ok": true, …} or {"ok": false, "error": TEXT, "code": NAME}. What
 * is no object with a verb is answered with an error and counted; whoever sends more than
 * CHIRR_CONTROL_BYTES_MAX is disconnected. docs/control.md lists the verbs. The server belongs to
 * the event loop's thread. */
#ifndef CHIRR_AGENT_CONTROL_H
#define CHIRR_AGENT_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <zmq.h>

#include "agent/config.h"

#define CHIRR_CONTROL_BYTES_MAX ((size_t)1024 * 1024)
#define CHIRR_CONTROL_WAITING_MAX 256

/* Who asked; kept for a reply that comes later (`wait`, `evaluate`). */
struct chirr_control_client {
    uint8_t routing_id[16];
    uint8_t routing_bytes;
};

struct chirr_control;

/* Makes the directory (0700) where missing; replaces a socket that nobody answers on. The ZeroMQ
 * context is borrowed; terminating it waits up to half a second for replies still underway.
 * CHIRR_ERR_BUSY: an agent of that name is running there. CHIRR_ERR_UNTRUSTED: the directory exists
 * and is another user's or open to others, or so is one above it in a place for everybody (/tmp).
 */
struct chirr_control *chirr_control_create(void *context, const char *runtime_dir, const char *name,
                                           struct chirr_error *error);
void chirr_control_destroy(struct chirr_control *control);

int chirr_control_poll_items(struct chirr_control *control, zmq_pollitem_t *items); /* at most 1 */

/* The next request that is an object with a verb; the caller owns `*request` (json_decref). */
bool chirr_control_receive(struct chirr_control *control, struct chirr_control_client *client,
                           json_t **request);

/* Requests so far that were none. */
uint64_t chirr_control_malformed(const struct chirr_control *control);

/* Sends and takes over `reply`. A client that has gone is ignored. */
void chirr_control_reply(struct chirr_control *control, const struct chirr_control_client *client,
                         json_t *reply);

/* {"ok": false, "error": …, "code": "notfound"}; new reference. */
json_t *chirr_control_failure(enum chirr_err code, const char *text);

/* Client side. Asks the agent `name` and waits; the caller owns `*reply`. CHIRR_ERR_NOTFOUND: no
 * such socket. CHIRR_ERR_BUSY: no answer in `timeout_ms`; CHIRR_ERR_CANCELLED: it ended before it
 * answered; whether it did what was asked is not known after either. A failure that the agent
 * answered is returned with its text. */
CHIRR_NODISCARD enum chirr_err chirr_control_ask(const char *runtime_dir, const char *name,
                                                 const json_t *request, int timeout_ms,
                                                 json_t **reply, struct chirr_error *error);

#endif
