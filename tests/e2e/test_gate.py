"""The gate over HTTP: cases G and H of the attack list, signed with the real notary client.
T = tag v1, signed as D1. dep = a gated identity, dev = a developer."""
import base64
import hashlib
import os
import re
import shutil

import pytest

from support.images import DOCKER_MANIFEST, OCI_CONFIG, OCI_MANIFEST, Image, artifact, compact, image, index, sha256, tar
from support.notary import Notary
from support.process import run
from support.server import eventually

SHARED = tar({"lib": None, "lib/common": b"a layer that several images share\n"})


class Scene:
    """One repository whose v1 is signed as D1 (a two-platform index)."""

    def __init__(self, house, keeper, repo):
        self.house, self.keeper, self.repo = house, keeper, repo
        self.dev, self.dep = house["developer"], house["deployer"]
        self.amd, self.arm = image(f"{repo} amd", shared=[SHARED]), image(f"{repo} arm", arch="arm64")
        self.d1 = index([self.amd, self.arm])
        self.dev.push(repo, self.d1, "v1")
        keeper.init(repo)
        keeper.sign(repo, "v1", self.d1)

    def move(self, tag="v1", text="other"):
        """dev pushes an unsigned image over the tag."""
        made = image(f"{self.repo} {text}", shared=[SHARED])
        self.dev.push(self.repo, made, tag)
        return made

    def both(self, reference, status, reason=None, client=None, headers=()):
        """HEAD and GET: the same status, phrase and headers; HEAD without body (H-04)."""
        client = client or self.dep
        got, head = (client.get(self.repo, reference, m, headers) for m in ("GET", "HEAD"))
        assert got.status == status, got
        assert (head.status, head.reason, head.body) == (got.status, got.reason, b"")
        for name in ("Warning", "Cache-Control", "Vary", "Content-Type", "Docker-Content-Digest", "ETag"):
            assert head.header_all(name) == got.header_all(name), name
        if reason:
            refused(got, reason)
        return got

    def blob(self, digest, client=None, method="GET", headers=()):
        return (client or self.dep)(method, f"/v2/{self.repo}/blobs/{digest}", headers)


def refused(answer, reason):
    """The wire form of a refusal (gate 10.1)."""
    assert answer.expect(403).code == "DENIED"
    assert answer.error["detail"]["reason"] == reason, answer
    assert answer.message.startswith("content trust: ") and len(answer.message) <= 700
    assert reason in answer.reason and len(answer.reason) <= 160 and all(0x20 <= ord(c) < 0x7f for c in answer.reason)
    warning, = answer.header_all("Warning")
    assert re.fullmatch(r'299 - "[^"\\]+"', warning) and len(warning) <= 4096
    assert answer.header("Cache-Control") == "no-store" and "Authorization" in answer.header("Vary")
    return answer


@pytest.fixture(scope="module")
def moved(house, keeper):
    """T signed as D1; then dev pushed D2 over it."""
    scene = Scene(house, keeper, f"{house.ns}/gate-moved")
    scene.d2 = scene.move()
    return scene


@pytest.fixture(scope="module")
def still(house, keeper):
    """T signed as D1 and still D1."""
    return Scene(house, keeper, f"{house.ns}/gate-still")


def short(digest):
    return digest[:15]


def test_a_signed_tag_is_served_whole_to_a_deployer(still):
    got = still.both("v1", 200)
    assert got.body == still.d1.manifest and got.header("Docker-Content-Digest") == still.d1.digest
    assert "private" in got.header("Cache-Control") and "Authorization" in got.header("Vary")
    assert got.header("ETag") == f'"{still.d1.digest}"'
    still.both(still.d1.digest, 200)
    for digest, content in still.d1.blobs.items():
        assert still.blob(digest).expect(200).body == content
        assert still.blob(digest, headers=[("Range", "bytes=0-9")]).expect(206).body == content[:10]
    assert still.house.server.counter("bondstore_gate_decisions_total", effect="allow") >= 1


def test_g01_a_tag_never_signed_in_a_repository_without_trust_data(house, repo):
    house["developer"].push(repo, image("never"), "v1")
    for method in ("GET", "HEAD"):
        house["deployer"].get(repo, "v1", method).expect(403)
    assert "no trust data" in refused(house["deployer"].get(repo, "v1"), "unsigned").message


