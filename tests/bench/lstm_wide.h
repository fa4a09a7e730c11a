/* The loops of an LSTM that no kernel of the model covers, at the machine's full width: a baseline
 * must not wait for its exponentials. Threading: pure functions of their arguments. */
#ifndef CHIRR_TESTS_BENCH_LSTM_WIDE_H
#define CHIRR_TESTS_BENCH_LSTM_WIDE_H

#include <stddef.h>

#include "model/real.h"

/* `gates` [4][width], i f o g before their functions, and after. `cell` [2][width]: what was, and
 * what becomes. `squashed` = tanh of the new cell. */
void chirr_lstm_cell_forward(size_t width, chirr_real *gates, chirr_real *cell,
                             chirr_real *squashed, chirr_real *hidden);

struct chirr_lstm_cell { /* what forward left */
    const chirr_real *gates;
    const chirr_real *cell;
    const chirr_real *squashed;
};

/* `d_cell` [width] comes from the step after, and becomes what goes to the step before. */
void chirr_lstm_cell_backward(size_t width, const struct chirr_lstm_cell *cell,
                              const chirr_real *d_hidden, chirr_real *d_cell, chirr_real *d_gates);

/* weights −= step · gradient / √moment */
void chirr_lstm_move(size_t count, chirr_real step, const chirr_real *gradient,
                     const chirr_real *moment, chirr_real *weights);

#endif
