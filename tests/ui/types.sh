#!/bin/sh
# types.sh SOURCE_ROOT: the page's script and its tests through the type checker, strictly.
set -u
tsc() {
    node "$NODE_MODULES/typescript/bin/tsc" --typeRoots "$NODE_MODULES/@types" "$@"
}
tsc -p "$1/ui/web/tsconfig.json"
web=$?
tsc -p "$1/tests/ui/tsconfig.json" && [ "$web" = 0 ]
