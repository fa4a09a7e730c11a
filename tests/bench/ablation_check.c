/* Are a variant's gradients right? Takes bench_ablation's options; built in double. Prints the
 * greatest error of any block of weights, relative to the root mean square of its gradients. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "tests/bench/ablation.h"

#define STEPS 7
#define ERROR_MAX 1e-5
#define STRIDE 1e-5
#define SAMPLES 24 /* of each block of weights */

static const uint8_t text[] = "hihi, a hidden hat in the thin attic";
static chirr_real *state;
static uint8_t recent[ABLATION_ORDER_MAX];

/* Mean nats of the third chunk, from the state that the first two left. */
static double loss(struct ablation_net *net)
{
    memcpy(net->state, state, net->state_count * sizeof *state);
    memcpy(net->recent, recent, sizeof recent);
    return ablation_net_forward(net, text + 2 * STEPS, STEPS) * log(2) / STEPS;
}

static double difference(struct ablation_net *net, chirr_real *weight)
{
    chirr_real kept = *weight;
    *weight = kept + CHIRR_REAL(STRIDE);
    double up = loss(net);
    *weight = kept - CHIRR_REAL(STRIDE);
    double down = loss(net);
    *weight = kept;
    return (up - down) / (2 * STRIDE);
}

/* Greatest error over the root mean square, of samples spread over an array. */
static double error_of(struct ablation_net *net, chirr_real *weights, const chirr_real *gradient,
                       size_t count)
{
    double worst = 0, squares = 0;
    size_t every = count > SAMPLES ? count / SAMPLES : 1;
    size_t samples = 0;
    for (size_t i = 0; i < count; i += every, samples++) {
        double slope = difference(net, &weights[i]);
        double error = fabs(slope - (double)gradient[i]);
        worst = error > worst ? error : worst;
        squares += slope * slope;
    }
    return worst / (sqrt(squares / (double)samples) + 1e-7);
}

static bool check_tables(struct ablation_net *net)
{
    bool right = true;
    for (size_t i = 0; i < net->table_count; i++) {
        struct ablation_table *table = &net->tables[i];
        for (size_t j = 0; j < STEPS; j++) {
            size_t at = table->touched[j] * table->width;
            double error = error_of(net, table->own + at, table->gradient + at, table->width);
            right = right && error < ERROR_MAX;
        }
    }
    return right;
}

static bool check_blocks(struct ablation_net *net)
{
    double worst = 0;
    for (size_t i = 0; i < net->block_count; i++) {
        const struct ablation_block *b = &net->blocks[i];
        double error = error_of(net, net->weights + b->offset, net->gradient + b->offset, b->count);
        worst = error > worst ? error : worst;
        if (error > ERROR_MAX) {
            printf("block %zu of weights, %zu of them: error %.1e\n", i, b->count, error);
        }
    }
    printf("worst error %.1e: ", worst);
    return worst < ERROR_MAX;
}

/* Two chunks of past, so that state and its corrections are on their way; weights away from zeros,
 * where errors would hide. False without memory. */
static bool settle(struct ablation_net *net)
{
    struct chirr_random random;
    chirr_random_init(&random, 1, 1);
    for (size_t i = 0; i < net->parameters; i++) {
        net->weights[i] += (chirr_real)(0.1 * chirr_random_normal(&random));
    }
    ablation_net_forward(net, text, STEPS);
    ablation_net_forward(net, text + STEPS, STEPS);
    state = malloc((net->state_count + 1) * sizeof *state);
    if (state == NULL) {
        return false;
    }
    memcpy(state, net->state, net->state_count * sizeof *state);
    memcpy(recent, net->recent, sizeof recent);
    return true;
}

int main(int argc, char **argv)
{
    static struct ablation_net net;
    struct ablation_options o;
    if (!ablation_options_parse(&o, argc, argv)) {
        return 2;
    }
    o.chunk = STEPS;
    if (!ablation_build(&net, &o) || !settle(&net)) {
        return 2;
    }
    loss(&net);
    net.traces_held = net.credit_ends;
    ablation_net_backward(&net);
    bool tables_right = check_tables(&net);
    bool right = check_blocks(&net) && tables_right;
    printf("%s %s\n", o.name, right ? "right" : "WRONG");
    free(state);
    ablation_net_finish(&net);
    return right ? 0 : 1;
}
