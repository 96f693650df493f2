#!/bin/sh
# What no compiler checks, and a reader relies on:
#
#   - the layers that are step functions reach for nothing: no clock, no chance, no allocation, no
#     printing, no threads, no fractions, no pointers as text;
#   - every file opens with a comment that states its idea, every folder with a README;
#   - every function that a header declares is documented, by a comment in the same paragraph.
#
# usage: tidy.sh SOURCE_ROOT
set -u
cd "$1" || exit 1
problems=0

# complain FILE:LINE: what
complain() {
    printf '%s\n' "$1" >&2
    problems=$((problems + 1))
}

# Prints a C file with its comments blanked, lines kept.
without_comments() {
    awk '{
        line = $0; out = ""
        while (line != "") {
            if (inside) {
                at = index(line, "*/")
                if (at == 0) { line = ""; break }
                line = substr(line, at + 2); inside = 0
            } else {
                at = index(line, "/*")
                if (at == 0) { out = out line; line = ""; break }
                out = out substr(line, 1, at - 1); line = substr(line, at + 2); inside = 1
            }
        }
        print out
    }' "$1"
}

# forbid PATTERN WHY FOLDER…
forbid() {
    pattern=$1
    why=$2
    shift 2
    for folder in "$@"; do
        for file in "$folder"/*.c "$folder"/*.h; do
            [ -e "$file" ] || continue
            hits=$(without_comments "$file" | grep -nE "$pattern")
            [ -z "$hits" ] || complain "$file:$hits: $why"
        done
    done
}

core="statemachine wire controller zookeeper broker client node"
code="$core stream sim live cli ui"

# shellcheck disable=SC2086 # lists of folders
{
    forbid '(^|[^_a-z])(time|clock|gettimeofday|clock_gettime|localtime|gmtime) ?\(' \
        'time is an argument' $core sim
    forbid '(^|[^_a-z])(rand|srand|random|drand48|getrandom)(\(|_r\()' 'chance is seeded state' $core sim
    forbid '(^|[^_a-z])(malloc|calloc|realloc|free|strdup|alloca) ?\(' 'the core allocates nothing' $core
    forbid '%p' 'no pointer becomes text' $core sim
    # A declaration or a cast, not the word in a sentence.
    forbid '(^|[^_a-zA-Z])(float|double)( ?\*+| *\)| +[*a-z_0-9]+ *[][;,=()])' \
        'no fractions decide anything' $core
    forbid '<(pthread|threads)\.h>' 'the core has no threads' $core sim
    forbid '(^|[^_a-z])(f?printf|f?puts|fopen|fwrite|putchar|write|read) ?\(' 'no input or output' $core
    forbid '(getenv|setlocale) ?\(' 'no environment, no locale' $core
}

for folder in $code tests bench scenarios docs cmake; do
    [ -d "$folder" ] || continue
    [ -n "$(find "$folder" -type f | head -n 1)" ] || continue
    [ -e "$folder/README.md" ] || [ -e "$folder/index.md" ] || complain "$folder: no README.md"
done

# shellcheck disable=SC2044,SC2086 # no file of ours has a blank in its name
for file in $(find $code tests bench -name '*.[ch]' 2>/dev/null); do
    idea=$(head -n 1 "$file")
    # The idea may stand in the header instead.
    [ -e "${file%.c}.h" ] && idea=$(head -n 1 "${file%.c}.h")
    case $idea in
    '/*'*) ;;
    *) complain "$file:1: does not open with a comment" ;;
    esac
done

# A paragraph (lines between empty ones) that declares a function has a comment in it. Names whose last
# word says everything (size, init, free, next, …) need none; inline functions show their body.
# shellcheck disable=SC2044,SC2086
for file in $(find $code -name '*.h' 2>/dev/null); do
    bare=$(awk -v file="$file" '
        function flush() {
            if (declares != "" && !documented) print file ":" declares ": declared without a comment"
            declares = ""; documented = 0
        }
        /^[[:space:]]*$/ { if (!inside) flush(); next }
        /\/\*/ { documented = 1; inside = 1 }
        /\*\// { inside = 0 }
        !inside && /^[a-z].*[a-z_0-9]\(/ && !/^(typedef|static inline|_Static_assert)/ {
            if (/_(init|size|default|new|free|next|check|equal|digest)\(/) next
            if (declares == "") declares = FNR
        }
        END { flush() }' "$file")
    [ -z "$bare" ] || complain "$bare"
done

[ "$problems" = 0 ] || {
    printf '%d problems\n' "$problems" >&2
    exit 1
}
