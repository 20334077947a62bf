#!/bin/bash
# The lints against a tree of offences: each line below must be told, and nothing else.
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d) || exit 2
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{base,storage,trust/verify,auth,server,cli,tests}
cp -r "$here" "$tree/tests/lint"
rm "$tree/tests/lint/selftest.sh"
printf '%s\n' '# FILE COUNT' 'base/known.c 1 digests' 'base/gone.c 2 digests' >"$tree/tests/lint/memcmp.allow"

status=0

# file PATH LINE…: a file of the tree
file() {
    local path=$1
    shift
    printf '%s\n' "$@" >"$tree/$path"
}

# expect LINT FILE:LINE…: exactly these are told, and the exit status says so
expect() {
    local lint=$1 output code told want
    shift
    output=$(bash "$tree/tests/lint/$lint.sh")
    code=$?
    told=$(printf '%s\n' "$output" | sed -n 's/^\([^:]*:[0-9]*\): .*/\1/p' | sort)
    want=$(printf '%s\n' "$@" | sed '/^$/d' | sort)
    if [ "$told" != "$want" ] || [ "$code" != "$([ $# -gt 0 ] && echo 1 || echo 0)" ]; then
        printf '%s: exit status %s\n--- wanted\n%s\n--- told\n%s\n' "$lint" "$code" "$want" "$output"
        status=1
    fi
}

file base/known.c '#include "base/slice.h"' 'int f(void) { return memcmp(a, b, 1); }'
file base/gone.c 'int a = memcmp(p, q, 1) + memcmp(p, q, 2);'
file server/good.c '#include "trust/verify/doc.h"' '#include "auth/login.h"' '#include <microhttpd.h>' \
    '/* strcpy(a, b) in a comment,' ' atoi(c) too */ int x; // gets(d)' 'const char *s = "strcpy(a)"; int y = fgets(p);'
expect includes
expect calls
expect words

file base/up.c '#include "storage/tag.h"' '#include "base/db_internal.h"' '#include <sqlite3.h>' '#include <microhttpd.h>'
file storage/up.c '#include "base/db.h"' '#include "server/http.h"' '#include "auth/login.h"'
file trust/across.c '#include "storage/tag.h"' '#include "trust/verify/doc.h"' '#include "auth/login.h"'
file trust/verify/impure.c '#include "base/json.h"' '#include "base/db.h"' '#include "trust/gate.h"'
file auth/across.c '#include "storage/account.h"' '#include "trust/gate.h"'
file auth/token.c '#include "base/json.h"' '#include "auth/scope.h"' '#include "storage/account.h"' '#include "auth/login.h"'
file cli/up.c '#include "trust/verify/doc.h"' '#include "trust/gate.h"' '#include "local.h"' '#include <curl/curl.h>'
file server/foreign.c '  #  include <curl/curl.h>' '#include <sqlite3.h>'
expect includes base/up.c:1 base/up.c:2 base/up.c:3 base/up.c:4 storage/up.c:2 storage/up.c:3 trust/across.c:3 \
    trust/verify/impure.c:2 trust/verify/impure.c:3 auth/across.c:2 auth/token.c:3 auth/token.c:4 \
    cli/up.c:2 cli/up.c:3 server/foreign.c:1 server/foreign.c:2

file storage/calls.c 'strcpy(a, b);' 'x = atoi (s);' 'sprintf(a, "%d", 1);' 'my_strcpy(a);' 'snprintf(a);' \
    'q = MHD_create_post_processor(c);' 'memcmp(a, b, c);' 'randombytes_buf(a); y = rand();' '"\""; gets(a); "'
file trust/gate.c 'now = clock_now_us();'
file base/gone.c 'int a = memcmp(p, q, 1);'
expect calls storage/calls.c:1 storage/calls.c:2 storage/calls.c:3 storage/calls.c:6 storage/calls.c:7 \
    storage/calls.c:8 storage/calls.c:9 trust/gate.c:1 tests/lint/memcmp.allow:1

mark='TO''DO'
file base/words.h "/* $mark: later */" 'int todo_list; char name[] = "aXXXXXXb";' "/* FIX""ME */" 'x = "/ho''me/me/main";' \
    'p = "/homes/a"; q = "$x/home/y";'
expect words base/words.h:1 base/words.h:3 base/words.h:4

exit $status
