"""What the older suite (specification 1.1.1) asks and the new one does not: the session's first address is used to the end,
lengths are told, nothing says what is accepted."""
import base64
import json
import os

import pytest

from conformance import blobs, content, stages
from support.images import OCI_MANIFEST, sha256
from support.server import at

CODES = {"BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN", "MANIFEST_INVALID",
         "MANIFEST_UNKNOWN", "MANIFEST_UNVERIFIED", "NAME_INVALID", "NAME_UNKNOWN", "SIZE_INVALID", "TAG_INVALID", "UNAUTHORIZED", "DENIED",
         "UNSUPPORTED", "TOOMANYREQUESTS"}
TAGS = ["test0", "test1", "test2", "test3"]


def plain_put(t, reference, manifest):
    """With its length."""
    return t.call("PUT", f"/v2/{t.repo1}/manifests/{reference}", [("Content-Type", manifest.media_type)], manifest.content)


def push_all(t, s):
    for digest, bytes_ in s.blobs.items():
        blobs.put(t, blobs.begin(t, t.repo1), digest, bytes_).expect(201)
    for manifest in s.manifests:
        plain_put(t, manifest.digest, manifest).expect(201)


@pytest.fixture(scope="module")
def pushed(target):
    """An image under four tags, in a repository of its own."""
    t = target.sibling()
    s = content.data_set("image")
    push_all(t, s)
    for tag in TAGS:
        plain_put(t, tag, s.manifests[0]).expect(201)
    return t, s, s.manifests[0]


# --- push ---------------------------------------------------------------------------------------------------------------

def test_the_first_address_of_a_session_stays_good(target):
    content_ = os.urandom(2 * blobs.CHUNK)
    first, second = content_[:blobs.CHUNK], content_[blobs.CHUNK:]
    place = blobs.begin(target, target.repo1)
    blobs.patch(target, place, second, blobs.CHUNK).expect(416)
    assert blobs.patch(target, place, first, 0).expect(202).header("Range") == f"0-{blobs.CHUNK - 1}"
    blobs.patch(target, place, first, 0).expect(416)
    status = target.call("GET", place).expect(204)
    assert status.header("Range") == f"0-{blobs.CHUNK - 1}" and status.header("Location"), status
    blobs.patch(target, place, second, blobs.CHUNK).expect(202)
    blobs.is_created(target, blobs.put(target, place, sha256(content_)), target.repo1, sha256(content_), content_)


@pytest.mark.parametrize("chunked", [False, True])
def test_patches_without_content_range_append(target, chunked):
    content_ = os.urandom(70000)
    place = blobs.begin(target, target.repo1)
    blobs.patch(target, place, content_[:40000], chunked=chunked).expect(202)
    assert blobs.patch(target, place, content_[40000:], chunked=chunked).expect(202).header("Range") == "0-69999"
    blobs.is_created(target, blobs.put(target, place, sha256(content_)), target.repo1, sha256(content_), content_)


def test_a_mount_without_a_source_finds_what_is_there_and_nothing_else(target):
    content_ = os.urandom(100)
    digest = sha256(content_)
    blobs.put(target, blobs.begin(target, target.repo2), digest, content_).expect(201)
    known = target.call("POST", at(f"/v2/{target.repo1}/blobs/uploads/", mount=digest)).expect(201)
    assert blobs.location(known) == f"/v2/{target.repo1}/blobs/{digest}"
    unknown = target.call("POST", at(f"/v2/{target.repo1}/blobs/uploads/", mount=sha256(os.urandom(9)))).expect(202)
    assert blobs.location(unknown).startswith(f"/v2/{target.repo1}/blobs/uploads/")


# --- pull ---------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_manifests_are_served_to_who_accepts_nothing_in_particular(pushed, method):
    t, _, manifest = pushed
    for reference in (TAGS[0], manifest.digest):
        stages.is_served(t.call(method, f"/v2/{t.repo1}/manifests/{reference}"), manifest)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_cannot_be_a_tag_is_unknown(pushed, method):
    t, _, _ = pushed
    stages.get(t, ".INVALID_MANIFEST_NAME", method).expect(404, "MANIFEST_UNKNOWN")


