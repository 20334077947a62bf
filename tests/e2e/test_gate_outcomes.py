"""Every outcome of the gate over HTTP, in one table: status, code, sentence, nearest miss, detail, hint, phrase (gate 10.2).
The repositories are made by a server of today and asked for at a server of 120 days later: what was to expire has. What
no client can bring about is brought about in the stopped server's database. Kept elsewhere: rollback_suspected in
test_rollback.py."""
import json
import sqlite3
from dataclasses import dataclass, field

import pytest

from support.images import image
from support.server import Client, Server
from support.trust import Trust
from support.tuf import Collection, Key, document, later, meta_of, tag
from test_clock import faketime

DAYS = 120


@dataclass
class Outcome:
    reason: str
    says: tuple = ()  # in the message
    detail: dict = field(default_factory=dict)
    hint: str = ""  # in the hint, which every verdict has
    status: int = 403
    brief: str = ""  # in the reason phrase, besides the reason
    tag: str = "v1"
    digest: str = ""  # name of the image that is asked for by digest, in place of the tag


class OneToken(Client):
    """A client with one token for all that is done in a repository: signing in is dear."""

    def __init__(self, server, account, repo):
        super().__init__(server, account)
        self.token = server.token(account, f"repository:{repo}:pull,push,delete", f"repository:{server.gun(repo)}:*")

    def bearer(self, key):
        return [("Authorization", f"Bearer {self.token}")]


class Place:
    """One repository being made."""

    def __init__(self, world, name):
        self.world, self.repo = world, f"out/{name}"
        self.owner = OneToken(world.server, world.owner.account, self.repo)
        self.trust = Trust(world.server, self.owner, self.repo)
        self.keys = None

    def push(self, tag_name="v1", name="one"):
        self.owner.push(self.repo, self.world.images[name], tag_name)

    def entry(self, name="one", more=0):
        made = self.world.images[name]
        return tag(made.hex, made.size + more)

    def begin(self, name="one", tags=None, **options):
        self.keys = Collection(self.trust, **options)
        self.keys.begin(tags={"v1": self.entry(name)} if tags is None else tags)
        return self.keys

    def delegate(self, *delegations, tags=None, **documents):
        """Targets 3 with delegations, and documents of theirs (`targets__x`: bytes)."""
        parts = [(role.replace("__", "/"), content) for role, content in documents.items()]
        self.trust.publish(("targets", self.keys.targets(3, tags or {}, delegations)), *parts).expect(200)

    def listing(self, key, version=1, expires=1000, delegations=(), **tags):
        part = {**self.keys.targets_part(version, {t: self.entry(n) for t, n in tags.items()}, delegations), "expires": later(expires)}
        return document(part, key)

    def policy(self, text):
        self.world.server.bond("policy", "set", self.repo, "--file", "-", stdin=text)

    def tamper(self, sql, *arguments):
        """Later, in the stopped server's database; ?1 is the repository's id."""
        self.world.changes.append((self.repo, sql, arguments))


class World:
    def __init__(self, folder):
        self.server = Server(folder).init().start()
        self.server.make_namespace("out")
        self.owner = self.server.client(self.server.make_member("out", "owner@out.example", "owner"))
        self.deployer = self.server.client(self.server.make_deployer("out", "k8s"), basic=True)
        self.images = {name: image(f"outcome {name}") for name in ("one", "two", "three")}
        self.changes = []

    def grow_old(self):
        self.server.stop()
        database, = self.server.data.glob("*.db")
        with sqlite3.connect(database) as db:
            for repo, sql, arguments in self.changes:
                (ident,), = db.execute("SELECT r.id FROM repository r JOIN namespace n ON n.id = r.namespace_id WHERE n.name || '/' || r.name = ? "
                                       "OR r.name = ?", (repo, repo))
                assert db.execute(sql, (ident, *arguments)).rowcount >= 1, sql
        self.owner.forget()
        self.server.start(**faketime(DAYS)[0])


# --- how each repository comes about --------------------------------------------------------------------------------

def never(p):
    p.push()


def others(p):
    p.push()
    p.begin(tags={"v8": p.entry(), "v9": p.entry()})


def alice_only(p):
    """G-15, G-17: a signer's role alone releases nothing."""
    p.push()
    p.begin(tags={})
    alice = Key.bare()
    p.delegate(("targets/alice", [alice]), targets__alice=p.listing(alice, v1="one"))


