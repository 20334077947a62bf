"""Small real images made by hand: known bytes, known digests, nothing from a network."""
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
TYPES = {"oci": (OCI_MANIFEST, OCI_INDEX, OCI_CONFIG, OCI_LAYER), "docker": (DOCKER_MANIFEST, DOCKER_LIST, DOCKER_CONFIG, DOCKER_LAYER)}
CREATED = "2023-11-14T22:13:20Z"
BUSYBOX = "/bin/busybox"


def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def sha512(content):
    return "sha512:" + hashlib.sha512(content).hexdigest()


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def tar(entries):
    """entries: {name: bytes | None (a folder) | ("link", target)}"""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as t:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.mtime, info.mode = 1700000000, 0o755
            if content is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(content, tuple):
                info.type, info.linkname = tarfile.SYMTYPE, content[1]
            else:
                info.size = len(content)
            t.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return out.getvalue()


_busybox = {}


def busybox_layer():
    """A layer that runs: the static busybox and the links of its applets."""
    if not _busybox:
        assert os.path.exists(BUSYBOX), "busybox-static is not installed; scripts/test installs it"
        with open(BUSYBOX, "rb") as f:
            program = f.read()
        applets = subprocess.run([BUSYBOX, "--list"], stdout=subprocess.PIPE, check=True).stdout.decode().split()
        entries = {"bin": None, "bin/busybox": program}
        entries.update({f"bin/{a}": ("link", "busybox") for a in sorted(applets) if a != "busybox"})
        entries.update({"etc": None, "etc/passwd": b"root:x:0:0:root:/:/bin/sh\n", "tmp": None})
        _busybox["tar"] = tar(entries)
    return _busybox["tar"]


class Image:
    """One image or index. blobs: digest -> bytes; children: digest -> (manifest, type), for an index."""

    def __init__(self, manifest, media_type, blobs, children=None, archive=None):
        self.manifest, self.media_type, self.blobs, self.children = manifest, media_type, blobs, children or {}
        self.digest, self.size = sha256(manifest), len(manifest)
        self.archive = archive  # (config bytes, [tar, …]) for docker load

    @property
    def hex(self):
        return self.digest[7:]

    @property
    def parsed(self):
        return json.loads(self.manifest)

    @property
    def layers(self):
        return [d["digest"] for d in self.parsed["layers"]]

    @property
    def config(self):
        return self.parsed["config"]["digest"]

    def descriptor(self, **more):
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size, **more}

    def write_layout(self, folder):
        """An OCI image layout, its one entry tagged "latest" (skopeo: oci:FOLDER:latest)."""
        place = folder / "blobs" / "sha256"
        place.mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        contents = [*self.blobs.values(), *(m for m, _ in self.children.values()), self.manifest]
        for content in contents:
            (place / sha256(content)[7:]).write_bytes(content)
        entry = self.descriptor(annotations={"org.opencontainers.image.ref.name": "latest"})
        (folder / "index.json").write_bytes(compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}))
        return folder

    def docker_archive(self, name):
        """What `docker load` reads."""
        config, layers = self.archive
        entries = {f"{i}/layer.tar": layer for i, layer in enumerate(layers)}
        entries[f"{sha256(config)[7:]}.json"] = config
        entries["manifest.json"] = compact([{"Config": f"{sha256(config)[7:]}.json", "RepoTags": [name],
                                             "Layers": [f"{i}/layer.tar" for i in range(len(layers))]}])
        return tar(entries)


def image(text, *, runs=False, kind="oci", arch="amd64", shared=(), subject=None, annotations=None):
    """An image whose content is `text`. runs: starts and prints the text. shared: further tar layers below its own."""
    manifest_type, _, config_type, layer_type = TYPES[kind]
    own = tar({"opt": None, "opt/text": text.encode() + b"\n"})
    tars = ([busybox_layer()] if runs else []) + list(shared) + [own]
    config = compact({"created": CREATED, "architecture": arch, "os": "linux",
                      "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/cat", "/opt/text"], "Labels": {"text": text}},
                      "rootfs": {"type": "layers", "diff_ids": [sha256(t) for t in tars]},
                      "history": [{"created": CREATED, "created_by": f"layer {i}"} for i in range(len(tars))]})
    packed = [gzip.compress(t, 1, mtime=0) for t in tars]
    manifest = {"schemaVersion": 2, "mediaType": manifest_type,
                "config": {"mediaType": config_type, "digest": sha256(config), "size": len(config)},
                "layers": [{"mediaType": layer_type, "digest": sha256(p), "size": len(p)} for p in packed]}
    if subject is not None:
        manifest["subject"] = subject
    if annotations:
        manifest["annotations"] = annotations
    blobs = {sha256(b): b for b in [config, *packed]}
    return Image(compact(manifest), manifest_type, blobs, archive=(config, tars))


def index(images, *, kind="oci", **more):
    """A multi-platform image. Its members keep their own platforms."""
    entries, blobs, children = [], {}, {}
    for member in images:
        described = member.descriptor()
        arch = json.loads(member.blobs[member.config]).get("architecture") if "config" in member.parsed else None
        if arch:
            described["platform"] = {"architecture": arch, "os": "linux"}
        entries.append(described)
        blobs.update(member.blobs)
        children.update(member.children)
        children[member.digest] = (member.manifest, member.media_type)
    content = compact({"schemaVersion": 2, "mediaType": TYPES[kind][1], "manifests": entries, **more})
    return Image(content, TYPES[kind][1], blobs, children)


def artifact(text, subject, *, artifact_type="application/spdx+json", annotations=None):
    """An OCI 1.1 artifact: empty config, one blob, a subject."""
    blob = compact({"text": text})
    empty = b"{}"
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": artifact_type,
                "config": {"mediaType": OCI_EMPTY, "digest": sha256(empty), "size": 2},
                "layers": [{"mediaType": artifact_type, "digest": sha256(blob), "size": len(blob)}]}
    if subject is not None:
        manifest["subject"] = subject
    if annotations:
        manifest["annotations"] = annotations
    return Image(compact(manifest), OCI_MANIFEST, {sha256(empty): empty, sha256(blob): blob})
