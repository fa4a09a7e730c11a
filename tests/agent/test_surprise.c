#include "agent/surprise.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

#include "agent/progress.h"
#include "base/random.h"

static uint8_t text[1000];
static float each[sizeof text];

Test(surprise, finds_the_dearest_stretches_without_overlaps)
{
    struct chirr_surprise found[3];
    memset(text, 'a', sizeof text);
    text[10] = text[700] = '\n';
    for (size_t i = 0; i < sizeof text; i++) {
        each[i] = 1;
    }
    for (size_t i = 0; i < CHIRR_SURPRISE_BYTES; i++) {
        each[100 + i] = 5;
        each[800 + i] = 9;
    }
    cr_assert_eq(chirr_surprise_find(text, each, sizeof text, found, 3), 3);
    cr_expect_eq(found[0].at, 800);
    cr_expect_float_eq(found[0].bits, 9, 1e-9);
    cr_expect_eq(found[0].line, 3);
    cr_expect_eq(found[1].at, 100);
    cr_expect_eq(found[1].line, 2);
    for (size_t i = 0; i < 2; i++) {
        cr_expect(found[2].at + CHIRR_SURPRISE_BYTES <= found[i].at ||
                  found[i].at + CHIRR_SURPRISE_BYTES <= found[2].at);
    }
}

Test(surprise, a_short_text_is_one_stretch)
{
    struct chirr_surprise found[4];
    memcpy(text, "ants", 4);
    each[0] = each[1] = each[2] = each[3] = 2;
    cr_assert_eq(chirr_surprise_find(text, each, 4, found, 4), 1);
    cr_expect_eq(found[0].bytes, 4);
    cr_expect_float_eq(found[0].bits, 2, 1e-9);
    cr_expect_eq(chirr_surprise_find(text, each, 0, found, 4), 0);
}

/* jansson makes no string of what is not UTF-8. */
Test(surprise, whatever_the_text_is_shown_as_valid_utf8)
{
    char shown[CHIRR_SURPRISE_TEXT_BYTES];
    struct chirr_random random;
    chirr_random_init(&random, 7, 0);
    for (int round = 0; round < 3000; round++) {
        for (size_t i = 0; i < 100; i++) {
            text[i] = (uint8_t)(chirr_random_u32(&random) | (round % 2 == 0 ? 0x80 : 0));
        }
        struct chirr_surprise surprise = {.at = (size_t)chirr_random_below(&random, 84),
                                          .bytes = CHIRR_SURPRISE_BYTES};
        chirr_surprise_show(text, 100, &surprise, shown);
        json_t *string = json_string(shown);
        cr_assert_not_null(string, "round %d", round);
        json_decref(string);
    }
}

Test(surprise, letters_of_every_script_stay_what_they_are)
{
    char shown[CHIRR_SURPRISE_TEXT_BYTES];
    static const char words[] = "die Ameise trägt 葉 चींटी 개미 🐜 ‖Σ‖\n\x01";
    struct chirr_surprise surprise = {.at = 0, .bytes = sizeof words - 1};
    chirr_surprise_show((const uint8_t *)words, sizeof words - 1, &surprise, shown);
    cr_expect_str_eq(shown, "⟦die Ameise trägt 葉 चींटी 개미 🐜 ‖Σ‖⏎·⟧");
}

Test(progress, durations_are_told_in_the_two_units_that_matter)
{
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0, "0 s"},           {59.4, "59 s"}, {60, "1 min 00 s"}, {3599, "59 min 59 s"},
                 {7500, "2 h 05 min"}, {-1, "-"},      {1e300, "-"},       {0.0 / 0.0, "-"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char told[CHIRR_PROGRESS_TEXT_BYTES];
        chirr_progress_format_duration(cases[i].seconds, told);
        cr_expect_str_eq(told, cases[i].text);
    }
}
