"""What the specification says and no suite asks: limits, pages, parameters, extensions."""
import os
import re
import urllib.parse

import pytest

from conformance import blobs, content, stages
from conformance.content import DataSet
from support.images import DOCKER_LIST, OCI_INDEX, OCI_MANIFEST, compact, sha256
from support.server import at

LIMIT = 4 << 20  # the default of limits.manifest


def push_all(t, s):
    for digest, bytes_ in s.blobs.items():
        blobs.put(t, blobs.begin(t, t.repo1), digest, bytes_).expect(201)
    for manifest in s.manifests:
        stages.put(t, manifest.digest, manifest).expect(201)
    for tag, manifest in s.tags.items():
        stages.put(t, tag, manifest).expect(201)


def pages(t, target):
    """The answers to a list and to what its Links say."""
    while target:
        answer = t.call("GET", target).expect(200)
        yield answer
        link = answer.header("Link")
        found = link and re.fullmatch(r'<([^>]+)>; rel="next"', link)
        assert link is None or found, answer
        target = found and at(urllib.parse.urljoin(target, found.group(1)))


@pytest.fixture
def t(target):
    return target.sibling()


# --- manifests ------------------------------------------------------------------------------------------------------------

def manifest_of(t, size):
    """An image manifest of exactly so many bytes."""
    s = DataSet("size")
    s.image(annotations={"n": ""})
    short = s.manifests.pop().content
    grown = short.replace(b'{"n":""}', b'{"n":"' + b"A" * (size - len(short)) + b'"}')
    assert len(grown) == size
    s.add(grown, OCI_MANIFEST)
    return s


@pytest.mark.parametrize("chunked", [False, True])
def test_the_largest_manifest_is_accepted_and_one_byte_more_is_413(t, chunked):
    for size, status in ((LIMIT, 201), (LIMIT + 1, 413)):
        s = manifest_of(t, size)
        for digest, bytes_ in s.blobs.items():
            blobs.put(t, blobs.begin(t, t.repo1), digest, bytes_).expect(201)
        manifest, = s.manifests
        answer = t.call("PUT", f"/v2/{t.repo1}/manifests/v1", [("Content-Type", OCI_MANIFEST)], [manifest.content] if chunked else manifest.content, chunked)
        answer.expect(status)
        if status == 413:
            assert answer.code == "SIZE_INVALID" and answer.message
            stages.get(t, manifest.digest, "HEAD").expect(404)
        else:
            stages.is_served(stages.get(t, "v1"), manifest)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_ten_tag_parameters_are_accepted_and_eleven_are_414(t, algorithm):
    s = DataSet("tags", algorithm)
    s.image()
    push_all(t, s)
    manifest, = s.manifests
    ten = [f"t{i}" for i in range(10)]
    stages.is_put(t, stages.put(t, manifest.digest, manifest, ten), manifest, ten)
    answer = stages.put(t, manifest.digest, manifest, [f"u{i}" for i in range(11)]).expect(414)
    assert answer.message
    assert t.call("GET", f"/v2/{t.repo1}/tags/list").expect(200).json["tags"] == ten


@pytest.mark.parametrize("content_type,status", [(OCI_MANIFEST, 201), (OCI_MANIFEST + "; charset=utf-8", 201), (OCI_INDEX, 400), (DOCKER_LIST, 400)])
def test_the_content_type_must_fit_the_media_type(t, content_type, status):
    s = DataSet("type")
    manifest = s.image()
    for digest, bytes_ in s.blobs.items():
        blobs.put(t, blobs.begin(t, t.repo1), digest, bytes_).expect(201)
    answer = t.call("PUT", f"/v2/{t.repo1}/manifests/v1", [("Content-Type", content_type)], manifest.content)
    answer.expect(status, None if status == 201 else "MANIFEST_INVALID")
    if status == 201:
        stages.is_served(stages.get(t, "v1"), manifest)
    else:
        stages.get(t, "v1", "HEAD").expect(404)


def test_a_manifest_without_a_media_type_has_that_of_the_request(t):
    s = DataSet("untyped")
    typed = s.image()
    s.manifests.clear()
    bare = s.add(compact({k: v for k, v in typed.parsed.items() if k != "mediaType"}), OCI_MANIFEST)
    push_all(t, s)
    stages.is_served(stages.get(t, bare.digest), bare)


def test_a_subject_need_not_be_here_and_everything_else_must(t):
    s = DataSet("parts")
    about = {"subject": content.absent(s.digest_of)}
    accepted = s.image(**about)
    refused = [s.image(layers=[content.absent(s.digest_of)]), s.image(config=content.absent(s.digest_of)),
               s.add(compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [content.absent(s.digest_of)]}), OCI_INDEX)]
    for digest, bytes_ in s.blobs.items():
        blobs.put(t, blobs.begin(t, t.repo1), digest, bytes_).expect(201)
    stages.is_put(t, stages.put(t, accepted.digest, accepted), accepted)
    for manifest in refused:
        stages.put(t, manifest.digest, manifest).expect(404, "MANIFEST_BLOB_UNKNOWN")
        stages.get(t, manifest.digest, "HEAD").expect(404)