def test_g02_a_tag_that_moved_after_signing(moved):
    got = moved.both("v1", 403, "digest_mismatch")
    assert f"v1 is signed as {short(moved.d1.digest)}" in got.message and short(moved.d2.digest) in got.message and "not signed" in got.message
    detail = got.error["detail"]
    assert (detail["signed_digest"], detail["registry_digest"], detail["tag"]) == (moved.d1.digest, moved.d2.digest, "v1")
    assert moved.d1.digest[7:15] in got.reason and moved.d2.digest[7:15] in got.reason
    assert moved.house.server.counter("bondstore_gate_decisions_total", effect="deny", reason="digest_mismatch") >= 2


def test_g03_the_signed_digest_still_pulls(moved):
    assert moved.both(moved.d1.digest, 200).body == moved.d1.manifest


def test_g04_the_unsigned_digest_does_not(moved):
    moved.both(moved.d2.digest, 403, "unsigned_digest")


def test_g05_a_second_tag_of_a_signed_digest_needs_its_own_entry(still):
    still.dev.push(still.repo, still.d1, "v2")
    still.both("v2", 403, "unsigned")
    still.both(still.d1.digest, 200)


def test_g06_children_of_the_signed_index_pull_by_digest(still):
    for child in (still.amd, still.arm):
        assert still.both(child.digest, 200).body == child.manifest


def test_g07_a_child_of_an_unsigned_index_does_not(moved):
    stranger = image("stranger's platform", arch="riscv64")
    unsigned = index([moved.amd, stranger])
    moved.dev.push(moved.repo, unsigned, "unsigned-index")
    moved.both(stranger.digest, 403, "unsigned_digest")
    moved.both(unsigned.digest, 403, "unsigned_digest")
    moved.both(moved.amd.digest, 200)


def test_g08_blobs_follow_their_manifests(moved):
    own = [d for d in moved.d2.blobs if d not in moved.d1.blobs]
    shared = [d for d in moved.d2.blobs if d in moved.d1.blobs]
    assert own and shared
    for digest in own:
        for method in ("GET", "HEAD"):
            answer = moved.blob(digest, method=method).expect(403)
            assert "blob_not_reachable" in answer.reason
        refused(moved.blob(digest), "blob_not_reachable")
        moved.blob(digest, headers=[("Range", "bytes=0-1")]).expect(403)
    for digest in shared:
        moved.blob(digest).expect(200)
    moved.blob(sha256(os.urandom(8))).expect(404)


def test_g09_a_runnable_image_with_a_signed_subject_is_no_way_in(still):
    evil = image("evil", subject=still.d1.descriptor())
    still.dev.push(still.repo, evil)
    still.both(evil.digest, 403, "unsigned_digest")
    disguised = Image(compact({**evil.parsed, "artifactType": "application/vnd.dev.cosign.artifact.sig.v1+json"}), OCI_MANIFEST, evil.blobs)
    still.dev.push(still.repo, disguised)
    still.both(disguised.digest, 403, "unsigned_digest")
    config = compact({"hidden": True})
    typed = Image(compact({**evil.parsed, "config": {"mediaType": "application/x", "digest": sha256(config), "size": len(config)}}), OCI_MANIFEST,
                  {**evil.blobs, sha256(config): config})
    still.dev.push(still.repo, typed)
    still.both(typed.digest, 403, "unsigned_digest")  # its layers are image layers


COSIGN_LAYER = "application/vnd.dev.cosign.simplesigning.v1+json"
DISGUISES = [  # what docker 20.10 or podman 4.3 run all the same: type of the manifest, of its configuration, of its layers
    (OCI_MANIFEST, "application/octet-stream", "application/octet-stream"),
    (OCI_MANIFEST, "application/json", "application/octet-stream"),
    (OCI_MANIFEST, "text/html", "application/octet-stream"),
    (OCI_MANIFEST, "", "application/octet-stream"),
    (OCI_MANIFEST, "application/octet-stream", "application/vnd.OCI.image.layer.v1.tar+gzip"),
    (OCI_MANIFEST, "application/vnd.OCI.image.config.v1+json", "application/octet-stream"),
    (OCI_MANIFEST, "application/vnd.oci.image.config.v1+json;a=b", "application/octet-stream"),
    (OCI_MANIFEST, "application/octet-stream", ""),
    (DOCKER_MANIFEST, "application/octet-stream", "application/octet-stream"),
    (DOCKER_MANIFEST, "application/json", "application/octet-stream"),
    (OCI_MANIFEST, OCI_CONFIG, COSIGN_LAYER),
    (OCI_MANIFEST, OCI_CONFIG, "application/vnd.dsse.envelope.v1+json"),
    (OCI_MANIFEST, OCI_CONFIG, "application/x-anything"),
]


