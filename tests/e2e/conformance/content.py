"""The data sets: blobs, manifests in the order in which they are pushed, tags, and what the referrers must then be. Pure."""
import base64
import gzip
import json
import os
from dataclasses import dataclass, field

from support.images import OCI_CONFIG, OCI_EMPTY, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, compact, sha256, sha512, tar

HASHES = {"sha256": sha256, "sha512": sha512}
LAYER_TAR = "application/vnd.oci.image.layer.v1.tar"
LAYER_FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar"
NOTES = {"org.example.one": "1", "org.example.two": "zwei"}


@dataclass
class Manifest:
    digest: str
    content: bytes
    media_type: str
    tags: list = field(default_factory=list)  # pushed by digest with ?tag=

    @property
    def parsed(self):
        return json.loads(self.content)

    @property
    def subject(self):
        return self.parsed.get("subject", {}).get("digest")

    def descriptor(self, **more):
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content), **more}

    def as_referrer(self):
        """How the referrers API lists it: an image's type is its config's when it has none of its own."""
        kind = self.parsed.get("artifactType") or self.parsed.get("config", {}).get("mediaType")
        notes = self.parsed.get("annotations")
        return self.descriptor(**({"artifactType": kind} if kind else {}), **({"annotations": notes} if notes else {}))


class DataSet:
    def __init__(self, name, algorithm="sha256"):
        self.name, self.digest_of = name, HASHES[algorithm]
        self.blobs, self.manifests, self.tags = {}, [], {}
        self.rejected = []  # manifests that must be refused with 400

    # --- making -------------------------------------------------------------------------------------------------
    def blob(self, content, media_type, pushed=True, **more):
        digest = self.digest_of(content)
        if pushed:
            self.blobs[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content), **more}

    def layer(self, packed=True, **more):
        content = tar({"opt": None, "opt/random": os.urandom(256)})
        return self.blob(gzip.compress(content, 1, mtime=0) if packed else content, OCI_LAYER if packed else LAYER_TAR, **more)

    def config(self, **more):
        content = compact({"architecture": "amd64", "os": "linux", "random": os.urandom(8).hex(),
                           "rootfs": {"type": "layers", "diff_ids": []}, **more})
        return self.blob(content, OCI_CONFIG)

    def empty(self):
        return self.blob(b"{}", OCI_EMPTY)

    def add(self, content, media_type, tag=None, tags=()):
        made = Manifest(self.digest_of(content), content, media_type, list(tags))
        self.manifests.append(made)
        if tag:
            self.tags[tag] = made
        return made

    def image(self, tag=None, tags=(), config=None, layers=None, **members):
        layers = [self.layer(), self.layer()] if layers is None else layers
        return self.add(compact({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config or self.config(), "layers": layers, **members}),
                        OCI_MANIFEST, tag, tags)

    def artifact(self, tag=None, artifact_type="application/vnd.example.sbom", layers=None, **members):
        layers = [self.blob(os.urandom(64), "application/vnd.example.unheard-of")] if layers is None else layers
        return self.image(tag, config=self.empty(), layers=layers, artifactType=artifact_type, **members)

    def index(self, children, tag=None, tags=(), **members):
        entries = [c.descriptor(platform={"architecture": a, "os": "linux"}) for c, a in zip(children, ("amd64", "arm64", "s390x"))]
        return self.add(compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries, **members}), OCI_INDEX, tag, tags)

    # --- what must be the case -----------------------------------------------------------------------------------
    def referrers(self):
        """subject -> {digest: descriptor}"""
        found = {}
        for manifest in self.manifests:
            if manifest.subject:
                found.setdefault(manifest.subject, {})[manifest.digest] = manifest.as_referrer()
        return found


def absent(digest_of, media_type=OCI_MANIFEST):
    """A descriptor of something that nobody has pushed."""
    content = os.urandom(33)
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


# --- the sets -----------------------------------------------------------------------------------------------------------

def image(s):
    s.image("image")


