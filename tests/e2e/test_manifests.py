"""Manifests: docker's media types, what is refused, and what surrounds the data sets of conformance/."""
import json
import os

import pytest

from support.images import DOCKER_LIST, OCI_CONFIG, OCI_EMPTY, OCI_INDEX, OCI_MANIFEST, compact, image, index, sha256


@pytest.fixture(scope="module")
def dev(registry, house):
    return registry.client(house.developer, plain=True)


@pytest.fixture(scope="module")
def owner(registry, house):
    return registry.client(house.owner, plain=True)


def served(client, repo, reference, manifest, media_type, digest):
    for method in ("GET", "HEAD"):
        answer = client.get(repo, reference, method).expect(200)
        assert answer.header("Content-Type") == media_type
        assert answer.header("Content-Length") == str(len(manifest))
        assert answer.header("Docker-Content-Digest") == digest
        assert answer.header("ETag") == f'"{digest}"'
        assert answer.body == (manifest if method == "GET" else b"")


def put(client, repo, reference, manifest, media_type, chunked=False, query=""):
    return client("PUT", f"/v2/{repo}/manifests/{reference}{query}", {"Content-Type": media_type}, [manifest] if chunked else manifest, chunked)


@pytest.mark.parametrize("kind", ["oci", "docker"])
def test_an_image_is_served_by_tag_and_digest_as_it_was_pushed(dev, repo, kind):
    made = image("plain", kind=kind)
    dev.push(repo, made, "v1")
    for reference in ("v1", made.digest):
        served(dev, repo, reference, made.manifest, made.media_type, made.digest)
    assert dev("GET", f"/v2/{repo}/manifests/v1").expect(200).body == made.manifest  # no Accept at all


@pytest.mark.parametrize("kind", ["oci", "docker"])
def test_a_multi_platform_image_and_its_children(dev, repo, kind):
    members = [image(f"for {a}", arch=a, kind=kind) for a in ("amd64", "arm64")]
    made = index(members, kind=kind)
    dev.push(repo, made, "multi")
    served(dev, repo, "multi", made.manifest, DOCKER_LIST if kind == "docker" else OCI_INDEX, made.digest)
    for member in members:
        served(dev, repo, member.digest, member.manifest, member.media_type, member.digest)


def test_a_bad_tag_parameter_is_refused_whole(dev, repo):
    made = image("bad tag")
    dev.push(repo, made)
    put(dev, repo, made.digest, made.manifest, made.media_type, query="?tag=good&tag=.bad").expect(400)
    dev("HEAD", f"/v2/{repo}/manifests/good").expect(404)


def test_a_manifest_under_another_digest_is_400_and_nothing_is_kept(dev, repo):
    made = image("two spaces")
    dev.push(repo, made)
    wrong = made.manifest + b"  "
    other = sha256(os.urandom(8))
    put(dev, repo, other, wrong, made.media_type).expect(400, "DIGEST_INVALID")
    put(dev, repo, made.digest, wrong, made.media_type).expect(400)
    dev("HEAD", f"/v2/{repo}/manifests/{other}").expect(404)
    dev("HEAD", f"/v2/{repo}/manifests/{sha256(wrong)}").expect(404)


@pytest.mark.parametrize("reference", ["sha256:baddigeststring", "sha256:totallywrong", "md5:" + "0" * 32, "sha256:" + "A" * 64])
def test_a_digest_that_is_none_is_refused(dev, repo, reference):
    made = image("x")
    dev.push(repo, made)
    put(dev, repo, reference, made.manifest, made.media_type).expect(400)
    answer = dev("GET", f"/v2/{repo}/manifests/{reference}").expect((400, 404))
    assert answer.code in ("DIGEST_INVALID", "MANIFEST_UNKNOWN", "MANIFEST_INVALID", "TAG_INVALID", "UNSUPPORTED")


@pytest.mark.parametrize("tag", [".dot", "-dash", "a" * 129, "sp%20ace", "a+b", "a:b"])
def test_a_tag_outside_the_grammar_is_refused(dev, repo, tag):
    made = image("tags")
    dev.push(repo, made)
    put(dev, repo, tag, made.manifest, made.media_type).expect((400, 404))
    assert dev("GET", f"/v2/{repo}/tags/list").expect((200, 404)).json.get("tags", []) in ([], None)


