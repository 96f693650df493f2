#!/bin/sh
# ^C in the middle of a run: exit code 130, and a trace that ends at an event boundary and can be read.
#
# usage: interrupt.sh PROGRAM
set -u
program=$1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

# Without end in sight: brokers come and go for a simulated year.
cat >"$folder/long.yaml" <<'YAML'
title: Without end
cluster: {nodes: [1, 2, 3]}
topics: {t: {partitions: 3, replication-factor: 3}}
steps:
  - {every: 30s, bounce: 2}
until: 8000h
YAML

"$program" run "$folder/long.yaml" --trace "$folder/trace.ndjson" >"$folder/out" 2>&1 &
pid=$!
sleep 0.5
# A background command of a shell ignores SIGINT unless the program asks for it, as kcsim does.
kill -INT "$pid"
wait "$pid"
code=$?
[ "$code" = 130 ] || {
    echo "exit code $code, not 130:" >&2
    cat "$folder/out" >&2
    exit 1
}
[ -s "$folder/trace.ndjson" ] || {
    echo "no trace was kept" >&2
    exit 1
}
"$program" coverage "$folder/trace.ndjson" >/dev/null
