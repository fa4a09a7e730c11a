/* The matrix product over weights of one type; included by kernel_variant.h once per type.
 *
 * Expects WEIGHT (the type), LOAD(from) and LOAD_FIRST(from, count) (a vector of weights),
 * ONE(from) (a weight) and NAME(x) (puts the type's name behind x).
 *
 * Four ways through one product; each adds to an output in the order of the inner index, so that
 * all give the same bits:
 *   tile   many rows: a block of sums stays in registers while the inner index runs
 *   tall   many rows, side by side in memory, and few columns: the same, but lanes are rows
 *   sweep  one row, wide: weights are read once and in the order in which they lie in memory, while
 *          the sums stay in the first cache
 *   weave  one row, narrow groups side by side in memory: the groups are swept together, and each
 *          column picks its group's x
 * Weights of one row are asked for ahead: memory must not wait for arithmetic. */

/* A block of outputs: `lines` rows of one to TILE_VECTORS vectors. Always inlined, with `lines`,
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
        vector weights[TILE_VECTORS];
        UNROLL
        for (size_t v = 0; v < vectors; v++) {
            const WEIGHT *from = w + v * LANES;
            bool cut = partial && v == vectors - 1;
            weights[v] = cut ? LOAD_FIRST(from, t->last) : LOAD(from);
            if (lines == 1) {
                AHEAD(from);
            }
        }
        UNROLL
        for (size_t l = 0; l < lines; l++) {
            vector scale = vector_fill(x[l * t->x_line]);
            UNROLL
            for (size_t v = 0; v < vectors; v++) {
                sums[l][v] = vector_multiply_add(scale, weights[v], sums[l][v]);
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

/* All rows of one group. */
static void NAME(rows)(const struct chirr_product *s, const chirr_real *x, const WEIGHT *w,
                       chirr_real *y)
{
    for (size_t column = 0; column < s->columns; column += TILE_COLUMNS) {
        size_t columns = least(TILE_COLUMNS, s->columns - column);
        struct tile t = {.inner = s->inner,
                         .x = x,
                         .x_line = s->x_row,
                         .x_inner = s->x_inner,
                         .w_inner = s->w_inner,
                         .y = y + column,
                         .y_line = s->y_row};
        size_t r = 0;
        for (; r + TILE_LINES <= s->rows; r += TILE_LINES) {
            NAME(tile_lines)(&t, TILE_LINES, columns, w + column);
            t.x += TILE_LINES * s->x_row;
            t.y += TILE_LINES * s->y_row;
        }
        if (TILE_LINES >= 8 && s->rows - r >= 4) { /* fewer sums than hide a sum's latency, but */
            NAME(tile_lines)(&t, 4, columns, w + column);
            t.x += 4 * s->x_row;
            t.y += 4 * s->y_row;
            r += 4;
        }
        if (s->rows - r >= 2) {
            NAME(tile_lines)(&t, 2, columns, w + column);
            t.x += 2 * s->x_row;
            t.y += 2 * s->y_row;
            r += 2;
        }
        for (; r < s->rows; r++) {
            NAME(tile_lines)(&t, 1, columns, w + column);
            t.x += s->x_row;
            t.y += s->y_row;
        }
    }
}