def nested(p):
    p.push()
    p.begin(tags={})
    releaser, below = Key.bare(), Key.bare()
    p.delegate(("targets/releases", [releaser]), targets__releases=p.listing(releaser, delegations=[("targets/releases/x", [below])]),
               targets__releases__x=p.listing(below, v1="one"))


def stale(p):
    p.push()
    p.begin()
    releaser = Key.bare()
    p.delegate(("targets/releases", [releaser]), tags={"v1": p.entry()}, targets__releases=p.listing(releaser))
    p.policy('{"fallback": "never"}')


def wiped(p):
    p.push()
    p.begin()
    p.world.server.bond("trust", "wipe", p.repo, "--confirm", p.repo)


def signed(p):
    p.push()
    p.begin()
    p.push("v2", "two")


def moved(p):
    signed(p)
    p.push("v1", "two")


def longer(p):
    p.push()
    p.begin(tags={"v1": p.entry(more=1)})


def not_pushed(p):
    p.push("v2", "two")
    p.begin()


def withdrawn(p):
    p.push()
    p.begin()
    releaser = Key.bare()
    p.delegate(("targets/releases", [releaser]), tags={"v1": p.entry()}, targets__releases=p.listing(releaser, v1="one"))
    p.trust.publish(("targets/releases", p.listing(releaser, 2))).expect(200)


def narrow(p):
    signed(p)
    p.policy('{"tags": ["prod-*", "rc-*"]}')


def denied(p):
    p.push(name="three")
    p.begin("three")
    p.world.server.bond("deny", "add", "out", p.world.images["three"].digest, "--reason", "it phones home")


def signers(p):
    """G-16, U06: bob signed, and another image."""
    p.push()
    p.begin(tags={})
    releaser, alice, bob = Key.bare(), Key.bare(), Key.bare()
    p.delegate(("targets/releases", [releaser]), ("targets/alice", [alice]), ("targets/bob", [bob]),
               targets__releases=p.listing(releaser, v1="one"), targets__alice=p.listing(alice, v1="one"), targets__bob=p.listing(bob, v1="two"))
    p.policy('{"signers": {"threshold": 3, "of": ["alice", "bob", "carol"]}}')


def old_role(p):
    p.push()
    p.begin(tags={})
    releaser = Key.bare()
    p.delegate(("targets/releases", [releaser]), targets__releases=p.listing(releaser, expires=DAYS - 20, v1="one"))


def old_targets(p):
    """Of U11 and U12 the one; the other is old_snapshot."""
    p.push()
    keys = p.keys = Collection(p.trust)
    part = {**keys.targets_part(2, {"v1": p.entry()}), "expires": later(DAYS - 20)}
    p.trust.publish(("root", keys.root()), ("targets", document(part, keys.targets_key))).expect(200)


def old_root(p):
    p.push()
    keys = p.keys = Collection(p.trust)
    part = {**keys.root_part(), "expires": later(DAYS - 20)}
    p.trust.publish(("root", document(part, keys.root_key)), ("targets", keys.targets(tags={"v1": p.entry()}))).expect(200)


def old_snapshot(p):
    p.push()
    keys = p.keys = Collection(p.trust, client_snapshot=True)
    root, targets = keys.root(), keys.targets(tags={"v1": p.entry()})
    part = {"_type": "Snapshot", "expires": later(DAYS - 20), "version": 1, "meta": {"root": meta_of(root), "targets": meta_of(targets)}}
    p.trust.publish(("root", root), ("targets", targets), ("snapshot", document(part, keys.snapshot_key))).expect(200)


def old_timestamp(p):
    signed(p)
    p.tamper("DELETE FROM trust_key WHERE repository_id = ?1 AND role = 'timestamp'")


def too_few(p):
    p.push()
    keys = p.keys = Collection(p.trust)
    second = Key.certified(p.trust.gun)
    part = keys.root_part(root=([keys.root_key, second], 2))
    p.trust.publish(("root", document(part, keys.root_key, second)), ("targets", keys.targets(tags={"v1": p.entry()}))).expect(200)
    p.tamper("UPDATE trust_doc SET content = ?2 WHERE repository_id = ?1 AND role = 'root'", document(part, keys.root_key))


