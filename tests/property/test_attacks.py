"""Cases of the list of attacks on the gate, by their ids, that need keys and clocks of one's own: signed by hand (tuf.py), asked
over HTTP. Those that the real clients can make are in tests/e2e/test_gate.py, test_rollback.py and test_clock.py."""
import sqlite3
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

import tuf
from author import Author, Held, Plan
from checker import RELEASES
from support.images import OCI_MANIFEST, Image, artifact, compact, image, sha256, sha512
from world import Door, World, reason_of

OCI_CONFIG = "application/vnd.oci.image.config.v1+json"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("attacks"), ["ns/first"])
    yield made
    made.server.end()


@pytest.fixture
def place(world, request):
    """A repository of this test, whose v1 is signed in `targets` as `d1`."""
    made = world.add_place(f"ns/{request.function.__name__[5:8]}-{len(world.places)}")
    made.author = Author(world, made, master=world.master)
    made.author.begin().expect(200)
    made.d1 = image(f"{made.repo} d1")
    world.push(made, made.d1, "v1")
    sign(made, "v1", made.d1)
    return made


def sign(place, tag, made, *roles, entry=None, **more):
    plan = place.author.plan.copy()
    for role in roles or ("targets",):
        plan.roles[role].entries[tag] = entry or tuf.target(made.size, made.hex)
    return place.author.publish(plan, set(roles or ("targets",)), **more).expect(200)


def delegate(place, **roles):
    """delegate(place, releases=Held(…), alice=…)"""
    plan = place.author.plan.copy()
    plan.roles.update({f"targets/{n}": r for n, r in roles.items()})
    place.author.publish(plan, {"targets"}).expect(200)


def other(world, place, text="d2", tag=None):
    made = image(f"{place.repo} {text}")
    world.push(place, made, tag)
    return made


def asked(world, place, reference, kind="manifests"):
    got, head = (world.deployers["ns"](m, f"/v2/{place.repo}/{kind}/{reference}", [("Accept", "*/*")]) for m in ("GET", "HEAD"))
    assert (head.status, head.reason, head.body) == (got.status, got.reason, b"")
    return got


def refused(answer, reason, *words):
    assert answer.expect(403).code == "DENIED" and reason_of(answer, None) == reason, answer
    assert all(w in answer.message for w in words), answer.message


# --- content ---------------------------------------------------------------------------------------------------------------------
def signature(kind, subject):
    """As cosign (image configuration, payload as layer) and notation (configuration of its own, envelope as layer) write them."""
    payload = compact({"of": subject.digest, "kind": kind})
    config, config_type = {"cosign": (compact({"rootfs": {}}), OCI_CONFIG), "attestation": (compact({"rootfs": {}, "a": 1}), OCI_CONFIG),
                           "notation": (b"{}", "application/vnd.cncf.notary.signature")}[kind]
    layer_type = {"cosign": "application/vnd.dev.cosign.simplesigning.v1+json", "attestation": "application/vnd.dsse.envelope.v1+json",
                  "notation": "application/jose+json"}[kind]
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": {"mediaType": config_type, "digest": sha256(config), "size": len(config)},
                "layers": [{"mediaType": layer_type, "digest": sha256(payload), "size": len(payload)}], "subject": subject.descriptor()}
    return Image(compact(manifest), OCI_MANIFEST, {sha256(config): config, sha256(payload): payload})


@pytest.mark.parametrize("kind,suffix", [("cosign", ".sig"), ("attestation", ".att"), ("notation", None), ("sbom", ".sbom")])
def test_g11_signatures_and_statements_about_a_signed_image(world, place, kind, suffix):
    about = {"good": place.d1, "bad": other(world, place)}
    for which, subject in about.items():
        made = artifact(f"{kind} {which}", subject.descriptor()) if kind == "sbom" else signature(kind, subject)
        tag = f"sha256-{subject.hex}{suffix}" if suffix else None
        world.push(place, made, tag)
        for reference in filter(None, (made.digest, tag)):
            assert asked(world, place, reference).status == (200 if which == "good" else 403), (which, reference)
        for digest in made.layers:
            assert asked(world, place, digest, "blobs").status == (200 if which == "good" else 403)


