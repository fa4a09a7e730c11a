/* One step of RMSprop with a bound on each matrix's update. Rows of hashed tables are updated only
 * when a byte of the chunk touched them, by Adagrad or by RMSprop whose moments decay only then. */
#include <math.h>
#include <string.h>

#include "tests/bench/ablation.h"

#define FLOOR CHIRR_REAL(1e-16) /* of a squared gradient */
#define RATE_LEAST 0.1          /* of the rate, however many updates */
#define ROW_UPDATES_MAX 2000    /* by then the correction is 1 */

#ifdef CHIRR_REAL_DOUBLE
#define ROOT(x) sqrt(x)
#else
#define ROOT(x) sqrtf(x)
#endif

/* w -= rate · u / max(1, rms(u) / clip) with u = g / √(corrected moment); the moment takes the
 * whole gradient. */
static void descend(const struct ablation_rule *rule, size_t count, const double rate_correction[2],
                    chirr_real *const restrict g_m_w[3])
{
    const chirr_real decay = (chirr_real)rule->decay;
    const chirr_real correction = (chirr_real)rate_correction[1];
    chirr_real *restrict gradient = g_m_w[0];
    chirr_real *restrict moment = g_m_w[1];
    chirr_real *restrict weights = g_m_w[2];
    chirr_real squares = 0;
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        chirr_real g = gradient[i];
        chirr_real m = decay * moment[i] + (1 - decay) * (g * g + FLOOR);
        moment[i] = m;
        gradient[i] = g / ROOT(m * correction);
    }
#pragma omp simd reduction(+ : squares)
    for (size_t i = 0; i < count; i++) {
        squares += gradient[i] * gradient[i];
    }
    double rms = sqrt((double)squares / (double)count);
    double bound = rule->clip > 0 && rms > rule->clip ? rule->clip / rms : 1;
    const chirr_real step = (chirr_real)(rate_correction[0] * bound);
    for (size_t i = 0; i < count; i++) {
        weights[i] -= step * gradient[i];
        gradient[i] = 0;
    }
}

/* Adagrad: rows that were seen often move less. */
static void descend_summed(size_t count, chirr_real rate, chirr_real *const restrict g_m_w[3])
{
    for (size_t i = 0; i < count; i++) {
        chirr_real g = g_m_w[0][i];
        g_m_w[1][i] += g * g + FLOOR;
        g_m_w[2][i] -= rate * g / ROOT(g_m_w[1][i]);
        g_m_w[0][i] = 0;
    }
}

/* Adagrad with one sum for a whole row: the mean of its squares. */
static void descend_by_row(size_t count, chirr_real rate, chirr_real *const restrict g_m_w[3])
{
    chirr_real squares = 0;
    for (size_t i = 0; i < count; i++) {
        squares += g_m_w[0][i] * g_m_w[0][i];
    }
    g_m_w[1][0] += squares / (chirr_real)count + FLOOR;
    chirr_real step = rate / ROOT(g_m_w[1][0]);
    for (size_t i = 0; i < count; i++) {
        g_m_w[2][i] -= step * g_m_w[0][i];
        g_m_w[0][i] = 0;
    }
}

static void update_table(const struct ablation_rule *rule, double rate,
                         struct ablation_table *table)
{
    for (size_t i = 0; i < table->touched_count; i++) {
        uint32_t row = table->touched[i];
        if (table->is_touched[row]) { /* already in this chunk */
            continue;
        }
        table->is_touched[row] = true;
        uint32_t updates = table->updates[row] += table->updates[row] < ROW_UPDATES_MAX;
        double rate_correction[2] = {rate, 1 / (1 - pow(rule->decay, updates))};
        size_t at = row * table->width;
        chirr_real *const g_m_w[3] = {table->gradient + at, table->moment + at, table->own + at};
        if (rule->summed > 1) {
            descend_by_row(table->width, (chirr_real)rate, g_m_w);
        } else if (rule->summed > 0) {
            descend_summed(table->width, (chirr_real)rate, g_m_w);
        } else {
            descend(rule, table->width, rate_correction, g_m_w);
        }
    }
    for (size_t i = 0; i < table->touched_count; i++) {
        table->is_touched[table->touched[i]] = false;
    }
}

void ablation_update(struct ablation_net *net, struct ablation_rule *rule)
{
    rule->updates++;
    double warm = rule->updates < rule->warmup ? (double)rule->updates / rule->warmup : 1;
    double slow = rule->halving > 0 ? 1 / sqrt(1 + (double)rule->updates / rule->halving) : 1;
    double rate = warm * rule->rate * (slow > RATE_LEAST ? slow : RATE_LEAST);
    double corrected = 1 / (1 - pow(rule->decay, (double)rule->updates));
    for (size_t i = 0; i < net->block_count; i++) {
        const struct ablation_block *b = &net->blocks[i];
        double rate_correction[2] = {rate * b->rate, corrected};
        chirr_real *const g_m_w[3] = {net->gradient + b->offset, net->moment + b->offset,
                                      net->weights + b->offset};
        descend(rule, b->count, rate_correction, g_m_w);
    }
    for (size_t i = 0; i < net->table_count; i++) {
        update_table(rule, warm * rule->table_rate, &net->tables[i]);
    }
}
