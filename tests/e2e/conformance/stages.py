"""What is done with each data set: push, tag-list, head, pull, referrers, delete, in this order, in repo1."""
from support.images import OCI_INDEX, OCI_MANIFEST
from support.server import at

from conformance import blobs
from conformance.cases import Unsupported

ACCEPT = [("Accept", OCI_INDEX), ("Accept", OCI_MANIFEST)]  # two lines


def get(t, reference, method="GET"):
    return t.call(method, f"/v2/{t.repo1}/manifests/{reference}", ACCEPT)


def put(t, reference, manifest, tags=()):
    """Chunked: the length is not known beforehand."""
    path = f"/v2/{t.repo1}/manifests/{reference}"
    return t.call("PUT", at(path, tag=tags) if tags else path, [("Content-Type", manifest.media_type)], [manifest.content], chunked=True)


def is_served(answer, manifest):
    answer.expect(200)
    assert answer.header("Content-Type") == manifest.media_type, answer
    assert answer.header("Content-Length") == str(len(manifest.content)), answer
    assert answer.header("Docker-Content-Digest") == manifest.digest and answer.header("Content-Encoding") is None, answer
    assert answer.body == (manifest.content if answer.method == "GET" else b""), "other bytes than were pushed"


def is_put(t, answer, manifest, tags=()):
    answer.expect(201)
    is_served(t.call("GET", at(answer.header("Location")), ACCEPT), manifest)
    assert answer.header("Docker-Content-Digest", manifest.digest) == manifest.digest, answer
    assert answer.header("OCI-Subject") == manifest.subject, answer
    named = [tag.strip() for line in answer.header_all("OCI-Tag") for tag in line.split(",")]
    if tags and not named:
        raise Unsupported("tag parameters")
    assert sorted(named) == sorted(tags), answer


def push(c, t, s):
    for digest, content in s.blobs.items():
        with c.leaf("push/blob"):
            blobs.is_created(t, blobs.put(t, blobs.begin(t, t.repo1), digest, content), t.repo1, digest, content)
    for manifest in s.manifests:
        with c.leaf("push/manifest-by-digest"):
            is_put(t, put(t, manifest.digest, manifest, manifest.tags), manifest, manifest.tags)
    for tag, manifest in s.tags.items():
        with c.leaf("push/manifest-by-tag"):
            is_put(t, put(t, tag, manifest), manifest)
    for manifest in s.rejected:
        with c.leaf("push/manifest that is refused"):
            put(t, manifest.digest, manifest).expect(400)
            get(t, manifest.digest, "HEAD").expect(404)


def all_tags(s):
    return {**s.tags, **{tag: m for m in s.manifests for tag in m.tags}}


def tag_list(c, t, s):
    tags = sorted(all_tags(s))
    if not tags:
        return
    path = f"/v2/{t.repo1}/tags/list"
    with c.leaf("tag-list"):
        body = t.call("GET", path).expect(200).json
        assert body["name"] == t.repo1 and set(tags) <= set(body["tags"]), body
    if len(tags) > 1:
        with c.leaf("tag-list after a tag"):
            middle = tags[len(tags) // 2 - 1]
            listed = t.call("GET", at(path, last=middle)).expect(200).json["tags"]
            assert set(tags[tags.index(middle) + 1:]) <= set(listed) and all(tag > middle for tag in listed), listed


def read(c, t, s, method):
    for tag, manifest in all_tags(s).items():
        with c.leaf(f"{method}/manifest-by-tag"):
            is_served(get(t, tag, method), manifest)
    for manifest in s.manifests:
        with c.leaf(f"{method}/manifest-by-digest"):
            is_served(get(t, manifest.digest, method), manifest)
    for digest, content in s.blobs.items():
        with c.leaf(f"{method}/blob"):
            (blobs.is_got if method == "GET" else blobs.is_headed)(t, t.repo1, digest, content)


def listed_referrers(t, subject, artifact_type=None):
    """The answer, and {digest: descriptor}; each digest once."""
    path = f"/v2/{t.repo1}/referrers/{subject}"
    answer = t.call("GET", at(path, artifactType=artifact_type) if artifact_type else path).expect(200)
    assert answer.header("Content-Type") == OCI_INDEX, answer
    body = answer.json
    assert (body["schemaVersion"], body["mediaType"]) == (2, OCI_INDEX), answer
    found = {entry["digest"]: entry for entry in body["manifests"]}
    assert len(found) == len(body["manifests"]), answer
    return answer, found


def referrers(c, t, s):
    for subject, wanted in s.referrers().items():
        with c.leaf("referrers"):
            assert listed_referrers(t, subject)[1] == wanted
        for kind in sorted({d.get("artifactType", "") for d in wanted.values()} - {""}):
            with c.leaf("referrers of a type"):
                answer, found = listed_referrers(t, subject, kind)
                if answer.header("OCI-Filters-Applied") is None:
                    raise Unsupported("filter of referrers")
                assert answer.header("OCI-Filters-Applied") == "artifactType", answer
                assert found == {digest: d for digest, d in wanted.items() if d.get("artifactType") == kind}


def is_deleted(t, reference):
    answer = t.call("DELETE", f"/v2/{t.repo1}/manifests/{reference}")
    if answer.status in (400, 405):
        raise Unsupported(f"delete: {answer.status}")
    answer.expect(202)
    get(t, reference, "HEAD").expect(404)


def delete(c, t, s):
    for tag, manifest in all_tags(s).items():
        with c.leaf("delete/tag"):
            is_deleted(t, tag)
            is_served(get(t, manifest.digest, "HEAD"), manifest)  # only the tag goes
    for manifest in reversed(s.manifests):
        with c.leaf("delete/manifest"):
            is_deleted(t, manifest.digest)
    for subject in s.referrers():
        with c.leaf("delete/referrers"):
            assert listed_referrers(t, subject)[1] == {}
    for digest in s.blobs:
        with c.leaf("delete/blob"):
            blobs.is_deleted(t, t.repo1, digest)


def run(c, t, s):
    push(c, t, s)
    tag_list(c, t, s)
    read(c, t, s, "HEAD")
    read(c, t, s, "GET")
    referrers(c, t, s)
    delete(c, t, s)
