#include "base/digest.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/wire.h"

Test(digest, pieces_give_the_digest_of_the_whole)
{
    const char text[] = "the trilling sound by which insects talk";
    for (size_t cut = 0; cut < sizeof text; cut++) {
        struct chirr_digest_state state;
        chirr_digest_begin(&state);
        chirr_digest_add(&state, text, cut);
        chirr_digest_add(&state, text + cut, sizeof text - cut);
        cr_assert_eq(chirr_digest_end(&state), chirr_digest(text, sizeof text));
    }
}

Test(digest, every_flipped_bit_shows)
{
    uint8_t bytes[16] = {0};
    uint64_t before = chirr_digest(bytes, sizeof bytes);
    for (int bit = 0; bit < 128; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_neq(chirr_digest(bytes, sizeof bytes), before);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

Test(wire, numbers_return_as_they_left_in_little_endian_order)
{
    uint8_t bytes[8];
    chirr_wire_put_u64(bytes, UINT64_C(0x0123456789abcdef));
    cr_assert_eq(bytes[0], 0xef);
    cr_assert_eq(chirr_wire_get_u64(bytes), UINT64_C(0x0123456789abcdef));
    chirr_wire_put_u32(bytes, UINT32_C(0xfedcba98));
    cr_assert_eq(chirr_wire_get_u32(bytes), UINT32_C(0xfedcba98));
    chirr_wire_put_u16(bytes, 0xfffe);
    cr_assert_eq(chirr_wire_get_u16(bytes), 0xfffe);
    chirr_wire_put_f32(bytes, -1.5f);
    cr_assert_eq(chirr_wire_get_f32(bytes), -1.5f);
}
