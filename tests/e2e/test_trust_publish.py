"""attacks 5: the cases of publishing by their ids, over HTTP, with real signatures by keys that the test holds."""
import hashlib
import itertools
import json

import pytest

from support.images import image
from support.server import Server
from support.trust import Trust
from support.tuf import Collection, Key, document, later, listed, meta_of, tag

MIB = 1 << 20


@pytest.fixture
def trust(registry, house, repo):
    return Trust(registry, house["owner"], repo)


@pytest.fixture
def made(trust):
    """Nothing is published yet; the server will hold the snapshot key."""
    return Collection(trust)


@pytest.fixture
def begun(made):
    """Root 1 and targets 2 are published, the tag v1 is signed."""
    made.begin(tags={"v1": tag()})
    return made


@pytest.fixture
def state(trust):
    """Asserts, when called, that the trust data is byte for byte what it was when the test called it first."""
    kept = []

    def check():
        now = [trust.get(f"{role}.json").body for role in ("root", "targets", "snapshot", "timestamp")]
        kept.append(now)
        assert now == kept[0]
    return check


def said(answer):
    return answer.error["detail"]["Error"]["Msg"]


# --- what is accepted ---------------------------------------------------------------------------------------------------

def test_p01_a_first_publish_sets_the_pin_and_makes_the_timestamp(registry, trust, made):
    root, targets = made.begin()
    assert trust.get("root.json").body == root and trust.get("targets.json").body == targets
    assert trust.version("timestamp") == 1 and trust.version("snapshot") == 1
    (status,) = json.loads(registry.bond("trust", "status", trust.repo, "--json").out)["repositories"]
    assert status["root_keys"] == [f"sha256:{hashlib.sha256(made.root_key.public_bytes).hexdigest()}"]


def test_p01_with_a_snapshot_of_the_client(trust):
    own = Collection(trust, client_snapshot=True)
    root, targets = own.root(), own.targets()
    snapshot = own.snapshot(2, root=root, targets=targets)
    trust.publish(("snapshot", snapshot), ("targets", targets), ("root", root)).expect(200)
    assert trust.get("snapshot.json").body == snapshot
    assert trust.get("timestamp.json").json["signed"]["meta"] == {"snapshot": meta_of(snapshot)}


def test_p06_targets_alone_move_the_servers_snapshot_by_one(trust, begun):
    before = trust.version("snapshot"), trust.version("timestamp")
    trust.publish(("targets", begun.targets(3, {"v2": tag()}))).expect(200)
    assert (trust.version("snapshot"), trust.version("timestamp")) == (before[0] + 1, before[1] + 1)
    assert set(trust.get("snapshot.json").json["signed"]["meta"]) == {"root", "targets"}


@pytest.mark.parametrize("name", ["a b", "../x", "x" * 200, "sha256:" + "0" * 64, "é", "<&>"])
def test_p23_a_target_that_can_be_no_tag_is_kept_and_gates_nothing(trust, begun, name):
    sent = begun.targets(3, {"v1": tag(), name: tag()})
    trust.publish(("targets", sent)).expect(200)
    assert trust.get("targets.json").body == sent


# --- what is refused: the first publish ---------------------------------------------------------------------------------

def test_p02_a_first_publish_without_root_or_without_targets(trust, made):
    trust.refused(("targets", made.targets()), name="ErrValidation")
    trust.refused(("root", made.root()), name="ErrBadHierarchy")
    own = Collection(trust, client_snapshot=True)  # notary-api 23 row 12
    root = own.root()
    trust.refused(("root", root), ("snapshot", own.snapshot(root=root, targets=own.targets())), name="ErrBadHierarchy")
    trust.get("root.json").expect(404)


def test_p03_a_timestamp_key_that_is_not_the_servers(registry, house, trust, made):
    answer = trust.refused(("root", made.root(timestamp=([Key.bare()], 1))), ("targets", made.targets()), name="ErrBadRoot")
    assert made.timestamp_key.id in said(answer)
    other = Collection(Trust(registry, trust.client, f"{trust.repo}-other"))
    trust.refused(("root", made.root(timestamp=([other.timestamp_key], 1))), ("targets", made.targets()), name="ErrBadRoot")  # of another GUN
    trust.refused(("root", made.root(timestamp=([made.snapshot_key], 1))), ("targets", made.targets()), name="ErrBadRoot")  # of another role
    trust.refused(("root", made.root(timestamp=([made.timestamp_key, Key.bare()], 1))), ("targets", made.targets()), name="ErrBadRoot")
    trust.get("root.json").expect(404)