@pytest.mark.parametrize("tag", ["_", "a" * 128, "V1.2_x-3", "0", "UPPER", "a..b--c__d"])
def test_a_tag_inside_the_grammar_is_kept(dev, repo, tag):
    made = image("tags")
    dev.push(repo, made, tag)
    served(dev, repo, tag, made.manifest, made.media_type, made.digest)


@pytest.mark.parametrize("rest", ["a/blobs/b", "x/manifests/y", "tags", "blobs/uploads", "a-b_c.d/e__f/g--h", "manifests", "referrers/tags/list"])
def test_repositories_may_be_named_like_parts_of_the_protocol(dev, house, rest):
    repo = f"{house.ns}/{rest}"
    made = image(rest)
    dev.push(repo, made, "v1")
    served(dev, repo, "v1", made.manifest, made.media_type, made.digest)
    assert dev("GET", f"/v2/{repo}/tags/list").expect(200).json == {"name": repo, "tags": ["v1"]}


@pytest.mark.parametrize("name", ["UPPER/app", "a//b", "-a/b", "a/b-", "a/.b", "a/b..c", "a/___b", "a" * 260 + "/b", "single"])
def test_a_name_outside_the_grammar_is_refused_with_name_invalid(registry, name):
    admin = registry.client(registry.admin, plain=True)
    made = image("name")
    answer = put(admin, name, "v1", made.manifest, made.media_type).expect((400, 404))
    assert answer.code in ("NAME_INVALID", "NAME_UNKNOWN", "NOT_FOUND"), answer
    if name == "single":
        assert answer.expect(400).code == "NAME_INVALID" and "namespace" in answer.message