def dressed(whole, manifest_type, config_type, layer_type, subject):
    parts = whole.parsed
    parts.update(mediaType=manifest_type, subject=subject.descriptor())
    parts["config"]["mediaType"] = config_type
    for layer in parts["layers"]:
        layer["mediaType"] = layer_type
    return Image(compact(parts), manifest_type, whole.blobs)


@pytest.mark.parametrize("types", DISGUISES)
def test_g09_nor_is_one_that_dresses_as_a_signature_of_it(still, types):
    """By digest, by the tag of a signature, layer by layer, in the list of referrers: no way."""
    evil = dressed(image(f"evil {types}"), *types, still.d1)
    tag = f"sha256-{still.d1.hex}.sig"
    still.dev.push(still.repo, evil, tag)
    still.both(evil.digest, 403, "unsigned_digest")
    still.both(tag, 403, "unsigned_digest")
    for digest in [evil.config, *evil.layers]:
        refused(still.blob(digest), "blob_not_reachable")
    assert evil.digest not in list_referrers(still.dep, still.repo, still.d1.digest)
    assert evil.digest in list_referrers(still.dev, still.repo, still.d1.digest)
    still.house["maintainer"]("DELETE", f"/v2/{still.repo}/manifests/{tag}").expect(202)


def test_a_signature_of_cosigns_first_form_is_readable(still):
    """It dresses as an image; what its layer holds is a document."""
    payload = compact({"critical": {"image": {"docker-manifest-digest": still.d1.digest}}, "optional": None})
    config = compact({"rootfs": {"type": "layers", "diff_ids": [sha256(payload)]}})
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": {"mediaType": OCI_CONFIG, "digest": sha256(config), "size": len(config)},
                "layers": [{"mediaType": COSIGN_LAYER, "digest": sha256(payload), "size": len(payload)}]}
    made = Image(compact(manifest), OCI_MANIFEST, {sha256(config): config, sha256(payload): payload})
    still.dev.push(still.repo, made, f"sha256-{still.d1.hex}.sig")
    still.both(f"sha256-{still.d1.hex}.sig", 200)
    still.both(made.digest, 200)
    still.blob(sha256(payload)).expect(200)
    still.house["maintainer"]("DELETE", f"/v2/{still.repo}/manifests/sha256-{still.d1.hex}.sig").expect(202)


def test_g11_metadata_of_a_signed_image_is_readable(still):
    sbom = artifact("sbom of d1", still.d1.descriptor())
    still.dev.push(still.repo, sbom)
    still.both(sbom.digest, 200)
    for digest in sbom.blobs:
        still.blob(digest).expect(200)
    listed = still.dep("GET", f"/v2/{still.repo}/referrers/{still.d1.digest}").expect(200).json["manifests"]
    assert sbom.digest in [m["digest"] for m in listed]


def test_a_crowd_of_artifacts_of_unsigned_images_hides_none_of_a_signed_one(house, keeper, repo):
    """All of them share the empty config, as artifacts do."""
    scene = Scene(house, keeper, repo)
    for i in range(70):
        absent = {"mediaType": OCI_MANIFEST, "digest": f"sha256:{i:064x}", "size": 7}
        scene.dev.push(repo, artifact(f"{repo} {i}", absent))
    theirs, ours = artifact(f"{repo} 0", absent), artifact(f"sbom of {repo}", scene.d1.descriptor())
    empty, = set(theirs.blobs) & set(ours.blobs)
    refused(scene.blob(empty), "blob_not_reachable")
    scene.dev.push(repo, ours)
    for digest, content in ours.blobs.items():
        assert scene.blob(digest).expect(200).body == content
    own, = set(theirs.blobs) - {empty}
    refused(scene.blob(own), "blob_not_reachable")


def test_a_crowd_of_artifact_tags_on_one_manifest_keeps_no_list_of_tags_from_a_deployer(house, keeper, repo):
    """What a loop thread leaves undecided is decided by a worker, in a list too."""
    scene = Scene(house, keeper, repo)
    absent = {"mediaType": OCI_MANIFEST, "digest": f"sha256:{7:064x}", "size": 7}
    stray = artifact(f"stray of {repo}", absent)
    for i in range(70):
        scene.dev.push(repo, stray, f"sha256-{i:064x}.sig")
    scene.both("v1", 200)  # the view is ready
    for _ in range(2):
        assert scene.dep("GET", f"/v2/{repo}/tags/list").expect(200).json["tags"] == ["v1"]
    refused(scene.dep("GET", f"/v2/{repo}/manifests/sha256-{3:064x}.sig"), "unsigned_digest")


