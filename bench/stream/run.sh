#!/bin/sh
# The stream jobs side by side: a loop written by hand, ours, Apache Flink; in turn on the same machine.
#
#     bench/stream/run.sh [BUILD] [ROUNDS] [ROW…]     BUILD: build/release; ROUNDS: 3; ROW: b-1e3 … all
#
# CPU ns an event count first: wall time is that of a machine that others use; medians are shown. All print
# a check sum; where they differ, the run is void. Flink (1.17.2, in one JVM; each round once as it comes and
# once with object reuse, the better median counts) runs as many events as it can do in some seconds, and is
# compared with a loop over as many. It is fetched through Maven; without it, or with FLINK=no, it is left out.
set -eu
build=${1:-build/release}
rounds=${2:-3}
rows=
if [ $# -gt 2 ]; then
    shift 2
    rows=" $* "
fi
here=$(dirname "$0")
cmake --build "$build" --target bench_stream >/dev/null
bin=$build/bench/stream
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

flink=$(cd "$bin" && pwd)/flink
if [ "${FLINK:-yes}" = no ]; then
    flink=
elif ! command -v mvn >/dev/null || ! command -v javac >/dev/null; then
    echo "FLINK IS LEFT OUT: there is no Maven or no JDK (apt-get install maven default-jdk-headless)" >&2
    flink=
elif ! mvn -q -B -f "$here/flink/pom.xml" -Dtarget="$flink" package dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$flink/libs" >"$folder/maven" 2>&1; then
    tail -5 "$folder/maven" >&2
    echo "FLINK IS LEFT OUT: Maven could not fetch or build it, see above" >&2
    flink=
fi

# run_flink JOB EVENTS KEYS [reuse] [KEY=VALUE…]
run_flink() {
    java -XX:+IgnoreUnrecognizedVMOptions --add-opens java.base/java.lang=ALL-UNNAMED \
        --add-opens java.base/java.util=ALL-UNNAMED -cp "$flink/classes:$flink/libs/*" Jobs "$@" \
        2>"$folder/log" || { tail -5 "$folder/log" >&2 && false; }
}

# note ROW: a program's line goes to the terminal and to the table.
note() {
    sed "s/^/$1 /" | tee -a "$folder/lines"
}

# row NAME JOB KEYS EVENTS EVENTS-OF-FLINK [KEY=VALUE…]: the settings are for ours and Flink.
row() {
    case $rows in '' | *" $1 "*) ;; *) return 0 ;; esac
    name=$1 job=$2 keys=$3 events=$4 fewer=$5
    shift 5
    for _ in $(seq "$rounds"); do
        rm -rf "$folder/state"
        mkdir "$folder/state"
        "$bin/loops" "$job" "$events" "$keys" | note "$name"
        "$bin/jobs" "$job" "$events" "$keys" "$@" | note "$name"
        if [ -n "$flink" ]; then
            "$bin/loops" "$job" "$fewer" "$keys" | sed 's/^loop/fewer/' >>"$folder/fewer"
            sed -n "\$s/^/$name /p" "$folder/fewer" >>"$folder/lines"
            run_flink "$job" "$fewer" "$keys" "$@" | note "$name"
            run_flink "$job" "$fewer" "$keys" reuse "$@" | note "$name"
        fi
    done
}

rocks="state.backend=rocksdb state.backend.incremental=true state.backend.rocksdb.localdir=$folder/state"
each_second="execution.checkpointing.interval=1s state.checkpoints.dir=file://$folder/state/checkpoints"
# shellcheck disable=SC2086 # settings are words
{
    row a a 1000 200000000 100000000
    row b-1e3 b 1000 100000000 30000000
    row b-1e6 b 1000000 50000000 5000000
    row c-1e3 c 1000 50000000 20000000
    row c-1e6 c 1000000 50000000 5000000
    row d d 1000 30000000 3000000
    row f f 0 2000000 1000000
    row e-1e3 b 1000 20000000 1000000 $rocks
    row e-1e6 b 1000000 20000000 500000 $rocks
    row b-1e6-checkpoints b 1000000 50000000 5000000 $each_second
    row e-1e6-checkpoints b 1000000 20000000 500000 $rocks $each_second
}

awk '
function median(key,    n, i, j, v, t) {
    n = split(values[key], v, " ")
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && v[j] + 0 < v[j - 1] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
    return n == 0 ? "" : n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}
function ratio(a, b) { return a == "" || b == "" ? "" : sprintf("%.1f", a / b) }
{
    if (!($1 in seen)) { seen[$1] = 1; order[++count] = $1 }
    values[$1, $2] = values[$1, $2] " " $9
    side = $2 == "loop" || $2 == "ours" ? "all" : "fewer"
    if (($1, side) in sum && sum[$1, side] != $13) { print $1 ": CHECK SUMS DIFFER, the run is void"; void = 1 }
    sum[$1, side] = $13
}
END {
    print "\n| row | loop, CPU ns | ours | Flink | ours / loop | Flink / ours |\n|---|---|---|---|---|---|"
    for (i = 1; i <= count; i++) {
        r = order[i]
        loop = median(r SUBSEP "loop"); ours = median(r SUBSEP "ours")
        theirs = median(r SUBSEP "flink"); reuse = median(r SUBSEP "reuse")
        if (reuse != "" && reuse + 0 < theirs + 0) theirs = reuse
        print "| " r " | " loop " | " ours " | " (theirs == "" ? "left out" : theirs) " | " ratio(ours, loop) \
            " | " ratio(theirs, ours) " |"
    }
    exit void
}' "$folder/lines"
