/* Scalars of YAML files: what they may look like, what they mean, and how to say what was expected.
 *
 * WHOLE, PERMILLE, DURATION and SIZE are all decimal numbers times a unit that must come out as a
 * whole number of the stored unit; nothing is rounded. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml_document.h"

/* ---- Integers with units ------------------------------------------------------------------- */

struct unit {
    const char *suffix;
    uint64_t worth;
};

/* Greatest first. */
static const struct unit durations[] = {
    {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};
static const struct unit sizes[] = {
    {"G", UINT64_C(1) << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}, {NULL, 0}};
static const struct unit wholes[] = {{"", 1}, {NULL, 0}};
static const struct unit permilles[] = {{"", 1000}, {NULL, 0}};

static const struct unit *units_of(enum chirr_yaml_type type)
{
    return type == CHIRR_YAML_DURATION   ? durations
           : type == CHIRR_YAML_SIZE     ? sizes
           : type == CHIRR_YAML_PERMILLE ? permilles
                                         : wholes;
}

/* "12", "0.25", "1.5"; the rest is left at *text. `*places` counts the digits after the point. */
static bool scan_decimal(const char **text, uint64_t *digits, uint32_t *places)
{
    const char *at = *text;
    const char *point = NULL;
    *digits = 0;
    for (; isdigit((unsigned char)*at) || (*at == '.' && point == NULL && at > *text); at++) {
        if (*at == '.') {
            point = at;
        } else if (__builtin_mul_overflow(*digits, 10, digits) ||
                   __builtin_add_overflow(*digits, (uint64_t)(*at - '0'), digits)) {
            return false;
        }
    }
    if (at == *text || at[-1] == '.') {
        return false;
    }
    *places = point != NULL ? (uint32_t)(at - point - 1) : 0;
    *text = at;
    return true;
}

bool chirr_yaml_parse_integer(enum chirr_yaml_type type, const char *text, uint64_t *value)
{
    uint32_t places;
    if (!scan_decimal(&text, value, &places) || (type == CHIRR_YAML_WHOLE && places > 0)) {
        return false;
    }
    if (type == CHIRR_YAML_DURATION && *value == 0 && *text == '\0') {
        return true; /* nothing needs no unit */
    }
    for (const struct unit *unit = units_of(type); unit->suffix != NULL; unit++) {
        if (strcmp(text, unit->suffix) != 0) {
            continue;
        }
        if (__builtin_mul_overflow(*value, unit->worth, value)) {
            return false;
        }
        for (; places > 0; places--) {
            if (*value % 10 != 0) {
                return false;
            }
            *value /= 10;
        }
        return true;
    }
    return false;
}

static uint64_t greatest(const struct chirr_yaml_field *field)
{
    return field->max > 0 ? field->max : field->bytes == sizeof(uint32_t) ? UINT32_MAX : UINT64_MAX;
}

uint64_t chirr_yaml_load_unsigned(const void *at, size_t bytes)
{
    uint8_t byte = 0;
    uint32_t narrow = 0;
    uint64_t wide = 0;
    if (bytes == sizeof byte) {
        memcpy(&byte, at, sizeof byte);
        return byte;
    }
    if (bytes == sizeof narrow) {
        memcpy(&narrow, at, sizeof narrow);
        return narrow;
    }
    CHIRR_ASSERT(bytes == sizeof wide);
    memcpy(&wide, at, sizeof wide);
    return wide;
}

static void store_unsigned(void *at, size_t bytes, uint64_t value)
{
    uint8_t byte = (uint8_t)value;
    uint32_t narrow = (uint32_t)value;
    CHIRR_ASSERT(bytes == sizeof byte || bytes == sizeof narrow || bytes == sizeof value);
    memcpy(at,
           bytes == sizeof byte     ? (const void *)&byte
           : bytes == sizeof narrow ? (const void *)&narrow
                                    : (const void *)&value,
           bytes);
}

static bool read_integer(const struct chirr_yaml_field *field, const char *text, void *at)
{
    uint64_t value;
    if (!chirr_yaml_parse_integer(field->type, text, &value) || value < field->min ||
        value > greatest(field)) {
        return false;
    }
    store_unsigned(at, field->bytes, value);
    return true;
}

void chirr_yaml_format_stored(enum chirr_yaml_type type, uint64_t value, char *text, size_t bytes)
{
    if (type == CHIRR_YAML_PERMILLE) {
        int length = snprintf(text, bytes, "%llu.%03llu", (unsigned long long)value / 1000,
                              (unsigned long long)value % 1000);
        while (length > 0 && text[length - 1] == '0') {
            text[--length] = '\0';
        }
        if (text[length - 1] == '.') {
            text[length - 1] = '\0';
        }
        return;
    }
    const struct unit *unit = units_of(type);
    while (value > 0 && value % unit->worth != 0) {
        unit++;
    }
    bool bare = value == 0;
    snprintf(text, bytes, "%llu%s", (unsigned long long)(bare ? 0 : value / unit->worth),
             bare ? "" : unit->suffix);
}

/* ---- Real numbers -------------------------------------------------------------------------- */

/* Decimal notation alone: strtod would take hexadecimal, infinities and leading blanks as well. */
static bool is_decimal(const char *text)
{
    const char *at = text + (*text == '-' || *text == '+');
    uint32_t digits = 0;
    bool point = false;
    for (; isdigit((unsigned char)*at) || (*at == '.' && !point); at++) {
        point = point || *at == '.';
        digits += *at != '.';
    }
    if (digits > 0 && (*at == 'e' || *at == 'E')) {
        at += 1 + (at[1] == '-' || at[1] == '+');
        if (!isdigit((unsigned char)*at)) {
            return false;
        }
        at += strspn(at, "0123456789");
    }
    return digits > 0 && *at == '\0';
}

static bool read_number(const struct chirr_yaml *yaml, const struct chirr_yaml_field *field,
                        const char *text, void *at)
{
    if (!is_decimal(text)) {
        return false;
    }
    double value = strtod_l(text, NULL, yaml->locale);
    float narrow = (float)value;
    bool ranged = field->low < field->high;
    if (!isfinite(value) || (ranged && (value < field->low || value > field->high))) {
        return false;
    }
    if (field->bytes == sizeof narrow) {
        if (!isfinite(narrow)) {
            return false;
        }
        memcpy(at, &narrow, sizeof narrow);
    } else {
        CHIRR_ASSERT(field->bytes == sizeof value);
        memcpy(at, &value, sizeof value);
    }
    return true;
}

void chirr_yaml_format_number(locale_t locale, double value, int digits, char *text, size_t bytes)
{
    locale_t old = uselocale(locale);
    snprintf(text, bytes, "%.*g", digits, value);
    uselocale(old);
}

/* ---- Texts --------------------------------------------------------------------------------- */

bool chirr_yaml_is_name(const char *text, size_t bytes_max)
{
    size_t bytes = strlen(text);
    if (bytes == 0 || bytes >= bytes_max || !isalnum((unsigned char)text[0])) {
        return false;
    }
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at >= 0x80 || (!isalnum((unsigned char)*at) && !strchr("._-", *at))) {
            return false;
        }
    }
    return true;
}

