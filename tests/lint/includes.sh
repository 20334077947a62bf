#!/bin/bash
# The arrows between the folders, read off the #include lines:
#   base <- storage <- {trust, auth} <- server;   trust/verify and cli see less.
. "$(dirname "$0")/common.bash"

product_files | xargs -r awk '
function offence(why) { print FILENAME ":" FNR ": " why }

# The part of the house a path lies in.
function part(path) {
    if (path ~ /^trust\/verify\//) { return "trust/verify" }
    sub(/\/.*/, "", path)
    return path
}

function among(list, name) { return index(" " list " ", " " name " ") > 0 }

BEGIN {
    may["base"] = "base"
    may["storage"] = "base storage"
    may["trust/verify"] = "base trust/verify"
    may["trust"] = "base storage trust/verify trust"
    may["auth"] = "base storage auth"
    may["server"] = "base storage trust/verify trust auth server"
    may["cli"] = "base trust/verify cli"
    plain_auth = "password totp token scope grant throttle"
    impure = "base/db.h base/fsx.h base/queue.h base/log.h"
}

function check_own(path, from, to, stem) {
    if (path !~ /\//) {
        offence("\"" path "\" is included without its folder")
        return
    }
    if (!among(may[from], to)) {
        offence(from " must not include " path " (it may see: " may[from] ")")
    }
    if (path == "base/db_internal.h" && FILENAME !~ /^base\/db/) {
        offence("base/db_internal.h is private to base/db*.c")
    }
    if (from == "trust/verify" && among(impure, path)) {
        offence("trust/verify is pure: no " path)
    }
    stem = FILENAME
    sub(/.*\//, "", stem)
    sub(/\.[ch]$/, "", stem)
    if (from == "auth" && among(plain_auth, stem)) {
        sub(/^auth\//, "", path)
        sub(/\.h$/, "", path)
        if (to != "base" && !(to == "auth" && among(plain_auth, path))) {
            offence("auth/" stem " stands on base alone")
        }
    }
}

function check_foreign(path, from) {
    if (path == "microhttpd.h" && from != "server") {
        offence("microhttpd.h belongs to server/")
    }
    if (path == "sqlite3.h" && FILENAME != "base/db_internal.h") {
        offence("sqlite3.h belongs to base/db_internal.h")
    }
    if (path ~ /^curl\// && from != "cli") {
        offence("libcurl belongs to cli/")
    }
    if (path ~ /^gnutls\// && from != "server") {
        offence("GnuTLS belongs to server/")
    }
    if (path ~ /^cyaml\// && from != "server") {
        offence("libcyaml belongs to server/")
    }
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    path = $0
    sub(/^[^"]*"/, "", path)
    sub(/".*/, "", path)
    check_own(path, part(FILENAME), part(path))
}
/^[ \t]*#[ \t]*include[ \t]*</ {
    path = $0
    sub(/^[^<]*</, "", path)
    sub(/>.*/, "", path)
    check_foreign(path, part(FILENAME))
}' | verdict
