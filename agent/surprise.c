#include "agent/surprise.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define AROUND 24 /* bytes shown before and after */

static bool overlaps(size_t at, size_t length, const struct chirr_surprise *found, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (at < found[i].at + found[i].bytes && found[i].at < at + length) {
            return true;
        }
    }
    return false;
}

/* The dearest stretch that overlaps none of those found; `bits` stays negative when there is none.
 */
static struct chirr_surprise dearest(const float *each, size_t bytes, size_t length,
                                     const struct chirr_surprise *found, size_t count)
{
    struct chirr_surprise best = {.bytes = length, .bits = -1};
    double sum = 0;
    for (size_t end = 0; end < bytes; end++) {
        sum += (double)each[end] - (end >= length ? (double)each[end - length] : 0);
        if (end + 1 < length) {
            continue;
        }
        size_t at = end + 1 - length;
        if (sum / (double)length > best.bits && !overlaps(at, length, found, count)) {
            best.at = at;
            best.bits = sum / (double)length;
        }
    }
    return best;
}

static size_t line_of(const uint8_t *text, size_t at)
{
    size_t line = 1;
    for (size_t i = 0; i < at; i++) {
        line += text[i] == '\n';
    }
    return line;
}

size_t chirr_surprise_find(const uint8_t *text, const float *each, size_t bytes,
                           struct chirr_surprise *found, size_t count_max)
{
    size_t length = bytes < CHIRR_SURPRISE_BYTES ? bytes : CHIRR_SURPRISE_BYTES;
    size_t count = 0;
    while (length > 0 && count < count_max) {
        struct chirr_surprise next = dearest(each, bytes, length, found, count);
        if (next.bits < 0) {
            break;
        }
        next.line = line_of(text, next.at);
        found[count++] = next;
    }
    return count;
}

/* ---- Showing ------------------------------------------------------------------------------- */

/* How many bytes a character has that begins so, and what the second may be: RFC 3629, section 4.
 */
struct lead {
    uint8_t first, last; /* of the first byte */
    uint8_t length;
    uint8_t second_min, second_max;
};
static const struct lead leads[] = {
    {0x20, 0x7E, 1, 0, 0},       {0xC2, 0xC2, 2, 0xA0, 0xBF}, /* below: control characters */
    {0xC3, 0xDF, 2, 0x80, 0xBF}, {0xE0, 0xE0, 3, 0xA0, 0xBF}, {0xE1, 0xEC, 3, 0x80, 0xBF},
    {0xED, 0xED, 3, 0x80, 0x9F}, {0xEE, 0xEF, 3, 0x80, 0xBF}, {0xF0, 0xF0, 4, 0x90, 0xBF},
    {0xF1, 0xF3, 4, 0x80, 0xBF}, {0xF4, 0xF4, 4, 0x80, 0x8F},
};

/* Length of the printable character at `at`; 0 where there is none. */
static size_t character_at(const uint8_t *text, size_t bytes, size_t at)
{
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++) {
        const struct lead *lead = &leads[i];
        if (text[at] < lead->first || text[at] > lead->last || at + lead->length > bytes) {
            continue;
        }
        bool good = lead->length == 1 ||
                    (text[at + 1] >= lead->second_min && text[at + 1] <= lead->second_max);
        for (size_t k = 2; k < lead->length; k++) {
            good = good && (text[at + k] & 0xC0) == 0x80;
        }
        return good ? lead->length : 0;
    }
    return 0;
}

static size_t show_one(const uint8_t *text, size_t end, size_t at, char *out, size_t *used)
{
    size_t length = character_at(text, end, at);
    if (text[at] == '\n') {
        *used += (size_t)sprintf(out + *used, "⏎");
    } else if (length == 0) {
        *used += (size_t)sprintf(out + *used, "·");
    } else {
        memcpy(out + *used, text + at, length);
        *used += length;
    }
    return length == 0 ? 1 : length;
}

static void show(const uint8_t *text, size_t begin, size_t end, char *out, size_t *used)
{
    for (size_t at = begin; at < end;) {
        at += show_one(text, end, at, out, used);
    }
    out[*used] = '\0';
}

void chirr_surprise_show(const uint8_t *text, size_t bytes, const struct chirr_surprise *surprise,
                         char shown[CHIRR_SURPRISE_TEXT_BYTES])
{
    size_t at = surprise->at, end = at + surprise->bytes, used = 0;
    _Static_assert((2 * AROUND + CHIRR_SURPRISE_BYTES) * 3 + 16 < CHIRR_SURPRISE_TEXT_BYTES,
                   "a byte is shown as three at most");
    show(text, at > AROUND ? at - AROUND : 0, at, shown, &used);
    used += (size_t)sprintf(shown + used, "⟦");
    show(text, at, end, shown, &used);
    used += (size_t)sprintf(shown + used, "⟧");
    show(text, end, end + AROUND < bytes ? end + AROUND : bytes, shown, &used);
}
