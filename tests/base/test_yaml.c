#include "base/yaml.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"

/* A table with a field of every type. */
enum color { RED, GREEN, BLUE };

struct part {
    char name[8];
    uint32_t size_bytes;
};

struct inner {
    uint32_t depth;
    uint32_t tag_count;
    char tags[3][6];
};

struct thing {
    bool on;
    uint32_t count;
    uint64_t seed;
    float rate;
    double scale;
    uint32_t share_permille;
    uint32_t wait_ms;
    uint64_t room_bytes;
    enum color color;
    bool secure;
    char name[8];
    char title[12];
    uint8_t key[3];
    uint32_t width, height;
    struct inner inner;
    uint64_t range[2];
    uint32_t part_count;
    struct part parts[3];
    uint32_t device_count;
    struct part devices[3];
    struct inner included;
};

static const char *parse_box(const char *text, void *at)
{
    struct thing *thing = at;
    int end = 0;
    bool good =
        sscanf(text, "%ux%u%n", &thing->width, &thing->height, &end) == 2 && text[end] == '\0';
    return good ? NULL : "WIDTHxHEIGHT";
}

static void format_box(const void *at, char *text, size_t text_bytes)
{
    const struct thing *thing = at;
    snprintf(text, text_bytes, "%ux%u", thing->width, thing->height);
}

static const char *const colors[] = {"red", "green", "blue", NULL};
static const struct part part_initial = {.size_bytes = 7};

static const struct chirr_yaml_field tag_element = {.type = CHIRR_YAML_TEXT, .bytes = 6, .min = 1};
static const struct chirr_yaml_field inner_fields[] = {
    {"depth", CHIRR_YAML_WHOLE, CHIRR_YAML_AT(struct inner, depth), .max = 9},
    {"tags", CHIRR_YAML_SEQUENCE, CHIRR_YAML_AT(struct inner, tags),
     CHIRR_YAML_COUNT(struct inner, tag_count), .element = &tag_element},
    {0}};
static const struct chirr_yaml_field included_fields[] = {
    {"included_depth", CHIRR_YAML_WHOLE, CHIRR_YAML_AT(struct inner, depth)}, {0}};
static const struct chirr_yaml_field part_fields[] = {
    {"name", CHIRR_YAML_NAME, CHIRR_YAML_AT(struct part, name), .required = true},
    {"size", CHIRR_YAML_SIZE, CHIRR_YAML_AT(struct part, size_bytes), .min = 1, .max = 65536},
    {0}};
static const struct chirr_yaml_field part_element = {
    .type = CHIRR_YAML_MAPPING, .bytes = sizeof(struct part), .fields = part_fields};
static const struct chirr_yaml_field device_fields[] = {
    {"size", CHIRR_YAML_SIZE, CHIRR_YAML_AT(struct part, size_bytes)}, {0}};
static const struct chirr_yaml_field device_element = {
    .type = CHIRR_YAML_MAPPING, .bytes = sizeof(struct part), .fields = device_fields};
static const struct chirr_yaml_field range_element = {.type = CHIRR_YAML_SIZE, .bytes = 8};