# --- uploads --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("algorithm,status", [("sha256", 202), ("sha512", 202), ("md5", 400), ("SHA256", 400), ("sha1024", 400), ("", 400)])
def test_a_session_may_name_its_algorithm(t, algorithm, status):
    bytes_ = os.urandom(300)
    answer = t.call("POST", at(f"/v2/{t.repo1}/blobs/uploads/", **{"digest-algorithm": algorithm})).expect(status)
    if status == 400:
        assert answer.code == "DIGEST_INVALID"
        return
    digest = blobs.HASHES[algorithm](bytes_)
    place = blobs.location(blobs.patch(t, blobs.location(answer), bytes_, 0).expect(202))
    blobs.is_created(t, blobs.put(t, place, digest), t.repo1, digest, bytes_)


# --- pages ----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("what", ["tags/list", "referrers/" + sha256(b"x")])
@pytest.mark.parametrize("query,status", [
    ("n=0", 200), ("n=1", 200), ("n=1000", 200), ("n=1001", 200), ("n=9223372036854775807", 200), ("n=%31", 200),
    ("n=9223372036854775808", 400), ("n=18446744073709551616", 400), ("n=-1", 400), ("n=+1", 400), ("n=1.5", 400), ("n=0x10", 400), ("n=x", 400),
    ("n=", 400), ("n=%zz", 400), ("last=%zz", 400), ("last=%00", 400), ("last=%", 400)])
def test_pages_are_bounded_and_odd_parameters_refused(t, what, query, status):
    s = DataSet("pages")
    s.image("v1")
    push_all(t, s)
    answer = t.call("GET", f"/v2/{t.repo1}/{what}?{query}").expect(status)
    if status == 400:
        assert answer.code == "INVALID_REQUEST" and answer.message, answer
    else:
        assert answer.header("Link") is None, answer


