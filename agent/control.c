/* The control socket: a ROUTER on the agent's side, a REQ-like DEALER on the client's. */
#include "agent/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Replies that a client does not fetch are dropped beyond this many. */
#define REPLIES_QUEUED_MAX 64
/* A client that has gone is forgotten when nothing can be sent for so long. */
#define LINGER_MS 500
/* How often a client that waits looks whether the agent still lives: ZeroMQ does not tell. */
#define ALIVE_MS 500
#define SOCKET_PATH_BYTES_MAX (CHIRR_PATH_BYTES_MAX + CHIRR_NAME_BYTES_MAX + 8)

struct chirr_control {
    void *router;
    char path[SOCKET_PATH_BYTES_MAX];
    uint64_t malformed;
};

/* ---- Where ---------------------------------------------------------------------------------- */

static enum chirr_err socket_path(const char *runtime_dir, const char *name,
                                  char path[SOCKET_PATH_BYTES_MAX], struct chirr_error *error)
{
    const size_t room = sizeof((struct sockaddr_un *)0)->sun_path;
    int length = snprintf(path, SOCKET_PATH_BYTES_MAX, "%s/%s.sock", runtime_dir, name);
    if (length < 0 || (size_t)length >= room) {
        return chirr_error_set(
            error, CHIRR_ERR_RANGE,
            "%s/%s.sock: a socket's path has at most %zu bytes; choose a shorter "
            "directory or name",
            runtime_dir, name, room - 1);
    }
    return CHIRR_OK;
}

/* Where sockets stand nobody else may enter: who connects may stop the agent. */
static enum chirr_err check_directory(const char *path, struct chirr_error *error)
{
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: is not a directory", path);
    }
    if (status.st_uid != geteuid()) {
        return chirr_error_set(error, CHIRR_ERR_UNTRUSTED, "%s: belongs to another user", path);
    }
    if ((status.st_mode & 077) != 0) { /* made by others than us, for other things too */
        return chirr_error_set(error, CHIRR_ERR_UNTRUSTED,
                               "%s: others may use this directory, expected one for its owner "
                               "alone; chmod 700 it if nothing else needs it, or name another",
                               path);
    }
    return CHIRR_OK;
}

/* Where everybody may put things, as in /tmp, whoever owns a part of the path could exchange what
 * is below it: from there on each part has to be a directory, no link, that is ours or root's and
 * where nobody else can rename what we make. */
static enum chirr_err check_part(const char *path, bool *shared, struct chirr_error *error)
{
    struct stat status;
    if ((*shared ? lstat(path, &status) : stat(path, &status)) != 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: %s", path, strerror(errno));
    }
    bool ours = status.st_uid == geteuid() || status.st_uid == 0;
    bool keeps = (status.st_mode & 022) == 0 || (status.st_mode & S_ISVTX) != 0;
    if (*shared && (!S_ISDIR(status.st_mode) || !ours || !keeps)) {
        return chirr_error_set(
            error, CHIRR_ERR_UNTRUSTED,
            "%s: expected a directory of your own that nobody else may write to, "
            "because everybody may put things beside it; remove it, or set "
            "XDG_RUNTIME_DIR or `runtime:`",
            path);
    }
    *shared = *shared || (status.st_mode & S_IWOTH) != 0;
    return CHIRR_OK;
}

static enum chirr_err make_part(const char *path, bool *shared, struct chirr_error *error)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: %s", path, strerror(errno));
    }
    return check_part(path, shared, error);
}

/* Makes every missing part of the path, for its owner alone. What exists is never changed. */
static enum chirr_err make_directory(const char *directory, struct chirr_error *error)
{
    char path[CHIRR_PATH_BYTES_MAX];
    bool shared = false;
    enum chirr_err err = CHIRR_OK;
    if (snprintf(path, sizeof path, "%s", directory) >= (int)sizeof path) {
        return chirr_error_set(error, CHIRR_ERR_RANGE, "%s: path too long", directory);
    }
    for (char *slash = strchr(path + 1, '/'); slash != NULL && err == CHIRR_OK;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        err = make_part(path, &shared, error);
        *slash = '/';
    }
    if (err == CHIRR_OK) {
        err = make_part(path, &shared, error);
    }
    return err == CHIRR_OK ? check_directory(path, error) : err;
}

/* Does anybody listen there? A socket file outlives an agent that was killed. One that is stopped
 * listens, but accepts nobody: waiting for it would never end, so a full backlog is an answer. */
static bool is_alive(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strnlen(path, sizeof address.sun_path - 1));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    bool alive = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN ||
                 errno == EINPROGRESS;
    close(fd);
    return alive;
}

/* ---- The agent's side ----------------------------------------------------------------------- */

static void set_int(void *socket, int option, int value)
{
    int rc = zmq_setsockopt(socket, option, &value, sizeof value);
    CHIRR_ASSERT(rc == 0); /* options and values are constants */
}

