/* Error texts and the assertion that stays on in release builds. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *chirr_err_text(enum chirr_err err)
{
    static const char *const texts[] = {
#define TEXT(name, text) [CHIRR_ERR_##name] = text,
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