def test_referrers_are_filtered_to_what_would_be_served(still):
    evil = image("evil referrer", subject=still.d1.descriptor())
    still.dev.push(still.repo, evil)
    listed = still.dep("GET", f"/v2/{still.repo}/referrers/{still.d1.digest}").expect(200).json["manifests"]
    assert evil.digest not in [m["digest"] for m in listed]
    assert evil.digest in [m["digest"] for m in still.dev("GET", f"/v2/{still.repo}/referrers/{still.d1.digest}").expect(200).json["manifests"]]


def list_referrers(client, repo, digest):
    """Of all pages: {digest: descriptor}."""
    found, target = {}, f"/v2/{repo}/referrers/{digest}?n=1"
    while target:
        answer = client("GET", target).expect(200)
        found.update((m["digest"], m) for m in answer.json["manifests"])
        target = next_page(answer)
    return found


def next_page(answer):
    link = answer.header("Link")
    return link and link[link.index("<") + 1:link.index(">")]


def test_referrers_of_what_is_not_released_are_refused_and_of_what_is_not_there_none(moved):
    sbom = artifact("sbom of d2", moved.d2.descriptor())
    moved.dev.push(moved.repo, sbom)
    answer = moved.dep("GET", f"/v2/{moved.repo}/referrers/{moved.d2.digest}")
    refused(answer, "unsigned_digest")
    assert set(list_referrers(moved.dev, moved.repo, moved.d2.digest)) == {sbom.digest}
    assert list_referrers(moved.dep, moved.repo, sha256(os.urandom(9))) == {}


def test_a_clients_own_list_of_referrers_is_filtered_as_the_registrys(house, keeper, repo):
    """The index under sha256-HEX names a runnable image, an artifact without a tie to the signed image, and one with a tie."""
    scene = Scene(house, keeper, repo)
    hidden, loose, tied = image("runnable"), artifact("loose", None), artifact("tied", None, artifact_type="application/vnd.cyclonedx+json")
    for made, tag in ((hidden, None), (loose, None), (tied, f"sha256-{scene.d1.hex}.sbom")):
        scene.dev.push(repo, made, tag)
    notes = {"org.example.by": "a client"}
    listed = index([hidden, loose, tied])
    described = [{**m, "annotations": notes} for m in listed.parsed["manifests"]]
    listed = Image(compact({**listed.parsed, "manifests": described}), listed.media_type, listed.blobs, listed.children)
    scene.dev.push(repo, listed, f"sha256-{scene.d1.hex}")
    assert set(list_referrers(scene.dev, repo, scene.d1.digest)) == {hidden.digest, loose.digest, tied.digest}
    seen = list_referrers(scene.dep, repo, scene.d1.digest)
    assert set(seen) == {tied.digest} and seen[tied.digest]["annotations"] == notes
    for digest in (hidden.digest, loose.digest):
        scene.both(digest, 403, "unsigned_digest")


def test_the_tag_of_a_list_of_referrers_is_no_way_to_read_one_of_an_unsigned_image(moved):
    loose = artifact("loose about d2", None)
    moved.dev.push(moved.repo, loose, f"sha256-{moved.d2.hex}.sbom")
    moved.dev.push(moved.repo, index([loose]), f"sha256-{moved.d2.hex}")
    assert loose.digest in list_referrers(moved.dev, moved.repo, moved.d2.digest)
    refused(moved.dep("GET", f"/v2/{moved.repo}/referrers/{moved.d2.digest}"), "unsigned_digest")


def test_referrers_are_filtered_where_the_policy_shows_all_tags(house, keeper, repo):
    scene = Scene(house, keeper, repo)
    evil, sbom = image("evil", subject=scene.d1.descriptor()), artifact("sbom", scene.d1.descriptor())
    for made in (evil, sbom):
        scene.dev.push(repo, made)
    scene.move("unsigned")
    house.server.bond("policy", "set", repo, "--file", "-", stdin='{"level": "deploy", "tags_list": "all"}')
    assert scene.dep("GET", f"/v2/{repo}/tags/list").expect(200).json["tags"] == ["unsigned", "v1"]
    assert set(list_referrers(scene.dep, repo, scene.d1.digest)) == {sbom.digest}


