#!/bin/sh
# The launcher's own decisions, without building or installing anything: a copy of it stands beside
# fakes of cmake, ctest, dpkg-query and apt-get, which only write down that they were called.
#
# usage: launcher.sh SOURCE_ROOT
set -u
root=$1
box=$(mktemp -d) || exit 1
trap 'rm -rf "$box"' EXIT
problems=0

# expect WHAT ACTUAL EXPECTED
expect() {
    [ "$2" = "$3" ] && return
    printf '%s: "%s", not "%s"\n' "$1" "$2" "$3" >&2
    problems=$((problems + 1))
}

fake() {
    printf '#!/bin/sh\n%s\n' "$2" >"$box/bin/$1"
    chmod +x "$box/bin/$1"
}

mkdir -p "$box/bin" "$box/project/cmake" "$box/project/cli" "$box/project/tests"
cp "$root/kcsim" "$box/project/"
cp "$root/tests/count.awk" "$box/project/tests/"
cat >"$box/project/cmake/packages.txt" <<'LIST'
# package  kind  purpose
cc-one     build the compiler
tester     test  the tests
LIST
calls=$box/calls
: >"$calls"
# What is installed: the words of the file $box/installed.
echo cc-one >"$box/installed"
: >"$box/provided" # status and Provides of what is installed
fake dpkg-query "for name; do :; done; case \$name in -f=*) cat $box/provided; exit ;; esac; grep -qx \"\$name\" $box/installed && printf installed"
fake apt-get "echo \"apt-get \$*\" >>$calls; [ \"\$2\" = -q ] && [ \"\$1\" = install ] || :"
fake id 'echo 0'
fake cmake "echo \"cmake \$*\" | sed 's, /[^ ]*,,g' >>$calls
case \$* in *--build*) mkdir -p $box/project/build/release/cli
printf '#!/bin/sh\necho program \"\$@\"\n' >$box/project/build/release/cli/kcsim
chmod +x $box/project/build/release/cli/kcsim ;; esac"
fake ctest "for a; do case \$last in --output-junit) report=\$a ;; esac; last=\$a; done
echo \"ctest deep=\${KC_DEEP-0}\" >>$calls
printf '<testsuite\n tests=\"3\"\n failures=\"0\"\n skipped=\"1\">\n' >\$report"
start() {
    : >"$calls"
    output=$(PATH=$box/bin:$PATH "$box/project/kcsim" "$@" 2>"$box/err")
    code=$?
}
called() {
    grep -c "$1" "$calls"
}

start run x.yaml --seed 1
expect "first start" "$code:$output" "0:program run x.yaml --seed 1"
expect "first start builds" "$(called 'cmake --build')" 1
expect "first start installs nothing that is there" "$(called apt-get)" 0

sleep 0.05
start run --no-install x.yaml
expect "--no-install is taken out" "$output" "program run x.yaml"
expect "second start runs nothing" "$(wc -l <"$calls" | tr -d ' ')" 0

mkdir "$box/elsewhere"
ln -s ../project/kcsim "$box/elsewhere/kcsim"
: >"$calls"
output=$(cd / && PATH=$box/bin:$PATH "$box/elsewhere/kcsim" version 2>"$box/err")
expect "through a link" "$?:$output:$(wc -l <"$calls" | tr -d ' ')" "0:program version:0"

sleep 0.05
: >"$box/project/cli/new.c"
start version
expect "a new source is built" "$(called 'cmake --build')" 1

: >"$box/installed"
start version
expect "what is current asks for no package" "$(called apt-get)" 0

sleep 0.05
touch "$box/project/cli/new.c"
start --no-install version
expect "--no-install names what is missing" "$code:$(grep -c '    cc-one *the compiler' "$box/err")" 69:1
expect "--no-install installs nothing" "$(called apt-get)" 0

start version
expect "what is missing is installed" "$(called 'apt-get install .*cc-one')" 1
expect "lists are fetched first" "$(head -n 1 "$calls")" "apt-get update -q"
expect "only what the command needs" "$(called tester)" 0

echo "installed other, cc-one, more" >"$box/provided"
sleep 0.05
touch "$box/project/cli/new.c"
start --no-install version
expect "what another package provides is there" "$code:$output" "0:program version"
echo "installed not-cc-one, cc-one-not" >"$box/provided"
sleep 0.05
touch "$box/project/cli/newer.c"
start --no-install version
expect "and what it does not is not" "$code" 69
: >"$box/provided"

printf 'cc-one\ntester\n' >"$box/installed"
start test
expect "test counts" "$code:$output" "0:2 passed, 0 failed, 1 skipped"
start test --deep
expect "--deep" "$(called 'ctest deep=1')" 1
start test scenarios
expect "test with a folder is the program's" "$output" "program test scenarios"

fake ctest "for a; do case \$last in --output-junit) report=\$a ;; esac; last=\$a; done
printf '<testsuite\n tests=\"3\"\n failures=\"1\"\n skipped=\"0\">\n' >\$report; exit 8"
start test
expect "a failed test" "$code:$output" "1:2 passed, 1 failed"

fake cmake 'echo "the compiler says no"; exit 1'
touch "$box/project/cli/new.c"
start version
expect "a failed build" "$code:$(grep -c 'the compiler says no' "$box/err")" 70:1

# Not Debian: no dpkg-query. The PATH has only what the script itself calls.
mkdir "$box/bare"
for tool in sh dirname readlink find awk mkdir mktemp id flock mv cat tail tr env; do
    ln -s "$(command -v "$tool")" "$box/bare/$tool"
done
PATH=$box/bare "$box/project/kcsim" version >/dev/null 2>"$box/err"
expect "not Debian" "$?:$(grep -c 'not a Debian machine' "$box/err")" 69:1

[ "$problems" = 0 ]
