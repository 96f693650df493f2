#!/bin/sh
# Questions to a running job: list, savepoint, checkpoint, stop, drain, cancel. A job that is stopped
# with a savepoint and begun with it again, twice and at other parallelisms, gives each line once; from
# state in memory to RocksDB, and back.
#
# usage: control.sh PROGRAM
set -u
program=$1
folder=$(mktemp -d)
job=
trap '[ -z "$job" ] || kill "$job" 2>/dev/null; rm -rf "$folder"' EXIT
XDG_RUNTIME_DIR=$folder
export XDG_RUNTIME_DIR
problems=0

complain() {
    printf '%s\n' "$*" >&2
    problems=$((problems + 1))
}

# start ARGUMENT…: a job in the background; returns when it can be asked
start() {
    "$program" stream run examples/counter --output "$folder/out" --rate 5000 "$@" &
    job=$!
    until "$program" stream list counter 2>/dev/null | grep -q "^$job counter, running"; do
        kill -0 "$job" 2>/dev/null || { complain "the job ended: $*"; return; }
        sleep 0.05
    done
    sleep 0.2
}

# ended CODE
ended() {
    wait "$job"
    code=$?
    [ "$code" = "$1" ] || complain "the job's exit code is $code, not $1"
    [ -z "$("$program" stream list 2>/dev/null)" ] || complain "a job that ended is listed"
    job=
}

start -p 2 --part-size 100000000
[ "$(stat -c %a "$folder/kcsim/stream-$job.sock")" = 600 ] || complain "the socket is open to others"
[ "$("$program" stream savepoint counter "$folder/save")" = "$folder/save/savepoint-1" ] ||
    complain "no savepoint"
[ -n "$(find "$folder/out" -name '.part-0-0.pending.*')" ] || complain "a file goes on over a savepoint"
[ -e "$folder/save/savepoint-1/_metadata" ] || complain "the savepoint is not there"
"$program" stream savepoint counter 2>/dev/null && complain "a savepoint without a folder"
"$program" stream checkpoint counter 2>/dev/null && complain "a checkpoint without a folder"
"$program" stream stop no_such_job 2>/dev/null && complain "a job that is not there is stopped"
"$program" stream savepoint counter /proc/no-folder 2>/dev/null && complain "a savepoint in /proc"
"$program" stream stop "$job" -p /proc/no-folder 2>/dev/null && complain "a stop without savepoint"
[ "$("$program" stream stop "$job" -p "$folder/save" | tail -n 1)" != "" ] || complain "no stop"
ended 0

newest() {
    printf '%s\n' "$folder"/save/savepoint-* | sort -V | tail -n 1
}

start -p 3 -s "$(newest)" -D execution.checkpointing.savepoint-dir="$folder/save" \
    -D execution.checkpointing.interval=100ms -D execution.checkpointing.dir="$folder/ck" \
    -D state.backend=rocksdb -D state.backend.incremental=true \
    -D state.backend.rocksdb.localdir="$folder/local"
"$program" stream checkpoint >/dev/null || complain "no checkpoint"
for _ in $(seq 200); do # until records have come to the sums
    "$program" stream metrics counter >"$folder/metrics" || complain "no metrics"
    grep -q 'numRecordsIn{.*"sums",.*} [1-9]' "$folder/metrics" && break
    sleep 0.05
done
for line in 'flink_taskmanager_job_task_operator_numRecordsIn{job_name="counter",operator_name="sum",operator_id="sums",subtask_index="[0-2]"} [1-9][0-9]*' \
    'flink_taskmanager_job_task_operator_numRecordsOut{job_name="counter",operator_name="next_number",operator_id="numbers",subtask_index="[0-2]"} [1-9][0-9]*' \
    'flink_jobmanager_job_numberOfCompletedCheckpoints{job_name="counter"} [1-9][0-9]*' \
    'flink_jobmanager_job_numberOfFailedCheckpoints{job_name="counter"} 0' \
    '# TYPE flink_taskmanager_job_task_operator_currentOutputWatermark gauge'; do
    grep -qx "$line" "$folder/metrics" || complain "not among the metrics: $line"
done
"$program" stream status >"$folder/status" || complain "no status"
grep -q '^counter: process .*, running for ' "$folder/status" || complain "the status has no head"
grep -q '^sum  *3  ' "$folder/status" || complain "the status does not tell of the sum"
"$program" stream status counter --format json | grep -q '"state": "RUNNING"' ||
    complain "no status as JSON"
"$program" stream list --format=json | grep -q '^  {"name": "counter", "pid": '"$job," ||
    complain "no list as JSON"
"$program" stream list | grep -q ' records/s in, .*/s out, last checkpoint ' ||
    complain "the list has no rates"
for word in list status "status counter"; do
    # shellcheck disable=SC2086 # a word, and a job
    "$program" stream $word --format xml 2>"$folder/refused" && complain "$word as XML"
    grep -q "no format 'xml'; there are: text, json" "$folder/refused" ||
        complain "$word --format xml: $(cat "$folder/refused")"
done
"$program" stream list --format 2>&1 | grep -q -e '--format: a value is expected' ||
    complain "list --format does not miss its value"
for flag in -p --savepointPath; do
    "$program" stream stop $flag 2>&1 | grep -q -e "$flag: a value is expected" ||
        complain "stop $flag does not miss its value"
done
find "$folder/ck" -name "rocks-*" 2>/dev/null | grep -q . || complain "the checkpoints have no files of databases"
"$program" stream savepoint counter >/dev/null || complain "no savepoint in the configured folder"
"$program" stream stop >/dev/null || complain "no stop of the only job"
ended 0

[ -z "$(ls "$folder/local")" ] || complain "folders of databases are left"
start -p 1 -s "$(newest)"
"$program" stream stop --drain "-p$folder/save" counter >/dev/null || complain "no drain"
ended 0

cat "$folder"/out/part-* | tr -d '()' | awk -F, '
    { seen[$1 "," $3]++; n[$1]++; top[$1] = $3 > top[$1] ? $3 : top[$1] }
    END {
        for (k in seen) if (seen[k] != 1) { print k " is there " seen[k] " times"; bad = 1 }
        for (d in n) { digits++; if (n[d] != top[d]) { print d ": " n[d] " of " top[d]; bad = 1 } }
        if (digits != 10) { print digits + 0 " digits"; bad = 1 }
        exit bad
    }' >&2 || complain "the output is not exact"
[ -z "$(find "$folder/out" -name '.part-*')" ] || complain "something is left uncommitted"

# A drained savepoint is one whose input had ended.
lines=$(cat "$folder"/out/part-* | wc -l)
timeout 60 "$program" stream run examples/counter --output "$folder/out" -p 2 -s "$(newest)" ||
    complain "a job does not end that was drained"
[ "$lines" = "$(cat "$folder"/out/part-* | wc -l)" ] || complain "a drained job goes on"

start
"$program" stream stop counter --savepointPath="$folder/named" >/dev/null || complain "no stop into a folder"
ended 0
[ -n "$(find "$folder/named" -name _metadata)" ] || complain "--savepointPath=DIR is not where the savepoint is"

start -p 2
"$program" stream cancel "$job" >/dev/null || complain "no cancel"
ended 130
start
kill -9 "$job"
wait "$job" 2>/dev/null
job=
[ -z "$("$program" stream list 2>/dev/null)" ] || complain "a killed job is listed"
[ -z "$(ls "$folder/kcsim")" ] || complain "its socket is left"
[ "$problems" = 0 ]