def test_p03_a_threshold_of_server_keys_that_no_document_can_carry(trust, made):
    trust.refused(("root", made.root(timestamp=([made.timestamp_key], 2))), ("targets", made.targets()), name="ErrBadRoot")
    trust.refused(("root", made.root(snapshot=([made.snapshot_key], 2))), ("targets", made.targets()), name="ErrBadHierarchy")
    trust.get("root.json").expect(404)


FIRST_ROOTS = {
    "U25 a threshold of nothing": lambda c: c.root(targets=([c.targets_key], 0)),
    "a threshold that cannot be met": lambda c: c.root(root=([c.root_key], 2)),
    "no signature": lambda c: document(c.root_part()),
    "the signature of another key": lambda c: c.root(by=[Key.certified(c.trust.gun)]),
    "U65 a certificate for another name": lambda c: foreign_certificate(c, f"{c.trust.gun}x"),
    "K-09 a wildcard that does not fit": lambda c: foreign_certificate(c, "elsewhere.example/*"),
    "U67 a certificate that has ended": lambda c: foreign_certificate(c, c.trust.gun, days=(-400, -1)),
    "a certificate of the future": lambda c: foreign_certificate(c, c.trust.gun, days=(30, 400)),
    "U70 a root key without a certificate": lambda c: with_root_key(c, Key.bare()),
    "a key under the id of another": lambda c: with_root_key(c, renamed(Key.certified(c.trust.gun))),
    "no snapshot role": lambda c: without_role(c, "snapshot"),
    "a key that is not listed": lambda c: without_key(c),
    "version 3": lambda c: c.root(3),
    "version 0": lambda c: c.root(0),
    "an end in the past": lambda c: document({**c.root_part(), "expires": later(-1)}, c.root_key),
}


def with_root_key(c, key):
    return c.root(root=([key], 1), by=[key])


def foreign_certificate(c, name, **options):
    return with_root_key(c, Key.certified(name, **options))


def renamed(key):
    key.id = "ab" * 32
    return key


def without_role(c, role):
    part = c.root_part()
    del part["roles"][role]
    return document(part, c.root_key)


def without_key(c):
    part = c.root_part()
    del part["keys"][c.targets_key.id]
    return document(part, c.root_key)


@pytest.mark.parametrize("what", FIRST_ROOTS)
def test_p04_a_first_root_that_is_not_right(trust, made, what):
    trust.refused(("root", FIRST_ROOTS[what](made)), ("targets", made.targets()), name="ErrBadRoot")
    trust.get("root.json").expect(404)
    made.begin()  # the twin: the same keys, nothing wrong


# --- rotation of the root -----------------------------------------------------------------------------------------------

def test_p04_the_next_root_is_signed_by_the_old_and_by_the_new_key(trust, begun, state):
    new = Key.certified(trust.gun)
    state()
    refused = {
        "U61 not by the old": begun.root(2, by=[new], root=([new], 1)),
        "U62 not by the new": begun.root(2, root=([new], 1)),
        "U63 a version is left out": begun.root(3, by=[begun.root_key, new], root=([new], 1)),
        "U64 a new beginning": Collection(trust, root=new).root(1),
        "U67 the new certificate has ended": begun.root(2, by=[begun.root_key], root=([Key.certified(trust.gun, days=(-9, -1))], 1)),
    }
    for what, root in refused.items():
        answer = trust.refused(("root", root), ("targets", begun.targets(3)), name="ErrBadRoot")
        assert said(answer), what
        state()
    trust.publish(("root", begun.root(2, by=[begun.root_key, new], root=([new], 1)))).expect(200)
    assert trust.version("root") == 2 and trust.get("1.root.json").status == 200
    state_after = trust.get("root.json").body
    late = trust.refused(("root", begun.root(2, by=[begun.root_key, new], root=([new], 1))), code="VERSION")  # of two who rotate at once
    assert "run the command again" in said(late) and trust.get("root.json").body == state_after


def test_a_root_that_names_another_targets_key_needs_targets_by_it(trust, begun, state):
    """notary-api 23 row 12"""
    new = Key.bare()
    state()
    trust.refused(("root", begun.root(2, targets=([new], 1))), name="ErrBadTargets")
    state()
    trust.publish(("root", begun.root(2, targets=([new], 1))), ("targets", begun.targets(3, by=[new]))).expect(200)