static const struct chirr_yaml_field fields[] = {
    {"on", CHIRR_YAML_BOOL, CHIRR_YAML_AT(struct thing, on)},
    {"count", CHIRR_YAML_WHOLE, CHIRR_YAML_AT(struct thing, count), .min = 1, .max = 64},
    {"seed", CHIRR_YAML_WHOLE, CHIRR_YAML_AT(struct thing, seed)},
    {"rate", CHIRR_YAML_NUMBER, CHIRR_YAML_AT(struct thing, rate), .low = 0, .high = 0.5},
    {"scale", CHIRR_YAML_NUMBER, CHIRR_YAML_AT(struct thing, scale)},
    {"share", CHIRR_YAML_PERMILLE, CHIRR_YAML_AT(struct thing, share_permille), .min = 10,
     .max = 1000},
    {"wait", CHIRR_YAML_DURATION, CHIRR_YAML_AT(struct thing, wait_ms), .min = 1, .max = 3600000},
    {"room", CHIRR_YAML_SIZE, CHIRR_YAML_AT(struct thing, room_bytes)},
    {"color", CHIRR_YAML_CHOICE, CHIRR_YAML_AT(struct thing, color), .choices = colors},
    {"name", CHIRR_YAML_NAME, CHIRR_YAML_AT(struct thing, name)},
    {"title", CHIRR_YAML_TEXT, CHIRR_YAML_AT(struct thing, title)},
    {"key", CHIRR_YAML_HEX, CHIRR_YAML_AT(struct thing, key)},
    {"box", CHIRR_YAML_PARSED, .offset = 0, .bytes = 0, .parse = parse_box, .format = format_box},
    {"inner", CHIRR_YAML_MAPPING, CHIRR_YAML_AT(struct thing, inner), .fields = inner_fields},
    {"range", CHIRR_YAML_SEQUENCE, CHIRR_YAML_AT(struct thing, range), .element = &range_element},
    {"parts", CHIRR_YAML_SEQUENCE, CHIRR_YAML_AT(struct thing, parts),
     CHIRR_YAML_COUNT(struct thing, part_count), .min = 1, .element = &part_element,
     .initial = &part_initial},
    {"devices", CHIRR_YAML_NAMED, CHIRR_YAML_AT(struct thing, devices),
     CHIRR_YAML_COUNT(struct thing, device_count), CHIRR_YAML_KEY(struct part, name),
     .element = &device_element},
    {NULL, CHIRR_YAML_INCLUDE, CHIRR_YAML_AT(struct thing, included), .fields = included_fields},
    {.key = "extra", .type = CHIRR_YAML_ANY},
    {0}};

static enum chirr_err read_bytes(const char *text, size_t bytes, struct thing *thing,
                                 struct chirr_error *error)
{
    struct chirr_yaml *yaml = chirr_yaml_parse("t.yaml", text, bytes, error);
    if (yaml == NULL) {
        return error->code;
    }
    enum chirr_err err = chirr_yaml_read(yaml, "", fields, thing, error);
    chirr_yaml_destroy(yaml);
    return err;
}

static void read_good(const char *text, struct thing *thing)
{
    struct chirr_error error = {0};
    cr_assert_eq(read_bytes(text, strlen(text), thing, &error), CHIRR_OK, "%s\nin: %s", error.text,
                 text);
}

static void expect_mistake(const char *text, const char *message)
{
    struct chirr_error error = {0};
    struct thing thing = {0};
    cr_expect_eq(read_bytes(text, strlen(text), &thing, &error), CHIRR_ERR_CONFIG, "accepted: %s",
                 text);
    cr_expect_str_eq(error.text, message, "of: %s\ngot:      %s\nexpected: %s", text, error.text,
                     message);
}

static const char everything[] = "on: true\n"
                                 "count: 64\n"
                                 "seed: 18446744073709551615\n"
                                 "rate: 1.4e-3\n"
                                 "scale: -0.1\n"
                                 "share: 0.125\n"
                                 "wait: 1.5s\n"
                                 "room: 1.5M\n"
                                 "color: blue\n"
                                 "name: a-1.b_2\n"
                                 "title: \"5 µm, #\"\n"
                                 "key: 00fFa1\n"
                                 "box: 3x4\n"
                                 "inner: {depth: 9, tags: [x, \"y z\"]}\n"
                                 "range: [1K, 2M]\n"
                                 "parts:\n"
                                 "  - name: one\n"
                                 "    size: 64K\n"
                                 "  - name: two\n"
                                 "devices:\n"
                                 "  pi: {size: 5}\n"
                                 "  lap.top: {}\n"
                                 "included_depth: 12\n"
                                 "extra: [{a: b}]\n";

