#!/bin/sh
# Every legal move of the two state machines is shown by a scenario, 22 of them; and some of the others
# are tried and refused.
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
echo "$list" | grep -q '^refused' || {
    echo "no refused move in any trace" >&2
    exit 1
}