# --- roles and signers -----------------------------------------------------------------------------------------------------------
def test_g16_two_signers_are_asked_for_and_one_signed_another_digest(world, place):
    d2 = other(world, place)
    delegate(place, releases=Held([tuf.Key()]), alice=Held([tuf.Key()]), bob=Held([tuf.Key()]))
    sign(place, "v1", place.d1, RELEASES, "targets/alice")
    sign(place, "v1", d2, "targets/bob")
    world.set_policy(place, {"signers": {"threshold": 2, "of": ["alice", "bob"]}})
    refused(asked(world, place, "v1"), "signer_policy", "bob (signed another digest)")
    refused(asked(world, place, place.d1.digest), "unsigned_digest")
    sign(place, "v1", place.d1, "targets/bob")
    assert asked(world, place, "v1").status == asked(world, place, place.d1.digest).status == 200


def test_g16_two_names_with_one_key_are_one_signer(world, place):
    key = tuf.Key()
    delegate(place, alice=Held([key]), bob=Held([key]))
    sign(place, "v1", place.d1, "targets/alice", "targets/bob")
    world.set_policy(place, {"signers": {"threshold": 2, "of": ["alice", "bob"]}})
    refused(asked(world, place, "v1"), "signer_policy")


def test_g18_a_key_that_is_listed_has_not_signed(world, place):
    k, l = tuf.Key(), tuf.Key()
    delegate(place, alice=Held([k, l], signed_by=[l]))
    sign(place, "v1", place.d1, "targets/alice")
    world.set_policy(place, {"signers": {"threshold": 1, "of": [f"key:{k.spki_hex}"]}})
    refused(asked(world, place, "v1"), "signer_policy")
    world.set_policy(place, {"signers": {"threshold": 1, "of": [f"key:{l.spki_hex}"]}})
    assert asked(world, place, "v1").status == 200


def test_a_signer_policy_is_not_passed_by_superseding(world, place):
    """One signer of two: his digest is refused, and still is when he has released another in its place."""
    delegate(place, releases=Held([tuf.Key()]), alice=Held([tuf.Key()]), bob=Held([tuf.Key()]))
    world.set_policy(place, {"signers": {"threshold": 2, "of": ["alice", "bob"]}})
    evil, good = other(world, place, "evil"), other(world, place, "good")
    sign(place, "v2", evil, RELEASES, "targets/alice")
    refused(asked(world, place, evil.digest), "unsigned_digest")
    sign(place, "v2", good, RELEASES, "targets/alice")
    refused(asked(world, place, evil.digest), "unsigned_digest")
    sign(place, "v2", good, "targets/bob")
    assert asked(world, place, good.digest).status == 200
    sign(place, "v2", other(world, place, "next"), RELEASES, "targets/alice", "targets/bob")
    assert asked(world, place, good.digest).status == 200  # that one was released, by both
    refused(asked(world, place, evil.digest), "unsigned_digest")


def test_paths_are_not_passed_by_superseding(world, place):
    delegate(place, releases=Held([tuf.Key()], paths=["prod-"]))
    evil = other(world, place, "evil")
    sign(place, "v2", evil, RELEASES)
    sign(place, "v2", place.d1, RELEASES)
    refused(asked(world, place, evil.digest), "unsigned_digest")


def test_a_listing_outside_the_paths_does_not_turn_a_withdrawal_into_a_replacement(world, place):
    delegate(place, releases=Held([tuf.Key()], paths=["prod-"]))
    sign(place, "v1", other(world, place), RELEASES)
    assert asked(world, place, "v1").status == 200  # `targets` decides
    plan = place.author.plan.copy()
    plan.roles["targets"].entries.clear()
    place.author.publish(plan, {"targets"}).expect(200)
    refused(asked(world, place, place.d1.digest), "unsigned_digest")


def test_the_strict_fallback_is_not_passed_by_superseding(world, place):
    delegate(place, releases=Held([tuf.Key()]))
    world.set_policy(place, {"fallback": "never"})
    evil = other(world, place, "evil")
    sign(place, "v2", evil)
    refused(asked(world, place, evil.digest), "unsigned_digest")
    sign(place, "v2", place.d1, RELEASES)
    refused(asked(world, place, evil.digest), "unsigned_digest")


def test_a_rotation_before_the_next_release_does_not_end_the_grace_of_the_last_one(world, place):
    plan = place.author.plan.copy()
    plan.roles["targets"].keys = [tuf.Key()]
    place.author.publish(plan, {"targets"}, root=True).expect(200)
    d2 = other(world, place, tag="v1")
    sign(place, "v1", d2)
    assert asked(world, place, place.d1.digest).status == asked(world, place, d2.digest).status == 200
    plan = place.author.plan.copy()  # now the key of both is taken away
    plan.roles["targets"].keys, plan.roles["targets"].entries = [tuf.Key()], {}
    place.author.publish(plan, {"targets"}, root=True).expect(200)
    for digest in (place.d1.digest, d2.digest):
        refused(asked(world, place, digest), "unsigned_digest")


