#!/bin/sh
# Questions to a running job: list, savepoint, checkpoint, stop, drain, cancel. A job that is stopped
# with a savepoint and begun with it again, twice and at other parallelisms, gives each line once; from
# state in memory to RocksDB, and back.
#
# usage: control.sh PROGRAM SOURCE_ROOT
set -u
program=$1
root=$2
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

# The names in the table of docs/stream.md, with what stands before those of a scope.
documented_metrics() {
    awk -F'|' '
        BEGIN {
            prefix["cluster"] = "flink_jobmanager_"
            prefix["job"] = "flink_jobmanager_job_"
            prefix["task"] = "flink_taskmanager_job_task_"
            prefix["operator"] = "flink_taskmanager_job_task_operator_"
        }
        /^\| metric \| of \|/ { is_table = 1; next }
        !/^\|/ { is_table = 0 }
        is_table && !/^\|---/ {
            gsub(/[` ]/, "")
            names = split($2, name, ",")
            scopes = split($3, scope, ",")
            for (n = 1; n <= names; n++) for (s = 1; s <= scopes; s++) print prefix[scope[s]] name[n]
        }' "$root/docs/stream.md" | sort
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
"$program" stream savepoint counter "" 2>/dev/null && complain "a savepoint in a folder without a name"
"$program" stream savepoint counter hdfs://save 2>/dev/null && complain "a savepoint in a folder of hdfs"
[ "$("$program" stream savepoint counter "file://$folder/save")" = "$folder/save/savepoint-1" ] ||
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
of_job='host="[A-Za-z0-9_]*",job_id="[0-9a-f]\{32\}",job_name="counter"'
of_task='host="[A-Za-z0-9_]*",tm_id="[A-Za-z0-9_]*:'$job'",job_id="[0-9a-f]\{32\}",job_name="counter"'
sum='task_id="sums",task_name="sum____[A-Za-z_]*",task_attempt_num="0",subtask_index="[0-2]"'
numbers='task_id="numbers",task_name="next_number",task_attempt_num="0",subtask_index="[0-2]"'
for line in "flink_taskmanager_job_task_operator_numRecordsIn{$of_task,$sum,operator_id=\"sums\",operator_name=\"sum\"} [1-9][0-9]*" \
    "flink_taskmanager_job_task_operator_numRecordsOut{$of_task,$numbers,operator_id=\"numbers\",operator_name=\"next_number\"} [1-9][0-9]*" \
    "flink_taskmanager_job_task_numRecordsIn{$of_task,$sum} [1-9][0-9]*" \
    "flink_taskmanager_job_task_numBytesIn{$of_task,$sum} [1-9][0-9]*" \
    "flink_taskmanager_job_task_numBytesOut{$of_task,$numbers} [1-9][0-9]*" \
    "flink_taskmanager_job_task_numBuffersOut{$of_task,$numbers} [1-9][0-9]*" \
    "flink_taskmanager_job_task_buffers_inPoolUsage{$of_task,$sum} [0-9.]*" \
    "flink_taskmanager_job_task_currentInputWatermark{$of_task,$sum} -9.2233720368547758e+18" \
    "flink_jobmanager_job_numberOfCompletedCheckpoints{$of_job} [1-9][0-9]*" \
    "flink_jobmanager_job_numberOfFailedCheckpoints{$of_job} 0" \
    "flink_jobmanager_job_lastCheckpointSize{$of_job} [1-9][0-9]*" \
    "flink_jobmanager_job_lastCheckpointFullSize{$of_job} [1-9][0-9]*" \
    "flink_jobmanager_job_lastCheckpointRestoreTimestamp{$of_job} [1-9][0-9]\{12\}" \
    "flink_jobmanager_job_numRestarts{$of_job} 0" \
    'flink_jobmanager_taskSlotsTotal{host="[A-Za-z0-9_]*"} 3' \
    '# TYPE flink_taskmanager_job_task_operator_currentOutputWatermark gauge'; do
    grep -qx "$line" "$folder/metrics" || complain "not among the metrics: $line"
done
[ "$(sed -n 's/^# TYPE \([^ ]*\) gauge$/\1/p' "$folder/metrics" | sort)" = "$(documented_metrics)" ] ||
    complain "the metrics are not those of docs/stream.md"
"$program" stream status >"$folder/status" || complain "no status"
grep -q '^counter: process .*, running for ' "$folder/status" || complain "the status has no head"
grep -q '^sum  *3  ' "$folder/status" || complain "the status does not tell of the sum"
"$program" stream status counter --format json | grep -q '"state": "RUNNING"' ||
    complain "no status as JSON"
"$program" stream list --format=json | grep -q '^  {"name": "counter", "pid": '"$job," ||
    complain "no list as JSON"
for flags in "" -r --running -a --all "-r -s" "--scheduled -r counter"; do
    # shellcheck disable=SC2086 # flags
    "$program" stream list $flags | grep -q "^$job counter, running" || complain "list $flags does not show it"
done
for flag in -s --scheduled; do
    "$program" stream list $flag 2>/dev/null | grep -q . && complain "list $flag shows one that runs"
done
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

"$program" stream run examples/counter --output "$folder/other" -D pipeline.name="another name" 2>/dev/null &
job=$!
until "$program" stream list "another name" 2>/dev/null | grep -q "^$job another name, running"; do
    kill -0 "$job" 2>/dev/null || { complain "no job of another name"; break; }
    sleep 0.05
done
"$program" stream cancel "another name" >/dev/null || complain "no cancel by pipeline.name"
ended 130
start -p 2
"$program" stream cancel "$job" >/dev/null || complain "no cancel"
ended 130
# A signal cancels as well: nothing is left but what has been committed. (A shell's background command
# ignores SIGINT, so env makes it what it is on a terminal.)
for signal in INT TERM; do
    env --default-signal=INT "$program" stream run examples/counter --output "$folder/$signal" &
    job=$!
    until "$program" stream list counter 2>/dev/null | grep -q "records/s"; do sleep 0.05; done
    kill -s $signal "$job"
    ended "$([ $signal = INT ] && echo 130 || echo 143)"
    [ -z "$(ls "$folder/kcsim")" ] || complain "$signal leaves the socket"
    [ -z "$(ls -A "$folder/$signal")" ] || complain "$signal leaves $(ls -A "$folder/$signal")"
done
# So is one that waits to begin again.
"$program" stream run examples/checkpointed --output "$folder/again" --checkpoints "$folder/again-ck" --fail-at 1 \
    -D restart-strategy.fixed-delay.delay=1h 2>/dev/null &
job=$!
until "$program" stream list checkpointed 2>/dev/null | grep -q " restarting for "; do
    kill -0 "$job" 2>/dev/null || { complain "the job ended, and did not wait"; break; }
    sleep 0.05
done
[ "$("$program" stream cancel "$job")" = cancelled ] || complain "a job that waits is not cancelled"
ended 130

# under POLICY CODE HOW...: a job with a checkpoint that ends so; prints what is left of the checkpoints
under() {
    policy=$1 code=$2
    shift 2
    rm -rf "$folder/kept"
    start -D execution.checkpointing.dir="$folder/kept" \
        -D execution.checkpointing.externalized-checkpoint-retention="$policy"
    "$program" stream checkpoint counter >/dev/null || complain "no checkpoint of $policy"
    [ -e "$folder/kept/chk-1/_metadata" ] || complain "$policy: the checkpoint is not there"
    "$@" >/dev/null || complain "no $*"
    ended "$code"
    left=$(find "$folder/kept" -mindepth 1 -maxdepth 1 -name '[a-z]*' -printf '%f ' | sort)
}
under RETAIN_ON_CANCELLATION 130 "$program" stream cancel counter
[ "$left" = "chk-1 " ] || complain "RETAIN_ON_CANCELLATION, cancelled: '$left' is left"
under DELETE_ON_CANCELLATION 130 "$program" stream cancel counter
[ "$left" = "" ] || complain "DELETE_ON_CANCELLATION, cancelled: '$left' is left"
under NO_EXTERNALIZED_CHECKPOINTS 130 "$program" stream cancel counter
[ "$left" = "" ] || complain "NO_EXTERNALIZED_CHECKPOINTS, cancelled: '$left' is left"
under DELETE_ON_CANCELLATION 0 "$program" stream stop counter
[ "$left" = "savepoint-2 " ] || complain "DELETE_ON_CANCELLATION, stopped: '$left' is left"

stop_hard() { kill "$job"; }
under DELETE_ON_CANCELLATION 143 stop_hard
[ "$left" = "chk-1 " ] || complain "DELETE_ON_CANCELLATION, SIGTERM: '$left' is left"

# Two jobs save into one folder at once: what each is told of is there, whole, and its own.
start
other=$job
start
for one in "$job" "$other"; do
    for _ in $(seq 20); do
        "$program" stream savepoint "$one" "$folder/shared" || complain "no savepoint beside another job's"
    done >"$folder/saved-$one" &
    eval "asks_$one=$!"
done
eval "wait \$asks_$job \$asks_$other"
"$program" stream cancel "$other" >/dev/null && "$program" stream cancel "$job" >/dev/null || complain "no cancel"
wait "$other"
ended 130
[ "$(cat "$folder"/saved-* | sort -u | wc -l)" = 40 ] ||
    complain "two jobs share savepoints: $(cat "$folder"/saved-* | sort | uniq -d)"
[ "$(find "$folder/shared" -mindepth 1 -maxdepth 1 | sort)" = "$(cat "$folder"/saved-* | sort)" ] ||
    complain "there are other savepoints than were told of: $(ls "$folder/shared")"
for one in $(cat "$folder"/saved-*); do
    timeout 60 "$program" stream run examples/counter --output "$folder/begun" --count 1 -s "$one" \
        2>"$folder/refused" || complain "$one is not one to begin with: $(tail -n 1 "$folder/refused")"
done

start
kill -9 "$job"
wait "$job" 2>/dev/null
job=
[ -z "$("$program" stream list 2>/dev/null)" ] || complain "a killed job is listed"
[ -z "$(ls "$folder/kcsim")" ] || complain "its socket is left"
[ "$problems" = 0 ]
