#!/bin/bash
# Calls that this code does not make, and why; raw memcmp only where memcmp.allow counts it.
. "$(dirname "$0")/common.bash"

forbidden() {
    awk -F: '
    function forbid(names, why) {
        pattern[++rules] = "(^|[^A-Za-z0-9_])(" names ")[ \t]*[(]"
        reason[rules] = why
        any = any (rules > 1 ? "|" : "") names
    }
    BEGIN {
        forbid("strcpy|strcat|stpcpy|strncpy|strncat", "unbounded or unterminated copy: use struct buf or snprintf")
        forbid("sprintf|vsprintf", "unbounded: use snprintf or buf_printf")
        forbid("gets", "unbounded: use fsx_read")
        forbid("strtok|strtok_r", "changes its input: use slice_next")
        forbid("atoi|atol|atoll|atof", "cannot fail: use slice_to_int64")
        forbid("alloca", "the stack is not bounded by the input")
        forbid("setjmp|longjmp|sigsetjmp|siglongjmp", "jumps over cleanups")
        forbid("rand|srand|random|srandom|drand48", "guessable: use randombytes of libsodium")
        forbid("system|popen", "a shell reads the text: run a program by its argument list")
        forbid("tmpnam|tempnam|mktemp", "a race: use mkstemp or O_TMPFILE")
        forbid("gmtime|localtime|ctime|asctime", "a shared static result")
        forbid("MHD_create_post_processor|MHD_post_process", "web forms are parsed by our own bounded parser")
        forbid("MHD_basic_auth[A-Za-z0-9_]*|MHD_digest_auth[A-Za-z0-9_]*|MHD_queue_(basic_)?auth[A-Za-z0-9_]*", "credentials are read by auth/ only")
        every = "(^|[^A-Za-z0-9_])(" any ")[ \t]*[(]"
    }
    {
        code = substr($0, length($1) + length($2) + 3)
        if (code ~ every) {
            for (i = 1; i <= rules; i++) {
                if (code ~ pattern[i]) { print $1 ":" $2 ": " reason[i] }
            }
        }
        if ($1 ~ /^trust\/(verify\/|gate)/ && code ~ /clock_(now|mono)_us/) {
            print $1 ":" $2 ": the time is an argument here"
        }
    }'
}

# Secrets are compared by sodium_memcmp. Every other comparison of bytes is counted, so that a new one is looked at.
memcmp_counts() {
    awk -F: -v allow=tests/lint/memcmp.allow '
    BEGIN {
        while ((getline row < allow) > 0) {
            if (row !~ /^#/ && split(row, field, " ") >= 2) { allowed[field[1]] = field[2] }
        }
    }
    {
        code = substr($0, length($1) + length($2) + 3)
        n = gsub(/(^|[^A-Za-z0-9_])(memcmp|bcmp)[ \t]*[(]/, "&", code)
        if (n) {
            count[$1] += n
            last[$1] = $2
        }
    }
    END {
        for (file in count) {
            if (count[file] > allowed[file] + 0) {
                print file ":" last[file] ": memcmp " count[file] " times, " allow " knows of " allowed[file] + 0 ": use sodium_memcmp or slice_equal, or count it there"
            }
        }
        for (file in allowed) {
            if (count[file] + 0 < allowed[file]) {
                print allow ":1: " file " has only " count[file] + 0 " memcmp now: lower its number"
            }
        }
    }'
}

{
    tree_files '*.c' '*.h' | code_lines | forbidden
    product_files | code_lines | memcmp_counts
} | verdict