static void expect_everything(const struct thing *thing)
{
    cr_expect(thing->on);
    cr_expect_eq(thing->count, 64);
    cr_expect_eq(thing->seed, UINT64_MAX);
    cr_expect_eq(thing->rate, 1.4e-3f);
    cr_expect_eq(thing->scale, -0.1);
    cr_expect_eq(thing->share_permille, 125);
    cr_expect_eq(thing->wait_ms, 1500);
    cr_expect_eq(thing->room_bytes, 3 * 512 * 1024);
    cr_expect_eq(thing->color, BLUE);
    cr_expect_str_eq(thing->name, "a-1.b_2");
    cr_expect_str_eq(thing->title, "5 µm, #");
    cr_expect_arr_eq(thing->key, ((uint8_t[]){0, 0xff, 0xa1}), 3);
    cr_expect_eq(thing->width, 3);
    cr_expect_eq(thing->height, 4);
    cr_expect_eq(thing->inner.depth, 9);
    cr_expect_eq(thing->inner.tag_count, 2);
    cr_expect_str_eq(thing->inner.tags[1], "y z");
    cr_expect_eq(thing->range[0], 1024);
    cr_expect_eq(thing->range[1], 2 * 1024 * 1024);
    cr_expect_eq(thing->part_count, 2);
    cr_expect_eq(thing->parts[0].size_bytes, 65536);
    cr_expect_str_eq(thing->parts[1].name, "two");
    cr_expect_eq(thing->parts[1].size_bytes, 7, "the initial value of an entry");
    cr_expect_eq(thing->device_count, 2);
    cr_expect_str_eq(thing->devices[0].name, "pi");
    cr_expect_eq(thing->devices[0].size_bytes, 5);
    cr_expect_str_eq(thing->devices[1].name, "lap.top");
    cr_expect_eq(thing->included.depth, 12);
}

Test(yaml, every_type_is_read_into_its_member)
{
    struct thing thing = {0};
    read_good(everything, &thing);
    expect_everything(&thing);
}

Test(yaml, what_is_written_reads_back_as_it_was)
{
    struct thing thing = {0}, again = {0}, empty = {0};
    read_good(everything, &thing);
    char *text = chirr_yaml_write(fields, &thing);
    cr_assert_not_null(text);
    read_good(text, &again);
    expect_everything(&again);
    char *twice = chirr_yaml_write(fields, &again);
    cr_expect_str_eq(twice, text);
    free(text);
    free(twice);
    /* An empty name was not given, so it is not written: the others are, whatever they hold. */
    strcpy(empty.title, "~");
    text = chirr_yaml_write(&fields[9], &empty);
    cr_assert_null(strstr(text, "\nname:"), "%s", text);
    cr_assert_not_null(strstr(text, "title: \"~\""), "%s", text);
    free(text);
}

Test(yaml, every_float_and_double_survives_being_written)
{
    const double values[] = {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -123456.789};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct thing thing = {.count = 1, .share_permille = 10, .wait_ms = 1, .part_count = 1};
        struct thing again = {0};
        thing.scale = values[i];
        thing.rate = (float)(values[i] > 0 && values[i] < 0.5 ? values[i] : 0.3);
        strcpy(thing.parts[0].name, "p");
        thing.parts[0].size_bytes = 1;
        char *text = chirr_yaml_write(fields, &thing);
        read_good(text, &again);
        cr_expect_eq(again.scale, thing.scale);
        cr_expect_eq(again.rate, thing.rate);
        free(text);
    }
}

Test(yaml, numbers_mean_the_same_in_a_locale_with_a_comma)
{
    const char *names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "nl_NL.UTF-8"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (setlocale(LC_ALL, names[i]) != NULL) {
            break;
        }
    }
    struct thing thing = {0};
    read_good("scale: 0.25\n", &thing);
    cr_expect_eq(thing.scale, 0.25);
    expect_mistake("rate: 0,25\n", "t.yaml:1: rate: expected a number from 0 to 0.5, got \"0,25\"");
}

Test(yaml, keys_that_are_missing_leave_their_members_alone)
{
    struct thing thing = {.count = 3, .name = "keep"};
    read_good("seed: 1\n", &thing);
    cr_expect_eq(thing.count, 3);
    cr_expect_str_eq(thing.name, "keep");
}

Test(yaml, a_given_sequence_replaces_all_of_the_old_one)
{
    struct thing thing = {.part_count = 3, .parts = {{"a", 1}, {"b", 2}, {"c", 3}}};
    read_good("parts: [{name: z}]\n", &thing);
    cr_expect_eq(thing.part_count, 1);
    cr_expect_str_eq(thing.parts[0].name, "z");
    cr_expect_str_eq(thing.parts[1].name, "");
    cr_expect_eq(thing.parts[2].size_bytes, 0);
}