def test_a_page_of_a_deployers_tags_costs_a_bounded_number_of_looks(house, keeper, repo):
    """200 unsigned tags before the signed one: the pages come one after another, none of them through all that is hidden."""
    scene = Scene(house, keeper, repo)
    other = scene.move("a000")
    for i in range(1, 200):
        scene.dev.push_manifest(repo, f"a{i:03}", other.manifest, other.media_type).expect(201)
    got, target = [], f"/v2/{repo}/tags/list?n=5"
    while target:
        answer = scene.dep("GET", target).expect(200)
        got.append(answer.json["tags"])
        target = next_page(answer)
    assert sum(got, []) == ["v1"] and 2 <= len(got) <= 5  # at least 64 looks for each page
    whole = scene.dep("GET", f"/v2/{repo}/tags/list").expect(200)
    assert whole.json["tags"] == ["v1"] and whole.header("Link") is None


def test_g12_an_artifact_tag_of_an_unsigned_digest_is_refused(moved):
    signature = artifact("signature of d2", None, artifact_type="application/vnd.dev.cosign.simplesigning.v1+json")
    moved.dev.push(moved.repo, signature, f"sha256-{moved.d2.hex}.sig")
    moved.both(f"sha256-{moved.d2.hex}.sig", 403)


def test_g14_a_manifest_is_no_blob_for_a_gated_identity(moved):
    for made in (moved.d1, moved.d2, moved.amd):
        moved.dev.push_blob(moved.repo, made.manifest, made.digest)
        for method in ("GET", "HEAD"):
            moved.blob(made.digest, method=method).expect(404)
            moved.blob(made.digest, client=moved.house.server.client(moved.house.deployer, basic=True), method=method).expect(404)


def test_a_developer_pulls_everything(moved):
    for reference in ("v1", moved.d1.digest, moved.d2.digest):
        moved.both(reference, 200, client=moved.dev)
    for digest in moved.d2.blobs:
        moved.blob(digest, client=moved.dev).expect(200)
    assert moved.dev.get(moved.repo, "v1").header_all("Warning") == []


def test_h01_a_matching_etag_of_an_unsigned_image_is_403_and_not_304(moved):
    moved.both("v1", 403, "digest_mismatch", headers=[("If-None-Match", f'"{moved.d2.digest}"')])
    moved.both(moved.d2.digest, 403, "unsigned_digest", headers=[("If-None-Match", "*")])


def test_h02_a_matching_etag_of_a_signed_image_is_304_with_the_same_cache_headers(still):
    whole = still.dep.get(still.repo, "v1").expect(200)
    for method in ("GET", "HEAD"):
        answer = still.dep.get(still.repo, "v1", method, [("If-None-Match", f'"{still.d1.digest}"')]).expect(304)
        assert answer.body == b""
        for name in ("Cache-Control", "Vary", "ETag"):
            assert answer.header(name) == whole.header(name)


def test_h04_head_and_get_of_every_refusal_are_equal(moved, house, repo):
    house["developer"].push(repo, image("h04"), "v1")
    for scene_repo, reference in ((moved.repo, "v1"), (moved.repo, moved.d2.digest), (moved.repo, "no-such-tag"), (repo, "v1")):
        got, head = (house["deployer"].get(scene_repo, reference, m) for m in ("GET", "HEAD"))
        assert (got.status, got.reason) == (head.status, head.reason) and head.body == b""
        assert got.header_all("Warning") == head.header_all("Warning")


@pytest.mark.parametrize("agent", ["cosign/v3.0.0", "notation/1.3", "docker-trust", "containerd/2.1.9", "Harbor", ""])
def test_h06_the_user_agent_makes_no_difference(moved, agent):
    moved.both("v1", 403, "digest_mismatch", headers=[("User-Agent", agent)])


def test_h07_the_way_of_signing_in_makes_no_difference(moved, registry, house):
    for client in (registry.client(house.deployer, basic=True), registry.client(house.deployer), registry.client(house.deployer, basic=True, plain=True)):
        moved.both("v1", 403, "digest_mismatch", client=client)
        moved.both(moved.d2.digest, 403, "unsigned_digest", client=client)
        moved.both(moved.d1.digest, 200, client=client)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = f"grant_type=password&username={house.deployer.user}&password={house.deployer.secret}&service={registry.host}&scope=repository:{moved.repo}:pull".encode()
    token = registry.wire.request("POST", "/token", form, body).expect(200).json["access_token"]
    moved.house.server.wire.request("GET", f"/v2/{moved.repo}/manifests/v1", {"Authorization": f"Bearer {token}"}).expect(403)
    wrong = registry.wire.request("GET", f"/v2/{moved.repo}/manifests/v1",
                                  {"Authorization": "Basic " + base64.b64encode(f"{house.deployer.user}:wrong".encode()).decode()})
    wrong.expect(401)
    registry.wire.request("GET", f"/v2/{moved.repo}/manifests/v1").expect(401)