static enum chirr_err open_router(struct chirr_control *control, void *context,
                                  struct chirr_error *error)
{
    char endpoint[SOCKET_PATH_BYTES_MAX + 8];
    control->router = zmq_socket(context, ZMQ_ROUTER);
    if (control->router == NULL) {
        return chirr_error_set(error, CHIRR_ERR_IO, "no control socket: %s", zmq_strerror(errno));
    }
    int64_t bytes_max = CHIRR_CONTROL_BYTES_MAX;
    zmq_setsockopt(control->router, ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max);
    set_int(control->router, ZMQ_LINGER, LINGER_MS);
    set_int(control->router, ZMQ_SNDHWM, REPLIES_QUEUED_MAX);
    set_int(control->router, ZMQ_RCVHWM, CHIRR_CONTROL_WAITING_MAX);
    snprintf(endpoint, sizeof endpoint, "ipc://%s", control->path);
    if (zmq_bind(control->router, endpoint) != 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: %s", endpoint, zmq_strerror(errno));
    }
    return CHIRR_OK;
}

struct chirr_control *chirr_control_create(void *context, const char *runtime_dir, const char *name,
                                           struct chirr_error *error)
{
    struct chirr_control *control = calloc(1, sizeof *control);
    if (control == NULL) {
        (void)chirr_error_set(error, CHIRR_ERR_NOMEM, "no memory for the control socket");
        return NULL;
    }
    enum chirr_err err = socket_path(runtime_dir, name, control->path, error);
    if (err == CHIRR_OK) {
        err = make_directory(runtime_dir, error);
    }
    if (err == CHIRR_OK && is_alive(control->path)) {
        err =
            chirr_error_set(error, CHIRR_ERR_BUSY,
                            "an agent named %s is running already (%s answers); stop it or choose "
                            "another name",
                            name, control->path);
        control->path[0] = '\0'; /* not ours to remove */
    }
    if (err == CHIRR_OK) {
        unlink(control->path);
        err = open_router(control, context, error);
    }
    if (err != CHIRR_OK) {
        chirr_control_destroy(control);
        return NULL;
    }
    return control;
}

void chirr_control_destroy(struct chirr_control *control)
{
    if (control == NULL) {
        return;
    }
    if (control->router != NULL) {
        zmq_close(control->router);
        unlink(control->path);
    }
    free(control);
}

int chirr_control_poll_items(struct chirr_control *control, zmq_pollitem_t *items)
{
    items[0] = (zmq_pollitem_t){.socket = control->router, .events = ZMQ_POLLIN};
    return 1;
}

static bool has_more(void *socket)
{
    int more = 0;
    size_t bytes = sizeof more;
    return zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &bytes) == 0 && more != 0;
}

static void skip_rest(void *socket)
{
    zmq_msg_t part;
    while (has_more(socket)) {
        zmq_msg_init(&part);
        zmq_msg_recv(&part, socket, ZMQ_DONTWAIT);
        zmq_msg_close(&part);
    }
}

/* NULL unless it is one object with a verb. */
static json_t *parse_request(const void *data, size_t bytes)
{
    json_t *request = json_loadb(data, bytes, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_string(json_object_get(request, "verb"))) {
        return request;
    }
    json_decref(request);
    return NULL;
}

/* False when nothing waits; *request is NULL when what came was no request. */
static bool receive_one(struct chirr_control *control, struct chirr_control_client *client,
                        json_t **request)
{
    zmq_msg_t part;
    *request = NULL;
    int bytes =
        zmq_recv(control->router, client->routing_id, sizeof client->routing_id, ZMQ_DONTWAIT);
    if (bytes < 0) {
        return false;
    }
    client->routing_bytes = (uint8_t)bytes;
    if ((size_t)bytes > sizeof client->routing_id || !has_more(control->router)) {
        skip_rest(control->router);
        client->routing_bytes = 0;
        return true;
    }
    zmq_msg_init(&part);
    if (zmq_msg_recv(&part, control->router, ZMQ_DONTWAIT) >= 0 && !has_more(control->router)) {
        *request = parse_request(zmq_msg_data(&part), zmq_msg_size(&part));
    }
    zmq_msg_close(&part);
    skip_rest(control->router);
    return true;
}

bool chirr_control_receive(struct chirr_control *control, struct chirr_control_client *client,
                           json_t **request)
{
    while (receive_one(control, client, request)) {
        if (*request != NULL) {
            return true;
        }
        control->malformed++;
        if (client->routing_bytes > 0) {
            chirr_control_reply(
                control, client,
                chirr_control_failure(CHIRR_ERR_MALFORMED, "expected one JSON object with a verb"));
        }
    }
    return false;
}