def image_uncompressed(s):
    s.image("image-uncompressed", layers=[s.layer(packed=False), s.layer(packed=False)])


def large_manifest(s):
    """3.9 MB, and its length is not known beforehand."""
    s.image("large-manifest", annotations={f"org.example.note.{i:03}": "A" * 10000 for i in range(390)})


def index(s):
    s.index([s.image(), s.image()], "index")


def nested_index(s):
    s.index([s.index([s.image(), s.image()]), s.index([s.image()])], "nested-index")


def empty_index(s):
    s.index([], "index")


def artifact(s):
    s.artifact("artifact")


def artifact_index(s):
    s.index([s.artifact(), s.artifact()], "artifact-index", artifactType="application/vnd.example.set")


def artifact_without_layers(s):
    """The empty document is config and layer: one blob twice."""
    s.artifact("artifact-without-layers", layers=[s.empty()])


def artifacts_with_subject(s):
    subject = s.image("image")
    about = {"subject": subject.descriptor(), "annotations": NOTES}
    s.image("image-with-subject", **about)
    s.artifact("artifact-a", **about)
    s.artifact("artifact-b", "application/vnd.example.signature", **about)


def index_with_subject(s):
    subject = s.index([s.image(), s.image()], "subject")
    about = {"subject": subject.descriptor(), "annotations": NOTES}
    s.index([s.image(**about), s.image(**about)], "index-with-subject", artifactType="application/vnd.example.set", **about)
    s.index([], "index-without-type", **about)


def missing_subject(s):
    s.artifact("missing-subject", subject=absent(s.digest_of))


def data_field(s):
    def inline(descriptor):
        return {**descriptor, "data": base64.b64encode(s.blobs[descriptor["digest"]]).decode()}
    s.image("data-field", config=inline(s.config()), layers=[inline(s.layer()), s.layer()])


def non_distributable_layers(s):
    urls = ["https://127.0.0.1:9/never"]
    foreign = [{**absent(s.digest_of, LAYER_FOREIGN + end), "urls": urls} for end in ("", "+gzip")]
    s.image("non-distributable-layers", layers=[*foreign, s.layer()])


def custom_fields(s):
    more = {"org.example.custom": {"x": [1, None, "é"]}}
    children = [s.image(config=s.config(**more), **more) for _ in range(2)]
    s.index(children, "custom-fields", **more)


def no_layers(s):
    s.image("no-layers", layers=[])


def sparse(s):
    s.image("sparse-image", layers=[s.layer(), absent(s.digest_of, OCI_LAYER)])
    child = s.image()
    entries = [child.descriptor(), absent(s.digest_of)]
    s.add(compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}), OCI_INDEX, "sparse-index")


def untagged(s):
    s.index([s.image(), s.image()])


def tag_param(s):
    children = [s.image(tags=["tag-param-a"]), s.image(tags=["tag-param-b"])]
    s.index(children, tags=["tag-param-c", "tag-param-d"])


def bad_digest_image(s):
    """A manifest with two blanks more than its digest knows of."""
    made = s.image()
    s.manifests.remove(made)
    s.rejected.append(Manifest(made.digest, made.content + b"  ", made.media_type))


SETS = {
    "image": image, "image-uncompressed": image_uncompressed, "large-manifest": large_manifest, "index": index,
    "nested-index": nested_index, "empty-index": empty_index, "artifact": artifact, "artifact-index": artifact_index,
    "artifact-without-layers": artifact_without_layers, "artifacts-with-subject": artifacts_with_subject,
    "index-with-subject": index_with_subject, "missing-subject": missing_subject, "data-field": data_field,
    "non-distributable-layers": non_distributable_layers, "custom-fields": custom_fields, "no-layers": no_layers,
    "sha512": untagged, "tag-param-sha256": tag_param, "tag-param-sha512": tag_param, "bad-digest-image": bad_digest_image,
    "sparse": sparse,
}


def data_set(name):
    made = DataSet(name, "sha512" if name.endswith("sha512") else "sha256")
    SETS[name](made)
    return made
