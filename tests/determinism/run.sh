#!/bin/sh
# Compares what several builds make of the same seeds: every digest must be the same in all of them.
# Where one is not, names the seed and the first record in which the traces differ.
#
# usage: run.sh [--seeds N] BUILD…     a build folder, or any program in it (build/gcc-O3/cli/kcsim)
#
# Each build must have the target `determinism`. The last line is "N passed, N failed", one for each seed.
set -u
seeds=100
if [ "${1-}" = --seeds ]; then
    seeds=$2
    shift 2
fi
here=$(cd "$(dirname "$0")" && pwd)
scenario=$here/random-faults.yaml
work=$(mktemp -d) || exit 70
trap 'rm -rf "$work"' EXIT

# The program of a build.
program() {
    if [ -d "$1" ]; then
        echo "$1/tests/determinism/determinism"
    else
        echo "$(dirname "$(dirname "$1")")/tests/determinism/determinism"
    fi
}

# Waits for the builds, two at a time.
count=0
for build in "$@"; do
    count=$((count + 1))
    [ -x "$(program "$build")" ] || {
        echo "$build: there is no $(program "$build")" >&2
        exit 70
    }
    {
        "$(program "$build")" "$scenario" --seeds "$seeds" >"$work/$count" 2>"$work/$count.errors"
        echo $? >"$work/$count.code"
    } &
    [ $((count % 2)) = 1 ] || wait
done
wait
[ "$count" -gt 1 ] || {
    echo "usage: run.sh [--seeds N] BUILD BUILD…" >&2
    exit 64
}

failed=0
number=0
for build in "$@"; do
    number=$((number + 1))
    code=$(cat "$work/$number.code")
    if [ "$code" != 0 ]; then
        echo "$build: exit code $code"
        cat "$work/$number.errors"
        failed=$((failed + 1))
    fi
done

seed=1
while [ "$seed" -le "$seeds" ]; do
    number=2
    first=$(sed -n "${seed}p" "$work/1")
    while [ "$number" -le "$count" ]; do
        if [ "$(sed -n "${seed}p" "$work/$number")" != "$first" ] || [ -z "$first" ]; then
            failed=$((failed + 1))
            other=
            eval "other=\${$number}"
            echo "seed $seed: $1 and $other differ"
            "$(program "$1")" "$scenario" --trace "$seed" >"$work/a.ndjson"
            "$(program "$other")" "$scenario" --trace "$seed" >"$work/b.ndjson"
            "$(program "$1")" --diff "$work/a.ndjson" "$work/b.ndjson"
            break
        fi
        number=$((number + 1))
    done
    [ "$failed" -le 5 ] || break
    seed=$((seed + 1))
done
passed=$((seeds - failed))
[ "$passed" -ge 0 ] || passed=0
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
