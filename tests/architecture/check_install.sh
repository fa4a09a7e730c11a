#!/bin/sh
# Installs into an empty directory, builds examples/embed against what was installed there, runs it.
# Usage: check_install.sh SOURCE_ROOT BUILD_ROOT PREFIX COMPILER SANITIZERS
set -eu
source=$1 build=$2 prefix=$3 compiler=$4 sanitizers=$5

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
DESTDIR="$place/root" meson install -C "$build" --no-rebuild --quiet >"$place/install.log" 2>&1 || {
    cat "$place/install.log" >&2
    exit 1
}
installed=$place/root$prefix
pc=$(dirname "$(find "$installed" -name chirr.pc)")
flags=$(PKG_CONFIG_PATH="$pc" pkg-config --define-variable=prefix="$installed" --cflags --libs chirr)
[ "$sanitizers" = none ] || flags="$flags -fsanitize=$sanitizers"
# The flags are words on purpose.
# shellcheck disable=SC2086
"$compiler" -std=c17 -D_GNU_SOURCE "$source/examples/embed/embed.c" $flags -o "$place/embed"
mkdir "$place/state"
"$place/embed" "$place/state" >"$place/output"
grep 'says: hello from a job' "$place/output"
"$installed/bin/chirr" --version