def test_h08_a_token_from_before_the_withdrawal_is_refused_after_it(house, keeper, repo):
    scene = Scene(house, keeper, repo)
    bearer = {"Authorization": f"Bearer {house.server.token(house.deployer, f'repository:{repo}:pull')}"}
    wire = house.server.wire
    wire.request("GET", f"/v2/{repo}/manifests/v1", bearer).expect(200)
    keeper.withdraw(repo, "v1")
    wire.request("GET", f"/v2/{repo}/manifests/v1", bearer).expect(403)
    wire.request("GET", f"/v2/{repo}/manifests/{scene.d1.digest}", bearer).expect(403)  # G-27: withdrawn, no grace
    wire.request("GET", f"/v2/{repo}/blobs/{scene.amd.config}", bearer).expect(403)


def test_h11_a_repository_named_like_a_path_is_decided_as_itself(house, keeper, still):
    repo = f"{still.repo}/manifests/v1"
    house["developer"].push(repo, image("nested name"), "v1")
    refused(house["deployer"].get(repo, "v1"), "unsigned")
    still.both("v1", 200)


def test_h14_lists_show_a_deployer_released_tags_and_its_own_repositories(still, moved):
    listed = still.dep("GET", f"/v2/{still.repo}/tags/list").expect(200).json["tags"]
    assert listed == ["v1"]
    assert "v1" not in (moved.dep("GET", f"/v2/{moved.repo}/tags/list").expect(200).json["tags"] or [])
    assert "v1" in moved.dev("GET", f"/v2/{moved.repo}/tags/list").expect(200).json["tags"]


def test_a_tag_beside_signed_ones_is_unsigned_and_the_message_says_what_is_near(still):
    still.move(tag="v3", text="beside")
    answer = still.both("v3", 403, "unsigned")
    assert "trust data exists" in answer.message


def test_o10_a_signed_tag_that_was_deleted_is_404_signed_not_pushed(house, keeper, repo):
    Scene(house, keeper, repo)
    house["maintainer"]("DELETE", f"/v2/{repo}/manifests/v1").expect(202)
    for method in ("GET", "HEAD"):
        house["deployer"].get(repo, "v1", method).expect(404, "MANIFEST_UNKNOWN")
    assert house["deployer"].get(repo, "v1").error["detail"]["reason"] == "signed_not_pushed"


def test_hold_gives_deployers_what_was_released_until_what_was_pushed_is_signed(registry, house, keeper, repo):
    """gate 9.2: whoever is not gated sees the head of the tag, deployers what was last released there."""
    scene = Scene(house, keeper, repo)
    registry.bond("policy", "set", repo, "--file", "-", stdin='{"on_mismatch": "hold"}')
    assert not scene.both("v1", 200).header_all("Warning")
    d2 = scene.move()
    held = scene.both("v1", 200)
    assert held.body == scene.d1.manifest and held.header("Docker-Content-Digest") == scene.d1.digest
    assert "served the signed" in held.header("Warning")
    assert scene.dev.get(repo, "v1").expect(200).body == d2.manifest  # what is to be signed
    scene.both(d2.digest, 403, "unsigned_digest")
    keeper.sign(repo, "v1", d2)
    released = scene.both("v1", 200)
    assert released.body == d2.manifest and not released.header_all("Warning")


def test_hold_gives_out_no_digest_that_the_tag_never_pointed_to(registry, house, keeper, repo):
    """gate 9.2: serve_signed, restricted to digests that this tag has pointed to."""
    scene = Scene(house, keeper, repo)
    registry.bond("policy", "set", repo, "--file", "-", stdin='{"on_mismatch": "hold"}')
    never = image(f"{repo} never tagged")
    scene.dev.push(repo, never)
    scene.dev.push(repo, never, "another")
    keeper.sign(repo, "v1", never)
    scene.both("v1", 403, "digest_mismatch")
    scene.both(never.digest, 200)  # signed it is, and that by its digest
    registry.bond("policy", "set", repo, "--file", "-", stdin='{"on_mismatch": "serve_signed"}')
    assert scene.both("v1", 200).body == never.manifest