def test_a_refusal_carries_a_code_of_the_specification(pushed):
    t, _, manifest = pushed
    refusals = [stages.get(t, "sha256:totallywrong").expect((400, 404)), stages.put(t, "sha256:totallywrong", manifest).expect(400),
                t.call("GET", f"/v2/{t.repo1}/blobs/sha256:totallywrong").expect((400, 404)),
                t.call("GET", f"/v2/{t.repo1}/referrers/sha256:totallywrong").expect(400),
                t.call("PUT", blobs.begin(t, t.repo1), [blobs.OCTETS], b"x").expect(400)]
    for answer in refusals:
        assert answer.code in CODES and answer.message, answer


# --- manifests ----------------------------------------------------------------------------------------------------------

def odd(descriptor, member, **more):
    return {**descriptor, "unheardOf": member, **more}


@pytest.mark.parametrize("typed", [True, False], ids=["says its type", "does not say its type and has no layers"])
def test_a_manifest_is_kept_as_it_is_written(target, typed):
    """Indented, with members in its descriptors that nobody knows, one of them null, and with its config inside."""
    t, s = target.sibling(), content.DataSet("written")
    config = s.config()
    inline = base64.b64encode(s.blobs[config["digest"]]).decode()
    manifest = {"schemaVersion": 2, **({"mediaType": OCI_MANIFEST} if typed else {}), "config": odd(config, "aGVsbG8=", data=inline),
                "layers": [odd(s.layer(), None)] if typed else []}
    made = s.add(json.dumps(manifest, indent="\t").encode(), OCI_MANIFEST)
    push_all(t, s)
    plain_put(t, "written", made).expect(201)
    for reference in ("written", made.digest):
        stages.is_served(stages.get(t, reference), made)


# --- content discovery --------------------------------------------------------------------------------------------------

def test_a_page_has_exactly_n_tags(pushed):
    t, _, _ = pushed
    path = f"/v2/{t.repo1}/tags/list"
    assert t.call("GET", f"{path}?n=2").expect(200).json == {"name": t.repo1, "tags": TAGS[:2]}
    assert t.call("GET", f"{path}?n=2&last={TAGS[0]}").expect(200).json["tags"] == TAGS[1:3]


def test_every_referrer_is_listed_with_exactly_its_annotations(target):
    """Five of one subject, two of one type."""
    t, s = target.sibling(), content.DataSet("referrers")
    subject = s.image()
    about = {"subject": subject.descriptor(), "annotations": content.NOTES}
    kind = "application/vnd.example.two"
    made = [s.artifact(artifact_type=kind, **about) for _ in range(2)] + [s.image(**about), s.index([], **about), s.artifact(**about)]
    missing = s.artifact(subject=content.absent(s.digest_of))
    push_all(t, s)
    push_all(t, s)  # again: still listed once
    assert stages.listed_referrers(t, subject.digest)[1] == {m.digest: m.as_referrer() for m in made}
    answer, found = stages.listed_referrers(t, subject.digest, kind)
    assert answer.header("OCI-Filters-Applied") == "artifactType" and set(found) == {m.digest for m in made[:2]}
    assert set(stages.listed_referrers(t, missing.subject)[1]) == {missing.digest}
    assert stages.listed_referrers(t, sha256(os.urandom(9)))[1] == {}


# --- content management -------------------------------------------------------------------------------------------------

def test_deleting_goes_from_tag_to_manifest_to_blob(target):
    t, s = target.sibling(), content.DataSet("management")
    kept, gone = s.image("kept"), s.image("gone-a")
    push_all(t, s)
    for tag, manifest in (("kept", kept), ("gone-a", gone), ("gone-b", gone), ("gone-c", gone)):
        plain_put(t, tag, manifest).expect(201)
    path = f"/v2/{t.repo1}/tags/list"
    t.call("DELETE", f"/v2/{t.repo1}/manifests/gone-a").expect(202)
    assert t.call("GET", path).expect(200).json["tags"] == ["gone-b", "gone-c", "kept"]
    t.call("DELETE", f"/v2/{t.repo1}/manifests/{gone.digest}").expect(202)
    for reference in (gone.digest, "gone-b", "gone-c"):
        stages.get(t, reference).expect(404)
    assert t.call("GET", path).expect(200).json["tags"] == ["kept"]
    t.call("DELETE", f"/v2/{t.repo1}/manifests/{kept.digest}").expect(202)
    answer = t.call("GET", path).expect((200, 404))
    assert answer.status == 404 or not answer.json["tags"]
    for digest in s.blobs:
        t.call("DELETE", f"/v2/{t.repo1}/blobs/{digest}").expect(202)
        t.call("GET", f"/v2/{t.repo1}/blobs/{digest}").expect(404, "BLOB_UNKNOWN")
