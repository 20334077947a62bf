# Shared by the scripts: messages, packages, builds. Sourced by bash; sets ROOT, the top of the source tree.
# shellcheck shell=bash
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# What the build needs: the compiler, CMake and the -dev packages of CMakeLists.txt.
BUILD_PACKAGES="gcc libc6-dev cmake ninja-build pkg-config libsqlite3-dev libjansson-dev libsodium-dev libssl-dev
    libmicrohttpd-dev libgnutls28-dev libcurl4-openssl-dev libcyaml-dev libyaml-dev zlib1g-dev"
# What the tests need beyond that: the unit test library, Python's runner, real clients, a clock that can be set.
TEST_PACKAGES="libcmocka-dev python3 python3-pytest python3-cryptography docker.io runc skopeo podman buildah crun notary curl jq openssl
    libfaketime busybox-static ca-certificates iptables docker-registry nginx-light"

say() { printf '%s\n' "$*" >&2; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Runs a command as root: directly, or through sudo.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "root is needed for: $*; run it as root, or install sudo"
    fi
}

package_is_installed() {
    dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed
}

# Installs the packages that are missing; does nothing, and needs no root, when all are there.
need_packages() {
    local package missing=()

    command -v dpkg-query >/dev/null || die "this is no Debian: install by hand what $ROOT/scripts/lib/common.sh lists, then build with CMake"
    for package in "$@"; do
        package_is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing: ${missing[*]}"
    apt_install "${missing[@]}"
}

apt_get() {
    # RUNLEVEL=1: the maintainer scripts start no service
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q -o DPkg::Lock::Timeout=600 "$@"
}

apt_install() {
    local log

    log=$(mktemp)
    if ! { apt_get update && apt_get install -y --no-install-recommends "$@"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        die "apt-get could not install the packages; its whole output is in $log"
    fi
    rm -f "$log"
}

# Runs a command quietly; when it fails, shows the end of its output.
quietly() {
    local what=$1 log
    shift

    log=$(mktemp)
    if ! "$@" >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        die "$what failed; its whole output is in $log"
    fi
    rm -f "$log"
}

# configure_preset PRESET [CMAKE-OPTION...], by CMakePresets.json.
configure_preset() {
    local preset=$1
    shift
    (cd "$ROOT" && quietly "configuring ($preset)" cmake --preset "$preset" -G Ninja "$@")
}

# build_preset PRESET [TARGET...] [-- CMAKE-OPTION...]: configures and builds; without targets everything.
build_preset() {
    local preset=$1 targets=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        targets+=("$1")
        shift
    done
    [ $# -eq 0 ] || shift
    configure_preset "$preset" "$@"
    (cd "$ROOT" && quietly "the build ($preset)" cmake --build --preset "$preset" ${targets[@]:+--target "${targets[@]}"})
}

# Starts a server and waits until it is ready: start_server DATA LOG; sets SERVER_PID. LOG may be "-" for the terminal.
start_server() {
    local data=$1 log=$2 i

    # its socket would answer in the place of the new one's
    if "$ROOT/build/bond" --socket "$data/run/control.sock" status -q 2>/dev/null; then
        say "another server serves $data already"
        return 1
    fi
    if [ "$log" = - ]; then
        "$ROOT/build/bondstore" serve "$data/bondstore.yaml" &
    else
        "$ROOT/build/bondstore" serve "$data/bondstore.yaml" >"$log" 2>&1 &
    fi
    SERVER_PID=$!
    for i in $(seq 300); do
        if "$ROOT/build/bond" --socket "$data/run/control.sock" status -q 2>/dev/null; then
            return 0
        fi
        kill -0 "$SERVER_PID" 2>/dev/null || break
        sleep 0.1
    done
    [ "$log" = - ] || tail -n 5 "$log" >&2
    kill "$SERVER_PID" 2>/dev/null || true
    wait "$SERVER_PID" 2>/dev/null || true
    return 1
}

# Ends the server of start_server and waits for it.
stop_server() {
    [ -n "${SERVER_PID:-}" ] || return 0
    kill -TERM "$SERVER_PID" 2>/dev/null || true
    wait "$SERVER_PID" 2>/dev/null || true
    SERVER_PID=
}

# The value of public_url in a bondstore.yaml.
public_url_of() {
    sed -n 's/^public_url:[[:space:]]*["'\'']\{0,1\}\([^"'\''[:space:]#]*\).*/\1/p' "$1" | head -n 1
}