Test(yaml, an_alias_stands_for_its_anchor)
{
    struct thing thing = {0};
    read_good("devices: {a: &d {size: 4}, b: *d}\n", &thing);
    cr_expect_eq(thing.devices[1].size_bytes, 4);
}

static const struct mistake {
    const char *text, *message;
} mistakes[] = {
    /* Scalars of the wrong kind or out of range. */
    {"on: yes\n", "t.yaml:1: on: expected true or false, got \"yes\""},
    {"on: \"true\"\n", "t.yaml:1: on: expected true or false, got a quoted text"},
    {"\n\ncount: 0\n", "t.yaml:3: count: expected a whole number from 1 to 64, got \"0\""},
    {"count: 65\n", "t.yaml:1: count: expected a whole number from 1 to 64, got \"65\""},
    {"count: -1\n", "t.yaml:1: count: expected a whole number from 1 to 64, got \"-1\""},
    {"count: 1.0\n", "t.yaml:1: count: expected a whole number from 1 to 64, got \"1.0\""},
    {"count: 0x10\n", "t.yaml:1: count: expected a whole number from 1 to 64, got \"0x10\""},
    {"count: '5'\n", "t.yaml:1: count: expected a whole number from 1 to 64, got a quoted text"},
    {"count: [5]\n", "t.yaml:1: count: expected a whole number from 1 to 64, got a sequence"},
    {"count:\n", "t.yaml:1: count: expected a whole number from 1 to 64, got nothing"},
    {"seed: 18446744073709551616\n",
     "t.yaml:1: seed: expected a whole number, got \"18446744073709551616\""},
    {"included_depth: 4294967296\n",
     "t.yaml:1: included_depth: expected a whole number, got \"4294967296\""},
    {"rate: 0.6\n", "t.yaml:1: rate: expected a number from 0 to 0.5, got \"0.6\""},
    {"rate: nan\n", "t.yaml:1: rate: expected a number from 0 to 0.5, got \"nan\""},
    {"scale: .inf\n", "t.yaml:1: scale: expected a number, got \".inf\""},
    {"scale: 1e999\n", "t.yaml:1: scale: expected a number, got \"1e999\""},
    {"scale: 1e\n", "t.yaml:1: scale: expected a number, got \"1e\""},
    {"scale: 0x1p3\n", "t.yaml:1: scale: expected a number, got \"0x1p3\""},
    {"share: 2\n",
     "t.yaml:1: share: expected a number from 0.01 to 1 with at most three decimals, got \"2\""},
    {"share: 0.0125\n", "t.yaml:1: share: expected a number from 0.01 to 1 with at most three "
                        "decimals, got \"0.0125\""},
    {"wait: 60\n",
     "t.yaml:1: wait: expected a duration from 1ms to 1h (as in 250ms, 60s, 5m), got \"60\""},
    {"wait: 2h\n",
     "t.yaml:1: wait: expected a duration from 1ms to 1h (as in 250ms, 60s, 5m), got \"2h\""},
    {"wait: 0.5ms\n",
     "t.yaml:1: wait: expected a duration from 1ms to 1h (as in 250ms, 60s, 5m), got \"0.5ms\""},
    {"wait: 1 s\n",
     "t.yaml:1: wait: expected a duration from 1ms to 1h (as in 250ms, 60s, 5m), got \"1 s\""},
    {"room: 5KB\n", "t.yaml:1: room: expected a size in bytes (as in 1500, 64K, 16M), got \"5KB\""},
    {"room: 99999999999999999G\n", "t.yaml:1: room: expected a size in bytes (as in 1500, 64K, "
                                   "16M), got \"99999999999999999G\""},
    {"color: pink\n", "t.yaml:1: color: expected one of red, green, blue, got \"pink\""},
    {"name: ../x\n", "t.yaml:1: name: expected a name of at most 7 letters, digits, '.', '_' and "
                     "'-', got \"../x\""},
    {"name: .x\n", "t.yaml:1: name: expected a name of at most 7 letters, digits, '.', '_' and "
                   "'-', got \".x\""},
    {"name: abcdefgh\n", "t.yaml:1: name: expected a name of at most 7 letters, digits, '.', '_' "
                         "and '-', got \"abcdefgh\""},
    {"title: 123456789012\n",
     "t.yaml:1: title: expected a text of at most 11 bytes, got \"123456789012\""},
    {"title: \"a\\nb\"\n", "t.yaml:1: title: expected a text of at most 11 bytes, got more than "
                           "one line or a control character"},
    {"title: \"a\\0b\"\n", "t.yaml:1: title: expected a text of at most 11 bytes, got more than "
                           "one line or a control character"},
    {"title: ~\n", "t.yaml:1: title: expected a text of at most 11 bytes, got nothing"},
    {"title: {a: b}\n", "t.yaml:1: title: expected a text of at most 11 bytes, got a mapping"},
    {"key: 00ff\n", "t.yaml:1: key: expected 6 hexadecimal digits, got \"00ff\""},
    {"key: 00ffgg\n", "t.yaml:1: key: expected 6 hexadecimal digits, got \"00ffgg\""},
    {"box: 3by4\n", "t.yaml:1: box: expected WIDTHxHEIGHT, got \"3by4\""},
    {"name: '01234567890123456789012345678901234567890ä2'\n",
     "t.yaml:1: name: expected a name of at most 7 letters, digits, '.', '_' and '-', got "
     "\"01234567890123456789012345678901234567890…\""},
    /* Structure. */
    {"inner: 5\n", "t.yaml:1: inner: expected a mapping, got \"5\""},
    {"inner:\n  depth: 3\n  tags: x\n", "t.yaml:3: inner.tags: expected a sequence, got \"x\""},
    {"inner:\n  tags: [a, b, c, d]\n", "t.yaml:2: inner.tags: expected at most 3 entries, got 4"},
    {"inner:\n  tags:\n    - a\n    - \"\"\n",
     "t.yaml:4: inner.tags[1]: expected a text of 1 to 5 bytes, got \"\""},
    {"range: [1]\n", "t.yaml:1: range: expected 2 entries, got 1"},
    {"parts: []\n", "t.yaml:1: parts: expected 1 to 3 entries, got 0"},
    {"parts:\n  - name: a\n  - size: 5\n",
     "t.yaml:3: parts[1].name: expected a name of at most 7 letters, digits, '.', '_' and '-', "
     "got nothing"},
    {"devices:\n  a b: {}\n", "t.yaml:2: devices.a b: expected a name of at most 7 letters, "
                              "digits, '.', '_' and '-', got \"a b\""},
    {"devices:\n  a: {siez: 4}\n",
     "t.yaml:2: devices.a.siez: expected a known key (did you mean \"size\"?), got \"siez\""},
    {"cont: 5\n", "t.yaml:1: cont: expected a known key (did you mean \"count\"?), got \"cont\""},
    {"inclded_depth: 5\n", "t.yaml:1: inclded_depth: expected a known key (did you mean "
                           "\"included_depth\"?), got \"inclded_depth\""},
    {"inner:\n  zzzzz: 1\n", "t.yaml:2: inner.zzzzz: expected one of depth, tags, got \"zzzzz\""},
    {"seed: 1\ncount: 2\nseed: 3\n",
     "t.yaml:3: seed: expected the key once, got it again (first on line 1)"},
    {"extra:\n  - a: 1\n    a: 2\n",
     "t.yaml:3: extra[0].a: expected the key once, got it again (first on line 2)"},
    {"{[a]: 1}\n", "t.yaml:1: expected a text as key, got a sequence"},
    {"- a\n", "t.yaml:1: expected a mapping, got a sequence"},
    {"", "t.yaml:1: expected a mapping, got nothing"},
    {"# only a comment\n", "t.yaml:1: expected a mapping, got nothing"},
    {"count: !!int 5\n",
     "t.yaml:1: count: expected a value without a tag, got \"tag:yaml.org,2002:int\""},
    {"seed: 1\n---\nseed: 2\n", "t.yaml:2: expected one document, got another"},
    /* Syntax. */
    {"inner:\n\tdepth: 1\n", "t.yaml:2: expected spaces as indentation, got a tab"},
    {"inner:\n  depth: 1\n tags: []\n",
     "t.yaml:3: expected YAML, got: did not find expected key (while parsing a block mapping)"},
    {"name: \"open\n", "t.yaml:2: expected YAML, got: found unexpected end of stream (while "
                       "scanning a quoted scalar)"},
    {"name: *nobody\n", "t.yaml:1: expected YAML, got: found undefined alias"},
    {"seed: 1\nname: a\xff\n", "t.yaml:2: expected YAML, got: invalid leading UTF-8 octet"},
};

