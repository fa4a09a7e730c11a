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
    X(OK, "no error")                                                                              \
    X(NOMEM, "out of memory")                                                                      \
    X(INVALID, "invalid argument")                                                                 \
    X(RANGE, "value out of range")                                                                 \
    X(FULL, "a bounded table or queue is full")                                                    \
    X(NOTFOUND, "not found")                                                                       \
    X(EXISTS, "already exists")                                                                    \
    X(MALFORMED, "malformed message or file")                                                      \
    X(CHECKSUM, "checksum mismatch")                                                               \
    X(VERSION, "unsupported version")                                                              \
    X(SIGNATURE, "bad signature")                                                                  \
    X(UNTRUSTED, "peer is not trusted")                                                            \
    X(STALE, "older than what is already known")                                                   \
    X(EQUIVOCATION, "two contents signed for one version")                                         \
    X(LINEAGE, "another model lineage")                                                            \
    X(NOTFINITE, "a number is not finite")                                                         \
    X(BUSY, "resource is busy")                                                                    \
    X(TIMEOUT, "timed out")                                                                        \
    X(CANCELLED, "cancelled")                                                                      \
    X(CONFIG, "configuration error")                                                               \
    X(IO, "input/output error")                                                                    \
    X(STATE, "not possible in the present state")

enum chirr_err {
#define CHIRR_ERR_ENUM(name, text) CHIRR_ERR_##name,
    CHIRR_ERR_MAP(CHIRR_ERR_ENUM)
#undef CHIRR_ERR_ENUM
        CHIRR_ERR_COUNT,
    CHIRR_OK = CHIRR_ERR_OK,
};

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
