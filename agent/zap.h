/* Who may connect: the handler that libzmq asks about every CURVE handshake (ZeroMQ RFC 27, ZAP).
 *
 * One a context, and bound before any other socket, because libzmq lets everybody in while nobody
 * answers at the handler's address. A key on the keyring gets its holder's id and itself as
 * User-Id, which every message of that connection then carries; every other key, and our own, is
 * refused. Used by the thread that owns the context's sockets. */
#ifndef CHIRR_AGENT_ZAP_H
#define CHIRR_AGENT_ZAP_H

#include "agent/keyring.h"

#define CHIRR_ZAP_DOMAIN "chirr"
#define CHIRR_ZAP_USER_BYTES (16 + 1 + CHIRR_KEY_TEXT_BYTES) /* "ID/KEY" and the NUL */

struct chirr_zap {
    void *socket; /* REP */
    const struct chirr_keyring *keyring;
    chirr_agent_id self;
};

/* Binds. CHIRR_ERR_IO: somebody else is bound there, or no socket could be had. */
CHIRR_NODISCARD enum chirr_err chirr_zap_init(struct chirr_zap *zap, void *context,
                                              const struct chirr_keyring *keyring,
                                              chirr_agent_id self);
void chirr_zap_finish(struct chirr_zap *zap);

enum chirr_zap_verdict {
    CHIRR_ZAP_IDLE, /* nobody asked */
    CHIRR_ZAP_ADMITTED,
    CHIRR_ZAP_REFUSED,
};

struct chirr_zap_asker {
    char address[CHIRR_ENDPOINT_BYTES_MAX]; /* where the connection came from */
    uint8_t curve_public[CHIRR_KEY_BYTES];
};

/* Answers one request; never blocks. `*asker` is filled when there was one. */
enum chirr_zap_verdict chirr_zap_serve(struct chirr_zap *zap, struct chirr_zap_asker *asker);

void chirr_zap_user_format(chirr_agent_id id, const uint8_t curve_public[CHIRR_KEY_BYTES],
                           char text[CHIRR_ZAP_USER_BYTES]);

#endif
