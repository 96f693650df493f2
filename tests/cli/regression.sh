#!/bin/sh
# What docs/regression.md tells a project elsewhere to do, done: its scenario, its CMakeLists.txt under
# ctest, and the commands of its workflow, in a folder that has nothing else. Of the workflow's machine
# three things are not: apt-get does nothing, git brings the launcher with a program that is built already,
# and /opt and /usr/local lie in that folder.
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

mkdir -p "$folder/bin" "$folder/scenarios" "$folder/usr/local/bin"
block yaml >"$folder/scenarios/lost-rack.yaml"
block cmake >"$folder/CMakeLists.txt"
cd "$folder" || exit 1
CMAKE_GENERATOR=Ninja # the make that is installed
export CMAKE_GENERATOR
PATH=$folder/usr/local/bin:$folder/bin:$PATH
export PATH

# The step that installs kcsim: git's last word is where the clone shall be.
printf '#!/bin/sh\nexit 0\n' >bin/apt-get
cat >bin/git <<SH
#!/bin/sh
[ "\$*" = "clone --depth 1 somewhere $folder/opt/kcsim" ] || exit 1
mkdir -p $folder/opt/kcsim/build/release/cli && cp $root/kcsim $folder/opt/kcsim/ &&
    ln -s $program $folder/opt/kcsim/build/release/cli/kcsim && : >$folder/opt/kcsim/build/release/.built
SH
chmod +x bin/apt-get bin/git
block yaml-workflow | awk '/- name: kcsim/ { mine = 1; next } /- name:/ { mine = 0 } mine && !/run: [|]/' |
    sed "s,/opt/,$folder/opt/,g; s,/usr/local/,$folder/usr/local/,g" >install
[ "$(grep -c kcsim install)" = 2 ] || fail "the workflow installs otherwise: $(cat install)"
KCSIM_REPOSITORY=somewhere sh -e install >out 2>&1 || fail "the workflow's installation: $(cat out)"

cmake -B build >cmake.out 2>&1 || fail "cmake: $(cat cmake.out)"
ctest --test-dir build >ctest.out 2>&1 || fail "ctest: $(cat ctest.out)"
grep -q '100% tests passed, 0 tests failed out of 1' ctest.out || fail "$(cat ctest.out)"

# The workflow's other steps.
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