def test_g20_an_expired_releases_is_not_passed_over_for_targets(world, place):
    delegate(place, releases=Held([tuf.Key()], life=timedelta(days=3)))
    sign(place, "v1", other(world, place), RELEASES)
    world.later(timedelta(days=4))
    refused(asked(world, place, "v1"), "expired_role")
    sign(place, "v2", place.d1)
    refused(asked(world, place, "v2"), "expired_role")  # releases covers that one too


def test_g22_a_releases_that_fails_its_signature(world, place):
    delegate(place, releases=Held([tuf.Key()]))
    sign(place, "v1", place.d1, RELEASES)
    plan = place.author.plan.copy()
    plan.roles[RELEASES].keys = [tuf.Key()]
    place.author.publish(plan, {"targets"}).expect(200)
    refused(asked(world, place, "v1"), "bad_trust_data")
    sign(place, "v1", place.d1, RELEASES)
    assert asked(world, place, "v1").status == 200


def test_g23_a_snapshot_that_omits_releases_is_refused(world, place):
    delegate(place, releases=Held([tuf.Key()]))
    sign(place, "v1", place.d1, RELEASES)
    plan = place.author.plan.copy()
    plan.snapshot_key, plan.snapshot_version = tuf.Key(), 50
    place.author.publish(plan, set(), root=True).expect(200)
    kept = place.author.plan
    plan = kept.copy()
    del plan.sent[RELEASES]
    answer = place.author.publish(plan, {"targets"}).expect(400)
    assert answer.error["detail"]["Name"] == "ErrBadSnapshot"
    assert asked(world, place, "v1").status == 200


def test_g25_a_superseded_digest_has_its_grace_and_no_more(world, place):
    d3 = other(world, place, "d3", "v1")
    sign(place, "v1", d3)
    world.later(timedelta(days=10))
    assert asked(world, place, place.d1.digest).status == 200
    assert asked(world, place, "v1").header("Docker-Content-Digest") == d3.digest
    world.later(timedelta(days=21))
    refused(asked(world, place, place.d1.digest), "unsigned_digest")
    assert asked(world, place, "v1").status == 200


@pytest.mark.parametrize("paths,status", [(["v"], 200), (["prod-"], 403)])
def test_g26_a_signer_counted_only_inside_the_paths_that_he_had(world, place, paths, status):
    """bob listed what was replaced since; outside his paths that was no signature, and other paths later make it none."""
    delegate(place, releases=Held([tuf.Key()]), bob=Held([tuf.Key()], paths=paths))
    sign(place, "v1", place.d1, RELEASES, "targets/bob")
    d2 = other(world, place)
    sign(place, "v1", d2, RELEASES, "targets/bob")
    plan = place.author.plan.copy()
    plan.roles["targets/bob"].paths = ["v"]
    place.author.publish(plan, {"targets"}).expect(200)
    world.set_policy(place, {"signers": {"threshold": 1, "of": ["bob"]}})
    assert asked(world, place, d2.digest).status == 200
    assert asked(world, place, place.d1.digest).status == status


def test_g26_what_releases_decided_has_no_grace_by_targets_when_its_paths_change(world, place):
    """Its key is gone, so nothing of it has grace; that it lost the tag later does not make `targets` the one that decided."""
    delegate(place, releases=Held([tuf.Key()]))
    sign(place, "v1", place.d1, "targets", RELEASES)
    world.later(timedelta(days=31))  # nor did targets decide within grace
    d2 = other(world, place)
    sign(place, "v1", d2, "targets", RELEASES)
    assert asked(world, place, place.d1.digest).status == 200
    plan = place.author.plan.copy()
    plan.roles[RELEASES].keys, plan.roles[RELEASES].paths = [tuf.Key()], ["prod-"]
    place.author.publish(plan, {"targets", RELEASES}).expect(200)
    refused(asked(world, place, place.d1.digest), "unsigned_digest")


def test_g27_a_withdrawn_digest_has_none(world, place):
    plan = place.author.plan.copy()
    plan.roles["targets"].entries.clear()
    place.author.publish(plan, {"targets"}).expect(200)
    refused(asked(world, place, place.d1.digest), "unsigned_digest")
    refused(asked(world, place, "v1"), "unsigned")


