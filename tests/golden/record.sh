#!/bin/sh
# Records what the real controller does. The harness that plays the scenarios
# (the "oracle") is not part of this project; its folder is an argument.
#
#   record.sh ORACLE scenarios FILE.scn...   into controller/NAME/
#   record.sh ORACLE logs NAME...            into logs/NAME.log, from controller/NAME/scenario.scn
#   record.sh ORACLE check NAME...           plays again and compares
#
# Each scenario is played twice. What differs exactly but agrees per step is
# kept with a file LEVEL that says `effect`; what differs at that level too is
# not kept. The oracle's own set-up script fetches Apache Kafka 2.8.2.
set -eu
[ $# -ge 3 ] || { sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 64; }
oracle=$(cd "$1" && pwd); mode=$2; shift 2
here=$(cd "$(dirname "$0")" && pwd)
eval "$("$oracle/scripts/setup.sh")"
work=$(mktemp -d "${TMPDIR:-/tmp}/kcsim-golden.XXXXXX")
trap 'rm -rf "$work"' EXIT
export ORACLE_TMP="$work"

for arg; do
  case $mode in
    scenarios)
      name=$(basename "$arg" .scn)
      "$oracle/oracle" run --out "$work/one" "$arg"
      level=
      if ! "$oracle/oracle" check --golden "$work/one" "$arg"; then
        "$oracle/oracle" check --level effect --golden "$work/one" "$arg" || { echo "$name: not repeatable, not kept" >&2; continue; }
        level=effect
      fi
      mkdir -p "$here/controller/$name"
      cp "$work/one/$name"/* "$here/controller/$name/"
      [ -z "$level" ] || echo effect > "$here/controller/$name/LEVEL" ;;
    check)
      level=exact; [ ! -e "$here/controller/$arg/LEVEL" ] || level=$(cat "$here/controller/$arg/LEVEL")
      cp "$here/controller/$arg/scenario.scn" "$work/$arg.scn"
      "$oracle/oracle" check --level "$level" --golden "$here/controller" "$work/$arg.scn" ;;
    logs)
      cp "$here/controller/$arg/scenario.scn" "$work/$arg.scn"
      mkdir -p "$here/logs" "$work/$arg"
      # -v names each step on stderr when it ends: with the time, these are the marks to cut at
      { ORACLE_TMP="$work/$arg" ORACLE_CTL_LOG=TRACE "$oracle/oracle" run -v --keep "$work/$arg.scn" 2>&1 >&3 |
          while IFS= read -r l; do printf '%s %s\n' "$(date +%s%3N)" "$l"; done > "$work/$arg.marks"; } 3>&1
      python3 "$here/cut_log.py" "$work/$arg.scn" "$work/$arg.marks" "$here/logs/$arg" "$work/$arg"/*/controller-*/kafka.log ;;
    *) echo "record.sh: $mode?" >&2; exit 64 ;;
  esac
done