def damaged(p):
    signed(p)
    p.tamper("UPDATE trust_doc SET content = ?2 WHERE repository_id = ?1 AND role = 'targets'", p.keys.targets(2, {"v1": p.entry("two")}))


def unsigned_role(p):
    """G-22, U42: releases is signed by a key that targets lists no more, and the older entry of targets does not take its place."""
    p.push()
    p.begin()
    former, now = Key.bare(), Key.bare()
    tags = {"v1": p.entry()}
    p.delegate(("targets/releases", [former]), tags=tags, targets__releases=p.listing(former, v1="one"))
    p.trust.publish(("targets", p.keys.targets(4, tags, [("targets/releases", [now])]))).expect(200)


def vanished(p):
    """The server had documents of a role, and its own snapshot leaves the role out."""
    p.push()
    p.begin()
    p.delegate(("targets/releases", [Key.bare()]), tags={"v1": p.entry()})
    p.tamper("INSERT INTO trust_role (repository_id, role, incarnation, version, signed_sha256) VALUES (?1, 'targets/releases', 1, 1, ?2)", b"\1" * 32)


def root_changed(p):
    signed(p)
    keys, new = p.keys, Key.certified(p.trust.gun)
    part = keys.root_part(2, root=([new], 1))
    p.trust.publish(("root", document(part, keys.root_key, new))).expect(200)
    p.tamper("UPDATE trust_doc SET content = ?2 WHERE repository_id = ?1 AND role = 'root' AND version = 2", document(part, new))


def repinned(p):
    signed(p)
    p.tamper("UPDATE trust_pin SET spki = ?2 WHERE repository_id = ?1", b"\1" * 32)


def revoked_root(p):
    signed(p)
    p.tamper("INSERT INTO revoked_key (spki, reason, revoked_us, revoked_by) SELECT spki, 'lost on a train', 1767323045000000, 'root' FROM trust_pin WHERE repository_id = ?1")


def undecidable(p):
    signed(p)
    p.policy('{"level": "deploy"}')
    p.tamper("UPDATE policy SET json = '{' WHERE scope = ?2 AND ?1 > 0", p.repo)


def serving(p):
    moved(p)
    p.policy('{"on_mismatch": "serve_signed"}')


def warned(p):
    never(p)
    p.policy('{"level": "warn"}')


def resigned(p):
    signed(p)
    p.trust.publish(("targets", p.keys.targets(3, {"v1": p.entry("two")}))).expect(200)
    p.push("v1", "two")
    p.policy('{"grace": "forever"}')


