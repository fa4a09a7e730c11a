#include "tests/agent/cli_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"

/* Words in an order that can be learned a little. */
static void write_text(const char *name, uint64_t seed, size_t bytes)
{
    static const char *const words[] = {"the ", "ant ", "carries ", "leaf ", "home\n", "and "};
    struct chirr_random random;
    char *text = malloc(bytes + 16);
    size_t used = 0;
    chirr_random_init(&random, seed, 0);
    while (used < bytes) {
        const char *word = words[chirr_random_below(&random, sizeof words / sizeof words[0])];
        strcpy(text + used, word);
        used += strlen(word);
    }
    directory_write(home, name, text, bytes);
    free(text);
}

void cli_model_enter(void)
{
    cli_home_enter();
    write_text("a.txt", 1, TEXT_BYTES);
    write_text("b.txt", 2, 9001);
}

/* The last line of JSON in `text`. */
static json_t *last_line(const char *text)
{
    size_t end = strlen(text);
    cr_assert_gt(end, 0, "no output");
    size_t begin = end - 1;
    while (begin > 0 && text[begin - 1] != '\n') {
        begin--;
    }
    json_t *line = json_loads(text + begin, 0, NULL);
    cr_assert_not_null(line, "%s", text);
    return line;
}

struct result result_of(const struct run *of)
{
    struct result result = {0};
    cr_assert_eq(of->code, 0, "%s", of->err);
    json_t *end = last_line(of->out);
    cr_assert_str_eq(json_string_value(json_object_get(end, "event")), "end");
    strcpy(result.state, json_string_value(json_object_get(end, "state_hash")));
    result.bits = json_number_value(json_object_get(end, "bits"));
    result.held_out = json_number_value(json_object_get(end, "held_out_bits"));
    result.bytes = json_integer_value(json_object_get(end, "bytes"));
    json_decref(end);
    return result;
}

struct result train(const char *model, const char *bytes)
{
    run_chirr(&run, "model", "train", "a.txt", "b.txt", "--model", model, "--shape", SHAPE,
              "--bytes", bytes, "--json", NULL);
    return result_of(&run);
}

void expect_equal(const struct result *a, const struct result *b)
{
    cr_expect_str_eq(a->state, b->state);
    cr_expect_float_eq(a->bits, b->bits, 1e-12);
    cr_expect_eq(a->bytes, b->bytes);
}