def test_more_than_sixteen_keys_of_the_server_sign_together(trust, begun):
    keys = {role: [getattr(begun, f"{role}_key")] for role in ("timestamp", "snapshot")}
    for version in range(2, 19):
        for role, held in keys.items():
            if len(held) < 17:
                found = trust.client("POST", f"{trust.base}/tuf/{role}.key").expect(200).json
                held.append(Key(found["keytype"], found["keyval"]["public"]))
        threshold = 17 if version == 18 else 1
        trust.publish(("root", begun.root(version, **{role: (held, threshold) for role, held in keys.items()}))).expect(200)
    for role in keys:
        assert {s["keyid"] for s in trust.get(f"{role}.json").expect(200).json["signatures"]} == {k.id for k in keys[role]}
    trust.publish(("targets", begun.targets(3))).expect(200)


# --- targets and delegations --------------------------------------------------------------------------------------------

def changed(change):
    def make(c):
        part = c.targets_part(3)
        change(part)
        return document(part, c.targets_key)
    return make


def without_signatures(c, *signatures):
    return document(c.targets_part(3), signatures=list(signatures))


def spoilt(signature):
    return {**signature, "sig": signature["sig"][:-8] + "AAAAAA=="}


def own_signature(c, **options):
    part = c.targets_part(3)
    return c.targets_key.signature(document(part)[len(b'{"signed":'):-len(b',"signatures":[]}')], **options)


def raw(old, new):
    return lambda c: c.targets(3).replace(old, new, 1)


TARGETS = {
    "U20 signed by another key": lambda c: c.targets(3, by=[Key.bare()]),
    "U20 signed by the root key": lambda c: c.targets(3, by=[c.root_key]),
    "U21 not signed": lambda c: without_signatures(c),
    "U21 a signature of no key": lambda c: without_signatures(c, spoilt(own_signature(c))),
    "U23 one signature twice": lambda c: without_signatures(c, own_signature(c), own_signature(c)),
    "U27 a bad one, then a good one": lambda c: without_signatures(c, spoilt(own_signature(c)), own_signature(c)),
    "U26 a method of another key": lambda c: without_signatures(c, own_signature(c, method="rsapss")),
    "U26 no method": lambda c: without_signatures(c, own_signature(c, method="")),
    "U30 of another type": changed(lambda p: p.update(_type="Snapshot")),
    "U30 of a type in small letters": changed(lambda p: p.update(_type="targets")),
    "U31 it has ended": changed(lambda p: p.update(expires=later(-1))),
    "U32 a member equal but for case": raw(b'"targets":{}', b'"TARGETS":{},"targets":{}'),
    "U33 a member twice": raw(b'"version":3', b'"version":3,"version":3'),
    "U74 a target without a hash": changed(lambda p: p.update(targets={"v1": {"hashes": {}, "length": 5}})),
    "U74 a target with a hash of another kind": changed(lambda p: p.update(targets={"v1": {"hashes": {"md5": "AAAA"}, "length": 5}})),
    "a target with a line feed in its name": raw(b'"targets":{}', b'"targets":{"a\\nb":{"hashes":{"sha256":"%s"},"length":1}}' % (b"A" * 43 + b"=")),
    "a delegation of no valid name": changed(lambda p: p["delegations"].update(roles=[{"name": "targets/A", "paths": [""], "keyids": [], "threshold": 1}])),
    "U45 a delegation of targets itself": changed(lambda p: p["delegations"].update(roles=[{"name": "targets", "paths": [""], "keyids": [], "threshold": 1}])),
    "U25 a delegation with a threshold of nothing": changed(lambda p: p["delegations"].update(
        roles=[{"name": "targets/a", "paths": [""], "keyids": [], "threshold": 0}])),
}


@pytest.mark.parametrize("what", TARGETS)
def test_p05_targets_that_are_not_right(trust, begun, state, what):
    state()
    trust.refused(("targets", TARGETS[what](begun)), name="ErrBadTargets")
    state()
    trust.publish(("targets", begun.targets(3))).expect(200)  # the twin


def test_p05_thresholds_count_keys_and_not_signatures_or_certificates(trust, made):
    """U22, U24"""
    one, two = Key.bare(), Key.bare()
    again = Key.certified("anything", private=one.private)  # the same key once more, under another id
    root = made.root(targets=([one, two, again], 2))
    for by in ([one], [one, again]):
        trust.refused(("root", root), ("targets", made.targets(by=by)), name="ErrBadTargets")
    trust.publish(("root", root), ("targets", made.targets(by=[one, two]))).expect(200)


def test_p05_a_key_listed_under_the_id_of_another(trust, made):
    """U29"""
    key = renamed(Key.bare())
    trust.refused(("root", made.root(targets=([key], 1))), ("targets", made.targets(by=[key])), name="ErrBadTargets")


