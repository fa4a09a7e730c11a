/* The matrix product over weights of one type; included by kernel_variant.h once per type.
 *
 * Expects WEIGHT (the type), LOAD(from) and LOAD_FIRST(from, count) (a vector of weights) and
 * NAME(x) (puts the type's name behind x).
 *
 * Three ways through one product; each adds to an output in the order of the inner index, so that
 * all give the same bits:
 *   tile      many rows: a block of sums stays in registers while the inner index runs
 *   lockstep  one row, narrow groups: the groups are the lines of a tile, so that their columns,
 *             which lie side by side, are read as one stream
 *   sweep     one row, wide: weights are read once and in the order in which they lie in memory,
 *             while the sums stay in the first cache */

/* A block of outputs: `lines` of one to TILE_VECTORS vectors. Always inlined, with `lines`,
 * `vectors` and `partial` constant: then the loops over them unroll and sums live in registers. */
static INLINE void NAME(tile)(const struct tile *t, size_t lines, size_t vectors, bool partial,
                              const WEIGHT *w)
{
    vector sums[TILE_LINES][TILE_VECTORS];
    UNROLL
    for (size_t l = 0; l < lines; l++) {
        UNROLL
        for (size_t v = 0; v < vectors; v++) {
            const chirr_real *from = t->y + l * t->y_line + v * LANES;
            bool cut = partial && v == vectors - 1;
            sums[l][v] = cut ? vector_load_first(from, t->last) : vector_load(from);
        }
    }
    const chirr_real *x = t->x;
    for (size_t i = 0; i < t->inner; i++, x += t->x_inner, w += t->w_inner) {
        UNROLL
        for (size_t l = 0; l < lines; l++) {
            vector scale = vector_fill(x[l * t->x_line]);
            UNROLL
            for (size_t v = 0; v < vectors; v++) {
                const WEIGHT *from = w + l * t->w_line + v * LANES;
                bool cut = partial && v == vectors - 1;
                vector weights = cut ? LOAD_FIRST(from, t->last) : LOAD(from);
                sums[l][v] = vector_multiply_add(scale, weights, sums[l][v]);
            }
        }
    }
    UNROLL
    for (size_t l = 0; l < lines; l++) {
        UNROLL
        for (size_t v = 0; v < vectors; v++) {
            chirr_real *to = t->y + l * t->y_line + v * LANES;
            if (partial && v == vectors - 1) {
                vector_store_first(to, sums[l][v], t->last);
            } else {
                vector_store(to, sums[l][v]);
            }
        }
    }
}

/* A tile of a constant number of lines over `columns` <= TILE_VECTORS · LANES. */
static INLINE void NAME(tile_lines)(const struct tile *from, size_t lines, size_t columns,
                                    const WEIGHT *w)
{
    struct tile t = *from;
    t.last = columns % LANES;
    switch ((columns + LANES - 1) / LANES * 2 + (t.last != 0)) {
    case 2:
        NAME(tile)(&t, lines, 1, false, w);
        break;
    case 3:
        NAME(tile)(&t, lines, 1, true, w);
        break;
    case 4:
        NAME(tile)(&t, lines, 2, false, w);
        break;
    case 5:
        NAME(tile)(&t, lines, 2, true, w);
        break;
#if TILE_VECTORS > 2
    case 6:
        NAME(tile)(&t, lines, 3, false, w);
        break;
    case 7:
        NAME(tile)(&t, lines, 3, true, w);
        break;
#endif
    }
}

/* One group, or the rows of one strip of columns that were copied elsewhere: tiles of all rows. */
static void NAME(rows)(const struct chirr_product *s, const chirr_real *x, const WEIGHT *w,
                       chirr_real *y)
{
    for (size_t column = 0; column < s->columns; column += TILE_COLUMNS) {
        size_t columns = least(TILE_COLUMNS, s->columns - column);
        struct tile t = {.inner = s->inner,
                         .x = x,
                         .x_line = s->x_row,
                         .x_inner = s->x_inner,
                         .w_line = 0,
                         .w_inner = s->w_inner,
                         .y = y + column,
                         .y_line = s->y_row};
        size_t r = 0;
        for (; r + TILE_LINES <= s->rows; r += TILE_LINES) {
            NAME(tile_lines)(&t, TILE_LINES, columns, w + column);
            t.x += TILE_LINES * s->x_row;
            t.y += TILE_LINES * s->y_row;
        }
        for (; r < s->rows; r++) {
            NAME(tile_lines)(&t, 1, columns, w + column);
            t.x += s->x_row;
            t.y += s->y_row;
        }
    }
}