Test(yaml, every_mistake_names_file_line_key_expectation_and_finding)
{
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        expect_mistake(mistakes[i].text, mistakes[i].message);
    }
}

Test(yaml, aliases_cannot_expand_without_end)
{
    expect_mistake("extra:\n"
                   "  a: &a [x, x, x, x, x, x, x, x, x, x]\n"
                   "  b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
                   "  c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n"
                   "  d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n"
                   "  e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n",
                   "t.yaml:2: extra.e[4][7][8][7]: expected at most 65536 values, aliases "
                   "expanded, got more");
    struct chirr_error error;
    struct thing thing = {0};
    const char cycle[] = "extra: &a [*a]\n";
    cr_assert_eq(read_bytes(cycle, strlen(cycle), &thing, &error), CHIRR_ERR_CONFIG);
    cr_assert_not_null(strstr(error.text, "expected at most 32 levels of nesting, got more"), "%s",
                       error.text);
}

static void expect_refusal(const char *text, size_t bytes, const char *message)
{
    struct chirr_error error;
    struct thing thing = {0};
    cr_expect_eq(read_bytes(text, bytes, &thing, &error), CHIRR_ERR_CONFIG);
    cr_expect_str_eq(error.text, message, "%s instead of %s", error.text, message);
}

Test(yaml, nesting_keys_anchors_and_size_are_limited)
{
    size_t bytes = CHIRR_YAML_FILE_BYTES_MAX + 1;
    char *big = malloc(bytes);
    cr_assert_not_null(big);
    memset(big, '#', bytes);
    expect_refusal(big, bytes, "t.yaml:1: expected at most 1 MiB, got more");
    size_t used = (size_t)snprintf(big, bytes, "extra:\n");
    for (int i = 0; i <= CHIRR_YAML_KEYS_MAX; i++) {
        used += (size_t)snprintf(big + used, bytes - used, "  k%d: 1\n", i);
    }
    expect_refusal(big, used, "t.yaml:2: extra: expected at most 1024 keys, got more");
    used = (size_t)snprintf(big, bytes, "extra:\n");
    for (int i = 0; i <= CHIRR_YAML_ANCHORS_MAX; i++) {
        used += (size_t)snprintf(big + used, bytes - used, "  - &a%d x\n", i);
    }
    expect_refusal(big, used, "t.yaml:258: expected at most 256 anchors, got more");
    used = (size_t)snprintf(big, bytes, "extra: ");
    memset(big + used, '[', 32);
    memset(big + used + 32, ']', 32);
    expect_refusal(big, used + 64, "t.yaml:1: expected at most 32 levels of nesting, got more");
    struct thing thing = {0};
    memmove(big + used + 31, big + used + 32, 31);
    big[used + 62] = '\0';
    read_good(big, &thing);
    free(big);
}