@pytest.mark.parametrize("what,reason", [("length", "length_mismatch"), ("sha512", "digest_mismatch")])
def test_g29_what_else_is_signed_has_to_fit_too(world, place, what, reason):
    size = place.d1.size + (what == "length")
    sign(place, "v1", place.d1, entry=tuf.target(size, place.d1.hex, "00" * 64 if what == "sha512" else None))
    refused(asked(world, place, "v1"), reason)


@pytest.mark.parametrize("mode", ["serve_signed", "hold"])
def test_g29_what_is_served_in_the_place_of_a_tag_has_to_fit_too(world, place, mode):
    """The tag moved, or is gone; the signed manifest is here, but has not the sha512 that was signed."""
    world.set_policy(place, {"on_mismatch": mode})
    sign(place, "v1", place.d1, entry=tuf.target(place.d1.size, place.d1.hex, "00" * 64))
    world.push(place, image(f"{place.repo} moved"), "v1")
    refused(asked(world, place, "v1"), "digest_mismatch")
    world.owner(place, "DELETE", f"/v2/{place.repo}/manifests/v1").expect(202)
    refused(asked(world, place, "v1"), "digest_mismatch")
    sign(place, "v1", place.d1, entry=tuf.target(place.d1.size, place.d1.hex, sha512(place.d1.manifest)[7:]))
    assert asked(world, place, "v1").expect(200).header("Docker-Content-Digest") == place.d1.digest


# --- HTTP ------------------------------------------------------------------------------------------------------------------------
def test_h05_nothing_that_a_deployer_gets_may_be_kept_by_a_shared_cache(world, place):
    blob = next(iter(place.d1.blobs))
    for kind, reference in (("manifests", "v1"), ("manifests", place.d1.digest), ("blobs", blob)):
        answer = asked(world, place, reference, kind).expect(200)
        assert "private" in answer.header("Cache-Control") and "public" not in answer.header("Cache-Control"), (kind, reference)
        assert "Authorization" in answer.header("Vary")
    world.push(place, image(f"{place.repo} h05"), "unsigned")
    assert asked(world, place, "unsigned").expect(403).header("Cache-Control") == "no-store"


@pytest.mark.parametrize("reference", ["v1%0d%0aX-Evil:%201", "v1%0aX-Evil:%201", "v1%00", "v1%7f", "v%C3%A9", "<script>", "v1%22"])
def test_h13_no_name_gets_into_the_head_of_an_answer(world, place, reference):
    for method in ("GET", "HEAD"):
        answer = world.deployers["ns"](method, f"/v2/{place.repo}/manifests/{reference}")
        assert answer.status in (400, 404) and answer.header("X-Evil") is None
        assert all(0x20 <= ord(c) < 0x7f for c in answer.reason + "".join(answer.header_all("Warning")))


# --- store and operations --------------------------------------------------------------------------------------------------------
def test_o12_pushing_unsigned_tags_changes_no_answer_about_signed_ones(world, place):
    for i in range(8):
        other(world, place, f"unsigned {i}", f"u{i}")
        assert asked(world, place, "v1").status == 200
        refused(asked(world, place, f"u{i}"), "unsigned")


def test_o14_a_policy_that_was_off_for_a_while_is_audited_both_times(world, place):
    other(world, place, tag="v9")
    for level in ("off", "deploy"):
        world.set_policy(place, {"level": level})
        assert asked(world, place, "v9").status == (200 if level == "off" else 403)
    with sqlite3.connect(f"file:{world.server.data}/index.db?mode=ro", uri=True) as index:
        rows = index.execute("SELECT state_before, state_after FROM audit WHERE object = ? AND action LIKE 'policy%' ORDER BY id", (place.repo,)).fetchall()
    assert len(rows) == 2 and '"off"' in rows[0][1] and '"off"' in rows[1][0] and '"deploy"' in rows[1][1]


# --- keys ------------------------------------------------------------------------------------------------------------------------
def begin_elsewhere(world, name, master, who=None):
    """A first root of another repository; `who` publishes."""
    made = world.add_place(name)
    made.author = Author(world, made, master=master)
    kept = world.owners[made.ns]
    world.owners[made.ns] = who or kept
    try:
        return made, made.author.begin()
    finally:
        world.owners[made.ns] = kept


@pytest.fixture(scope="module")
def maintainer(world):
    return Door(world.server, world.server.make_member("ns", "maintainer@ns.example", "maintainer"), basic=False)


def stored(world, place):
    return world.read_document(place, "root.json")


def test_k01_a_second_repository_with_another_certificate_of_the_same_key(world, place, maintainer):
    made, answer = begin_elsewhere(world, "ns/k01", world.master, maintainer)
    assert answer.status == 200 and made.author.plan.root_keys[0].id != place.author.plan.root_keys[0].id


