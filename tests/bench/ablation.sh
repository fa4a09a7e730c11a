#!/bin/sh
# Runs the table of docs/ablation.md and prints it as Markdown.
#
#   tests/bench/ablation.sh BUILD TEXT [MODE [BYTES [SEEDS [ROWS [OPTIONS]]]]]
#
# BUILD is the build folder, MODE online (default) or offline, BYTES of the text (default 300000),
# SEEDS of them (default 3), ROWS a regular expression of whole names of rows (default all), OPTIONS
# for every run. First the gradients of each row's operations are checked against finite differences
# on a small shape. Every run's JSON line goes to standard error.
set -eu
build=$1
text=$2
mode=${3:-online}
bytes=${4:-300000}
seeds=${5:-3}
wanted=${6:-.*}
more=${7:-}
n23=2:1024:0:16,3:2048:16:16
default="layers=2 section=128 mlp=0 input_gate=full decay=6-512/4 embed_rate=5 head_rate=2 warmup=10
 ngrams=$n23,17:1024:32:16"
default=$(echo "$default" | tr '\n' ' ')

# A name, what differs from the defaults (ablation_options.c), and words for the table. Sizes keep
# all rows at about 181,000 parameters.
rows() {
    cat <<END
block | | the block: SiLU(present) on the history, K = 4, slopes 0.25-4, decays 3-64
paper | slope=alibi/4 decay=retention/4 slope_gate=-silu decay_gate=sigmoid normed=1 now=1 | the paper's rates, gates and RMSNorm, present included
paper-past | slope=alibi/4 decay=retention/4 slope_gate=-silu decay_gate=sigmoid normed=1 | the paper's rates, gates and RMSNorm, present excluded
paper-added | slope=alibi/4 decay=retention/4 slope_gate=-silu decay_gate=sigmoid normed=1 added=1 section=64 mlp=172 | of these, sections added, no output matrix, MLP 172
paper-channel | slope=alibi/4 decay=retention/4 slope_gate=-silu decay_gate=sigmoid normed=1 block=1 section=224 | of these, a matrix for each rate's own channels, section 224
rates-paper | slope=alibi/4 decay=retention/4 | the paper's rates
decays-512 | decay=6-512/4 | decays 6-512
rates-2 | slope=0.25-4/2 decay=3-64/2 | K = 2
rates-8 | slope=0.25-4/8 decay=3-64/8 | K = 8
delays | slope=d1,d2,d3,d4 | pure delays of 1-4 instead of slopes
now | now=1 | present included in the history
added | added=1 section=64 mlp=172 | sections added, no output matrix, MLP 172
normed | normed=1 | RMSNorm on the decays' history
gates-paper | slope_gate=-silu decay_gate=sigmoid | the paper's gates
split-3-1 | section=96 mlp=64 | sections 3 D, MLP D
split-4-0 | section=128 mlp=0 | sections 4 D, no MLP
layers-2 | layers=2 section=176 mlp=32 | 2 layers
conv | conv=4 | convolution of width 4 before both
gate-low | input_gate=low8 section=108 | gate on what is written, rank 8
gate-full | input_gate=full section=100 | gate on what is written, full
gate-value | input_gate=value section=80 mlp=40 | gate after the projection (no trace form)
tables-234 | layers=2 section=108 mlp=0 ngrams=$n23,4:1024:32:16 | tables of 2-, 3- and 4-grams; 2 layers, no MLP
tables-23w | layers=2 section=108 mlp=0 ngrams=$n23,17:1024:32:16 | tables of 2-, 3-grams and the word so far; 2 layers, no MLP
tables-gate | layers=2 section=104 mlp=0 input_gate=low8 ngrams=$n23,17:1024:32:16 | tables 2, 3, word and the gate of rank 8
tables-layers-1 | layers=1 section=216 mlp=0 ngrams=$n23,17:1024:32:16 | tables 2, 3, word; 1 layer
tables-step | layers=2 section=104 mlp=0 input_gate=low8 table_summed=0 table_rate=0.05 ngrams=$n23,17:1024:32:16 | tables 2, 3, word and gate, tables learned by RMSprop, steps of 0.05
tables-embed | layers=2 section=104 mlp=0 input_gate=low8 embed_rate=5 ngrams=$n23,17:1024:32:16 | tables 2, 3, word and gate, embedding learns 5 times faster
default | $default | today's default: tables 2, 3, word, full gate, sections 2 D, 2 layers, decays 6-512
credit-before | $default before=32 | today's default, gradients through the 32 steps before the chunk, too
trace | $default credit=0 | today's default, the trace rule: no gradient from one step to another
trace-no-gate | $default credit=0 input_gate=none | of these, no gate on what is written, which has no gradient there
chunk-16 | $default chunk=16 | today's default, chunks of 16
chunk-64 | $default chunk=64 | today's default, chunks of 64
END
}

# Filters, gates and tables as they are, but a shape of a few hundred parameters.
small() {
    echo "$1" | sed 's/\(section\|mlp\|layers\|width\)=[0-9]*//g
        s/:[0-9]*:0:16/:64:0:4/g; s/:[0-9]*:16:16/:64:4:4/g; s/:[0-9]*:32:16/:64:8:4/g'
}

rows | while IFS='|' read -r name options words; do
    name=$(echo "$name" | tr -d ' ')
    words=$(echo "$words" | sed 's/^ *//')
    echo "$name" | grep -qxE "$wanted" || continue
    # shellcheck disable=SC2046
    "$build/tests/bench/bench_ablation_check" name="$name" width=16 section=16 mlp=8 layers=2 \
        $(small "$options") >&2
    for seed in $(seq "$seeds"); do
        # shellcheck disable=SC2086
        line=$("$build/tests/bench/bench_ablation" name="$name" text="$text" mode="$mode" \
            bytes="$bytes" seed="$seed" $options $more)
        echo "$line" >&2
        echo "$line" | sed "s/}$/,\"words\":\"$words\"}/"
    done
done | "$(dirname "$0")/ablation_table.sh"
