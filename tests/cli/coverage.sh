#!/bin/sh
# Every legal move of the two state machines is shown by a scenario, 22 of them; and some of the others
# are tried and refused. Every scenario is the first to show something: a move, a pair of events, a defect.
#
# usage: coverage.sh PROGRAM SOURCE_ROOT
set -u
program=$(realpath "$1") && cd "$2" || exit 1
list=$("$program" coverage scenarios --list 2>&1) || {
    echo "$list"
    exit 1
}
if echo "$list" | grep '^not shown'; then
    echo "no scenario shows these moves" >&2
    exit 1
fi
[ "$(echo "$list" | grep -c '^shown')" = 22 ] || {
    echo "$(echo "$list" | grep -c '^shown') legal moves, not 22" >&2
    exit 1
}
# Of the 43 others a controller can be led to try at least these.
[ "$(echo "$list" | grep -c '^refused')" -ge 11 ] || {
    echo "$list" | grep '^refused'
    echo "fewer than 11 moves are tried and refused" >&2
    exit 1
}

# Pairs of a defect show one each (defects.sh); lessons, campaigns and clusters as they really were are there
# for something else. These others show nothing that none before them shows, and are kept:
#   - sequences and situations that have a name that others look for;
#   - what operators ask, though its answer is known by then;
#   - one half of a contrast, where only a setting and the outcome differ.
kept='
basics/g04-a-follower-dies
basics/g06-a-dead-leader-returns
kafka/ControlledShutdown
kafka/ControllerFeatureZNodeSetupWhenFeatureVersioningIsDisabledWithNonExistingFeatureZNode
kafka/ControllerMoveIncrementsControllerEpoch
kafka/EmptyCluster
kafka/LeaderAndIsrWhenEntireIsrOfflineAndUncleanLeaderElectionEnabled
kafka/PreferredReplicaLeaderElection
kafka/TopicCreation
kafka/TopicCreationWithOfflineReplica
incidents/a-leader-is-cut-off-from-zookeeper-only
incidents/the-controller-pauses-longer-than-its-session
incidents/the-only-copy-was-there
incidents/zookeeper-is-away-for-a-minute
clients/an-idempotent-retry-does-not
clients/an-unclean-election-loses-exactly-these
clients/committed-offsets-move-with-the-coordinator
clients/consumers-see-only-what-is-replicated
'
cd scenarios || exit 1
first=$("$program" coverage --new basics kafka deletion zookeeper logs incidents clients 2>&1) || {
    echo "$first"
    exit 1
}
[ "$(echo "$first" | grep -c '[.]yaml$')" -gt 100 ] || {
    echo "few files are told: $first" >&2
    exit 1
}
problems=0
for file in $(echo "$first" | awk '$1 + $2 + $3 == 0 && /[.]yaml$/ { sub(/[.]yaml$/, "", $4); print $4 }'); do
    echo "$kept" | grep -qx "$file" && continue
    echo "scenarios/$file.yaml shows nothing that the ones before it do not show" >&2
    problems=1
done
exit $problems