def test_k02_another_root_key_is_for_owners_and_for_nobody_where_the_policy_lists_the_keys(world, place, maintainer):
    strange = tuf.Key()
    made, answer = begin_elsewhere(world, "ns/k02", strange, maintainer)
    assert answer.expect(400).error["detail"]["Name"] == "ErrBadRoot" and answer.error["detail"]["reason"] == "root_pinned"
    assert stored(world, made) is None
    assert made.author.begin().status == 200  # the owner
    closed = world.add_place("ns/k02-closed")
    world.set_policy(closed, {"allow_roots": [f"sha256:{world.master.spki_hex}"]})
    closed.author = Author(world, closed, master=tuf.Key())
    assert closed.author.begin().expect(400).error["detail"]["reason"] == "root_pinned"
    assert stored(world, closed) is None
    closed.author.master = world.master
    assert closed.author.begin().status == 200


def test_k03_after_a_wipe_that_keeps_the_pin_only_the_same_key_begins_again(world, place):
    world.server.bond("trust", "wipe", place.repo, "--confirm", place.repo, "--keep-pin")
    place.author.master, place.author.plan = tuf.Key(), None
    assert place.author.begin().status == 400 and stored(world, place) is None
    place.author.master = world.master
    assert place.author.begin().status == 200 and place.author.plan.root_version == 1
    sign(place, "v1", place.d1)
    assert asked(world, place, "v1").status == 200


def test_k04_after_a_wipe_a_maintainer_begins_again_with_a_key_of_the_namespace_only(world, place, maintainer):
    world.server.bond("trust", "wipe", place.repo, "--confirm", place.repo)
    refused(asked(world, place, "v1"), "unsigned", "wiped")
    strange = tuf.Key()
    place.author.master, place.author.plan = strange, None
    owner, world.owners["ns"] = world.owners["ns"], maintainer
    try:
        assert place.author.begin().expect(400).error["detail"]["reason"] == "root_pinned"
        world.owners["ns"] = owner
        assert begin_elsewhere(world, "ns/k04-adds", strange)[1].status == 200  # the owner's root adds the key
        world.owners["ns"] = maintainer
        assert place.author.begin().status == 200
    finally:
        world.owners["ns"] = owner


def certified(secret, name, algorithm=hashes.SHA256(), days=300):
    import datetime
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(secret.public_key()).serial_number(7)
            .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=days)).sign(secret, algorithm))
    return made.public_bytes(serialization.Encoding.PEM)


def first_root_with(world, name, kind, secret, cn=None, algorithm=hashes.SHA256()):
    """A first publish whose root key is `secret` under a certificate of its own; the answer."""
    place = world.add_place(name)
    author = place.author = Author(world, place)
    key = tuf.Key(kind, secret, certified(secret, cn or place.gun, algorithm, 3000))
    return author.publish(Plan([key], 1, {"targets": Held([tuf.Key()])}), {"targets"}, root=True)


def test_k09_a_certificate_is_for_its_collection(world):
    secret = ec.generate_private_key(ec.SECP256R1())
    other_gun = world.server.gun("ns/first")
    answer = first_root_with(world, "ns/k09", "ecdsa", secret, other_gun)
    assert answer.expect(400).error["detail"]["Name"] == "ErrBadRoot"
    assert first_root_with(world, "ns/k09-short", "ecdsa", secret, world.server.gun("ns/k09-long")).status == 400
    assert first_root_with(world, "ns/k09-star", "ecdsa", secret, world.server.gun("ns/k09*")).status == 200


def small_rsa():
    return rsa.generate_private_key(65537, 1024)


@pytest.mark.parametrize("what", ["rsa 1024", "p-224", "brainpool", "sha-1"])
def test_k10_weak_keys_and_certificates_are_refused(world, what):
    kind, secret, algorithm = {"rsa 1024": ("rsa", small_rsa(), hashes.SHA256()), "p-224": ("ecdsa", ec.generate_private_key(ec.SECP224R1()), hashes.SHA256()),
                               "brainpool": ("ecdsa", ec.generate_private_key(ec.BrainpoolP256R1()), hashes.SHA256()),
                               "sha-1": ("ecdsa", ec.generate_private_key(ec.SECP256R1()), hashes.SHA1())}[what]
    answer = first_root_with(world, f"ns/k10-{what.replace(' ', '')}", kind, secret, algorithm=algorithm)
    assert answer.expect(400).error["detail"]["Name"] == "ErrBadRoot", answer
