"""Referrers: what points to a manifest (OCI distribution 1.1; conformance checklist 3.5)."""
import os

import pytest

from support.images import OCI_INDEX, artifact, image, index, sha256


@pytest.fixture(scope="module")
def dev(registry, house):
    return registry.client(house.developer, plain=True)


def listed(client, repo, digest, query=""):
    answer = client("GET", f"/v2/{repo}/referrers/{digest}{query}").expect(200)
    assert answer.header("Content-Type") == OCI_INDEX
    body = answer.json
    assert body["schemaVersion"] == 2 and body["mediaType"] == OCI_INDEX
    return answer, {m["digest"]: m for m in body["manifests"]}, len(body["manifests"])


def push_with_subject(client, repo, made, tag=None):
    for digest, content in made.blobs.items():
        client.push_blob(repo, content, digest)
    for digest, (content, media_type) in made.children.items():
        client.push_manifest(repo, digest, content, media_type).expect(201)
    answer = client.push_manifest(repo, tag or made.digest, made.manifest, made.media_type).expect(201)
    assert answer.header("OCI-Subject") == made.parsed["subject"]["digest"]


def test_a_repository_that_does_not_exist_has_no_referrers_and_says_so_with_200(dev, repo):
    _, found, count = listed(dev, f"{repo}-never", sha256(os.urandom(8)))
    assert found == {} and count == 0


def test_each_referrer_is_listed_once_with_type_and_annotations(dev, repo):
    subject = image("subject")
    dev.push(repo, subject, "v1")
    notes = {"org.example.a": "1", "org.example.b": "zwei"}
    by_artifact_type = artifact("sbom", subject.descriptor(), annotations=notes)
    by_config_type = image("an image with a subject", subject=subject.descriptor(), annotations=notes)
    no_type = index([image("child")], subject=subject.descriptor(), annotations=notes)
    typed = index([image("other child")], subject=subject.descriptor(), artifactType="application/x.index")
    for made, tag in ((by_artifact_type, None), (by_config_type, "tagged"), (no_type, None), (typed, None)):
        push_with_subject(dev, repo, made, tag)
        push_with_subject(dev, repo, made, tag)  # again: still listed once
    _, found, count = listed(dev, repo, subject.digest)
    assert count == 4 and set(found) == {m.digest for m in (by_artifact_type, by_config_type, no_type, typed)}
    for made in (by_artifact_type, by_config_type, no_type):
        entry = found[made.digest]
        assert (entry["mediaType"], entry["size"], entry["annotations"]) == (made.media_type, made.size, notes)
    assert found[by_artifact_type.digest]["artifactType"] == "application/spdx+json"
    assert found[by_config_type.digest]["artifactType"] == "application/vnd.oci.image.config.v1+json"
    assert "artifactType" not in found[no_type.digest]
    assert found[typed.digest]["artifactType"] == "application/x.index" and not found[typed.digest].get("annotations")


def test_the_list_is_filtered_by_artifact_type_and_says_so(dev, repo):
    subject = image("filtered")
    dev.push(repo, subject, "v1")
    sbom, signature = artifact("s", subject.descriptor()), artifact("t", subject.descriptor(), artifact_type="application/vnd.x+json")
    for made in (sbom, signature):
        push_with_subject(dev, repo, made)
    answer, found, count = listed(dev, repo, subject.digest, "?artifactType=application%2Fvnd.x%2Bjson")
    assert answer.header("OCI-Filters-Applied") == "artifactType" and count == 1 and set(found) == {signature.digest}
    _, found, count = listed(dev, repo, subject.digest, "?artifactType=nothing%2Fsuch")
    assert count == 0
    answer, _, count = listed(dev, repo, subject.digest)
    assert count == 2 and answer.header("OCI-Filters-Applied") is None


def test_a_subject_may_be_missing_and_may_come_later(dev, repo):
    subject = image("late")
    made = artifact("early", subject.descriptor())
    push_with_subject(dev, repo, made)
    assert set(listed(dev, repo, subject.digest)[1]) == {made.digest}
    dev.push(repo, subject, "v1")
    assert set(listed(dev, repo, subject.digest)[1]) == {made.digest}


def test_a_deleted_referrer_is_gone_and_a_deleted_subject_keeps_its_list(registry, house, dev, repo):
    owner = registry.client(house.owner, plain=True)
    subject = image("deleted subject")
    dev.push(repo, subject)
    first, second = artifact("1", subject.descriptor()), artifact("2", subject.descriptor())
    for made in (first, second):
        push_with_subject(dev, repo, made)
    owner("DELETE", f"/v2/{repo}/manifests/{first.digest}").expect(202)
    assert set(listed(dev, repo, subject.digest)[1]) == {second.digest}
    owner("DELETE", f"/v2/{repo}/manifests/{subject.digest}").expect(202)
    assert set(listed(dev, repo, subject.digest)[1]) == {second.digest}


@pytest.mark.parametrize("digest", ["sha256:x", "nodigest", "sha256:" + "Z" * 64])
def test_a_digest_that_is_none_is_400(dev, repo, digest):
    dev.push(repo, image("r"), "v1")
    dev("GET", f"/v2/{repo}/referrers/{digest}").expect(400)


def test_the_list_is_not_for_strangers(registry, house, repo):
    registry.client(house.developer).push(repo, image("private"), "v1")
    registry.client(house.stranger)("GET", f"/v2/{repo}/referrers/{sha256(b'x')}").expect((401, 404))
