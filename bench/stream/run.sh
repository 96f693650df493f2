#!/bin/sh
# The stream jobs, ours beside a loop written by hand, in turn on the same machine.
#
#     bench/stream/run.sh [BUILD] [ROUNDS]        BUILD: build/release; ROUNDS: 3
#
# CPU ns an event count first: wall time is that of a machine that others use. Both print a check sum;
# where they differ, the run is void. A job with a checkpoint each second comes last.
set -eu
build=${1:-build/release}
rounds=${2:-3}
cmake --build "$build" --target bench_stream >/dev/null
bin=$build/bench/stream
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# pair JOB EVENTS KEYS
pair() {
    for round in $(seq "$rounds"); do
        "$bin/loops" "$1" "$2" "$3"
        "$bin/jobs" "$1" "$2" "$3"
    done
}

pair a 200000000 1000
pair b 100000000 1000
pair b 50000000 1000000
pair c 50000000 1000
pair c 50000000 1000000
pair d 30000000 1000
pair f 2000000 0
echo "job e: b with state in RocksDB; 1e7 keys do not fit its memory"
local="state.backend.rocksdb.localdir=$folder"
"$bin/jobs" b 20000000 1000 state.backend=rocksdb "$local"
"$bin/jobs" b 20000000 1000000 state.backend=rocksdb "$local"
"$bin/jobs" b 20000000 10000000 state.backend=rocksdb "$local"
echo "a checkpoint each second:"
"$bin/jobs" b 50000000 1000000
"$bin/jobs" b 50000000 1000000 execution.checkpointing.interval=1s "execution.checkpointing.dir=$folder/b"
"$bin/jobs" b 20000000 1000000 state.backend=rocksdb state.backend.incremental=true "$local" \
    execution.checkpointing.interval=1s "execution.checkpointing.dir=$folder/e"