Test(yaml, a_megabyte_of_anything_neither_hangs_nor_overflows_the_stack, .timeout = 60)
{
    static const char *const pieces[] = {"[", "{",   "- ",  "? ",     "&a ", "[]: ", "{a: ",
                                         "'", "\n ", "!a ", "a: b\n", "*",   "-\n",  "\"\\\n"};
    char *big = malloc(CHIRR_YAML_FILE_BYTES_MAX);
    cr_assert_not_null(big);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        size_t length = strlen(pieces[i]);
        for (size_t used = 0; used < CHIRR_YAML_FILE_BYTES_MAX; used++) {
            big[used] = pieces[i][used % length];
        }
        struct chirr_error error;
        struct thing thing = {0};
        cr_expect_eq(read_bytes(big, CHIRR_YAML_FILE_BYTES_MAX, &thing, &error), CHIRR_ERR_CONFIG,
                     "accepted a megabyte of %s", pieces[i]);
    }
    free(big);
}

Test(yaml, a_part_is_found_by_its_path_and_rejected_with_its_line)
{
    struct chirr_error error;
    struct thing thing = {0};
    struct chirr_yaml *yaml = chirr_yaml_parse("t.yaml", everything, strlen(everything), &error);
    cr_assert_not_null(yaml);
    cr_expect(chirr_yaml_has(yaml, "parts[1].name"));
    cr_expect(chirr_yaml_has(yaml, "devices.lap.top"));
    cr_expect_not(chirr_yaml_has(yaml, "parts[2]"));
    cr_expect_not(chirr_yaml_has(yaml, "devices.lap"));
    cr_expect_not(chirr_yaml_has(yaml, "parts[1].size"));
    cr_expect_eq(chirr_yaml_reject(yaml, "parts[1].name", &error, "another", NULL),
                 CHIRR_ERR_CONFIG);
    cr_expect_str_eq(error.text, "t.yaml:19: parts[1].name: expected another, got \"two\"");
    chirr_yaml_reject(yaml, "parts[1].size", &error, "a size", NULL);
    cr_expect_str_eq(error.text, "t.yaml:19: parts[1].size: expected a size, got nothing");
    cr_expect_eq(chirr_yaml_read(yaml, "parts[0]", part_fields, &thing.parts[2], &error), CHIRR_OK);
    cr_expect_str_eq(thing.parts[2].name, "one");
    cr_expect_eq(chirr_yaml_read(yaml, "inner", part_fields, &thing.parts[2], &error),
                 CHIRR_ERR_CONFIG);
    cr_expect_str_eq(error.text,
                     "t.yaml:14: inner.depth: expected one of name, size, got \"depth\"");
    chirr_yaml_destroy(yaml);
}

