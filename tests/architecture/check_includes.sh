#!/bin/sh
# The folders depend on each other in one direction only (docs/concepts.md draws it). This fails on
# an include against it, and proves on a planted one that it can fail.
# Usage: check_includes.sh SOURCE_ROOT
set -eu
root=$1

# FOLDER ALLOWED: what each folder may include, as an extended regular expression of folders.
rules='base base
proto base|proto
model base|model
swarm base|proto|swarm
agent base|proto|model|swarm|agent
sim base|proto|model|swarm|agent|sim
tests/bench base|proto|model|swarm|agent|sim|tests/bench|tests/support'

# What the simulator takes from agent/: the pure halves, the bridge between them, the command line.
sim_may='agent/(node|learner|bridge|config|cli|clock|paths)\.h'

# `chirr bench` is part of the executable. Where it measures the model it stands on that, and takes
# the command line and the learner (its memory) from agent/; where it measures a swarm it runs agents and simulations.
bench_may='agent/(cli|learner)\.h'
bench_swarm='/tests/bench/(bench_swarm|fleet|test_fleet)[a-z_]*\.[ch]:'

# What the pure folders never include: clocks, sockets, threads.
impure='<(zmq|time|pthread|sys/socket|sys/time|poll|sqlite3|jansson)\.h>'

# Prints every offending line of the tree below $1; silent when there is none.
offences() {
    tree=$1
    echo "$rules" | while read -r folder allowed; do
        [ -d "$tree/$folder" ] || continue
        grep -rnE --include='*.[ch]' '^ *# *include "' "$tree/$folder" |
            grep -E '"(base|proto|model|swarm|agent|sim|tests|examples)/' |
            grep -vE "\"($allowed)/" || true
    done
    if [ -d "$tree/sim" ]; then
        grep -rnE --include='*.[ch]' 'include "agent/' "$tree/sim" | grep -vE "\"$sim_may\"" || true
        grep -rnE --include='*.[ch]' "include $impure" "$tree/sim" |
            grep -vE '/sim/cli_[a-z_]*\.c:' || true
    fi
    if [ -d "$tree/tests/bench" ]; then
        grep -rnE --include='*.[ch]' 'include "agent/' "$tree/tests/bench" |
            grep -vE "\"$bench_may\"" | grep -vE "$bench_swarm" || true
        grep -rnE --include='*.[ch]' 'include "(proto|swarm|sim)/' "$tree/tests/bench" |
            grep -vE "$bench_swarm" || true
    fi
    for folder in base proto model swarm agent sim tests/bench; do
        [ -d "$tree/$folder" ] || continue
        # From the root, in quotes: any other way round would not be seen above.
        grep -rnE --include='*.[ch]' 'include ("\.|<(base|proto|model|swarm|agent|sim)/)' \
            "$tree/$folder" || true
    done
    for folder in base proto model swarm; do
        [ -d "$tree/$folder" ] || continue
        grep -rnE --include='*.[ch]' "include $impure" "$tree/$folder" || true
    done
    for file in node node_calls node_output node_parts learner bridge; do
        [ -f "$tree/agent/$file.c" ] || continue
        grep -HnE "include $impure" "$tree/agent/$file".[ch] || true
    done
}

planted=$(mktemp -d)
trap 'rm -rf "$planted"' EXIT
mkdir -p "$planted/swarm" "$planted/sim" "$planted/base" "$planted/model" "$planted/tests/bench"
echo '#include "model/model.h"' >"$planted/swarm/a.c"
echo '#include "agent/transport.h"' >"$planted/sim/b.c"
echo '#include <time.h>' >"$planted/base/c.h"
echo '#include "../agent/node.h"' >"$planted/base/d.h"
echo '#include <agent/node.h>' >"$planted/base/e.h"
echo '#include "tests/bench/measure.h"' >"$planted/model/f.c"
echo '#include "agent/store.h"' >"$planted/tests/bench/g.c"
echo '#include "swarm/overlay.h"' >"$planted/tests/bench/h.c"
if [ "$(offences "$planted" | wc -l)" -ne 8 ]; then
    echo "the check does not find what was planted:" >&2
    offences "$planted" >&2
    exit 1
fi

found=$(offences "$root")
if [ -n "$found" ]; then
    echo "Includes against the direction of the design:" >&2
    echo "$found" >&2
    exit 1
fi
echo "every include follows the design"
