/* All kernels of one variant; included by kernel_<variant>.c at its end.
 *
 * Expects CHIRR_KERNEL (the variant's name), the type `vector` of LANES numbers and what is done
 * with it (vector_load, _load_first, _store, _store_first, _fill, _multiply_add, _widen),
 * TILE_LINES · TILE_VECTORS, the sums that its registers hold, and `pick`, a vector of which each
 * lane is one of PICKS numbers. `…_first` touches no more than the first `count` numbers in memory.
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "model/elementary.h"

#define TILE_COLUMNS (TILE_VECTORS * LANES)
#define SWEEP_DEPTH 8 /* inner indices for which a sum stays in its register */
#define TALL_VECTORS 2
#define TALL_ROWS (TALL_VECTORS * LANES)
#define TALL_COLUMNS 4
#define TALL_INNER 16             /* fewer are not worth turning sums for */
#define WEAVE_COLUMNS (2 * LANES) /* of a group; wider ones waste few lanes on their own */
#define WEAVE_DEPTH 64            /* inner indices whose x is gathered well before it is read */
#define AHEAD_BYTES 4096          /* far enough for a third-level cache; measured */

#define INLINE inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")
#define AHEAD(from) __builtin_prefetch((const char *)(from) + AHEAD_BYTES)

/* What a tile works on, but for its weights. */
struct tile {
    size_t inner;
    const chirr_real *x;
    size_t x_line, x_inner, w_inner;
    chirr_real *y;
    size_t y_line;
    size_t last; /* lanes of the last vector of columns, where it is partial */
};

/* Up to PICKS groups side by side. */
struct woven {
    size_t groups, columns; /* columns of all the groups */
    uint32_t group_of[PICKS * WEAVE_COLUMNS];
    chirr_real x[WEAVE_DEPTH][PICKS]; /* of every group, at some inner indices */
};

static inline size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void woven_init(struct woven *woven, const struct chirr_product *s)
{
    memset(woven->x, 0, sizeof woven->x); /* groups that are not there are never picked */
    for (size_t g = 0; g < PICKS; g++) {
        for (size_t j = 0; j < s->columns; j++) {
            woven->group_of[g * s->columns + j] = (uint32_t)g;
        }
    }
}

static void woven_gather(struct woven *woven, const struct chirr_product *s, size_t depth,
                         const chirr_real *x)
{
    for (size_t g = 0; g < woven->groups; g++, x += s->x_group) {
        for (size_t i = 0; i < depth; i++) {
            woven->x[i][g] = x[i * s->x_inner];
        }
    }
}

/* Four numbers of a row, wherever they lie. */
typedef chirr_real quad
    __attribute__((vector_size(4 * sizeof(chirr_real)), aligned(sizeof(chirr_real)), may_alias));

/* out[c][r] = in[r][c] for four rows of four. */
static INLINE void turn_quads(const chirr_real *in, size_t in_row, chirr_real *out, size_t out_row)
{
    const quad a = *(const quad *)in;
    const quad b = *(const quad *)(in + in_row);
    const quad c = *(const quad *)(in + 2 * in_row);
    const quad d = *(const quad *)(in + 3 * in_row);
    const quad ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    const quad cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    const quad ab_behind = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const quad cd_behind = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(quad *)out = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    *(quad *)(out + out_row) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
    *(quad *)(out + 2 * out_row) = __builtin_shufflevector(ab_behind, cd_behind, 0, 1, 4, 5);
    *(quad *)(out + 3 * out_row) = __builtin_shufflevector(ab_behind, cd_behind, 2, 3, 6, 7);
}

/* out[c][r] = in[r][c] for TALL_ROWS rows of `columns` (constant) columns, and back. */
static INLINE void turn_from(size_t columns, const chirr_real *in, size_t in_row, chirr_real *out)
{
    for (size_t r = 0; r < TALL_ROWS; r += 4) {
        if (columns == 4) {
            turn_quads(in + r * in_row, in_row, out + r, TALL_ROWS);
            continue;
        }
        for (size_t i = r; i < r + 4; i++) {
            for (size_t c = 0; c < columns; c++) {
                out[c * TALL_ROWS + i] = in[i * in_row + c];
            }
        }
    }
}

