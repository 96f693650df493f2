# Reads stream.h and prints it as Doxygen wants it, so that the header needs no marks for it:
#
#     /* … */ before declarations         ->  /** … */, and again before each that follows without
#                                             an empty line
#     declaration; /* … */                ->  declaration; /**< … */
#     /* ------------- Title */           ->  a group of that name, which a comment right below it
#                                             describes
#     the last section                    ->  left out
#
# One line in gives one line out, so places in warnings are those of the header.

function escape(text) {
    if (text !~ /^ *\*?     /) { # what is indented is code, and taken as it is
        gsub(/\\/, "\\\\", text)
        gsub(/[<>@#&]/, "\\\\&", text)
    }
    return text
}

hidden {
    print (/^#endif/ ? "/** @endcond */ " : "") $0
    next
}

# A section.
/^\/\* -+ / {
    title = $0
    sub(/^\/\* -+ /, "", title)
    sub(/ \*\/$/, "", title)
    name = tolower(title)
    gsub(/[^a-z]+/, "_", name)
    hidden = name ~ /^counting/
    line = (sections++ ? "/**@}*/ " : "")
    if (hidden) {
        print line "/** @cond */"
        next
    }
    line = line "/** @defgroup " name " " title
    if ((getline) <= 0 || !/^\/\*/) {
        print line " */ /**@{*/"
    } else {
        print line
        sub(/^\/\*/, " *")
        in_comment = 1
        suffix = " /**@{*/"
    }
}

/^ *\/\*/ && !in_comment {
    match($0, /^ *\/\*/)
    head = substr($0, 1, RLENGTH)
    rest = substr($0, RLENGTH + 1)
    in_comment = 1
    top = RLENGTH == 2 && comments > 0
    suffix = ""
    if (top) {
        shared = ""
        declared = 0
    }
    line = head "*" (comments++ ? "" : " @file")
    $0 = rest
    begun = 1
}

in_comment {
    ends = /\*\/$/
    if (ends) {
        sub(/\*\/$/, "")
        in_comment = 0
    }
    print (begun ? line : "") escape($0) (ends ? "*/" suffix : "")
    if (top && suffix == "" && !/^ *\*?     /) { # code is said once
        sub(/^ *\*/, "")
        shared = shared escape($0)
    }
    begun = 0
    next
}

# The end of what shares a comment.
/^$/ && depth == 0 {
    shared = ""
    print
    next
}

# One more declaration under the same comment.
/^[a-z_#]/ && !/^#(else|endif|if)/ && depth == 0 && !continued {
    if (declared++ && shared != "") {
        printf "/** %s */ ", shared
    }
}

{
    code = $0
    sub(/\/\*.*\*\/$/, "", code)
    depth += gsub(/\{/, "{", code) - gsub(/\}/, "}", code)
    continued = /\\$/ || (continued && depth > 0) || (/^[a-z_].*[,(]$/)
}

# A remark behind something.
/[^ \/].*\/\* .*\*\/$/ && !/\\$/ {
    match($0, /\/\* .*\*\/$/)
    print substr($0, 1, RSTART - 1) "/**<" escape(substr($0, RSTART + 2, RLENGTH - 4)) "*/"
    next
}

{ print }
