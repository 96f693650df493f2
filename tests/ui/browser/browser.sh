#!/bin/sh
# browser.sh FILE: node's runner over FILE where Chromium is; 77, and a line that says so, where it is not.
set -u
for name in "${KC_CHROMIUM:-}" chromium chromium-browser google-chrome; do
    [ -n "$name" ] && KC_CHROMIUM=$(command -v "$name") && break
    KC_CHROMIUM=
done
if [ -z "$KC_CHROMIUM" ]; then
    echo "SKIPPED: there is no Chromium (Debian: chromium)" >&2
    exit 77
fi
KC_FIREFOX=$(command -v firefox-esr || command -v firefox || :)
export KC_CHROMIUM KC_FIREFOX
exec node --test "$1"
