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
    kcsim-kip-320-first-try | KAFKA-1211 | KAFKA-6361 | KAFKA-7395 | KAFKA-7128 | KAFKA-7415 | KAFKA-7164 | KAFKA-7786 | \
        KAFKA-8400 | KAFKA-10706 | KAFKA-1647 | KAFKA-9198) return 0 ;; # need records
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
