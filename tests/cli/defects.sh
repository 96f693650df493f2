#!/bin/sh
# docs/defects.md is what the program prints, and each defect has its two scenarios.
#
# usage: defects.sh PROGRAM SOURCE_ROOT
set -u
program=$1
root=$2
problems=0

complain() {
    printf '%s\n' "$*" >&2
    problems=$((problems + 1))
}

# Those that only a unit test shows, and why.
is_unit_only() {
    case $1 in
    KAFKA-7165) return 0 ;; # needs a ZooKeeper that forgets to delete an ephemeral (ZOOKEEPER-2985)
    KAFKA-9539) return 0 ;; # needs a request that overtakes another on its way
    KAFKA-13837) return 0 ;; # fetches of followers are not in the trace
    KAFKA-8400) return 0 ;; # the leader that forgets is the one that may not write the ISR
    KAFKA-10706 | KAFKA-1647) return 0 ;; # tests/broker/test_replica_defects.c plays them
    esac
    return 1
}

"$program" explain defects --format markdown | diff "$root/docs/defects.md" - >&2 ||
    complain "docs/defects.md: kcsim explain defects --format markdown > docs/defects.md"
names=$(awk -F '[| ]+' '/^\| (KAFKA|kcsim)-/ { print $2 }' "$root/docs/defects.md")
[ -n "$names" ] || complain "no defects in docs/defects.md"
for name in $names; do
    is_unit_only "$name" && continue
    for switch in on off; do
        file=$root/scenarios/defects/$name-$switch.yaml
        [ -f "$file" ] || complain "$name: no scenarios/defects/$name-$switch.yaml"
    done
    grep -q "^defects: {.*$name: off" "$root/scenarios/defects/$name-off.yaml" ||
        complain "$name-off.yaml does not switch it off"
done
[ "$problems" -eq 0 ]