/* Sums of TALL_VECTORS vectors of rows and `columns` (constant) columns. */
static INLINE void NAME(tall_tile)(const struct chirr_product *s, size_t columns,
                                   const chirr_real *x, const WEIGHT *w, chirr_real *y)
{
    chirr_real turned[TALL_COLUMNS * TALL_ROWS];
    vector sums[TALL_COLUMNS][TALL_VECTORS];
    turn_from(columns, y, s->y_row, turned);
    UNROLL
    for (size_t c = 0; c < columns; c++) {
        UNROLL
        for (size_t v = 0; v < TALL_VECTORS; v++) {
            sums[c][v] = vector_load(turned + c * TALL_ROWS + v * LANES);
        }
    }
    for (size_t i = 0; i < s->inner; i++, x += s->x_inner, w += s->w_inner) {
        UNROLL
        for (size_t c = 0; c < columns; c++) {
            vector weight = vector_fill(ONE(w + c));
            UNROLL
            for (size_t v = 0; v < TALL_VECTORS; v++) {
                sums[c][v] = vector_multiply_add(vector_load(x + v * LANES), weight, sums[c][v]);
            }
        }
    }
    UNROLL
    for (size_t c = 0; c < columns; c++) {
        UNROLL
        for (size_t v = 0; v < TALL_VECTORS; v++) {
            vector_store(turned + c * TALL_ROWS + v * LANES, sums[c][v]);
        }
    }
    turn_back(columns, turned, y, s->y_row);
}

/* As many rows of one group as tall tiles cover; returns how many. */
static size_t NAME(tall)(const struct chirr_product *s, const chirr_real *x, const WEIGHT *w,
                         chirr_real *y)
{
    size_t r = 0;
    for (; r + TALL_ROWS <= s->rows; r += TALL_ROWS) {
        size_t column = 0;
        for (; column + TALL_COLUMNS <= s->columns; column += TALL_COLUMNS) {
            NAME(tall_tile)(s, TALL_COLUMNS, x + r, w + column, y + r * s->y_row + column);
        }
        switch (s->columns - column) {
        case 3:
            NAME(tall_tile)(s, 3, x + r, w + column, y + r * s->y_row + column);
            break;
        case 2:
            NAME(tall_tile)(s, 2, x + r, w + column, y + r * s->y_row + column);
            break;
        case 1:
            NAME(tall_tile)(s, 1, x + r, w + column, y + r * s->y_row + column);
            break;
        default:
            break;
        }
    }
    return r;
}

/* A sum over `depth` inner indices of one row, for a vector of columns of which the first `count`
 * are meant. `depth` and whether `count` is LANES are constants where this is called. */
static INLINE void NAME(sweep_column)(const vector *scales, size_t depth, size_t count,
                                      const WEIGHT *w, size_t w_inner, chirr_real *y)
{
    bool whole = count == LANES;
    vector sum = whole ? vector_load(y) : vector_load_first(y, count);
    UNROLL
    for (size_t i = 0; i < depth; i++, w += w_inner) {
        AHEAD(w);
        vector weights = whole ? LOAD(w) : LOAD_FIRST(w, count);
        sum = vector_multiply_add(scales[i], weights, sum);
    }
    if (whole) {
        vector_store(y, sum);
    } else {
        vector_store_first(y, sum, count);
    }
}

/* `depth` (constant) inner indices of one row, all columns. */
static INLINE void NAME(sweep_block)(const struct chirr_product *s, size_t depth,
                                     const chirr_real *x, const WEIGHT *w, chirr_real *y)
{
    vector scales[SWEEP_DEPTH];
    UNROLL
    for (size_t i = 0; i < depth; i++) {
        scales[i] = vector_fill(x[i * s->x_inner]);
    }
    size_t column = 0;
    for (; column + LANES <= s->columns; column += LANES) {
        NAME(sweep_column)(scales, depth, LANES, w + column, s->w_inner, y + column);
    }
    if (column < s->columns) {
        NAME(sweep_column)(scales, depth, s->columns % LANES, w + column, s->w_inner, y + column);
    }
}

/* One row of one group. */
static void NAME(sweep)(const struct chirr_product *s, const chirr_real *x, const WEIGHT *w,
                        chirr_real *y)
{
    size_t i = 0;
    for (; i + SWEEP_DEPTH <= s->inner; i += SWEEP_DEPTH) {
        NAME(sweep_block)(s, SWEEP_DEPTH, x + i * s->x_inner, w + i * s->w_inner, y);
    }
    for (; i < s->inner; i++) {
        NAME(sweep_block)(s, 1, x + i * s->x_inner, w + i * s->w_inner, y);
    }
}