BROKEN = {
    "no json": b"not json", "empty": b"", "an array": b"[]", "a string": b'"x"', "null": b"null", "trailing bytes": b'{"schemaVersion":2}x',
    "duplicate members": b'{"schemaVersion":2,"schemaVersion":2,"config":{},"layers":[]}', "schema 1": b'{"schemaVersion":1,"name":"x","tag":"y"}',
    "invalid utf-8": b'{"schemaVersion":2,"x":"\xff"}', "deep": b'{"schemaVersion":2,"x":' + b"[" * 100 + b"]" * 100 + b"}",
    "very deep": b"[" * 100000, "no config": b'{"schemaVersion":2,"layers":[]}',
    "layers no list": compact({"schemaVersion": 2, "config": {"mediaType": OCI_CONFIG, "digest": sha256(b"{}"), "size": 2}, "layers": {}}),
    "size a string": compact({"schemaVersion": 2, "config": {"mediaType": OCI_CONFIG, "digest": sha256(b"{}"), "size": "2"}, "layers": []}),
    "size negative": compact({"schemaVersion": 2, "config": {"mediaType": OCI_CONFIG, "digest": sha256(b"{}"), "size": -2}, "layers": []}),
    "digest no digest": compact({"schemaVersion": 2, "config": {"mediaType": OCI_CONFIG, "digest": "x", "size": 2}, "layers": []}),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_manifest_is_400_and_nothing_is_stored(dev, repo, what):
    dev.push_blob(repo, b"{}", sha256(b"{}"))
    put(dev, repo, "broken", BROKEN[what], OCI_MANIFEST).expect(400, "MANIFEST_INVALID")
    dev("HEAD", f"/v2/{repo}/manifests/broken").expect(404)
    dev("HEAD", f"/v2/{repo}/manifests/{sha256(BROKEN[what])}").expect(404)


def test_too_many_descriptors_are_refused(dev, repo):
    dev.push_blob(repo, b"{}", sha256(b"{}"))
    one = {"mediaType": OCI_EMPTY, "digest": sha256(b"{}"), "size": 2}
    for count, status in ((4000, 201), (4200, 400)):
        manifest = compact({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": one, "layers": [one] * count})
        put(dev, repo, "many", manifest, OCI_MANIFEST).expect(status)


def test_a_conditional_get_is_304(dev, repo):
    made = image("etag")
    dev.push(repo, made, "v1")
    for reference in ("v1", made.digest):
        answer = dev.get(repo, reference, headers=[("If-None-Match", f'"{made.digest}"')]).expect(304)
        assert answer.body == b""
        dev.get(repo, reference, headers=[("If-None-Match", '"sha256:other"')]).expect(200)


def test_deleting_a_manifest_deletes_its_tags_at_once(dev, owner, repo):
    kept, made = image("kept"), image("deleted")
    dev.push(repo, kept, "kept")
    for tag in ("a", "b"):
        dev.push(repo, made, tag)
    owner("DELETE", f"/v2/{repo}/manifests/{made.digest}").expect(202)
    for reference in ("a", "b", made.digest):
        dev.get(repo, reference, "HEAD").expect(404)
    assert dev("GET", f"/v2/{repo}/tags/list").expect(200).json["tags"] == ["kept"]
    owner("DELETE", f"/v2/{repo}/manifests/{made.digest}").expect(404, "MANIFEST_UNKNOWN")
    dev.push(repo, made, "again")
    served(dev, repo, "again", made.manifest, made.media_type, made.digest)


def test_deleting_what_is_not_there_is_404(owner, dev, repo):
    owner("DELETE", f"/v2/{repo}-never/manifests/{sha256(b'x')}").expect(404)
    dev.push(repo, image("x"), "x")
    owner("DELETE", f"/v2/{repo}/manifests/{sha256(b'x')}").expect(404, "MANIFEST_UNKNOWN")
    owner("DELETE", f"/v2/{repo}/manifests/nope").expect(404)


def test_the_same_manifest_is_refused_when_a_layer_has_gone_since_and_taken_when_it_is_back(dev, owner, repo):
    made = image("torn")
    dev.push(repo, made, "v1")
    (layer,) = made.layers
    owner("DELETE", f"/v2/{repo}/blobs/{layer}").expect(202)
    for reference in ("v2", made.digest):
        assert layer in put(dev, repo, reference, made.manifest, made.media_type).expect(404, "MANIFEST_BLOB_UNKNOWN").message
    dev.get(repo, "v2", "HEAD").expect(404)
    dev.push(repo, made, "v2")
    served(dev, repo, "v2", made.manifest, made.media_type, made.digest)


def test_the_same_index_is_refused_when_a_child_has_gone_since(dev, owner, repo):
    members = [image(f"torn {a}", arch=a) for a in ("amd64", "arm64")]
    made = index(members)
    dev.push(repo, made, "v1")
    owner("DELETE", f"/v2/{repo}/manifests/{members[0].digest}").expect(202)
    answer = put(dev, repo, "v2", made.manifest, made.media_type).expect(404, "MANIFEST_BLOB_UNKNOWN")
    assert members[0].digest in answer.message
    dev.get(repo, "v2", "HEAD").expect(404)
    dev.push(repo, made, "v2")


def test_a_manifest_that_does_not_say_what_it_is_keeps_the_type_of_its_first_push(dev, owner, repo):
    made = image("nameless")
    dev.push(repo, made)
    content = compact({k: v for k, v in made.parsed.items() if k != "mediaType"})
    put(dev, repo, "v1", content, "application/json").expect(201)
    for reference in ("v1", "v2", sha256(content)):
        assert "application/json" in put(dev, repo, reference, content, OCI_MANIFEST).expect(400, "MANIFEST_INVALID").message
    dev.get(repo, "v2", "HEAD").expect(404)
    served(dev, repo, "v1", content, "application/json", sha256(content))
    put(dev, repo, "v2", content, "Application/JSON; charset=utf-8").expect(201)  # the same type (RFC 9110 8.3.1)
    owner("DELETE", f"/v2/{repo}/manifests/{sha256(content)}").expect(202)
    put(dev, repo, "v1", content, OCI_MANIFEST).expect(201)
    served(dev, repo, "v1", content, OCI_MANIFEST, sha256(content))


def test_the_tag_moves_and_the_old_image_stays_by_digest(dev, repo):
    one, two = image("one"), image("two")
    dev.push(repo, one, "v")
    dev.push(repo, two, "v")
    served(dev, repo, "v", two.manifest, two.media_type, two.digest)
    served(dev, repo, one.digest, one.manifest, one.media_type, one.digest)


def test_the_first_push_of_an_administrator_makes_the_namespace_and_nobody_elses(registry, house):
    made = image("first")
    registry.client(registry.admin).push("fresh/deep/app", made, "v1")
    listed = json.loads(registry.bond("namespaces", "list", "--json").out)
    names = [n["name"] for n in (listed["namespaces"] if isinstance(listed, dict) else listed)]
    assert "fresh" in names
    answer = registry.client(house.owner)("POST", "/v2/not-there/app/blobs/uploads/").expect((401, 404))
    unreadable = registry.client(house.owner)("POST", "/v2/fresh/app/blobs/uploads/")
    assert answer.status == unreadable.status  # what one may not see cannot be told from what is not there
    assert "not-there" not in registry.bond("namespaces", "list").out
