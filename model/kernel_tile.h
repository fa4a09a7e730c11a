/* The matrix product's inner tile, for one vector type; included by kernel.c once per type.
 *
 * Expects VECTOR (an unaligned vector type) and NAME(x) (puts the type's name behind x). Sums stay
 * in registers: four rows of one vector, or one row of four vectors, so that four independent
 * chains of additions hide each other's latency. */

static inline void NAME(tile_rows)(const struct chirr_product *s, const chirr_real *x,
                                   const chirr_real *w, chirr_real *y)
{
    VECTOR a = *(const VECTOR *)y;
    VECTOR b = *(const VECTOR *)(y + s->y_row);
    VECTOR c = *(const VECTOR *)(y + 2 * s->y_row);
    VECTOR d = *(const VECTOR *)(y + 3 * s->y_row);
    size_t row = s->x_row;
    for (size_t i = 0; i < s->inner; i++) {
        VECTOR v = *(const VECTOR *)w;
        a += x[0] * v;
        b += x[row] * v;
        c += x[2 * row] * v;
        d += x[3 * row] * v;
        w += s->w_inner;
        x += s->x_inner;
    }
    *(VECTOR *)y = a;
    *(VECTOR *)(y + s->y_row) = b;
    *(VECTOR *)(y + 2 * s->y_row) = c;
    *(VECTOR *)(y + 3 * s->y_row) = d;
}

static inline void NAME(tile_row_wide)(const struct chirr_product *s, const chirr_real *x,
                                       const chirr_real *w, chirr_real *y)
{
    VECTOR *out = (VECTOR *)y;
    VECTOR a = out[0];
    VECTOR b = out[1];
    VECTOR c = out[2];
    VECTOR d = out[3];
    for (size_t i = 0; i < s->inner; i++) {
        const VECTOR *v = (const VECTOR *)w;
        a += x[0] * v[0];
        b += x[0] * v[1];
        c += x[0] * v[2];
        d += x[0] * v[3];
        w += s->w_inner;
        x += s->x_inner;
    }
    out[0] = a;
    out[1] = b;
    out[2] = c;
    out[3] = d;
}

static inline void NAME(tile_row)(const struct chirr_product *s, const chirr_real *x,
                                  const chirr_real *w, chirr_real *y)
{
    VECTOR a = *(const VECTOR *)y;
    for (size_t i = 0; i < s->inner; i++) {
        a += x[0] * *(const VECTOR *)w;
        w += s->w_inner;
        x += s->x_inner;
    }
    *(VECTOR *)y = a;
}

/* Columns [column, columns) as far as whole vectors reach; returns the first column not done. */
static inline size_t NAME(strip)(const struct chirr_product *s, const chirr_real *x,
                                 const chirr_real *w, chirr_real *y, size_t column)
{
    const size_t lanes = sizeof(VECTOR) / sizeof(chirr_real);
    const size_t end = s->columns - (s->columns - column) % lanes;
    const size_t fours = s->rows - s->rows % 4;
    for (size_t j = column; j < end; j += lanes) {
        for (size_t r = 0; r < fours; r += 4) {
            NAME(tile_rows)(s, x + r * s->x_row, w + j, y + r * s->y_row + j);
        }
    }
    for (size_t r = fours; r < s->rows; r++) {
        const chirr_real *from = x + r * s->x_row;
        chirr_real *to = y + r * s->y_row;
        size_t j = column;
        for (; j + 4 * lanes <= end; j += 4 * lanes) {
            NAME(tile_row_wide)(s, from, w + j, to + j);
        }
        for (; j < end; j += lanes) {
            NAME(tile_row)(s, from, w + j, to + j);
        }
    }
    return end;
}