@pytest.mark.parametrize("role", ["targets/../root", "targets/A", "targets//a", "targets/", "targets/a/", "Targets", "target", "targets/a.b"])
def test_p05_role_names_that_are_none(trust, begun, role):
    """U44"""
    trust.refused((role, begun.targets(3)), code="INVALID_ROLE")


def test_a_delegation_needs_its_parent_and_a_key_of_it(trust, begun, state):
    """notary-api 23 row 17"""
    key = Key.bare()
    alone = begun.targets(1, {"v1": tag()}, by=[key])
    state()
    assert "delegation does not exist" in said(trust.refused(("targets/releases", alone), name="ErrBadTargets"))
    state()
    trust.publish(("targets", begun.targets(3, delegations=[("targets/releases", [key])]))).expect(200)
    trust.refused(("targets/releases", begun.targets(1, by=[begun.targets_key])), name="ErrBadTargets")
    trust.refused(("targets/releases/below", alone), name="ErrBadTargets")
    trust.publish(("targets/releases", alone)).expect(200)
    assert trust.get("targets/releases.json").body == alone
    assert trust.get(f"targets/releases.{hashlib.sha256(alone).hexdigest()}.json").body == alone


def test_p10_a_delegate_loses_his_key_and_a_delegation_begins_again(trust, begun, state):
    key, other = Key.bare(), Key.bare()
    first = begun.targets(1, {"v1": tag()}, by=[key])
    trust.publish(("targets", begun.targets(3, delegations=[("targets/releases", [key])])), ("targets/releases", first)).expect(200)
    answer = trust.publish(("targets", begun.targets(4, delegations=[("targets/releases", [other])]))).expect(200)
    assert any("targets/releases" in w for w in answer.header_all("Warning"))
    assert "targets/releases" in trust.get("snapshot.json").json["signed"]["meta"]
    trust.publish(("targets", begun.targets(5))).expect(200)  # not delegated any more
    assert "targets/releases" not in trust.get("snapshot.json").json["signed"]["meta"]
    trust.get("targets/releases.json").expect(404)
    trust.publish(("targets", begun.targets(6, delegations=[("targets/releases", [key])]))).expect(200)
    trust.get("targets/releases.json").expect(404)  # listed again, it is a new role without documents
    state()
    trust.refused(("targets/releases", first), name="ErrBadTargets")
    state()
    trust.publish(("targets/releases", begun.targets(1, {"v9": tag()}, by=[key]))).expect(200)


def test_p20_roles_go_eight_levels_deep(trust, begun, state):
    key = Key.bare()
    names = ["targets" + "/a" * n for n in range(0, 9)]

    def chain(depth, below=()):
        """`depth` roles, each delegates the next one; the last one lists `below`, which has no document."""
        ends = [[(n, [key])] for n in names[1:depth]] + [[(n, [key]) for n in below]]
        return [(n, begun.targets(3, delegations=d, by=[begun.targets_key if n == "targets" else key])) for n, d in zip(names, ends)]
    state()
    trust.refused(*chain(9), code="INVALID_ROLE")
    assert "levels deep" in said(trust.refused(*chain(8, below=[names[8]]), name="ErrBadTargets"))
    trust.refused(("targets" + "/a" * 123, begun.targets(1, by=[key])), code="INVALID_ROLE")
    state()
    trust.publish(*chain(8)).expect(200)
    assert trust.get(f"{names[7]}.json").expect(200).json["signed"]["version"] == 3


# --- warnings of what is accepted ---------------------------------------------------------------------------------------

def warned(answer):
    return [w for w in answer.expect(200).header_all("Warning") if "not pushed" in w or "another image" in w or w.startswith('299 - "and ')]


def test_a_tag_that_is_signed_but_not_pushed_is_told(trust, begun):
    pushed, other = image("pushed"), image("other")
    trust.client.push(trust.repo, pushed, "here")
    trust.client.push(trust.repo, pushed, "moved")
    tags = {"here": tag(pushed.hex, pushed.size), "moved": tag(other.hex, other.size), "not a tag": tag()}
    answer = trust.publish(("targets", begun.targets(3, {"v1": tag(), **tags, "v2": tag()})))
    assert warned(answer) == ['299 - "moved is another image in the registry than the signed one; push what was signed"',
                              '299 - "v2 is signed but not pushed; push it"']
    trust.client.push(trust.repo, other, "moved")
    answer = trust.publish(("targets", begun.targets(4, {**tags, "v2": tag()})))
    assert warned(answer) == []  # nothing of it is new
    answer = trust.publish(("targets", begun.targets(5, {f"n{i}": tag() for i in range(9)})))
    assert warned(answer)[0] == '299 - "n0 is signed but not pushed; push it"' and warned(answer)[-1] == '299 - "and 5 more"'