Test(yaml, a_file_that_cannot_be_read_says_why)
{
    struct chirr_error error;
    cr_assert_null(chirr_yaml_load("/nonexistent/f.yaml", &error));
    cr_assert_eq(error.code, CHIRR_ERR_IO);
    cr_assert_str_eq(error.text, "/nonexistent/f.yaml: cannot be read: No such file or directory");
    cr_assert_null(chirr_yaml_load("/", &error));
    cr_assert_eq(error.code, CHIRR_ERR_IO);
}

Test(yaml, a_file_is_read_and_named_in_mistakes)
{
    char path[] = "/tmp/chirr-yaml-XXXXXX";
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, "on: 7\n", 6), 6);
    close(fd);
    struct chirr_error error;
    struct thing thing = {0};
    struct chirr_yaml *yaml = chirr_yaml_load(path, &error);
    cr_assert_not_null(yaml);
    cr_assert_eq(chirr_yaml_read(yaml, "", fields, &thing, &error), CHIRR_ERR_CONFIG);
    char expected[128];
    snprintf(expected, sizeof expected, "%s:1: on: expected true or false, got \"7\"", path);
    cr_assert_str_eq(error.text, expected);
    chirr_yaml_destroy(yaml);
    unlink(path);
}

/* Prints its seed on failure; CHIRR_TEST_SEED replays one. */
Test(yaml, random_damage_is_refused_or_read_but_never_crashes)
{
    const char *given = getenv("CHIRR_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : 1;
    static const char spice[] = "[]{}:,-?&*!|>'\"%@#\n\t \\~<\xff\x80\x01";
    struct chirr_random random;
    chirr_random_init(&random, seed, 0);
    for (int round = 0; round < 3000; round++) {
        char text[sizeof everything];
        memcpy(text, everything, sizeof text);
        for (uint64_t n = chirr_random_below(&random, 8) + 1; n > 0; n--) {
            text[chirr_random_below(&random, sizeof text - 1)] =
                spice[chirr_random_below(&random, sizeof spice)];
        }
        struct thing thing = {0};
        struct chirr_error error = {0};
        size_t bytes = chirr_random_below(&random, sizeof text);
        enum chirr_err err = read_bytes(text, bytes, &thing, &error);
        cr_assert(err == CHIRR_OK || (err == CHIRR_ERR_CONFIG && error.text[0] != '\0'),
                  "seed %llu, round %d: %s", (unsigned long long)seed, round, error.text);
    }
}
