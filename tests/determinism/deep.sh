#!/bin/sh
# Builds all eight presets (gcc and clang, -O0 and -O3, with and without sanitizers) and compares 1,000
# seeds over them.
#
# usage: deep.sh SOURCE_ROOT [SEEDS]
set -eu
cd "$1"
builds=
for compiler in gcc clang; do
    for level in O0 O3; do
        for sanitizer in '' -asan; do
            preset=$compiler-$level$sanitizer
            cmake --preset "$preset" >/dev/null
            cmake --build "build/$preset" --target determinism -j 2 >/dev/null
            builds="$builds build/$preset"
        done
    done
done
# shellcheck disable=SC2086 # one word a build
exec tests/determinism/run.sh --seeds "${2-1000}" $builds