static bool is_line(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7F) {
            return false;
        }
    }
    return true;
}

static bool read_text(const struct chirr_yaml_field *field, const char *text, size_t bytes,
                      void *at)
{
    if (bytes >= field->bytes || bytes < field->min || (field->max > 0 && bytes > field->max)) {
        return false;
    }
    memset(at, 0, field->bytes);
    memcpy(at, text, bytes);
    return true;
}

static int digit_value(char c)
{
    const char *digits = "0123456789abcdef";
    const char *found = strchr(digits, tolower((unsigned char)c));
    return c != '\0' && found != NULL ? (int)(found - digits) : -1;
}

static bool read_hex(const struct chirr_yaml_field *field, const char *text, void *at)
{
    uint8_t *out = at;
    if (strlen(text) != 2 * field->bytes) {
        return false;
    }
    for (size_t i = 0; i < field->bytes; i++) {
        int high = digit_value(text[2 * i]);
        int low = digit_value(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool read_choice(const struct chirr_yaml_field *field, const char *text, void *at)
{
    for (uint32_t i = 0; field->choices[i] != NULL; i++) {
        if (strcmp(field->choices[i], text) == 0) {
            store_unsigned(at, field->bytes, i);
            return true;
        }
    }
    return false;
}

static bool read_bool(const char *text, void *at)
{
    bool value = strcmp(text, "true") == 0;
    memcpy(at, &value, sizeof value);
    return value || strcmp(text, "false") == 0;
}

/* ---- One scalar ---------------------------------------------------------------------------- */

static bool is_text(enum chirr_yaml_type type)
{
    return type == CHIRR_YAML_NAME || type == CHIRR_YAML_TEXT || type == CHIRR_YAML_HEX ||
           type == CHIRR_YAML_PARSED || type == CHIRR_YAML_CHOICE;
}

static bool read_plain(const struct chirr_yaml *yaml, const struct chirr_yaml_field *field,
                       const yaml_node_t *node, void *at)
{
    const char *text = chirr_yaml_scalar(node);
    switch (field->type) {
    case CHIRR_YAML_BOOL:
        return read_bool(text, at);
    case CHIRR_YAML_NUMBER:
        return read_number(yaml, field, text, at);
    case CHIRR_YAML_CHOICE:
        return read_choice(field, text, at);
    case CHIRR_YAML_NAME:
        return chirr_yaml_is_name(text, field->bytes) && read_text(field, text, strlen(text), at);
    case CHIRR_YAML_TEXT:
        return read_text(field, text, node->data.scalar.length, at);
    case CHIRR_YAML_HEX:
        return read_hex(field, text, at);
    default:
        return read_integer(field, text, at);
    }
}

enum chirr_err chirr_yaml_read_scalar(const struct chirr_yaml_place *place, const yaml_node_t *node,
                                      const struct chirr_yaml_field *field, void *at)
{
    char words[CHIRR_YAML_WORDS_BYTES_MAX];
    chirr_yaml_expectation(place->yaml, field, words);
    if (node->type != YAML_SCALAR_NODE || chirr_yaml_is_nothing(node)) {
        return chirr_yaml_mistake(place, node, words, NULL);
    }
    bool quoted = node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (quoted && !is_text(field->type)) {
        return chirr_yaml_mistake(place, node, words, "a quoted text");
    }
    if (!is_line(chirr_yaml_scalar(node), node->data.scalar.length)) {
        return chirr_yaml_mistake(place, node, words, "more than one line or a control character");
    }
    if (field->type == CHIRR_YAML_PARSED) {
        const char *expected = field->parse(chirr_yaml_scalar(node), at);
        return expected == NULL ? CHIRR_OK : chirr_yaml_mistake(place, node, expected, NULL);
    }
    return read_plain(place->yaml, field, node, at) ? CHIRR_OK
                                                    : chirr_yaml_mistake(place, node, words, NULL);
}

/* ---- What was expected, in words ----------------------------------------------------------- */

static void expect_integer(const struct chirr_yaml_field *field, const char *what,
                           const char *example, char words[CHIRR_YAML_WORDS_BYTES_MAX])
{
    char low[32], high[32];
    chirr_yaml_format_stored(field->type, field->min, low, sizeof low);
    chirr_yaml_format_stored(field->type, greatest(field), high, sizeof high);
    if (field->max > 0) {
        snprintf(words, CHIRR_YAML_WORDS_BYTES_MAX, "%s from %s to %s%s", what, low, high, example);
    } else if (field->min > 0) {
        snprintf(words, CHIRR_YAML_WORDS_BYTES_MAX, "%s of at least %s%s", what, low, example);
    } else {
        snprintf(words, CHIRR_YAML_WORDS_BYTES_MAX, "%s%s", what, example);
    }
}

static void expect_number(const struct chirr_yaml *yaml, const struct chirr_yaml_field *field,
                          char words[CHIRR_YAML_WORDS_BYTES_MAX])
{
    char low[32], high[32];
    chirr_yaml_format_number(yaml->locale, field->low, 6, low, sizeof low);
    chirr_yaml_format_number(yaml->locale, field->high, 6, high, sizeof high);
    if (field->low < field->high) {
        snprintf(words, CHIRR_YAML_WORDS_BYTES_MAX, "a number from %s to %s", low, high);
    } else {
        strcpy(words, "a number");
    }
}

/* "curve or none", "one of a, b, c" */
static void expect_choice(const char *const *choices, char words[CHIRR_YAML_WORDS_BYTES_MAX])
{
    size_t count = 0;
    while (choices[count] != NULL) {
        count++;
    }
    CHIRR_ASSERT(count > 0);
    if (count == 2) {
        snprintf(words, CHIRR_YAML_WORDS_BYTES_MAX, "%s or %s", choices[0], choices[1]);
        return;
    }
    int bytes = snprintf(words, CHIRR_YAML_WORDS_BYTES_MAX, "one of %s", choices[0]);
    for (size_t i = 1; i < count && bytes < CHIRR_YAML_WORDS_BYTES_MAX; i++) {
        bytes +=
            snprintf(words + bytes, CHIRR_YAML_WORDS_BYTES_MAX - (size_t)bytes, ", %s", choices[i]);
    }
}

static void expect_text(const struct chirr_yaml_field *field,
                        char words[CHIRR_YAML_WORDS_BYTES_MAX])
{
    size_t most = field->max > 0 ? field->max : field->bytes - 1;
    if (field->min > 0) {
        snprintf(words, CHIRR_YAML_WORDS_BYTES_MAX, "a text of %llu to %zu bytes",
                 (unsigned long long)field->min, most);
    } else {
        snprintf(words, CHIRR_YAML_WORDS_BYTES_MAX, "a text of at most %zu bytes", most);
    }
}

void chirr_yaml_expectation(const struct chirr_yaml *yaml, const struct chirr_yaml_field *field,
                            char words[CHIRR_YAML_WORDS_BYTES_MAX])
{
    const size_t room = CHIRR_YAML_WORDS_BYTES_MAX;
    switch (field->type) {
    case CHIRR_YAML_BOOL:
        strcpy(words, "true or false");
        break;
    case CHIRR_YAML_NUMBER:
        expect_number(yaml, field, words);
        break;
    case CHIRR_YAML_WHOLE:
        expect_integer(field, "a whole number", "", words);
        break;
    case CHIRR_YAML_PERMILLE:
        expect_integer(field, "a number", " with at most three decimals", words);
        break;
    case CHIRR_YAML_DURATION:
        expect_integer(field, "a duration", " (as in 250ms, 60s, 5m)", words);
        break;
    case CHIRR_YAML_SIZE:
        expect_integer(field, "a size in bytes", " (as in 1500, 64K, 16M)", words);
        break;
    case CHIRR_YAML_CHOICE:
        expect_choice(field->choices, words);
        break;
    case CHIRR_YAML_NAME:
        snprintf(words, room, "a name of at most %zu letters, digits, '.', '_' and '-'",
                 field->bytes - 1);
        break;
    case CHIRR_YAML_TEXT:
        expect_text(field, words);
        break;
    case CHIRR_YAML_HEX:
        snprintf(words, room, "%zu hexadecimal digits", 2 * field->bytes);
        break;
    case CHIRR_YAML_MAPPING:
    case CHIRR_YAML_NAMED:
        strcpy(words, "a mapping");
        break;
    case CHIRR_YAML_SEQUENCE:
        strcpy(words, "a sequence");
        break;
    default:
        strcpy(words, field->type == CHIRR_YAML_PARSED ? "a text" : "a value");
    }
}
