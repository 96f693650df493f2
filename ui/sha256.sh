#!/bin/sh
# sha256.sh FILE OUT: the SHA-256 of FILE in base64, without a newline, as a page's policy names it.
# A part that would end its own element early is refused.
set -eu
if grep -qi '</script\|</style' "$1"; then
    echo "$1: has an end tag inside" >&2
    exit 1
fi
sha256sum "$1" | cut -c 1-64 | tr a-f A-F | basenc -d --base16 | base64 -w 0 | tr -d '\n' >"$2"
