"""The cases of the conformance suite of the OCI distribution specification, every switch on: nothing may be missing.
BONDSTORE_CONFORMANCE=HOST:PORT runs them against another registry (plain HTTP, no sign-in) instead."""
import os

import pytest

from conformance import blobs, content, stages
from conformance.cases import Case
from conformance.target import OTHER, of_server
from support.images import OCI_INDEX, sha256


@pytest.fixture
def case(request, target):
    """case(area): its leaves are judged when the test ends."""
    made = []

    def start(area):
        made.append(Case(area, target.strict))
        return made[-1]
    yield start
    for c in made:
        c.close()


def test_ping(case, target):
    with case("ping").leaf("ping"):
        target.call("GET", "/v2/").expect((200, 401))


def test_a_repository_that_does_not_exist(case, nobody_pushed_here):
    """Before anything is pushed to the registry at all: not even its namespace is there."""
    c, t = case("empty"), nobody_pushed_here
    with c.leaf("tag list"):
        answer = t.call("GET", f"/v2/{t.repo1}/tags/list").expect((200, 404))
        assert answer.status == 404 or answer.json["name"] == t.repo1
    with c.leaf("referrers"):
        answer = t.call("GET", f"/v2/{t.repo1}/referrers/{sha256(os.urandom(9))}").expect(200)
        assert answer.header("Content-Type") == OCI_INDEX
        assert answer.json == {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}


@pytest.fixture(params=["administrator", "owner"])
def nobody_pushed_here(request, target):
    """The administrator makes namespaces by pushing; the owner has one already."""
    if OTHER:
        return target.sibling()
    registry = request.getfixturevalue("registry")
    return of_server(registry, registry.admin, "never-pushed") if request.param == "administrator" else target.sibling()


@pytest.mark.parametrize("name", blobs.CASES)
@pytest.mark.parametrize("algorithm", blobs.HASHES)
def test_blobs(case, target, algorithm, name):
    blobs.CASES[name](case(f"{algorithm} blobs"), target, blobs.HASHES[algorithm])


@pytest.mark.parametrize("name", [name for name in content.SETS if name != "sparse"])
def test_data(case, target, name):
    stages.run(case("data"), target, content.data_set(name))


def test_sparse_data(case, sparse_target):
    stages.run(case("sparse data"), sparse_target, content.data_set("sparse"))


def test_sparse_data_is_refused_where_the_setting_is_off(target):
    """Each manifest whose parts are not here; nothing is stored of it."""
    if not target.strict:
        pytest.skip("the setting is this server's")
    s = content.data_set("sparse")
    whole = {m.digest for m in s.manifests if "config" in m.parsed and all(d["digest"] in s.blobs for d in m.parsed["layers"])}
    for digest, bytes_ in s.blobs.items():
        blobs.put(target, blobs.begin(target, target.repo1), digest, bytes_).expect(201)
    for manifest in s.manifests:
        answer = stages.put(target, manifest.digest, manifest)
        if manifest.digest in whole:
            answer.expect(201)
            continue
        answer.expect(404, "MANIFEST_BLOB_UNKNOWN")
        stages.get(target, manifest.digest, "HEAD").expect(404)


def test_missing_manifests(case, target):
    c = case("missing manifest")
    for name, reference in (("by-digest", sha256(os.urandom(9))), ("by-tag", "never-pushed")):
        with c.leaf(name):
            stages.get(target, reference).expect(404, "MANIFEST_UNKNOWN")


def test_a_malformed_digest(case, target):
    c, s = case("invalid digest format"), content.data_set("image")
    stages.push(c, target, s)
    with c.leaf("manifest-put"):
        stages.put(target, "sha256:baddigeststring", s.manifests[0]).expect(400)
    with c.leaf("manifest-get"):
        stages.get(target, "sha256:baddigeststring").expect((400, 404))
    stages.delete(c, target, s)
