/* Which block makes of predefined rates the most? One run of one variant; docs/ablation.md has the
 * answers, ablation.sh the variants behind them.
 *
 *   bench_ablation text=FILE [KEY=VALUE …]
 *
 * mode        online: one pass over `bytes` bytes, predict then learn, an update every `chunk`;
 *             offline: `passes` passes over random windows of `window` bytes, each from an empty
 *             state, then validation on the next `held` bytes
 * shape       width layers section decay_section (as section unless told otherwise) mlp
 * slope decay filters of each section, a list: A-B/K (K decays, their time constants from A to B
 *             steps, log-spaced), tT (one decay), dN (a pure delay), wT@P (a wave of P radians a
 *             step), alibi/K and retention/K (the paper's); gain above 0 scales traces to equal
 *             variance; now=1 lets the present belong to the past; block=1 gives each filter its
 * own channels gates       slope_gate decay_gate: silu, sigmoid, sigmoid2, product, tanh or relu2
 * of the present times the history, or with a leading - of the history times the present input_gate
 * what is written to the traces times 2σ of: none, diagonal, lowR (rank R), full; value gates the
 * projected input instead, which no trace of inputs can follow around      added=1: no output
 * matrix; normed=1: RMSNorm on the decays' history, 2: on both; shift=1: the present mixed with the
 * last input, 2: what is written, too; conv: taps; tied=1: head tied to the embedding, times
 * tied_scale ngrams      tables at the input, a list of order:rows:column:width; order 17 is the
 * word so far, 18 the name (digits and _ belong to it), 19 two words; head_ngrams: before the head
 * learning    rate (divided by √(1 + updates / halving)) warmup clip beta chunk seed; before: steps
 * before the chunk, at most its length, through which its gradient goes, too (online); table_summed
 * 2: Adagrad a row, 1: a weight, 0: RMSprop, with table_rate; embed_rate, head_rate: factors
 *             credit=0: the trace rule, no gradient goes from one step to another
 * beginning   embed_deviation head_deviation; factors: history_deviation output_deviation
 *
 * Prints one JSON line: bits per byte over the whole pass and its last quarter, validation bits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/random.h"
#include "tests/bench/ablation.h"

struct text {
    uint8_t *bytes;
    size_t count;
};

struct result {
    double bits, last_quarter, validation; /* per byte */
    double cpu_s, bytes;
};

static bool read_text(struct text *text, const char *path, size_t count)
{
    FILE *file = fopen(path, "rb");
    text->bytes = malloc(count + 1);
    if (file == NULL || text->bytes == NULL) {
        fprintf(stderr, "ablation: cannot read %s\n", path);
        return false;
    }
    text->count = fread(text->bytes, 1, count, file);
    fclose(file);
    return text->count > 2;
}

static double cpu_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static struct ablation_rule rule_of(const struct ablation_options *o)
{
    return (struct ablation_rule){.rate = o->rate,
                                  .decay = o->beta,
                                  .clip = o->clip,
                                  .halving = o->halving,
                                  .table_rate = o->table_rate,
                                  .summed = (uint32_t)o->table_summed,
                                  .warmup = (uint32_t)o->warmup};
}

static void learn_online(struct ablation_net *net, const struct ablation_options *o,
                         const struct text *text, struct result *result)
{
    struct ablation_rule rule = rule_of(o);
    size_t chunk = (size_t)o->chunk;
    size_t past = (size_t)o->before;
    size_t count = text->count - 1;
    size_t last = count - count / 4;
    double tail = 0;
    size_t tail_count = 0;
    for (size_t at = 0; at < count; at += chunk) {
        size_t steps = count - at < chunk ? count - at : chunk;
        size_t before = at > 0 ? past : 0;
        net->unscored = before;
        double bits = ablation_net_forward(net, text->bytes + at - before, before + steps);
        result->bits += bits / (double)count;
        if (at >= last) {
            tail += bits;
            tail_count += steps;
        }
        ablation_net_backward(net);
        ablation_update(net, &rule);
        if (past > 0 && steps == chunk) { /* to where the next chunk's past begins */
            ablation_net_rewind(net, before + chunk - past);
        }
    }
    result->last_quarter = tail / (double)tail_count;
    result->bytes = (double)count;
}

static double evaluate(struct ablation_net *net, const uint8_t *bytes, size_t count)
{
    double bits = 0;
    ablation_net_reset(net);
    for (size_t at = 0; at + 1 < count; at += net->steps_max) {
        size_t left = count - 1 - at;
        bits +=
            ablation_net_forward(net, bytes + at, left < net->steps_max ? left : net->steps_max);
    }
    return bits / (double)(count - 1);
}

static void learn_offline(struct ablation_net *net, const struct ablation_options *o,
                          const struct text *text, struct result *result)
{
    struct ablation_rule rule = rule_of(o);
    struct chirr_random random;
    size_t window = (size_t)o->window;
    size_t held = (size_t)o->held;
    size_t windows = (text->count - held - 1) / window * (size_t)o->passes;
    chirr_random_init(&random, (uint64_t)o->seed, UINT64_MAX);
    for (size_t i = 0; i < windows; i++) {
        size_t at = chirr_random_below(&random, text->count - held - window);
        ablation_net_reset(net);
        result->bits += ablation_net_forward(net, text->bytes + at, window);
        ablation_net_backward(net);
        ablation_update(net, &rule);
    }
    result->bytes = (double)(windows * window);
    result->bits /= result->bytes;
    result->validation = evaluate(net, text->bytes + text->count - held, held);
}

int main(int argc, char **argv)
{
    static struct ablation_net net;
    struct ablation_options o;
    struct text text;
    if (!ablation_options_parse(&o, argc, argv)) {
        return 2;
    }
    bool offline = strcmp(o.mode, "offline") == 0;
    size_t bytes = (size_t)(o.bytes + (offline ? o.held : 0));
    if (!read_text(&text, o.text, bytes) || !ablation_build(&net, &o)) {
        return 2;
    }
    if (o.before > o.chunk) {
        fprintf(stderr, "ablation: before is more than a chunk\n");
        return 2;
    }
    if (offline && (double)text.count < o.held + 2 * o.window) {
        fprintf(stderr, "ablation: the text is too short to hold %.0f bytes back\n", o.held);
        return 2;
    }
    struct result result = {0};
    double begin = cpu_seconds();
    if (offline) {
        learn_offline(&net, &o, &text, &result);
    } else {
        learn_online(&net, &o, &text, &result);
    }
    result.cpu_s = cpu_seconds() - begin;
    const char *base = strrchr(o.text, '/');
    printf("{\"variant\":\"%s\",\"mode\":\"%s\",\"text\":\"%s\",\"bytes\":%zu,\"seed\":%.0f,"
           "\"params\":%zu,\"bits\":%.4f,\"last_quarter\":%.4f,\"validation\":%.4f,"
           "\"cpu_s_per_mb\":%.2f}\n",
           o.name, o.mode, base != NULL ? base + 1 : o.text, text.count, o.seed,
           ablation_net_parameters(&net), result.bits, result.last_quarter, result.validation,
           1e6 * result.cpu_s / result.bytes);
    ablation_net_finish(&net);
    free(text.bytes);
    return 0;
}
