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

/* Length of the UTF-8 character at `at`, 0 where there is none, or a control character. */
static size_t character_at(const uint8_t *text, size_t bytes, size_t at)
{
    uint8_t first = text[at];
    size_t length = first < 0x80                     ? 1
                    : first >= 0xC2 && first <= 0xDF ? 2
                    : first >= 0xE1 && first <= 0xEC ? 3 /* E0 and ED need more than this look */
                    : first >= 0xEE && first <= 0xEF ? 3
                                                     : 0;
    if (length == 0 || at + length > bytes || first < 0x20 || first == 0x7F) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((text[at + i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    /* C2 80…9F are control characters, too */
    return length == 2 && first == 0xC2 && text[at + 1] < 0xA0 ? 0 : length;
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