uint64_t chirr_control_malformed(const struct chirr_control *control)
{
    return control->malformed;
}

void chirr_control_reply(struct chirr_control *control, const struct chirr_control_client *client,
                         json_t *reply)
{
    char *text = json_dumps(reply, JSON_COMPACT);
    json_decref(reply);
    if (text == NULL) {
        return;
    }
    /* A ROUTER drops what goes to a client that has left, and never blocks with DONTWAIT. */
    if (zmq_send(control->router, client->routing_id, client->routing_bytes,
                 ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0) {
        zmq_send(control->router, text, strlen(text), ZMQ_DONTWAIT);
    }
    free(text);
}

json_t *chirr_control_failure(enum chirr_err code, const char *text)
{
    return json_pack("{s:b, s:s, s:s}", "ok", 0, "error", text, "code", chirr_err_name(code));
}

/* ---- The client's side ---------------------------------------------------------------------- */

static enum chirr_err exchange(void *socket, const char *path, const char *text, int timeout_ms,
                               json_t **reply, struct chirr_error *error)
{
    char endpoint[SOCKET_PATH_BYTES_MAX + 8];
    snprintf(endpoint, sizeof endpoint, "ipc://%s", path);
    set_int(socket, ZMQ_LINGER, 0);
    if (zmq_connect(socket, endpoint) != 0 || zmq_send(socket, text, strlen(text), 0) < 0) {
        return chirr_error_set(error, CHIRR_ERR_IO, "%s: %s", endpoint, zmq_strerror(errno));
    }
    zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
    int ready = 0;
    for (int waited_ms = 0; ready == 0 && waited_ms < timeout_ms;) {
        int slice_ms = timeout_ms - waited_ms < ALIVE_MS ? timeout_ms - waited_ms : ALIVE_MS;
        ready = zmq_poll(&item, 1, slice_ms);
        waited_ms += slice_ms;
        if (ready == 0 && waited_ms < timeout_ms && !is_alive(path)) {
            return chirr_error_set(error, CHIRR_ERR_CANCELLED, "%s: it ended before it answered",
                                   path);
        }
    }
    if (ready <= 0) {
        return ready < 0 ? chirr_error_set(error, CHIRR_ERR_IO, "%s", zmq_strerror(errno))
                         : chirr_error_set(error, CHIRR_ERR_BUSY, "%s: no answer within %d ms",
                                           path, timeout_ms);
    }
    zmq_msg_t part;
    zmq_msg_init(&part);
    zmq_msg_recv(&part, socket, 0);
    *reply = json_loadb(zmq_msg_data(&part), zmq_msg_size(&part), 0, NULL);
    zmq_msg_close(&part);
    return json_is_object(*reply)
               ? CHIRR_OK
               : chirr_error_set(error, CHIRR_ERR_MALFORMED, "%s: answered no JSON object", path);
}

/* What the agent refused becomes an error here. */
static enum chirr_err outcome_of(json_t **reply, struct chirr_error *error)
{
    if (json_is_true(json_object_get(*reply, "ok"))) {
        return CHIRR_OK;
    }
    const char *text = json_string_value(json_object_get(*reply, "error"));
    const char *code = json_string_value(json_object_get(*reply, "code"));
    enum chirr_err err = code == NULL ? CHIRR_ERR_STATE : chirr_err_from_name(code);
    err = chirr_error_set(error, err == CHIRR_OK ? CHIRR_ERR_STATE : err, "%s",
                          text == NULL ? "the agent refused" : text);
    json_decref(*reply);
    *reply = NULL;
    return err;
}

enum chirr_err chirr_control_ask(const char *runtime_dir, const char *name, const json_t *request,
                                 int timeout_ms, json_t **reply, struct chirr_error *error)
{
    char path[SOCKET_PATH_BYTES_MAX];
    *reply = NULL;
    enum chirr_err err = socket_path(runtime_dir, name, path, error);
    if (err != CHIRR_OK) {
        return err;
    }
    if (!is_alive(path)) {
        return chirr_error_set(error, CHIRR_ERR_NOTFOUND, "no agent named %s is running (%s)", name,
                               path);
    }
    char *text = json_dumps(request, JSON_COMPACT);
    void *context = zmq_ctx_new();
    void *socket = context == NULL ? NULL : zmq_socket(context, ZMQ_DEALER);
    if (text == NULL || socket == NULL) {
        err = chirr_error_set(error, CHIRR_ERR_NOMEM, "no memory to ask %s", name);
    } else {
        err = exchange(socket, path, text, timeout_ms, reply, error);
    }
    if (socket != NULL) {
        zmq_close(socket);
    }
    if (context != NULL) {
        zmq_ctx_term(context);
    }
    free(text);
    if (err != CHIRR_OK) {
        json_decref(*reply);
        *reply = NULL;
        return err;
    }
    return outcome_of(reply, error);
}
