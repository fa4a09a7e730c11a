/* Error texts and the assertion that stays on in release builds. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
#define NAME(code, name, text) [CHIRR_ERR_##code] = name,
    CHIRR_ERR_MAP(NAME)
#undef NAME
};

const char *chirr_err_name(enum chirr_err err)
{
    return (unsigned)err >= CHIRR_ERR_COUNT ? "unknown" : names[err];
}

enum chirr_err chirr_err_from_name(const char *name)
{
    for (int err = 0; err < CHIRR_ERR_COUNT; err++) {
        if (strcmp(name, names[err]) == 0) {
            return (enum chirr_err)err;
        }
    }
    return CHIRR_ERR_STATE;
}

const char *chirr_err_text(enum chirr_err err)
{
    static const char *const texts[] = {
#define TEXT(code, name, text) [CHIRR_ERR_##code] = text,
        CHIRR_ERR_MAP(TEXT)
#undef TEXT
    };
    if ((unsigned)err >= CHIRR_ERR_COUNT) {
        return "unknown error";
    }
    return texts[err];
}

enum chirr_err chirr_error_set(struct chirr_error *error, enum chirr_err code, const char *format,
                               ...)
{
    if (error != NULL) {
        va_list args;
        va_start(args, format);
        error->code = code;
        vsnprintf(error->text, sizeof error->text, format, args);
        va_end(args);
    }
    return code;
}

void chirr_assert_fail(const char *condition, const char *file, int line, const char *function)
{
    fprintf(stderr, "%s:%d: %s: assertion `%s' failed\n", file, line, function, condition);
    abort();
}
