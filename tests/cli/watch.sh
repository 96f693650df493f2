#!/bin/sh
# kcsim test --watch: tests at once, again when a scenario changes or comes, not when anything else does,
# and ends with 130 at ^C. kcsim run --watch likewise, of one file, also while it is wrong.
#
# usage: watch.sh PROGRAM
set -u
program=$(realpath "$1")
folder=$(mktemp -d) || exit 1
pid=
trap 'kill -9 $pid 2>/dev/null; rm -rf "$folder"' EXIT

fail() {
    echo "$1; so far:" >&2
    cat "$folder/out" >&2
    exit 1
}

# runs N [WHAT]: waits until there have been N runs, each of which writes WHAT once
runs() {
    tries=0
    while [ "$(grep -c "${2:- bad\$}" "$folder/out")" -lt "$1" ]; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || fail "no run $1 within a minute"
        sleep 0.1
    done
}

mkdir "$folder/scenarios"
cat >"$folder/scenarios/one.yaml" <<'YAML'
title: One
cluster: {nodes: [1]}
until: 1s
YAML
"$program" test "$folder/scenarios" --watch >"$folder/out" 2>&1 &
pid=$!
runs 1
echo '# a comment' >>"$folder/scenarios/one.yaml"
runs 2
echo 'no scenario' >"$folder/scenarios/notes.txt"
sed 's/One/Two/' "$folder/scenarios/one.yaml" >"$folder/two"
mv "$folder/two" "$folder/scenarios/two.yaml"
runs 3
[ "$(tail -n 1 "$folder/out")" = '2 met, 0 failed, 0 undecided, 0 bad' ] || fail "the new one is not there"
[ "$(grep -c ' bad$' "$folder/out")" = 3 ] || fail "notes.txt started a run"
kill -INT $pid
wait $pid
code=$?
[ $code = 130 ] || fail "exit code $code, not 130"

"$program" run "$folder/scenarios/one.yaml" --watch >"$folder/out" 2>&1 &
pid=$!
runs 1 'verdict: met'
sed -i 's/nodes: /nods: /' "$folder/scenarios/one.yaml"
runs 1 "no key 'nods'"
sed -i 's/nods: /nodes: /' "$folder/scenarios/one.yaml"
runs 2 'verdict: met'
kill -INT $pid
wait $pid
code=$?
[ $code = 130 ] || fail "run: exit code $code, not 130"
