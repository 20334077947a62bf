"""Referrers that come early, late, or go. What a list looks like is in conformance/."""
import pytest

from support.images import OCI_INDEX, artifact, image, sha256


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