def test_o11_a_repository_that_was_deleted_and_made_again_by_somebody_else_is_unsigned_and_keeps_its_pin(registry, house, keeper, notary, repo):
    scene = Scene(house, keeper, repo)
    gun = registry.gun(repo)
    registry.bond("images", "rm", repo, "--confirm", repo)
    scene.dep.get(repo, "v1").expect(404)
    other, start = house["maintainer"], f"/v2/{repo}/blobs/uploads/"
    eventually(lambda: other("POST", start).status != 503, what="the end of the deletion")
    d2 = image(f"{repo} of somebody else")
    other.push(repo, d2, "v1")
    scene.both("v1", 403, "unsigned")
    scene.dev.push(repo, scene.d1, "v1")  # nor does what was signed in the former life come back with its bytes
    assert "wiped" in scene.both("v1", 403, "unsigned").message
    scene.both(scene.d1.digest, 403, "unsigned_digest")
    stranger = notary("maintainer")
    assert "key" in stranger("init", "-p", gun, code="fail").text
    house["maintainer"]("GET", f"/v2/{gun}/_trust/tuf/root.json").expect(404)
    shutil.rmtree(keeper.folder / "tuf" / gun)
    keeper.init(repo)  # the same root key
    keeper.sign(repo, "v1", scene.d1)
    assert scene.both("v1", 200).body == scene.d1.manifest


def test_a_tag_that_is_neither_pushed_nor_signed_is_an_ordinary_404(moved):
    moved.dep.get(moved.repo, "no-such-tag").expect(404, "MANIFEST_UNKNOWN")


def test_re_signing_heals_at_once(house, keeper, repo):
    scene = Scene(house, keeper, repo)
    for round_ in range(3):
        made = scene.move(text=f"round {round_}")
        scene.both("v1", 403, "digest_mismatch")
        keeper.sign(repo, "v1", made)
        assert scene.both("v1", 200).body == made.manifest
        scene.both(made.digest, 200)
        scene.both(scene.d1.digest, 200)  # superseded, within grace


def test_signing_may_come_before_the_push(house, keeper, repo):
    made = image("signed first")
    keeper.init(repo)
    keeper.sign(repo, "v1", made)
    house["deployer"].get(repo, "v1").expect(404)
    house["developer"].push(repo, made, "v1")
    assert house["deployer"].get(repo, "v1").expect(200).body == made.manifest
    for digest in made.blobs:
        house["deployer"]("GET", f"/v2/{repo}/blobs/{digest}").expect(200)


def test_a_signed_length_that_disagrees_is_length_mismatch(house, keeper, repo):
    made = image("length")
    house["developer"].push(repo, made, "v1")
    keeper.init(repo)
    keeper("addhash", "-p", keeper.server.gun(repo), "v1", made.size + 1, "--sha256", made.hex)
    refused(house["deployer"].get(repo, "v1"), "length_mismatch")


def test_a_further_hash_that_disagrees_is_digest_mismatch(house, keeper, repo):
    """G-29, U73."""
    made = image("sha512 differs")
    house["developer"].push(repo, made, "v1")
    keeper.init(repo)
    gun = keeper.server.gun(repo)
    keeper("addhash", "-p", gun, "v1", made.size, "--sha256", made.hex, "--sha512", hashlib.sha512(b"other").hexdigest())
    refused(house["deployer"].get(repo, "v1"), "digest_mismatch")
    keeper("addhash", "-p", gun, "v1", made.size, "--sha256", made.hex, "--sha512", hashlib.sha512(made.manifest).hexdigest())
    house["deployer"].get(repo, "v1").expect(200)


def delegate(house, keeper, notary, repo, role, name, paths="--all-paths"):
    """A delegation held by the namespace's signer; returns his client."""
    folder = keeper.folder / "delegates" / repo.replace("/", "-")
    folder.mkdir(parents=True, exist_ok=True)
    key, cert = folder / f"{name}.key", folder / f"{name}.crt"
    if not key.exists():
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256", "-days", "400",
             "-subj", f"/CN={name}", "-keyout", key, "-out", cert])
    keeper("delegation", "add", "-p", keeper.server.gun(repo), role, cert, *paths.split())
    client = notary("signer", folder=f"signer-{name}")
    client("key", "import", key, "--role", "user", code=None)
    return client