HOST_HINT = "sign what was pushed: docker trust sign --local "
FIRST_HINT = "push it signed: DOCKER_CONTENT_TRUST=1 docker push "
REFUSED = [
    (never, Outcome("unsigned", ("is not signed", "no trust data"), hint=FIRST_HINT, brief="no trust data")),
    (others, Outcome("unsigned", ("is not signed", "2 other names"), hint=HOST_HINT)),
    (alice_only, Outcome("unsigned", ("signed by alice only, not released",), hint=HOST_HINT, brief="not released")),
    (nested, Outcome("unsigned", ("signed in targets/releases/x only",), hint=HOST_HINT, brief="nested")),
    (stale, Outcome("unsigned", ("in targets only", "targets/releases"), hint=HOST_HINT, brief="targets/releases")),
    (wiped, Outcome("unsigned", ("trust data was wiped by ", " on 20"), hint=FIRST_HINT, brief="wiped")),
    (signed, Outcome("unsigned_digest", ("is no signed image of out/signed", "it is signed in out/resigned"), digest="two", hint="deploy it from out/resigned")),
    (moved, Outcome("digest_mismatch", ("is signed as {one}", "role targets", "the registry has {two}, pushed 20", "by owner@out.example and not signed"),
                    {"role": "targets"}, "docker trust sign --local", brief="v1 is signed as")),
    (longer, Outcome("length_mismatch", ("is signed with length", "bytes"), {"role": "targets"}, "docker trust sign --local ")),
    (not_pushed, Outcome("signed_not_pushed", ("is signed as {one}", "the registry has no such tag"), status=404, hint="push the signed image")),
    (withdrawn, Outcome("revoked", ("was withdrawn from targets/releases after version 1 on 20",), {"role": "targets/releases"}, HOST_HINT, brief="withdrawn")),
    (narrow, Outcome("not_covered", ("policy out/narrow covers the tags prod-*, rc-* only, and not out/narrow:v1",), {"policy": "out/narrow"},
                     "bond policy explain out/narrow:v1")),
    (denied, Outcome("denied_digest", ("is on the deny list since 20", ": it phones home"), hint="bond deny rm", brief="deny list")),
    (signers, Outcome("signer_policy", ("have alice", "missing bob (signed another digest), carol"),
                      {"required": {"threshold": 3, "of": ["alice", "bob", "carol"], "missing": ["bob", "carol"]}, "signers": ["alice"]}, HOST_HINT)),
    (old_timestamp, Outcome("expired_timestamp", ("timestamp", "expired"), {"role": "timestamp"}, "timestamp key")),
    (old_snapshot, Outcome("expired_snapshot", ("snapshot", "expired"), {"role": "snapshot"}, "snapshot key")),
    (old_targets, Outcome("expired_targets", ("targets", "expired"), {"role": "targets"}, "targets key")),
    (old_role, Outcome("expired_role", ("role targets/releases version 1 expired on 20",), {"role": "targets/releases"}, "key of targets/releases")),
    (old_root, Outcome("expired_root", ("root", "expired"), {"role": "root"}, "root key")),
    (too_few, Outcome("threshold", ("1 of 2",), {"role": "root"}, "other key holders")),
    (damaged, Outcome("bad_trust_data", ("targets",), {"role": "targets"}, "bond trust wipe")),
    (unsigned_role, Outcome("bad_trust_data", ("role targets/releases", "0 of 1 valid signatures"), {"role": "targets/releases"},
                            "a holder of a key of targets/releases must sign again")),
    (vanished, Outcome("vanished_role", ("role targets/releases had metadata and is no longer in the snapshot",), {"role": "targets/releases"},
                       "bond trust wipe", brief="vanished")),
    (root_changed, Outcome("root_changed", ("root",), {"role": "root"}, "former root")),
    (repinned, Outcome("root_pinned", ("pinned",), {"role": "root"}, "pinned root key")),
    (revoked_root, Outcome("root_key_revoked", ("revoked on 2026-01-02T03:04:05Z: lost on a train",), {"role": "root"}, "without the revoked key")),
    (undecidable, Outcome("indeterminate", ("could not decide", "try again"), status=503)),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    makers = {make.__name__: make for make in (*(make for make, _ in REFUSED), serving, warned, resigned)}
    world = World(tmp_path_factory.mktemp("outcomes"))
    for name, make in makers.items():
        make(Place(world, name))
    world.grow_old()
    yield world
    world.server.end()


def asked(world, name, outcome):
    return f"out/{name}", world.images[outcome.digest].digest if outcome.digest else outcome.tag


@pytest.mark.parametrize("make,outcome", REFUSED, ids=[make.__name__ for make, _ in REFUSED])
def test_a_refusal_says_why_and_what_to_do(world, make, outcome):
    repo, reference = asked(world, make.__name__, outcome)
    world.deployer.get(repo, reference)  # what the server can renew is renewed by the first who asks
    got, head = (world.deployer.get(repo, reference, method) for method in ("GET", "HEAD"))
    code = {403: "DENIED", 404: "MANIFEST_UNKNOWN", 503: "UNAVAILABLE"}[outcome.status]
    assert got.expect(outcome.status).code == code and len(got.json["errors"]) == 1
    assert got.message.startswith("content trust: ") and repo in got.message, got.message
    short = {name: made.digest[:15] + "…" for name, made in world.images.items()}
    for part in outcome.says:
        assert part.format(**short) in got.message, got.message
    detail = got.error["detail"]
    assert (detail["reason"], detail["repo"]) == (outcome.reason, repo)
    if outcome.status != 503:
        assert detail.get("tag", "") == ("" if outcome.digest else reference)
    for member, value in outcome.detail.items():
        assert detail[member] == value, detail
    assert outcome.status == 503 or outcome.hint and outcome.hint in detail["hint"], detail
    assert got.reason.endswith(f"({outcome.reason})") and outcome.brief in got.reason and len(got.reason) <= 160
    assert (head.status, head.reason, head.body) == (got.status, got.reason, b"")
    for name in ("Warning", "Cache-Control", "Vary", "Content-Type", "Content-Length", "Retry-After"):
        assert head.header_all(name) == got.header_all(name), name
    assert got.header("Cache-Control") == "no-store" and got.header("Vary") == "Authorization, Accept"
    assert (got.header("Retry-After") == "5") == (outcome.status == 503)


@pytest.mark.parametrize("make,outcome", [row for row in REFUSED if row[1].status != 503], ids=[m.__name__ for m, o in REFUSED if o.status != 503])
def test_the_verify_api_says_the_same(world, make, outcome):
    repo, reference = asked(world, make.__name__, outcome)
    pulled = world.deployer.get(repo, reference)
    ref = f"{repo}{'@' if outcome.digest else ':'}{reference}"
    verdict = world.deployer("GET", f"/api/v1/deploy/verify?image={ref}&explain=1").expect(200).json
    assert (verdict["allowed"], verdict["reason"], verdict["message"]) == (False, outcome.reason, pulled.message)
    same = [{name: value for name, value in detail.items() if name not in ("decision", "why")} for detail in (verdict["detail"], pulled.error["detail"])]
    assert same[0] == same[1] and verdict["digest"] is None and verdict["pinned"] is None
    assert verdict["explain"][0]["step"] == "policy" and not verdict["explain"][-1]["ok"]


def test_undecided_is_never_a_verdict(world):
    world.deployer("GET", "/api/v1/deploy/verify?image=out/undecidable:v1").expect(503)
    world.server.bond("deploy", "check", "out/undecidable:v1", code=1)
    world.deployer.get("out/undecidable", world.images["one"].digest).expect(503)


@pytest.mark.parametrize("name,reference,reason,warns", [("serving", "v1", "served_signed", "served the signed"), ("warned", "v1", "would_deny", "is not signed"),
                                                         ("resigned", "one", "superseded", ""), ("resigned", "v1", "allowed", ""), ("signed", "one", "allowed", "")])
def test_what_is_served(world, name, reference, reason, warns):
    made = world.images.get(reference)
    for method in ("GET", "HEAD"):
        answer = world.deployer.get(f"out/{name}", made.digest if made else reference, method).expect(200)
        assert warns in answer.header("Warning", "") and bool(warns) == bool(answer.header_all("Warning"))
        assert answer.header("Cache-Control") == ("private, max-age=0" if made else "private, no-cache")
        assert answer.header("Vary") == "Authorization, Accept"
        assert answer.header("ETag") == f'"{answer.header("Docker-Content-Digest")}"'
    ref = f"out/{name}@{made.digest}" if made else f"out/{name}:{reference}"
    verdict = world.deployer("GET", f"/api/v1/deploy/verify?image={ref}").expect(200).json
    assert (verdict["allowed"], verdict["reason"]) == (True, reason)


@pytest.mark.parametrize("members,told", [({"on_mismatch": "serve_signed"}, "one"), ({"on_mismatch": "serve_signed", "tags_list": "all"}, "one"),
                                          ({"on_mismatch": "hold", "tags_list": "all"}, "one"), ({"tags_list": "all"}, "two"),
                                          ({"level": "off", "on_mismatch": "serve_signed"}, "two"), ({}, None)], ids=str)
def test_a_list_of_tags_with_digests_tells_what_is_served(world, members, told):
    """v1 points to `two`, `one` is signed for it; v2 is not signed. What is refused is told as it is, where it is told."""
    policy = lambda members: world.server.bond("policy", "set", "out/serving", "--file", "-", stdin=json.dumps(members))  # noqa: E731
    path = "/api/v1/images/out/serving/tags"
    policy(members)
    try:
        listed = world.deployer("GET", path).expect(200).json["tags"]
        served = world.deployer.get("out/serving", "v1", "HEAD")
        assert world.owner("GET", path).expect(200).json["tags"][0]["digest"] == world.images["two"].digest
    finally:
        policy({"on_mismatch": "serve_signed"})
    v1 = [(t["digest"], t["size"]) for t in listed if t["name"] == "v1"]
    assert v1 == ([(world.images[told].digest, world.images[told].size)] if told else [])
    assert served.status == 403 or (served.header("Docker-Content-Digest"), int(served.header("Content-Length"))) == v1[0]
    assert ("v2" in [t["name"] for t in listed]) == ("tags_list" in members or "level" in members)


def test_a_list_of_tags_is_kept_for_nobody_else(world):
    """gate 10.3: what it tells depends on who asks."""
    mine = world.deployer("GET", "/v2/out/signed/tags/list").expect(200)
    assert (mine.header("Vary"), mine.header("Cache-Control")) == ("Authorization, Accept", "private, no-cache")
    assert "public" not in str(world.owner("GET", "/v2/out/signed/tags/list").expect(200).header("Cache-Control", ""))


def test_a_matching_etag_is_answered_after_the_decision(world):
    """gate 10.3: 304 only where 200 would have been, with the same headers."""
    one, two = (world.images[name].digest for name in ("one", "two"))
    match = lambda digest: [("If-None-Match", f'"{digest}"')]  # noqa: E731
    world.deployer.get("out/moved", "v1", headers=match(two)).expect(403)
    world.deployer.get("out/serving", "v1", headers=match(two)).expect(200)  # what the tag points to is not what is served
    kept = world.deployer.get("out/serving", "v1", headers=match(one)).expect(304)
    assert "served the signed" in kept.header("Warning") and kept.header("Cache-Control") == "private, no-cache"
    assert world.deployer.get("out/resigned", one, headers=match(one)).expect(304).header("Cache-Control") == "private, max-age=0"
    assert "public" not in str(world.owner.get("out/moved", "v1").header("Cache-Control", ""))


def test_a_blob_of_no_allowed_image(world):
    own = next(d for d in world.images["two"].blobs if d not in world.images["one"].blobs)
    for method in ("GET", "HEAD"):
        answer = world.deployer(method, f"/v2/out/signed/blobs/{own}").expect(403)
        assert answer.reason.endswith("(blob_not_reachable)")
    answer = world.deployer("GET", f"/v2/out/signed/blobs/{own}")
    assert answer.error["detail"]["reason"] == "blob_not_reachable" and f"blob {own[:15]}" in answer.message
    assert "pull the image, not its parts" in answer.error["detail"]["hint"]


def forbidden(answer, reason, phrase=False):
    """A refusal of a write: as one of a read. The phrase goes with answers to requests without a body."""
    assert answer.expect(403, "DENIED").message.startswith("content trust: ") and answer.error["detail"]["reason"] == reason
    assert answer.header("Cache-Control") == "no-store" and answer.header("Vary") == "Authorization, Accept"
    assert answer.header("Warning").startswith('299 - "content trust: ') and answer.error["detail"]["hint"]
    assert not phrase or answer.reason.startswith("Forbidden: content trust: ") and answer.reason.endswith(f"({reason})"), answer.reason
    return answer


def test_writes_that_signatures_forbid(world):
    world.server.bond("policy", "set", "out/signed", "--level", "lock")
    two = world.images["two"]
    locked = forbidden(world.owner.push_manifest("out/signed", "v1", two.manifest, two.media_type), "tag_locked")
    assert "out/signed:v1 is signed and locked by policy out/signed" in locked.message and locked.error["detail"]["tag"] == "v1"
    one = world.images["one"]
    target = f"/v2/out/signed/manifests/{one.digest}"
    for force in ("", "?force=1"):  # for administrators only
        kept = forbidden(world.owner("DELETE", target + force), "signed_in_use", phrase=True)
        assert kept.error["detail"]["digest"] == one.digest and "withdraw its signature" in kept.error["detail"]["hint"]
    written = forbidden(world.deployer("PUT", "/v2/out/signed/manifests/v1", {"Content-Type": two.media_type}, two.manifest), "not_writable")
    assert "another account" in written.error["detail"]["hint"]
    for method, path in (("DELETE", "manifests/v1"), ("POST", "blobs/uploads/")):
        forbidden(world.deployer(method, f"/v2/out/signed/{path}"), "not_writable", phrase=True)
    world.owner.push_manifest("out/signed", "v1", one.manifest, one.media_type).expect(201)

    admin = world.server.client(world.server.admin)
    for force in ("", "?force=0", "?force=yes"):
        forbidden(admin("DELETE", target + force), "signed_in_use")
    admin("DELETE", target + "?force=1").expect(202)
    world.deployer.get("out/signed", "v1").expect(404, "MANIFEST_UNKNOWN")
    with sqlite3.connect(next(world.server.data.glob("*.db"))) as db:
        assert db.execute("SELECT COUNT(*) FROM audit WHERE action = 'manifest.delete_signed' AND object = ?", (f"out/signed@{one.digest}",)).fetchone() == (1,)
