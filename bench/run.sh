#!/bin/sh
# Prints how failover and broker failure grow with the number of partitions, events per second, copies of a world.
#
#     bench/run.sh [ROUNDS [PARTITIONS…]]       3 rounds of 1000 10000 100000 1000000
#
# WRITE_GROUP and READ_GROUP in the environment: so many partitions share a ZooKeeper request (1).
#
# Each size runs in a process of its own, rounds interleaved; medians are shown. `x10` is the ratio to
# the row above: 10 means that work grows as the cluster does.
set -eu
cd "$(dirname "$0")/.."
rounds=${1-3}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- 1000 10000 100000 1000000

cmake --preset release >/dev/null
cmake --build build/release --target bench >/dev/null
program=build/release/bench/controller
samples=$(mktemp)
trap 'rm -f "$samples"' EXIT

round=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    for partitions in "$@"; do
        "$program" "--write-group=${WRITE_GROUP-1}" "--read-group=${READ_GROUP-1}" "$partitions" \
            >>"$samples"
    done
done

printf '%s\n' "$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | sed 's/^ *//'), $(nproc) processors, median of $rounds"
echo
printf '%10s | %21s %6s | %21s %6s | %23s | %8s\n' partitions 'failover CPU s, wall s' x10 \
    'broker failure CPU, wall' x10 'B/partition: ctl, all' 'peak MiB'
sort -n "$samples" | awk -v rounds="$rounds" '
    function median(column,    i, j, t, v) {
        for (i = 1; i <= n; i++) v[i] = row[i, column]
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && v[j] < v[j - 1]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
        return v[int((n + 1) / 2)]
    }
    function ratio(now, before) { return before > 0 ? sprintf("%.1f", now / before) : "" }
    function flush() {
        if (n == 0) return
        f = median(2); b = median(4)
        printf "%10d | %10.3f %11.3f %6s | %12.3f %11.3f %6s | %10d %12d | %8d\n", size, f, median(3),
            ratio(f, last_f), b, median(5), ratio(b, last_b), median(6), median(7), median(8)
        last_f = f; last_b = b; n = 0
    }
    $1 != size { flush(); size = $1 }
    { n++; for (i = 1; i <= NF; i++) row[n, i] = $i }
    END { flush() }'
echo
"$program" events 3
build/release/bench/copy
