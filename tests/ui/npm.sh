#!/bin/sh
# npm.sh FOLDER COMMAND…: runs COMMAND with what package-lock.json names installed in FOLDER/node_modules
# (NODE_MODULES says where), installed once and again when the lock changes. Exit code 77, and a line that
# says why, where node or npm is missing or npm cannot get the packages: the tests behind it are skipped.
set -u
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 70
folder=$1
shift

skip() {
    echo "SKIPPED: $*" >&2
    exit 77
}

install() {
    cmp -s "$here/package-lock.json" "$folder/installed.json" && return 0
    cp "$here/package.json" "$here/package-lock.json" "$folder/" || exit 70
    (cd "$folder" && timeout 300 npm ci --ignore-scripts --no-audit --no-fund \
        --fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-timeout=30000) >"$folder/npm.log" 2>&1 || {
        tail -n 3 "$folder/npm.log" >&2
        return 1
    }
    cp "$here/package-lock.json" "$folder/installed.json"
}

command -v node >/dev/null || skip "there is no node"
command -v npm >/dev/null || skip "there is no npm"
mkdir -p "$folder" || exit 70
exec 9>"$folder/.lock"
flock 9
install || skip "npm could not install what tests/ui/package-lock.json names"
exec 9>&-
NODE_MODULES=$folder/node_modules exec "$@"