def test_links_lead_through_all_tags_in_the_order_of_bytes(t):
    names = ["0", "A", "Z_1", "_under", "a", "b.2", "b.3", "latest", "v1", "v10", "v2"]
    s = DataSet("order")
    manifest = s.image()
    push_all(t, s)
    for name in reversed(names):
        stages.put(t, name, manifest).expect(201)
    path = f"/v2/{t.repo1}/tags/list"
    for n in (1, 4, len(names) - 1, len(names), 1000):
        got = [a.json["tags"] for a in pages(t, f"{path}?n={n}")]
        assert sum(got, []) == names
        assert [len(page) for page in got[:-1]] == [n] * (len(got) - 1) and len(got) == -(-len(names) // n)
    for last, rest in (("b.2", names[6:]), ("b.25", names[6:]), ("", names), ("zzz", []), ("v2", []), ("not!a!tag", names[2:])):
        if last == "not!a!tag":
            rest = [name for name in names if name > last]
        assert t.call("GET", at(path, last=last)).expect(200).json["tags"] == rest
    empty = t.call("GET", f"{path}?n=0").expect(200)
    assert empty.json["tags"] == [] and empty.header("Link") is None


def test_links_lead_through_all_referrers_and_keep_the_filter(t):
    s = DataSet("referrers")
    subject = s.image()
    kind = "application/vnd.example.odd+json"
    made = [s.artifact(artifact_type=kind if i % 2 else "application/vnd.example.even", subject=subject.descriptor()) for i in range(7)]
    push_all(t, s)
    path = f"/v2/{t.repo1}/referrers/{subject.digest}"
    for query, wanted in ({}, made), ({"artifactType": kind}, made[1::2]):
        for n in (1, 2, len(wanted), 1000):
            got = list(pages(t, at(path, n=n, **query)))
            digests = [entry["digest"] for a in got for entry in a.json["manifests"]]
            assert digests == sorted(m.digest for m in wanted) and len(got) == -(-len(wanted) // n)
            assert all(a.header("OCI-Filters-Applied") == ("artifactType" if query else None) for a in got)
            assert all(a.header("Content-Type") == OCI_INDEX and a.json["schemaVersion"] == 2 for a in got)


@pytest.mark.parametrize("written", ["application/vnd.example.odd+json", "application%2Fvnd.example.odd%2Bjson", "application/vnd.example.odd%2bjson"])
def test_a_plus_in_a_filter_is_a_plus_however_it_is_written(t, written):
    """In a form '+' is a blank; a media type has none, and `odd json` would match nothing and say that the filter was applied."""
    s = DataSet("plus")
    subject = s.image()
    kind = "application/vnd.example.odd+json"
    made = [s.artifact(artifact_type=kind if i else kind.replace("+", "-"), subject=subject.descriptor()) for i in range(4)]
    push_all(t, s)
    got = list(pages(t, f"/v2/{t.repo1}/referrers/{subject.digest}?n=2&artifactType={written}"))
    assert [entry["digest"] for a in got for entry in a.json["manifests"]] == sorted(m.digest for m in made[1:]) and len(got) == 2
    assert all(a.header("OCI-Filters-Applied") == "artifactType" for a in got)
    assert "artifactType=application%2Fvnd.example.odd%2Bjson>" in got[0].header("Link")


# --- referrers that a client keeps by itself ------------------------------------------------------------------------------

def fallback_tag(digest):
    algorithm, _, hex_ = digest.partition(":")
    return f"{algorithm}-{hex_[:64]}"


class Kept:
    """A subject with a referrer of the API's own, and manifests that only a client's index calls referrers."""

    def __init__(self, algorithm="sha256"):
        self.s = s = DataSet("kept", algorithm)
        self.subject = s.image()
        self.own = s.artifact(subject=self.subject.descriptor(), annotations={"from": "the manifest"})
        self.loose = [s.artifact(artifact_type="application/vnd.example.loose") for _ in range(3)]

    def index(self, entries, media_type=OCI_INDEX):
        return self.s.add(compact({"schemaVersion": 2, "mediaType": media_type, "manifests": entries}), media_type, fallback_tag(self.subject.digest))

    def entries(self):
        notes = {"from": "the descriptor"}
        return [m.descriptor(artifactType=m.parsed["artifactType"], annotations=notes) for m in (*self.loose, self.own)]


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_an_index_under_the_subjects_tag_is_merged_into_the_list(t, algorithm):
    kept = Kept(algorithm)
    kept.index(kept.entries() + kept.entries())  # twice the same
    push_all(t, kept.s)
    wanted = {e["digest"]: e for e in kept.entries()} | {kept.own.digest: kept.own.as_referrer()}
    assert stages.listed_referrers(t, kept.subject.digest)[1] == wanted
    answer, found = stages.listed_referrers(t, kept.subject.digest, "application/vnd.example.loose")
    assert answer.header("OCI-Filters-Applied") == "artifactType" and found == {m.digest: wanted[m.digest] for m in kept.loose}
    for n in (1, 2, 3, 4):
        got = list(pages(t, f"/v2/{t.repo1}/referrers/{kept.subject.digest}?n={n}"))
        assert [e["digest"] for a in got for e in a.json["manifests"]] == sorted(wanted) and len(got) == -(-4 // n)


def test_what_a_clients_index_says_of_a_manifest_is_not_believed(t):
    kept = Kept()
    loose = kept.loose[0]
    kept.index([{**loose.descriptor(), "artifactType": "application/vnd.example.a-lie", "mediaType": OCI_INDEX}])
    push_all(t, kept.s)
    _, found = stages.listed_referrers(t, kept.subject.digest)
    assert found[loose.digest] == loose.as_referrer()
    assert stages.listed_referrers(t, kept.subject.digest, "application/vnd.example.a-lie")[1] == {}


def test_an_entry_that_is_deleted_leaves_the_merged_list(t):
    kept = Kept()
    kept.index(kept.entries())
    push_all(t, kept.s)
    t.call("DELETE", f"/v2/{t.repo1}/manifests/{kept.loose[1].digest}").expect(202)
    assert set(stages.listed_referrers(t, kept.subject.digest)[1]) == {kept.loose[0].digest, kept.loose[2].digest, kept.own.digest}
    t.call("DELETE", f"/v2/{t.repo1}/manifests/{fallback_tag(kept.subject.digest)}").expect(202)
    assert set(stages.listed_referrers(t, kept.subject.digest)[1]) == {kept.own.digest}


@pytest.mark.parametrize("what", ["an image", "a docker list", "an index of another type", "under another tag"])
def test_what_is_no_index_under_that_tag_is_ignored(t, what):
    kept = Kept()
    tag = fallback_tag(kept.subject.digest)
    if what == "an image":
        kept.s.tags[tag] = kept.loose[0]
    elif what == "a docker list":
        kept.index(kept.entries(), DOCKER_LIST)
    elif what == "an index of another type":
        kept.index(kept.entries(), "application/vnd.example.index+json")
    else:
        kept.s.tags = {f"{tag}.sig": kept.index(kept.entries()), f"{tag[:-1]}{'0' if tag[-1] != '0' else '1'}": kept.s.manifests[-1]}
    push_all(t, kept.s)
    assert set(stages.listed_referrers(t, kept.subject.digest)[1]) == {kept.own.digest}


# --- extensions -----------------------------------------------------------------------------------------------------------

def endpoints(answer):
    listed = answer.expect(200).json["extensions"]
    assert answer.header("Content-Type").startswith("application/json")
    for extension in listed:
        assert re.fullmatch(r"_[a-z0-9]+([._-][a-z0-9]+)*", extension["name"]) and extension["url"].startswith("https://") and extension["description"]
    return {extension["name"]: extension["endpoints"] for extension in listed}


def test_extensions_are_told_and_are_there(registry, house, t):
    s = DataSet("extensions")
    s.image("v1")
    push_all(t, s)
    of_server = endpoints(t.call("GET", "/v2/_oci/ext/discover"))
    assert of_server == {"_oci": ["/v2/_oci/ext/discover"], "_catalog": ["/v2/_catalog"], "_trust": ["/v2/_trust/changefeed"]}
    of_repository = endpoints(t.call("GET", f"/v2/{t.repo1}/_oci/ext/discover"))
    gun = registry.gun(t.repo1)
    assert of_repository == {"_oci": [f"/v2/{t.repo1}/_oci/ext/discover"], "_trust": [f"/v2/{gun}/_trust/tuf/", f"/v2/{gun}/_trust/changefeed"]}
    for path in ("/v2/_oci/ext/discover", "/v2/_catalog", *of_repository["_oci"]):
        house["owner"]("GET", path).expect(200)
    assert house["owner"]("GET", f"/v2/{gun}/_trust/changefeed?records=1").expect(200).json["count"] == 0


def test_extensions_are_told_to_those_who_may_read(registry, house, t):
    s = DataSet("extensions")
    s.image("v1")
    push_all(t, s)
    for who in ("reader", "deployer"):
        house[who]("GET", f"/v2/{t.repo1}/_oci/ext/discover").expect(200)
    registry.wire.request("GET", "/v2/_oci/ext/discover").expect(401)
    challenge = registry.wire.request("GET", f"/v2/{t.repo1}/_oci/ext/discover").expect(401).challenge()
    assert challenge["scope"] == f"repository:{t.repo1}:pull"
    hidden = house["stranger"]("GET", f"/v2/{t.repo1}/_oci/ext/discover")
    assert hidden.status == house["stranger"]("GET", "/v2/never/never/_oci/ext/discover").expect((401, 404)).status
    house["owner"]("GET", f"/v2/{t.repo1}-never/_oci/ext/discover").expect(404, "NAME_UNKNOWN")


# --- tokens ---------------------------------------------------------------------------------------------------------------

def test_a_token_that_reads_is_asked_to_be_one_that_writes_at_a_session(registry, house, t):
    """GET of a session belongs to pushing: a pull token is told which scope would do (401, not 403)."""
    place = blobs.begin(t, t.repo1)
    bearer = {"Authorization": f"Bearer {registry.token(house.owner, f'repository:{t.repo1}:pull')}"}
    challenge = registry.plain.request("GET", place, bearer).expect(401, "UNAUTHORIZED").challenge()
    assert challenge["error"] == "insufficient_scope"
    assert challenge["scope"] == f"repository:{t.repo1}:pull,push"
    t.call("GET", place).expect(204)


def test_a_wrong_authorization_is_401_again(registry, t):
    for wrong in ("Bearer nonsense", "Basic bm9ib2R5Om5vdGhpbmc=", "Basic !", "Digest x", "Bearer"):
        registry.plain.request("GET", f"/v2/{t.repo1}/tags/list", {"Authorization": wrong}).expect(401, "UNAUTHORIZED").challenge()


@pytest.mark.parametrize("source", ["readable", "hidden", "absent"])
def test_a_mount_needs_a_right_on_its_source_and_no_scope(registry, house, t, source):
    """The token grants the target alone. What the account may not read is not mounted, and not told."""
    content_ = os.urandom(200)
    digest = sha256(content_)
    where = t.repo2
    if source == "hidden":
        where = "conformance-vault/app"
        registry.client(registry.admin, plain=True).push_blob(where, content_, digest)
    elif source == "readable":
        blobs.put(t, blobs.begin(t, where), digest, content_).expect(201)
    bearer = {"Authorization": f"Bearer {registry.token(house.developer, f'repository:{t.repo1}:pull,push')}"}
    for query in ({"from": where}, {}):
        answer = registry.plain.request("POST", at(f"/v2/{t.repo1}/blobs/uploads/", mount=digest, **query), bearer)
        answer.expect(201 if source == "readable" else 202)
    registry.plain.request("HEAD", f"/v2/{t.repo1}/blobs/{digest}", bearer).expect(200 if source == "readable" else 404)
