/* Errors: one enum and its texts, and words for people.
 *
 * Every fallible function returns `enum chirr_err` and is CHIRR_NODISCARD. Where a person will read
 * the reason (configuration, files, sockets, the command line), the function also fills a
 * caller-owned `struct chirr_error` with what went wrong, where, and what to do about it.
 * Thread-safe: no state. */
#ifndef CHIRR_BASE_ERROR_H
#define CHIRR_BASE_ERROR_H

#include <stddef.h>

#define CHIRR_NODISCARD __attribute__((warn_unused_result))
#define CHIRR_PRINTF(string_at, first_at) __attribute__((format(printf, string_at, first_at)))

#define CHIRR_ERR_MAP(X)                                                                           \
    X(OK, "ok", "no error")                                                                        \
    X(NOMEM, "nomem", "out of memory")                                                             \
    X(INVALID, "invalid", "invalid argument")                                                      \
    X(RANGE, "range", "value out of range")                                                        \
    X(FULL, "full", "a bounded table or queue is full")                                            \
    X(NOTFOUND, "notfound", "not found")                                                           \
    X(EXISTS, "exists", "already exists")                                                          \
    X(MALFORMED, "malformed", "malformed message or file")                                         \
    X(CHECKSUM, "checksum", "checksum mismatch")                                                   \
    X(VERSION, "version", "unsupported version")                                                   \
    X(SIGNATURE, "signature", "bad signature")                                                     \
    X(UNTRUSTED, "untrusted", "peer is not trusted")                                               \
    X(STALE, "stale", "older than what is already known")                                          \
    X(EQUIVOCATION, "equivocation", "two contents signed for one version")                         \
    X(LINEAGE, "lineage", "another model lineage")                                                 \
    X(NOTFINITE, "notfinite", "a number is not finite")                                            \
    X(BUSY, "busy", "resource is busy")                                                            \
    X(TIMEOUT, "timeout", "timed out")                                                             \
    X(CANCELLED, "cancelled", "cancelled")                                                         \
    X(CONFIG, "config", "configuration error")                                                     \
    X(IO, "io", "input/output error")                                                              \
    X(STATE, "state", "not possible in the present state")

enum chirr_err {
#define CHIRR_ERR_ENUM(code, name, text) CHIRR_ERR_##code,
    CHIRR_ERR_MAP(CHIRR_ERR_ENUM)
#undef CHIRR_ERR_ENUM
        CHIRR_ERR_COUNT,
    CHIRR_OK = CHIRR_ERR_OK,
};

/* "checksum" for CHIRR_ERR_CHECKSUM: what programs compare; "unknown" outside the enum. */
const char *chirr_err_name(enum chirr_err err);
/* The code of a name; CHIRR_ERR_STATE for a name that no code has. */
enum chirr_err chirr_err_from_name(const char *name);

/* "checksum mismatch" for CHIRR_ERR_CHECKSUM; "unknown error" outside the enum. Static storage. */
const char *chirr_err_text(enum chirr_err err);

#define CHIRR_ERROR_TEXT_BYTES_MAX 512

/* Owned by the caller, who may reuse it; `text` is always NUL-terminated. */
struct chirr_error {
    enum chirr_err code;
    char text[CHIRR_ERROR_TEXT_BYTES_MAX];
};

/* Fills `error` (which may be NULL) and returns `code`, so that a failure reads as one line:
 * `return chirr_error_set(error, CHIRR_ERR_IO, "%s: %s", path, strerror(errno));` */
enum chirr_err chirr_error_set(struct chirr_error *error, enum chirr_err code, const char *format,
                               ...) CHIRR_PRINTF(3, 4);

/* States what a programmer guarantees; stays on in release builds. Never for what a peer says. */
#define CHIRR_ASSERT(condition)                                                                    \
    ((condition) ? (void)0 : chirr_assert_fail(#condition, __FILE__, __LINE__, __func__))
_Noreturn void chirr_assert_fail(const char *condition, const char *file, int line,
                                 const char *function);

#endif
