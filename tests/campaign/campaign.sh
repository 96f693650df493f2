#!/bin/sh
# A campaign as its user sees it: replays are the same bytes, shards merge to the whole, a campaign
# that was killed goes on, and what does not belong together is refused.
#
# usage: campaign.sh PROGRAM
set -u
program=$1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
problems=0

complain() {
    printf '%s\n' "$*" >&2
    problems=$((problems + 1))
}

# Runs the program; complains where the exit code is not the one wanted. Output goes to `out`.
want() {
    code=$1
    shift
    "$program" "$@" >out 2>err
    got=$?
    [ "$got" = "$code" ] || {
        complain "kcsim $*: exit code $got, not $code"
        cat out err >&2
    }
}

cat >chaos.yaml <<'YAML'
title: Whatever the seed does
cluster:
  nodes: [1, 2, 3]
  behaviour: full
  properties: {zookeeper.session.timeout.ms: 6000}
topics: {"t-{1..2}": {partitions: 2, replication-factor: 3}}
random: {faults: all, from: 1s, until: 15s, swarm: true}
expect:
  - {never: {event: fault, verb: fail-log-dir}}
until: 20s
YAML

# One whole run, and the same in three shards, merged in two orders.
want 1 campaign chaos.yaml --seeds 60 --output whole
grep -q 'reproduce: kcsim run chaos.yaml --seed' out || complain "a failure without a reproduce line"
want 1 campaign merge whole/results.ndjson --output merged-whole
for shard in 1 2 3; do
    "$program" campaign chaos.yaml --seeds 60 --shard $shard/3 --jobs $shard --output shards \
        >out 2>&1
done
want 1 campaign merge shards/results-1-of-3.ndjson shards/results-2-of-3.ndjson \
    shards/results-3-of-3.ndjson --output merged-a
want 1 campaign merge shards/results-3-of-3.ndjson shards/results-1-of-3.ndjson \
    whole/results.ndjson shards/results-2-of-3.ndjson --output merged-b
cmp merged-whole/results.ndjson merged-a/results.ndjson || complain "shards are not the whole"
cmp merged-whole/results.ndjson merged-b/results.ndjson || complain "the order of merging shows"
want 1 campaign merge shards/results-2-of-3.ndjson --format json
grep -q '"missing":40' out || complain "what is missing of a shard is not told"

# Every digest is that of `kcsim run`.
for seed in 1 7 23 42; do
    digest=$(sed -n "s/.*\"seed\":$seed,.*\"digest\":\"\([0-9a-f]*\)\".*/\1/p" whole/results.ndjson)
    "$program" run chaos.yaml --seed $seed | grep -q "digest $digest" ||
        complain "seed $seed: the run is not what the campaign played"
done
want 1 campaign chaos.yaml --seeds 1..9 --swarm off --output plain
digest=$(sed -n "s/.*\"seed\":9,.*\"digest\":\"\([0-9a-f]*\)\".*/\1/p" plain/results.ndjson)
"$program" run chaos.yaml --seed 9 --swarm off | grep -q "digest $digest" ||
    complain "--swarm off: the run is not what the campaign played"

# Killed as soon as it has told of a few runs; then torn once more, in the middle of a line.
"$program" campaign chaos.yaml --seeds 60 --output killed >/dev/null 2>&1 &
pid=$!
until [ "$(wc -l 2>/dev/null <killed/results.ndjson || echo 0)" -gt 5 ]; do
    kill -0 "$pid" 2>/dev/null || break
done
kill -9 "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
size=$(wc -c <killed/results.ndjson)
truncate -s $((size - 20)) killed/results.ndjson
want 64 campaign chaos.yaml --seeds 60 --output killed
want 1 campaign chaos.yaml --seeds 60 --resume killed
want 1 campaign merge killed/results.ndjson --output merged-killed
cmp merged-whole/results.ndjson merged-killed/results.ndjson || complain "a killed campaign lost runs"
[ "$(grep -c '"seed"' killed/results.ndjson)" = 60 ] || complain "a run was played twice"
# Even without a whole line there is something to go on with.
mkdir early && printf '{"schema":"kc' >early/results.ndjson
want 1 campaign chaos.yaml --seeds 60 --resume early
want 1 campaign merge early/results.ndjson --output merged-early
cmp merged-whole/results.ndjson merged-early/results.ndjson || complain "a torn header lost runs"

# More seeds than before.
want 1 campaign chaos.yaml --seeds 30 --output grown
want 1 campaign chaos.yaml --seeds 60 --resume grown
want 1 campaign merge grown/results.ndjson --output merged-grown
cmp merged-whole/results.ndjson merged-grown/results.ndjson || complain "a grown campaign differs"

# Others are refused.
sed 's/15s/16s/' chaos.yaml >other.yaml
want 1 campaign other.yaml --seeds 3 --output other
want 65 campaign merge whole/results.ndjson other/results.ndjson
grep -q 'scenarios are others' err || complain "another scenario is merged"
want 65 campaign other.yaml --seeds 3 --resume whole
want 65 campaign merge chaos.yaml

# Array jobs.
SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_STEP=2 SLURM_ARRAY_TASK_COUNT=4 \
    "$program" campaign chaos.yaml --seeds 8 --output slurm >out 2>&1
[ -s slurm/results-3-of-4.ndjson ] || complain "Slurm's variables are not heard"
JOB_COMPLETION_INDEX=1 JOB_COMPLETIONS=4 "$program" campaign chaos.yaml --seeds 8 --output job \
    >out 2>&1