static INLINE void turn_back(size_t columns, const chirr_real *in, chirr_real *out, size_t out_row)
{
    for (size_t r = 0; r < TALL_ROWS; r += 4) {
        if (columns == 4) {
            turn_quads(in + r, TALL_ROWS, out + r * out_row, out_row);
            continue;
        }
        for (size_t i = r; i < r + 4; i++) {
            for (size_t c = 0; c < columns; c++) {
                out[i * out_row + c] = in[c * TALL_ROWS + i];
            }
        }
    }
}

/* out[c][r] = in[r][c] */
static void transpose_strided(size_t rows, size_t columns, const chirr_real *in, size_t in_row,
                              chirr_real *out, size_t out_row)
{
    size_t r = 0;
    for (; r + 4 <= rows; r += 4) {
        const chirr_real *from = in + r * in_row;
        size_t c = 0;
        for (; c + 4 <= columns; c += 4) {
            turn_quads(from + c, in_row, out + c * out_row + r, out_row);
        }
        for (; c < columns; c++) {
            for (size_t i = 0; i < 4; i++) {
                out[c * out_row + r + i] = from[i * in_row + c];
            }
        }
    }
    for (; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            out[c * out_row + r] = in[r * in_row + c];
        }
    }
}

/* Columns that would leave half of each vector idle, and rows that fill one. */
static inline bool is_tall(const struct chirr_product *s)
{
    return s->x_row == 1 && s->columns <= LANES / 2 && s->inner >= TALL_INNER;
}

#define WEIGHT chirr_real
#define LOAD(from) vector_load(from)
#define LOAD_FIRST(from, count) vector_load_first(from, count)
#define ONE(from) (*(from))
#define NAME(x) x
#include "model/kernel_product.h"
#undef WEIGHT
#undef LOAD
#undef LOAD_FIRST
#undef ONE
#undef NAME

static inline chirr_real widen_one(uint16_t half)
{
    const union {
        uint32_t bits;
        float value;
    } u = {.bits = (uint32_t)half << 16};
    return (chirr_real)u.value;
}

/* Rounded weights; what lies behind the last one is read but not used (kernel.h). */
#define WEIGHT uint16_t
#define LOAD(from) vector_widen(from)
#define LOAD_FIRST(from, count) vector_widen(from)
#define ONE(from) widen_one(*(from))
#define NAME(x) x##_narrow
#include "model/kernel_product.h"

static void transpose(size_t rows, size_t columns, const chirr_real *in, chirr_real *out)
{
    transpose_strided(rows, columns, in, columns, out, rows);
}

/* A strip of TILE_COLUMNS outputs at a time, whose weights are turned on the stack. */
static void product_transposed(const struct chirr_product *s, const chirr_real *x,
                               const chirr_real *w, chirr_real *y)
{
    enum { DEPTH = 64 };
    chirr_real turned[DEPTH * TILE_COLUMNS];
    struct chirr_product strip = *s;
    strip.groups = 1;
    strip.w_inner = TILE_COLUMNS;
    for (size_t g = 0; g < s->groups; g++) {
        const chirr_real *xg = x + g * s->x_group;
        const chirr_real *wg = w + g * s->w_group;
        for (size_t column = 0; column < s->columns; column += TILE_COLUMNS) {
            strip.columns = least(TILE_COLUMNS, s->columns - column);
            for (size_t i = 0; i < s->inner; i += DEPTH) {
                strip.inner = least(DEPTH, s->inner - i);
                transpose_strided(strip.columns, strip.inner, wg + column * s->w_inner + i,
                                  s->w_inner, turned, TILE_COLUMNS);
                rows(&strip, xg + i * s->x_inner, turned, y + g * s->y_group + column);
            }
        }
    }
}

#include "model/kernel_array.h"

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)

extern const struct chirr_kernels PASTE(chirr_kernels_, CHIRR_KERNEL);
const struct chirr_kernels PASTE(chirr_kernels_, CHIRR_KERNEL) = {
    .name = TEXT(CHIRR_KERNEL),
    .tall_rows = TALL_ROWS,
    .tall_columns = LANES / 2,
    .product = product,
    .product_narrow = product_narrow,
    .product_transposed = product_transposed,
    .narrow = narrow,
    .transpose = transpose,
    .sum_rows = sum_rows,
    .sum_squares = sum_squares,
    .norm = norm,
    .norm_backward = norm_backward,
    .gate = gate,
    .gate_backward = gate_backward,
    .softmax = softmax,
    .blend = blend,
    .add_nibbles = add_nibbles,
    .descend_moment = descend_moment,
    .descend_move = descend_move,
};
