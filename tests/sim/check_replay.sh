#!/bin/sh
# The simulator as people use it: a seed replays in another process, options reach the scenario, and
# mistakes are named before anything starts.
# Usage: check_replay.sh CHIRR SOURCE_ROOT
set -eu
chirr=$1
hello=$2/examples/scenarios/hello.yaml
crowd=$2/examples/scenarios/crowd.yaml

fail() {
    echo "$*" >&2
    exit 1
}

run() {
    "$chirr" sim run "$hello" --for 12s --json "$@"
}

hash_of() {
    sed -n 's/.*"state_hash": "\([0-9a-f]\{16\}\)".*/\1/p'
}

# Prints what went to standard error; fails unless the exit code is 2.
mistake() {
    code=0
    "$chirr" sim "$@" 2>&1 >/dev/null || code=$?
    [ "$code" -eq 2 ] || fail "chirr sim $*: exit code $code, expected 2"
}

run --seed 7 >/dev/null || fail "an invariant was violated"
first=$(run --seed 7 | hash_of)
[ -n "$first" ] || fail "no state_hash in the report"
[ "$(run --seed 7 | hash_of)" = "$first" ] || fail "one seed gave two hashes"
[ "$(run --seed 8 | hash_of)" != "$first" ] || fail "two seeds gave one hash"
[ "$(run --seed 7 --loss 0 | hash_of)" != "$first" ] || fail "--loss changed nothing"

"$chirr" sim run "$crowd" --for 8s | grep -q '^local view .* members' ||
    fail "the crowd did not say what one agent knows"

mistake run "$hello" --loss 2 | grep -q 'loss.*from 0 to 1' || fail "--loss 2 was not explained"
mistake run "$hello" --seed x | grep -q 'seed.*whole number' || fail "--seed x was not explained"
mistake run "$hello" --for 5 | grep -q 'for.*duration' || fail "--for 5 was not explained"
mistake run "$hello" --fast | grep -q 'fast: unknown' || fail "--fast was not explained"
mistake run /nonexistent.yaml | grep -q nonexistent || fail "a missing file was not named"
"$chirr" sim --help | grep -q 'usage: chirr sim run' || fail "no help"
echo "the simulator replays"