/* One row of narrow groups. */
static void NAME(lockstep)(const struct chirr_product *s, const chirr_real *x, const WEIGHT *w,
                           chirr_real *y)
{
    struct tile t = {.inner = s->inner,
                     .x = x,
                     .x_line = s->x_group,
                     .x_inner = s->x_inner,
                     .w_line = s->w_group,
                     .w_inner = s->w_inner,
                     .y = y,
                     .y_line = s->y_group};
    size_t g = 0;
    for (; g + LOCKSTEP <= s->groups; g += LOCKSTEP) {
        NAME(tile_lines)(&t, LOCKSTEP, s->columns, w + g * s->w_group);
        t.x += LOCKSTEP * s->x_group;
        t.y += LOCKSTEP * s->y_group;
    }
    for (; g < s->groups; g++) {
        NAME(tile_lines)(&t, 1, s->columns, w + g * s->w_group);
        t.x += s->x_group;
        t.y += s->y_group;
    }
}

/* `deep` (constant) inner indices of one row, all columns. */
static INLINE void NAME(sweep_deep)(const struct chirr_product *s, size_t deep, const chirr_real *x,
                                    const WEIGHT *w, chirr_real *y)
{
    vector scales[SWEEP_DEPTH];
    UNROLL
    for (size_t i = 0; i < deep; i++) {
        scales[i] = vector_fill(x[i * s->x_inner]);
    }
    size_t column = 0;
    for (; column + LANES <= s->columns; column += LANES) {
        vector sum = vector_load(y + column);
        UNROLL
        for (size_t i = 0; i < deep; i++) {
            sum = vector_multiply_add(scales[i], LOAD(w + i * s->w_inner + column), sum);
        }
        vector_store(y + column, sum);
    }
    size_t last = s->columns - column;
    if (last > 0) {
        vector sum = vector_load_first(y + column, last);
        UNROLL
        for (size_t i = 0; i < deep; i++) {
            vector weights = LOAD_FIRST(w + i * s->w_inner + column, last);
            sum = vector_multiply_add(scales[i], weights, sum);
        }
        vector_store_first(y + column, sum, last);
    }
}

/* One row of wide groups. */
static void NAME(sweep)(const struct chirr_product *s, const chirr_real *x, const WEIGHT *w,
                        chirr_real *y)
{
    size_t i = 0;
    for (; i + SWEEP_DEPTH <= s->inner; i += SWEEP_DEPTH) {
        for (size_t g = 0; g < s->groups; g++) {
            NAME(sweep_deep)
            (s, SWEEP_DEPTH, x + g * s->x_group + i * s->x_inner,
             w + g * s->w_group + i * s->w_inner, y + g * s->y_group);
        }
    }
    for (; i < s->inner; i++) {
        for (size_t g = 0; g < s->groups; g++) {
            NAME(sweep_deep)
            (s, 1, x + g * s->x_group + i * s->x_inner, w + g * s->w_group + i * s->w_inner,
             y + g * s->y_group);
        }
    }
}

static void NAME(product)(const struct chirr_product *s, const chirr_real *x, const WEIGHT *w,
                          chirr_real *y)
{
    if (s->rows == 1 && s->columns <= 2 * LANES) {
        NAME(lockstep)(s, x, w, y);
    } else if (s->rows == 1) {
        NAME(sweep)(s, x, w, y);
    } else {
        for (size_t g = 0; g < s->groups; g++) {
            NAME(rows)(s, x + g * s->x_group, w + g * s->w_group, y + g * s->y_group);
        }
    }
}