/* Scales of a vector of columns, each from its group's. */
static INLINE void NAME(weave_column)(const pick_table *tables, size_t depth, size_t count,
                                      const uint32_t *group_of, const WEIGHT *w, size_t w_inner,
                                      chirr_real *y)
{
    pick_index index = pick_index_load(group_of);
    vector scales[SWEEP_DEPTH];
    UNROLL
    for (size_t i = 0; i < depth; i++) {
        scales[i] = pick(tables[i], index);
    }
    NAME(sweep_column)(scales, depth, count, w, w_inner, y);
}

/* As sweep_block, for groups that lie side by side; their x is in rows of PICKS. */
static INLINE void NAME(weave_block)(const struct woven *woven, size_t depth, const chirr_real *x,
                                     const WEIGHT *w, size_t w_inner, chirr_real *y)
{
    pick_table tables[SWEEP_DEPTH];
    UNROLL
    for (size_t i = 0; i < depth; i++) {
        tables[i] = pick_table_load(x + i * PICKS);
    }
    size_t column = 0;
    for (; column + LANES <= woven->columns; column += LANES) {
        NAME(weave_column)
        (tables, depth, LANES, woven->group_of + column, w + column, w_inner, y + column);
    }
    if (column < woven->columns) {
        NAME(weave_column)
        (tables, depth, woven->columns % LANES, woven->group_of + column, w + column, w_inner,
         y + column);
    }
}

/* Up to PICKS groups. */
static void NAME(weave_groups)(const struct chirr_product *s, struct woven *woven,
                               const chirr_real *x, const WEIGHT *w, chirr_real *y)
{
    for (size_t from = 0; from < s->inner; from += WEAVE_DEPTH) {
        size_t depth = least(WEAVE_DEPTH, s->inner - from);
        woven_gather(woven, s, depth, x + from * s->x_inner);
        size_t i = 0;
        for (; i + SWEEP_DEPTH <= depth; i += SWEEP_DEPTH, w += SWEEP_DEPTH * s->w_inner) {
            NAME(weave_block)(woven, SWEEP_DEPTH, woven->x[i], w, s->w_inner, y);
        }
        for (; i < depth; i++, w += s->w_inner) {
            NAME(weave_block)(woven, 1, woven->x[i], w, s->w_inner, y);
        }
    }
}

/* One row of narrow groups side by side. */
static void NAME(weave)(const struct chirr_product *s, const chirr_real *x, const WEIGHT *w,
                        chirr_real *y)
{
    struct woven woven;
    woven_init(&woven, s);
    for (size_t g = 0; g < s->groups; g += PICKS) {
        woven.groups = least(PICKS, s->groups - g);
        woven.columns = woven.groups * s->columns;
        NAME(weave_groups)(s, &woven, x + g * s->x_group, w + g * s->columns, y + g * s->columns);
    }
}

static void NAME(product)(const struct chirr_product *s, const chirr_real *x, const WEIGHT *w,
                          chirr_real *y)
{
    bool beside = s->w_group == s->columns && s->y_group == s->columns;
    if (s->rows == 1 && s->groups > 1 && beside && s->columns <= WEAVE_COLUMNS) {
        NAME(weave)(s, x, w, y);
        return;
    }
    for (size_t g = 0; g < s->groups; g++) {
        const chirr_real *xg = x + g * s->x_group;
        const WEIGHT *wg = w + g * s->w_group;
        chirr_real *yg = y + g * s->y_group;
        if (s->rows == 1 && s->columns > TILE_COLUMNS) {
            NAME(sweep)(s, xg, wg, yg);
            continue;
        }
        struct chirr_product rest = *s;
        size_t done = is_tall(s) ? NAME(tall)(s, xg, wg, yg) : 0;
        rest.rows -= done;
        NAME(rows)(&rest, xg + done * s->x_row, wg, yg + done * s->y_row);
    }
}
