/* ZAP requests and their answers. */
#include "agent/zap.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#define ENDPOINT "inproc://zeromq.zap.01"
#define PART_BYTES_MAX 256

/* version, request id, domain, address, routing id, mechanism, credentials */
enum {
    PART_VERSION,
    PART_REQUEST,
    PART_DOMAIN,
    PART_ADDRESS,
    PART_ROUTING,
    PART_MECHANISM,
    PART_KEY,
    PART_COUNT,
};

struct part {
    size_t bytes;
    uint8_t data[PART_BYTES_MAX];
};

struct request {
    size_t count; /* may be more than PART_COUNT: the rest was discarded */
    struct part parts[PART_COUNT];
};

enum chirr_err chirr_zap_init(struct chirr_zap *zap, void *context,
                              const struct chirr_keyring *keyring, chirr_agent_id self)
{
    const int no_linger = 0;
    zap->keyring = keyring;
    zap->self = self;
    zap->socket = zmq_socket(context, ZMQ_REP);
    if (zap->socket == NULL ||
        zmq_setsockopt(zap->socket, ZMQ_LINGER, &no_linger, sizeof no_linger) != 0 ||
        zmq_bind(zap->socket, ENDPOINT) != 0) {
        return CHIRR_ERR_IO;
    }
    return CHIRR_OK;
}

void chirr_zap_finish(struct chirr_zap *zap)
{
    if (zap->socket != NULL) {
        zmq_close(zap->socket);
        zap->socket = NULL;
    }
}

void chirr_zap_user_format(chirr_agent_id id, const uint8_t curve_public[CHIRR_KEY_BYTES],
                           char text[CHIRR_ZAP_USER_BYTES])
{
    int bytes = snprintf(text, CHIRR_ZAP_USER_BYTES, "%016" PRIx64 "/", id);
    chirr_key_format(curve_public, text + bytes);
}

/* All parts of a waiting request; false when there is none. */
static bool receive_request(void *socket, struct request *request)
{
    struct part excess;
    int more = 1;
    memset(request, 0, sizeof *request);
    while (more) {
        struct part *part = request->count < PART_COUNT ? &request->parts[request->count] : &excess;
        int bytes = zmq_recv(socket, part->data, sizeof part->data, ZMQ_DONTWAIT);
        if (bytes < 0) {
            return false;
        }
        part->bytes = (size_t)bytes;
        request->count++;
        size_t size = sizeof more;
        if (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) != 0) {
            return false;
        }
    }
    return true;
}

static bool part_is(const struct part *part, const char *text)
{
    return part->bytes == strlen(text) && memcmp(part->data, text, part->bytes) == 0;
}

/* NULL: refused. */
static const struct chirr_keyring_entry *judge(const struct chirr_zap *zap,
                                               const struct request *request)
{
    if (request->count != PART_COUNT || !part_is(&request->parts[PART_VERSION], "1.0") ||
        !part_is(&request->parts[PART_DOMAIN], CHIRR_ZAP_DOMAIN) ||
        !part_is(&request->parts[PART_MECHANISM], "CURVE") ||
        request->parts[PART_KEY].bytes != CHIRR_KEY_BYTES) {
        return NULL;
    }
    const struct chirr_keyring_entry *entry =
        chirr_keyring_find_curve(zap->keyring, request->parts[PART_KEY].data);
    return entry != NULL && entry->id != zap->self ? entry : NULL;
}

static void answer(void *socket, const struct request *request,
                   const struct chirr_keyring_entry *entry)
{
    const struct part *request_id = &request->parts[PART_REQUEST];
    char user[CHIRR_ZAP_USER_BYTES] = "";
    if (entry != NULL) {
        chirr_zap_user_format(entry->id, request->parts[PART_KEY].data, user);
    }
    const char *status = entry != NULL ? "200" : "400";
    const char *words = entry != NULL ? "OK" : "not on the keyring";
    const int flags = ZMQ_DONTWAIT | ZMQ_SNDMORE;
    zmq_send(socket, "1.0", 3, flags);
    zmq_send(socket, request_id->data,
             request_id->bytes <= sizeof request_id->data ? request_id->bytes : 0, flags);
    zmq_send(socket, status, strlen(status), flags);
    zmq_send(socket, words, strlen(words), flags);
    zmq_send(socket, user, strlen(user), flags);
    zmq_send(socket, "", 0, ZMQ_DONTWAIT); /* metadata */
}

static void describe(struct chirr_zap_asker *asker, const struct request *request)
{
    memset(asker, 0, sizeof *asker);
    const struct part *address = &request->parts[PART_ADDRESS];
    if (address->bytes < sizeof asker->address) {
        memcpy(asker->address, address->data, address->bytes);
    }
    if (request->parts[PART_KEY].bytes == CHIRR_KEY_BYTES) {
        memcpy(asker->curve_public, request->parts[PART_KEY].data, CHIRR_KEY_BYTES);
    }
}

enum chirr_zap_verdict chirr_zap_serve(struct chirr_zap *zap, struct chirr_zap_asker *asker)
{
    struct request request;
    if (!receive_request(zap->socket, &request)) {
        return CHIRR_ZAP_IDLE;
    }
    const struct chirr_keyring_entry *entry = judge(zap, &request);
    answer(zap->socket, &request, entry);
    describe(asker, &request);
    return entry != NULL ? CHIRR_ZAP_ADMITTED : CHIRR_ZAP_REFUSED;
}
