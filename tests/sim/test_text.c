#include "sim/text.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

#define BYTES 40000

static const struct chirr_sim_text_config shared = {
    .seed = 5, .group = 0, .words = 32, .shared_permille = 1000};

static void read_text(const struct chirr_sim_text_config *config, uint64_t stream, uint8_t *out)
{
    struct chirr_sim_text text;
    struct chirr_random random;
    chirr_sim_text_init(&text, config);
    chirr_random_init(&random, 1, stream);
    chirr_sim_text_read(&text, &random, out, BYTES);
}

/* Of the pairs of words in `a`, how many also occur in `b`, in permille. */
static int shared_bigrams_permille(const uint8_t *a, const uint8_t *b)
{
    static char haystack[BYTES + 2];
    memcpy(haystack + 1, b, BYTES);
    haystack[0] = ' ';
    int found = 0;
    int count = 0;
    for (int at = 0; at < BYTES / 8; count++) {
        int end = at;
        for (int blanks = 0; blanks < 3; end++) {
            blanks += a[end] == ' ';
        }
        char needle[64] = " ";
        memcpy(needle + 1, a + at, (size_t)(end - at));
        found += strstr(haystack, needle) != NULL;
        while (a[at++] != ' ') {
        }
    }
    return 1000 * found / count;
}

static uint8_t one[BYTES], two[BYTES];

Test(text, is_lower_case_words_with_single_blanks_and_replays)
{
    read_text(&shared, 1, one);
    read_text(&shared, 1, two);
    cr_assert_arr_eq(one, two, BYTES);
    for (int i = 0; i < BYTES; i++) {
        cr_assert(islower(one[i]) || (one[i] == ' ' && i > 0 && one[i - 1] != ' '));
    }
}

Test(text, reading_in_pieces_gives_the_same_text)
{
    struct chirr_sim_text text;
    struct chirr_random random;
    read_text(&shared, 1, one);
    chirr_sim_text_init(&text, &shared);
    chirr_random_init(&random, 1, 1);
    for (size_t at = 0; at + 7 <= BYTES; at += 7) {
        chirr_sim_text_read(&text, &random, two + at, 7);
    }
    cr_assert_arr_eq(one, two, BYTES / 7 * 7);
}

Test(text, groups_share_the_shared_part_and_no_more)
{
    struct chirr_sim_text_config a = shared;
    struct chirr_sim_text_config b = shared;
    b.group = 1;
    read_text(&a, 1, one);
    read_text(&b, 2, two);
    int all = shared_bigrams_permille(one, two);
    a.shared_permille = 0;
    b.shared_permille = 0;
    read_text(&a, 1, one);
    read_text(&b, 2, two);
    int none = shared_bigrams_permille(one, two);
    cr_assert_gt(all, none + 300, "trigrams in common: %d against %d permille", all, none);
}
