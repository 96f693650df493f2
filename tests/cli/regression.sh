#!/bin/sh
# What docs/regression.md tells a project elsewhere to do, done: its scenario, its CMakeLists.txt under
# ctest, and the commands of its workflow, in a folder that has nothing else.
#
# usage: regression.sh PROGRAM SOURCE_ROOT
set -u
program=$(realpath "$1") && root=$(realpath "$2") || exit 1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

fail() {
    echo "$1" >&2
    exit 1
}

# block LANGUAGE: the first block of that language in the page
block() {
    awk -v language="$1" '$0 == "```" language { inside = 1; next } /^```/ { if (inside) exit } inside' \
        "$root/docs/regression.md"
}

mkdir "$folder/bin" "$folder/scenarios"
ln -s "$program" "$folder/bin/kcsim"
block yaml >"$folder/scenarios/lost-rack.yaml"
block cmake >"$folder/CMakeLists.txt"
cd "$folder" || exit 1
CMAKE_GENERATOR=Ninja # the make that is installed
export CMAKE_GENERATOR
PATH=$folder/bin:$PATH
export PATH

cmake -B build >cmake.out 2>&1 || fail "cmake: $(cat cmake.out)"
ctest --test-dir build >ctest.out 2>&1 || fail "ctest: $(cat ctest.out)"
grep -q '100% tests passed, 0 tests failed out of 1' ctest.out || fail "$(cat ctest.out)"

# The workflow's own steps; the one that installs kcsim is for a machine without it.
block yaml-workflow | sed -n 's/^ *run: \(kcsim .*\)/\1/p' >steps
[ "$(wc -l <steps)" = 2 ] || fail "the workflow has other steps: $(cat steps)"
while IFS= read -r step; do
    sh -c "$step" >out 2>&1 || fail "$step: $(cat out)"
done <steps
grep -q '<testsuite name="kcsim" tests="[1-9][0-9]*" failures="0"' report.xml || fail "report.xml: $(cat report.xml)"

# The same steps notice a scenario that is not met.
sed -i 's/min.insync.replicas: 1/unclean.leader.election.enable: true/; s/kill: \[1, 2\]/kill: [1, 3]/' \
    scenarios/lost-rack.yaml
ctest --test-dir build >ctest.out 2>&1 && fail "ctest passes though orders-0 has lost both replicas"
kcsim test scenarios --format github >out && fail "so does kcsim test"
grep -q '^::error file=scenarios/lost-rack.yaml,line=9' out || fail "no annotation: $(cat out)"
exit 0
