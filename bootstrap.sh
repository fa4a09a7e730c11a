#!/bin/sh
# Installs what chirr needs, builds it, shows it, tests it. Safe to repeat.
#
#   ./bootstrap.sh build          build into build/
#   ./bootstrap.sh demo [OPTION…] build, then watch six agents for a minute; options go to
#                                 `chirr up` (--chaos kills one on the way, --summary FILE, …)
#   ./bootstrap.sh test [ARGUMENT…]
#                                 build and run every test, plainly and under AddressSanitizer and
#                                 UndefinedBehaviorSanitizer; arguments go to `meson test`
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

# To build and test; and for the jobs of the demo: a compiler, xz, sort and sha256sum.
packages="meson ninja-build gcc libc6-dev pkg-config libzmq3-dev libprotobuf-c-dev
protobuf-c-compiler libyaml-dev libsodium-dev libsqlite3-dev libcriterion-dev libjansson-dev
libsndfile1-dev libpng-dev xz-utils coreutils"

say() {
    printf '==> %s\n' "$*"
}

fail() {
    printf 'bootstrap.sh: %s\n' "$*" >&2
    exit 1
}

usage() {
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
}

# ---- What is needed ------------------------------------------------------------------------------

missing_packages() {
    for package in $packages; do
        dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q 'ok installed$' ||
            printf '%s ' "$package"
    done
}

install_packages() {
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    say "Installing with apt-get: $missing"
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || fail "not root, and there is no sudo; as root, please:
    apt-get install $missing"
        as_root=sudo
    fi
    $as_root apt-get update ||
        say "The lists of packages could not be renewed; trying with those that are here"
    # shellcheck disable=SC2086 # words, on purpose
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}

# Elsewhere: what can be looked for is looked for, and nothing is installed.
check_tools() {
    missing=
    for tool in meson ninja cc pkg-config protoc-c xz sort sha256sum; do
        command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
    done
    for library in libzmq libprotobuf-c yaml-0.1 libsodium sqlite3 jansson sndfile libpng criterion; do
        pkg-config --exists "$library" 2>/dev/null || missing="$missing $library"
    done
    [ -z "$missing" ] || fail "this system has no apt-get; please install, then call again:
   $missing
(on Debian these are: $(printf '%s' "$packages" | tr '\n' ' '))"
}

provide() {
    if command -v apt-get >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1; then
        install_packages
    else
        check_tools
    fi
    # A compiler cache would live in HOME.
    if [ ! -w "${HOME:-/nonexistent}" ]; then
        CCACHE_DISABLE=1
        export CCACHE_DISABLE
    fi
}

# ---- Building, showing, testing ------------------------------------------------------------------

# build_in DIRECTORY [OPTION…]: the options count when the directory is new.
build_in() {
    directory=$1
    shift
    if [ ! -f "$directory/build.ninja" ]; then
        say "Setting up ${directory#"$root"/}/"
        meson setup "$@" "$directory" "$root"
    fi
    say "Building in ${directory#"$root"/}/"
    ninja -C "$directory"
}

demo() {
    state=$(mktemp -d "${TMPDIR:-/tmp}/chirr-demo.XXXXXX")
    status=0
    # Ctrl-C is for chirr, which stops its agents; then it is our turn.
    trap : INT
    "$root/build/chirr" up "$root/examples/quickstart/fleet.yaml" --for 60s --state "$state" "$@" ||
        status=$?
    trap - INT
    if [ "$status" -eq 0 ] || [ "$status" -eq 130 ]; then
        rm -rf "$state"
    else
        say "Logs and state of the agents are kept in $state"
    fi
    return "$status"
}

# test_in DIRECTORY [ARGUMENT…]: quiet about what passes, but for the closing line of each suite.
test_in() {
    directory=$1
    shift
    say "Testing in ${directory#"$root"/}/"
    status=0
    meson test -C "$directory" --no-rebuild --print-errorlogs "$@" || status=$?
    sed -n 's/^.*\(\[====\] Synthesis: .*\)$/\1/p' "$directory/meson-logs/testlog.txt"
    return "$status"
}

test_all() {
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
    # shellcheck disable=SC2089 # the quotes are for the sanitizer to read
    LSAN_OPTIONS="suppressions='$root/tests/support/leaks.txt':print_suppressions=0"
    # shellcheck disable=SC2090
    export UBSAN_OPTIONS LSAN_OPTIONS
    build_in "$root/build-sanitize" -Db_sanitize=address,undefined -Db_lundef=false \
        -Dbuildtype=debugoptimized -Doptimization=1
    failed=
    test_in "$root/build" "$@" || failed="build"
    test_in "$root/build-sanitize" --timeout-multiplier 3 "$@" || failed="$failed build-sanitize"
    [ -z "$failed" ] || fail "tests failed in: $failed"
    say "Every test passed, plainly and under the sanitizers"
}

command=${1:-help}
[ $# -eq 0 ] || shift
case $command in
build | demo | test)
    provide
    build_in "$root/build"
    case $command in
    demo) demo "$@" ;;
    test) test_all "$@" ;;
    esac
    ;;
help | -h | --help)
    usage
    ;;
*)
    usage >&2
    fail "$command: expected build, demo or test"
    ;;
esac