def test_only_a_role_that_releases_needs_what_it_lists(trust, begun):
    key = Key.bare()
    delegations = [("targets/releases", [key]), ("targets/alice", [key])]
    trust.publish(("targets", begun.targets(3, delegations=delegations))).expect(200)
    assert warned(trust.publish(("targets/alice", begun.targets(1, {"v9": tag()}, by=[key])))) == []
    assert warned(trust.publish(("targets/releases", begun.targets(1, {"v9": tag()}, by=[key])))) == ['299 - "v9 is signed but not pushed; push it"']
    both = {"v9": tag(), "v8": tag()}
    answer = trust.publish(("targets", begun.targets(4, both, delegations=delegations)), ("targets/releases", begun.targets(2, both, by=[key])))
    assert warned(answer) == ['299 - "v8 is signed but not pushed; push it"', '299 - "v9 is signed but not pushed; push it"']  # each once


def test_documents_that_live_too_long_are_told_and_refused_when_the_setting_says_so(own_server):
    own_server.make_namespace("ns")
    owner = own_server.client(own_server.make_member("ns", "owner@ns.example", "owner"))
    made = Collection(Trust(own_server, owner, "ns/long"))
    root = document({**made.root_part(), "expires": later(80 * 365)}, made.root_key)
    targets = document({**made.targets_part(), "expires": later(90 * 365)}, made.targets_key)
    told = made.trust.publish(("root", root), ("targets", targets)).expect(200).header_all("Warning")
    assert any(w.startswith('299 - "root expires at') for w in told) and any(w.startswith('299 - "targets expires at') for w in told), told
    own_server.stop()
    own_server.start(BONDSTORE_TRUST_MAX_LIFETIME="1d")  # less than clients sign for: that stays good
    made.trust.client.forget()
    assert "trust.max_lifetime" in said(made.trust.refused(
        ("targets", document({**made.targets_part(3), "expires": later(1097)}, made.targets_key)), name="ErrBadTargets"))
    assert made.trust.publish(("targets", made.targets(3))).expect(200).header_all("Warning") == []


# --- snapshots of the client --------------------------------------------------------------------------------------------

@pytest.fixture
def own(trust):
    """The client holds the snapshot key; targets/a is delegated and has a document."""
    c = Collection(trust, client_snapshot=True)
    c.key = Key.bare()
    c.docs = {"root": c.root(), "targets": c.targets(delegations=[("targets/a", [c.key])]), "targets__a": c.targets(1, by=[c.key])}
    trust.publish(*[(r.replace("__", "/"), d) for r, d in c.docs.items()], ("snapshot", c.snapshot(2, **c.docs))).expect(200)
    return c


def test_p07_targets_alone_while_the_client_holds_the_snapshot_key(trust, own, state):
    state()
    detail = trust.refused(("targets", own.targets(3, delegations=[("targets/a", [own.key])])), name="ErrBadHierarchy").error["detail"]
    assert detail["Error"]["Missing"] == "snapshot"
    state()


def test_p08_p09_a_snapshot_lists_what_is_published_and_nothing_else(trust, own, state):
    new = own.targets(3, {"v2": tag()}, delegations=[("targets/a", [own.key])])
    docs = {**own.docs, "targets": new}
    stranger = own.targets(1, {"v3": tag()}, by=[own.key])
    wrong = {
        "a delegated role is left out": {k: v for k, v in docs.items() if k != "targets__a"},
        "targets is left out": {k: v for k, v in docs.items() if k != "targets"},
        "root is left out": {k: v for k, v in docs.items() if k != "root"},
        "a wrong length": {**docs, "targets__a": {**meta_of(docs["targets__a"]), "length": 1}},
        "a wrong sha512": {**docs, "targets__a": {"hashes": {**meta_of(stranger)["hashes"], "sha256": meta_of(docs["targets__a"])["hashes"]["sha256"]},
                                                  "length": len(docs["targets__a"])}},
        "no known hash": {**docs, "targets": {"hashes": {"md5": "AAAA"}, "length": len(new)}},
        "bytes that were never published": {**docs, "targets__a": stranger},
        "P-09 the targets of the time before": {**docs, "targets": own.docs["targets"]},
    }
    state()
    for what, meta in wrong.items():
        answer = trust.refused(("targets", new), ("snapshot", own.snapshot(3, **meta)), name="ErrBadSnapshot")
        assert said(answer), what
        state()
    trust.refused(("targets", new), ("snapshot", own.snapshot(3, by=[own.targets_key], **docs)), name="ErrBadSnapshot")
    state()
    imported = {**docs, "targets__gone": {"hashes": {"sha256": "A" * 43 + "="}, "length": 9}}  # entries of roles that are not delegated
    trust.publish(("targets", new), ("snapshot", own.snapshot(3, **imported))).expect(200)