[ -s job/results-2-of-4.ndjson ] || complain "Kubernetes' variables are not heard"
JOB_COMPLETION_INDEX=1 "$program" campaign chaos.yaml --seeds 8 >out 2>&1
[ $? = 64 ] || complain "an index without a count is believed"

# ^C: told and kept is what was done.
"$program" campaign chaos.yaml --seeds 100000 --output interrupted >out 2>err &
pid=$!
until [ "$(wc -l 2>/dev/null <interrupted/results.ndjson || echo 0)" -gt 5 ]; do
    kill -0 "$pid" 2>/dev/null || break
done
kill -INT "$pid"
wait "$pid"
[ $? = 130 ] || complain "^C: not exit code 130"
grep -q 'runs are missing (interrupted)' out || complain "^C: nothing is told"

# What a known defect brings about has its name; what was expected fails all the same.
cat >known.yaml <<'YAML'
title: A controller that loses its role as soon as it has won it
kafka: "2.8"
cluster:
  nodes: [1, 2, 3]
  properties: {zookeeper.session.timeout.ms: 6000}
topics:
  t: {partitions: 1, replication-factor: 3}
steps:
  - {at: 5s, kill: controller}
  - {when: {event: notify, path: /controller, nth: 6}, as: won, move-controller: true}
expect:
  - {end: {controller: any}}
until: 30s
YAML
want 1 campaign known.yaml --seeds 2 --allow-vacuous
grep -q 'failed (known defect kcsim-gone-unnoticed): line 12' out ||
    complain "a failed expectation is not explained"
sed 's/^kafka: .*/&\ndefects: {kcsim-gone-unnoticed: off}/' known.yaml >mended.yaml
want 0 campaign mended.yaml --seeds 2 --allow-vacuous

# A run that never comes to rest ends by its records, and the defect that explains it is found.
cat >restless.yaml <<'YAML'
title: A controller that cannot read what it has to do stands again at once
cluster:
  nodes: [1, 2, {id: 3, down: true}]
  behaviour: scripted
  properties: {controller.socket.timeout.ms: 1000, zookeeper.session.timeout.ms: 2000}
topics: {t: {assignment: {0: [1, 2]}}}
steps:
  - {at: 1s, create-topic: u, assignment: {0: [3]}}
  - {at: 5s, elect-leaders: u-0, via: znode}
  - {at: 10s, move-controller: true}
until: quiet
YAML
want 0 campaign restless.yaml --seeds 1 --allow-vacuous # explained by what 2.8.2 has
grep -q 'undecided (known defect kcsim-poison-preferred): not quiet after 2000000 records' out ||
    complain "a run that never comes to rest is not explained"

# A run that never ends is given up; the others are not held up by it, and it is played again.
cat >endless.yaml <<'YAML'
title: A run that nobody ends in time
cluster: {nodes: [1], behaviour: full}
topics: {t: {partitions: 1, replication-factor: 1}}
clients: [{produce: t, rate: 1000/s}]
until: 80000h
YAML
cat >short.yaml <<'YAML'
title: A run that ends
cluster: {nodes: [1]}
until: 5s
YAML
want 2 campaign endless.yaml short.yaml --seeds 3 --run-limit 500ms --allow-vacuous --output stopped
grep -q '3 x undecided: stopped: more processor time than --run-limit in endless.yaml' out ||
    complain "a run that was stopped is not told"
grep -q 'reproduce: kcsim run endless.yaml --seed 1$' out || complain "a stopped run: no reproduce line"
grep -q '(6 runs: 3 met, 3 failed' out || complain "a stopped run holds up the others"
want 2 campaign endless.yaml short.yaml --seeds 3 --run-limit 600ms --allow-vacuous \
    --resume stopped --format junit
grep -q '<failure message="undecided: stopped' out || complain "JUnit: nothing of the stopped run"
[ "$(grep -c '"seed"' stopped/results.ndjson)" = 9 ] || complain "a stopped run is not played again"
want 2 campaign merge stopped/results.ndjson --allow-vacuous --format json
grep -q '"runs":6,"met":3,"failed":3' out || complain "stopped twice counts twice"
want 64 campaign short.yaml --run-limit soon

# What should be seen and never is.
cat >vacuous.yaml <<'YAML'
title: Nothing happens
cluster: {nodes: [1]}
expect: [{sometimes: {event: decide, unclean: 1}}]
until: 5s
YAML
want 2 campaign vacuous.yaml --seeds 3
grep -q 'never   vacuous.yaml:3' out || complain "what was never seen is not named"
grep -q 'verdict: vacuous' out || complain "the verdict is not vacuous"
want 0 campaign vacuous.yaml --seeds 3 --allow-vacuous
want 2 campaign vacuous.yaml --seeds 3 --format junit
grep -q 'failures="[1-9][0-9]*" skipped="0"' out || complain "JUnit: what was never seen is no failure"
want 0 campaign vacuous.yaml --seeds 3 --allow-vacuous --format junit
grep -q 'failures="0" skipped="[1-9]' out || complain "JUnit: what was never seen is not skipped"
grep -q '<skipped message="never seen"/>' out || complain "JUnit: what was never seen is not named"
want 0 campaign vacuous.yaml --seeds 3 --allow-vacuous --format tap
grep -q '^ok [0-9]* - sometimes unclean-election # SKIP never seen$' out ||
    complain "TAP: what was never seen looks as if it had been"
want 1 campaign chaos.yaml --seeds 100000 --stop-after 2 --format json
grep -q '"verdict":"failed"' out || complain "--stop-after did not stop"

[ "$problems" = 0 ]
