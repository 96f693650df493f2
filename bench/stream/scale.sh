#!/bin/sh
# Two slots beside one: jobs b, c, d and f at parallelism 1 and 2, in turn.
#
#     bench/stream/scale.sh [BUILD] [PAIRS]     BUILD: build/release; PAIRS: 5
#
# Events a second, the best of all; their ratio; the ratios pair by pair, median and best; the least CPU ns
# an event. Both processors are needed alone: what else runs takes from parallelism 2 alone, and a host that
# moves a virtual machine changes all of it within minutes. So look at several tables.
set -eu
build=${1:-build/release}
pairs=${2:-5}
cmake --build "$build" --target bench_stream >/dev/null
jobs=$build/bench/stream/jobs

printf '| job | p1, M/s | p2, M/s | best over best | pairs, median | best | CPU ns, p1 | p2 |\n'
printf '|---|---|---|---|---|---|---|---|\n'
for row in 'b 60000000 1000' 'c 40000000 1000' 'd 40000000 1000' 'f 1600000 0'; do
    for _ in $(seq "$pairs"); do
        # shellcheck disable=SC2086 # a row is three words
        for parallelism in 1 2; do
            "$jobs" $row parallelism.default=$parallelism
        done
    done | awk -v job="${row%% *}" '
        { side = NR % 2 == 1 ? 1 : 2; pair = int((NR + 1) / 2)
          speed[side, pair] = $6 + 0; cpu = $8 + 0
          if (speed[side, pair] > best[side]) best[side] = speed[side, pair]
          if (least[side] == 0 || cpu < least[side]) least[side] = cpu }
        END {
            for (i = 1; i <= pair; i++) {
                ratio = speed[2, i] / speed[1, i]
                for (j = i; j > 1 && sorted[j - 1] > ratio; j--) sorted[j] = sorted[j - 1]
                sorted[j] = ratio
            }
            printf "| %s | %.1f | %.1f | %.2f | %.2f | %.2f | %.1f | %.1f |\n", job, best[1], best[2], \
                best[2] / best[1], sorted[int((pair + 1) / 2)], sorted[pair], least[1], least[2]
        }'
done