@pytest.mark.parametrize("client_snapshot", [False, True])
def test_every_combination_of_parts_is_stored_when_whoever_holds_the_snapshot_key_made_the_snapshot(trust, client_snapshot):
    """notary-api 9: each with the next version. Accepted is what holds a snapshot exactly when the client has its key."""
    made, signer = Collection(trust, client_snapshot=client_snapshot), Key.bare()
    key = made.snapshot_key if client_snapshot else Key.bare()
    make = {"root": made.root, "targets": lambda n: made.targets(n, delegations=[("targets/a", [signer])]),
            "targets/a": lambda n: made.targets(n, {"v1": tag()}, by=[signer])}
    stored, version = {role: of(1) for role, of in make.items()}, dict.fromkeys([*make, "snapshot"], 1)

    def snapshot(of, number):
        return made.snapshot(number, by=[key], **{role.replace("/", "__"): content for role, content in of.items()})
    trust.publish(*stored.items(), *([("snapshot", snapshot(stored, 1))] if client_snapshot else [])).expect(200)
    for count in range(5):
        for parts in itertools.combinations([*make, "snapshot"], count):
            newer = {**stored, **{role: of(version[role] + 1) for role, of in make.items() if role in parts}}
            sent = [(role, newer[role]) for role in parts if role != "snapshot"]
            if "snapshot" in parts:
                sent.insert(0, ("snapshot", snapshot(newer, trust.version("snapshot") + 1)))
            if ("snapshot" in parts) == client_snapshot:
                trust.publish(*sent).expect(200)
                stored, version = newer, {role: n + (role in parts) for role, n in version.items()}
            else:
                trust.refused(*sent, name="ErrBadHierarchy" if client_snapshot else "ErrBadSnapshot")
            listed_now = trust.get("snapshot.json").json["signed"]["meta"]
            for role, content in stored.items():
                assert trust.get(f"{role}.json").body == content and listed_now[role] == meta_of(content), (parts, role)


def test_a_snapshot_alone_and_a_snapshot_of_a_client_who_does_not_hold_the_key(registry, house, trust, own):
    trust.publish(("snapshot", own.snapshot(3, **own.docs))).expect(200)
    other = Collection(Trust(registry, trust.client, f"{trust.repo}-held"))
    root, targets = other.begin()
    mine = Key.bare()
    other.trust.refused(("snapshot", other.snapshot(9, by=[mine], root=root, targets=targets)), name="ErrBadSnapshot")


# --- versions -----------------------------------------------------------------------------------------------------------

def test_p24_a_version_comes_once(trust, begun, state):
    root, targets = trust.get("root.json").body, trust.get("targets.json").body
    state()
    for parts in ([("targets", begun.targets(2, {"v9": tag()}))], [("targets", targets)], [("targets", begun.targets(1))], [("root", root)],
                  [("root", root), ("targets", begun.targets(3))]):
        assert "publish" in said(trust.refused(*parts, name="ErrValidation", code="VERSION"))
        state()


def test_f01_versions_go_up_by_small_steps(trust, begun, state):
    trust.publish(("targets", begun.targets(4))).expect(200)
    state()
    for version in (4 + 1001, 10**9, 2**31, 2**53):
        assert "version step too large" in said(trust.refused(("targets", begun.targets(version)), name="ErrBadTargets"))
    state()
    trust.publish(("targets", begun.targets(4 + 1000))).expect(200)


@pytest.mark.parametrize("spelling,code", [(b"1.0", "MALFORMED_JSON"), (b"3e0", "MALFORMED_JSON"), (b'"3"', "MALFORMED_JSON"), (b"9223372036854775808", "MALFORMED_JSON"),
                                           (b"null", None), (b"-1", "INVALID_UPDATE"), (b"0", "INVALID_UPDATE"), (b"03", "MALFORMED_JSON"), (b"+3", "MALFORMED_JSON")])
def test_p12_a_version_is_a_plain_number(trust, begun, state, spelling, code):
    state()
    answer = trust.publish(("targets", begun.targets(3).replace(b'"version":3', b'"version":' + spelling))).expect(400, code)
    assert answer.error["detail"]["Name"] == "ErrBadTargets"
    state()


