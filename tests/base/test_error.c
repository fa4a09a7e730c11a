#include "base/error.h"

#include <criterion/criterion.h>
#include <string.h>

Test(error, every_code_has_a_text_of_its_own)
{
    for (int a = 0; a < CHIRR_ERR_COUNT; a++) {
        cr_assert_not_null(chirr_err_text(a));
        for (int b = 0; b < a; b++) {
            cr_assert_str_neq(chirr_err_text(a), chirr_err_text(b));
        }
    }
}

Test(error, a_name_leads_back_to_its_code)
{
    for (int code = 0; code < CHIRR_ERR_COUNT; code++) {
        cr_assert_eq((int)chirr_err_from_name(chirr_err_name(code)), code);
    }
    cr_assert_str_eq(chirr_err_name(CHIRR_ERR_NOTFOUND), "notfound");
    cr_assert_eq(chirr_err_from_name("no such name"), CHIRR_ERR_STATE);
}

Test(error, a_code_outside_the_enum_is_unknown)
{
    cr_assert_str_eq(chirr_err_text((enum chirr_err)CHIRR_ERR_COUNT), "unknown error");
    cr_assert_str_eq(chirr_err_text((enum chirr_err) - 1), "unknown error");
}

Test(error, set_returns_the_code_and_terminates_a_long_text)
{
    struct chirr_error error;
    char text[2 * CHIRR_ERROR_TEXT_BYTES_MAX];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    cr_assert_eq(chirr_error_set(&error, CHIRR_ERR_IO, "%s", text), CHIRR_ERR_IO);
    cr_assert_eq(error.code, CHIRR_ERR_IO);
    cr_assert_eq(strlen(error.text), sizeof error.text - 1);
}

Test(error, set_takes_no_error)
{
    cr_assert_eq(chirr_error_set(NULL, CHIRR_ERR_RANGE, "unused"), CHIRR_ERR_RANGE);
}