def test_g15_a_signer_alone_does_not_release(house, keeper, notary, repo):
    made = image("by alice only")
    house["developer"].push(repo, made, "v1")
    keeper.init(repo)
    alice = delegate(house, keeper, notary, repo, "targets/alice", "alice")
    alice.sign(repo, "v1", made, role="targets/alice")
    answer = refused(house["deployer"].get(repo, "v1"), "unsigned")
    assert "alice" in answer.message
    delegate(house, keeper, notary, repo, "targets/releases", "alice")
    alice.sign(repo, "v1", made, role="targets/releases")
    house["deployer"].get(repo, "v1").expect(200)


def test_g24_a_tag_withdrawn_from_releases_is_revoked_although_targets_lists_an_older_one(house, keeper, notary, repo):
    old, new = image("old, in targets"), image("new, in releases")
    house["developer"].push(repo, old, "v1")
    keeper.init(repo)
    keeper.sign(repo, "v1", old)
    house["deployer"].get(repo, "v1").expect(200)
    releaser = delegate(house, keeper, notary, repo, "targets/releases", "releaser")
    house["developer"].push(repo, new, "v1")
    releaser.sign(repo, "v1", new, role="targets/releases")
    house["deployer"].get(repo, "v1").expect(200)
    releaser.withdraw(repo, "v1", role="targets/releases")
    refused(house["deployer"].get(repo, "v1"), "revoked")
    house["developer"].push(repo, old, "v1")
    refused(house["deployer"].get(repo, "v1"), "revoked")


def test_a_delegation_outside_its_paths_releases_nothing(house, keeper, notary, repo):
    made = image("paths")
    house["developer"].push(repo, made, "prod-1")
    house["developer"].push(repo, made, "test-1")
    keeper.init(repo)
    releaser = delegate(house, keeper, notary, repo, "targets/releases", "pathy", "--paths prod-")
    releaser.sign(repo, "prod-1", made, role="targets/releases")
    house["deployer"].get(repo, "prod-1").expect(200)
    house["deployer"].get(repo, "test-1").expect(403)


def test_the_gate_survives_a_restart(own_server, tmp_path):
    own_server.make_namespace("ns")
    owner = own_server.make_member("ns", "owner@ns.example", "owner")
    deployer = own_server.make_deployer("ns", "k8s")
    signed, other = image("signed"), image("unsigned")
    own_server.client(owner).push("ns/app", signed, "v1")
    keeper = Notary(own_server, owner, tmp_path / "keeper")
    keeper.init("ns/app")
    keeper.sign("ns/app", "v1", signed)
    own_server.client(owner).push("ns/app", other, "v2")
    for end in (own_server.stop, own_server.kill):
        end()
        own_server.start()
        client = own_server.client(deployer)
        client.get("ns/app", "v1").expect(200)
        refused(client.get("ns/app", "v2"), "unsigned")
        client.get("ns/app", signed.digest).expect(200)
        refused(client.get("ns/app", other.digest), "unsigned_digest")


def test_a_refusal_names_where_else_it_is_signed_to_those_who_may_pull_there(registry, still, repo):
    still.dev.push(repo, still.d1, "copied")
    said = refused(still.dep.get(repo, still.d1.digest), "unsigned_digest")
    assert said.message.endswith(f"; it is signed in {still.repo}") and still.repo in said.error["detail"]["hint"]
    registry.make_namespace("abroad")
    foreigner = registry.client(registry.make_deployer("abroad", "k8s"))
    registry.client(registry.admin).push("abroad/app", still.d1, "copied")
    assert still.repo.encode() not in refused(foreigner.get("abroad/app", still.d1.digest), "unsigned_digest").body
    basic = registry.client(foreigner.account, basic=True)
    verdict = basic("GET", f"/api/v1/deploy/verify?image=abroad/app@{still.d1.digest}").expect(200)
    assert verdict.json["reason"] == "unsigned_digest" and still.repo.encode() not in verdict.body
    told = registry.bond("deploy", "check", f"abroad/app@{still.d1.digest}", code=6).text
    assert f"; it is signed in {still.repo}" in told


def test_a_deployer_of_a_public_namespace_is_still_gated(registry):
    registry.make_namespace("market", "public")
    deployer = registry.make_deployer("market", "k8s")
    made = image("public and unsigned")
    registry.client(registry.admin).push("market/app", made, "v1")
    bearer = {"Authorization": f"Bearer {registry.token(deployer, 'repository:market/app:pull')}"}
    refused(registry.client(deployer, basic=True).get("market/app", "v1"), "unsigned")
    refused(registry.wire.request("GET", "/v2/market/app/manifests/v1", bearer), "unsigned")
    assert registry.client().get("market/app", "v1").status == 200
