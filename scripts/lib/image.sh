# Small real images without network or engine: OCI layouts made from plain files. Sourced by bash.
# shellcheck shell=bash

# blob LAYOUT FILE: moves FILE into the layout; prints its digest's hex.
blob() {
    local hex
    hex=$(sha256sum "$2" | cut -d ' ' -f 1)
    mv "$2" "$1/blobs/sha256/$hex"
    printf '%s\n' "$hex"
}

# make_image LAYOUT TEXT: one layer that holds /message with TEXT, and busybox as /bin/busybox where it is installed.
# Prints "DIGEST SIZE" of the manifest.
make_image() {
    local layout=$1 text=$2 work diff layer config manifest size_layer size_config size
    local architecture
    architecture=$(dpkg --print-architecture)
    work=$(mktemp -d)
    mkdir -p "$layout/blobs/sha256" "$work/root/bin"
    printf '%s\n' "$text" >"$work/root/message"
    if [ -x /bin/busybox ]; then
        cp /bin/busybox "$work/root/bin/busybox"
    fi
    tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$work/root" -cf "$work/layer.tar" .
    diff=$(sha256sum "$work/layer.tar" | cut -d ' ' -f 1)
    gzip -n "$work/layer.tar"
    size_layer=$(stat -c %s "$work/layer.tar.gz")
    layer=$(blob "$layout" "$work/layer.tar.gz")
    printf '{"architecture":"%s","os":"linux","config":{"Cmd":["/bin/busybox","cat","/message"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$architecture" "$diff" >"$work/config"
    size_config=$(stat -c %s "$work/config")
    config=$(blob "$layout" "$work/config")
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:%s","size":%s}]}' \
        "$config" "$size_config" "$layer" "$size_layer" >"$work/manifest"
    size=$(stat -c %s "$work/manifest")
    manifest=$(blob "$layout" "$work/manifest")
    printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s}]}' \
        "$manifest" "$size" >"$layout/index.json"
    rm -rf "$work"
    printf 'sha256:%s %s\n' "$manifest" "$size"
}