# --- bytes, sizes, numbers ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("tail", [b'{"x":1}', b" {}", b"x", b"\0", b",", b"]"])
def test_p11_bytes_after_the_document(trust, begun, state, tail):
    state()
    trust.refused(("targets", begun.targets(3) + tail), name="ErrBadTargets", code=("INVALID_UPDATE"))
    state()


def test_p11_white_space_after_the_document_is_kept(trust, begun):
    sent = begun.targets(3) + b"\n \t\r\n"
    trust.publish(("targets", sent)).expect(200)
    assert trust.get("targets.json").body == sent
    assert trust.get("snapshot.json").json["signed"]["meta"]["targets"] == meta_of(sent)  # notary-api 23 row 7


def test_p15_a_body_beyond_the_limit_is_cut_and_told(registry, trust, begun):
    def told(answer):
        detail = answer.expect(400).error["detail"]
        assert detail["Name"] == "ErrValidation" and "bytes" in detail["Error"]["Msg"] and len(answer.body) <= 1024
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    trust.publish(("targets", begun.targets(3))).expect(200)  # the token is there now
    for size in (33 * MIB, 200 * MIB, 10 << 30):  # by what it announces, before a byte of it comes
        told(trust.client("POST", f"{trust.base}/tuf/", {**headers, "Content-Length": str(size)}, []))
    pieces = [b"x" * MIB] * 32 + [b"x"]  # a byte beyond the limit, and more to come: where it ends nobody has said
    told(trust.client("POST", f"{trust.base}/tuf/", headers, iter(pieces), chunked=True))
    registry.alive()


def test_p16_numbers_beyond_the_limits_cost_no_signature_check(trust, begun, state):
    one = own_signature(begun)
    key = Key.bare()
    empty = b'{"keyid":"","method":"","sig":""}'
    many = begun.targets(3)[:-2] + b"," + b",".join([empty] * 100000) + b"]}"
    state()
    assert len(many) < 16 * MIB
    trust.refused(("targets", many), name="ErrBadTargets")
    trust.refused(("targets", without_signatures(begun, *[{**one, "keyid": f"{i:064x}"} for i in range(65)])), name="ErrBadTargets")
    part = begun.targets_part(3)
    part["delegations"]["keys"] = {f"{i:064x}": key.object for i in range(513)}
    trust.refused(("targets", document(part, begun.targets_key)), name="ErrBadTargets")
    part = begun.targets_part(3, delegations=[(f"targets/d{i}", [key]) for i in range(513)])
    trust.refused(("targets", document(part, begun.targets_key)), name="ErrBadTargets")
    entry = b'{"hashes":{"sha256":"' + b"A" * 43 + b'="},"length":1}'
    tags = b",".join(b'"%06d":%s' % (i, entry) for i in range(100001))
    answer = trust.refused(("targets", begun.targets(3).replace(b'"targets":{}', b'"targets":{' + tags + b"}")), name="ErrBadTargets")
    assert "100000" in said(answer)
    state()


def test_p17_depth(trust, begun, state):
    state()
    for depth in (33, 1000, 10**6):
        trust.refused(("targets", b'{"signed":{"x":' + b"[" * depth + b"]" * depth + b'},"signatures":[]}'))
        trust.refused(("targets", b'{"signed":{"x":' + b'{"a":' * depth + b"1" + b"}" * depth + b'},"signatures":[]}'))
    state()


# --- who, where, how often ----------------------------------------------------------------------------------------------

def test_p19_too_many_publishes_are_told_how_long_to_wait(tmp_path):
    server = Server(tmp_path).init()
    server.config.write_text(server.config.read_text() + "limits: { publishes: 5 }\n")
    server.start()
    try:
        server.make_namespace("ns")
        clients = [server.client(server.make_member("ns", f"{who}@ns.example", "owner")) for who in ("one", "two")]
        trust = Trust(server, clients[0], "ns/app")
        made = Collection(trust)
        made.begin()
        answers = [trust.publish(("targets", made.targets(3 + i))) for i in range(20)]
        refused = [a for a in answers if a.status != 200]
        assert refused, answers
        for answer in refused:
            detail = answer.expect(400, "INVALID_UPDATE").error["detail"]
            assert detail["Name"] == "ErrValidation" and detail["Error"]["Msg"].startswith("too many publishes, try again in ")
        trust.publish(client=clients[1]).expect(200)  # somebody else's turns are his own
        assert server.wire.request("GET", "/healthz").status == 200
    finally:
        server.end()


def test_p26_a_publish_to_a_foreign_host(registry, house, trust, made):
    for gun in ("elsewhere.example/ns/app", "docker.io/library/alpine", f"localhost/{trust.repo}"):
        path = f"/v2/{gun}/_trust/tuf/"
        answer = registry.wire.request("POST", path, {"Content-Type": "multipart/form-data; boundary=b"}, b"\r\n--b--\r\n").expect(400, "INVALID_GUN")
        assert registry.host in said(answer)
        registry.wire.request("GET", f"{path}timestamp.key").expect(404, "METADATA_NOT_FOUND")
        registry.wire.request("DELETE", path).expect(404, "METADATA_NOT_FOUND")


def test_p27_deleting_needs_an_owner_or_an_administrator(registry, house, trust, begun, state):
    state()
    for who in ("developer", "signer", "maintainer", "reader", "robot", "deployer", "stranger"):
        answer = trust.client.server.client(getattr(house, who))("DELETE", f"{trust.base}/tuf/").expect(401, "UNAUTHORIZED")
        assert answer.challenge()["error"] == "insufficient_scope" or who == "stranger", (who, answer)
        state()
    client = registry.client(registry.admin)
    answer = client("DELETE", f"{trust.base}/tuf/").expect(200)
    assert answer.body == b"" and f"tuf/{trust.gun}/metadata" in answer.header("Warning")  # gate 11.3: say so in the answer
    trust.get("timestamp.json").expect(404)
    assert client("DELETE", f"{trust.base}/tuf/").expect(200).header("Warning") is None  # there was nothing
    again = Collection(trust)
    again.begin()
    trust.client("DELETE", f"{trust.base}/tuf/").expect(200)
    (status,) = json.loads(registry.bond("trust", "status", trust.repo, "--json").out)["repositories"]
    assert status["state"] == "wiped" and status["wiped"]["by"] == house.owner.user


def test_p28_superseded_documents_are_read_by_checksum_until_a_wipe(trust, begun):
    old = {role: trust.get(f"{role}.json").body for role in ("root", "targets", "snapshot")}
    trust.publish(("root", begun.root(2)), ("targets", begun.targets(3))).expect(200)
    for role, content in old.items():
        path = f"{role}.{hashlib.sha256(content).hexdigest()}.json"
        answer = trust.get(path).expect(200)
        assert answer.body == content and answer.header("Cache-Control").startswith("public, max-age=2592000")
        other = next(r for r in old if r != role)
        trust.get(f"{other}.{hashlib.sha256(content).hexdigest()}.json").expect(404)  # bound to its role
    trust.client("DELETE", f"{trust.base}/tuf/").expect(200)
    for role, content in old.items():
        trust.get(f"{role}.{hashlib.sha256(content).hexdigest()}.json").expect(404)
        trust.get(f"1.{role}.json").expect(404)
    Collection(trust).begin()
    for role, content in old.items():
        trust.get(f"{role}.{hashlib.sha256(content).hexdigest()}.json").expect(404)


def test_documents_are_bound_to_their_repository(registry, house, trust, begun):
    """notary-api 23 row 2"""
    root = trust.get("root.json").body
    other = Trust(registry, trust.client, f"{trust.repo}-beside")
    Collection(other).begin()
    other.get(f"root.{hashlib.sha256(root).hexdigest()}.json").expect(404)


def test_documents_are_bound_to_their_role(trust, begun):
    """notary-api 23 row 2"""
    names = {role: hashlib.sha256(trust.get(f"{role}.json").expect(200).body).hexdigest() for role in ("root", "targets", "snapshot", "timestamp")}
    for role in names:
        for other, name in names.items():
            trust.get(f"{role}.{name}.json").expect(200 if role == other else 404)


def test_rights_follow_what_is_published(registry, house, trust, begun, state):
    """attacks 5.1: a root, or other delegations, need trust administration; a signer may list tags."""
    signer = registry.client(house.signer)
    trust.publish(("targets", begun.targets(3, {"v2": tag()})), client=signer).expect(200)
    state()
    trust.publish(("root", begun.root(2)), client=signer).expect(401)
    trust.publish(("targets", begun.targets(4, delegations=[("targets/a", [Key.bare()])])), client=signer).expect(401)
    for who in ("developer", "reader", "deployer", "robot", "stranger"):
        trust.publish(("targets", begun.targets(4)), client=registry.client(getattr(house, who))).expect(401)
    state()
    trust.publish(("targets", begun.targets(4, delegations=[("targets/a", [Key.bare()])])), client=registry.client(house.maintainer)).expect(200)
