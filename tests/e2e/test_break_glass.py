"""Break-glass and the deny list over HTTP: cases B and G-28 of the attack list, gate 14. A namespace of its own."""
import hashlib
import json
import socket
import sqlite3
import threading
import urllib.parse

import pytest

from support.images import image, index
from support.notary import Notary
from support.people import make_house
from support.server import Server, eventually
from test_gate import refused

NS = "glass"
WHY = {"reason": "the signing service is down", "ticket": "INC-7", "duration": "2h"}


sessions = {}


@pytest.fixture(scope="module")
def glass(registry):
    return make_house(registry, NS)


@pytest.fixture(scope="module")
def second(registry, glass):
    """Another owner."""
    return registry.make_member(NS, f"second@{NS}.example", "owner")


@pytest.fixture(scope="module")
def keeper(registry, glass, tmp_path_factory):
    return Notary(registry, glass.owner, tmp_path_factory.mktemp("glass-keeper"))


class Place:
    """A repository in which v1 points to the unsigned `moved`. With a keeper it was signed as `signed` before."""

    def __init__(self, glass, name, keeper=None):
        self.glass, self.server, self.repo = glass, glass.server, f"{NS}/{name}"
        self.deployer = glass["deployer"]
        self.signed = image(f"{name} signed")
        self.child = image(f"{name} child")
        self.moved = index([self.child])
        self.refusal = "digest_mismatch" if keeper else "unsigned"
        if keeper:
            glass["developer"].push(self.repo, self.signed, "v1")
            keeper.init(self.repo)
            keeper.sign(self.repo, "v1", self.signed)
        glass["developer"].push(self.repo, self.moved, "v1")

    def api(self, who, method, path, body=None):
        account = getattr(self.glass, who) if isinstance(who, str) else who
        session = sessions.get(account) or sessions.setdefault(account, self.server.session(account))
        return self.server.wire.request(method, path, {"Authorization": f"Bearer {session}", "Content-Type": "application/json"},
                                        json.dumps(body).encode() if body is not None else None)

    def overrides(self, method="GET", rest="", body=None, who="owner"):
        return self.api(who, method, f"/api/v1/namespaces/{NS}/overrides{rest}", body)

    def make(self, digest=None, who="owner", **members):
        body = {"repository": self.repo, "digest": digest or self.moved.digest, "identities": [self.glass.deployer.user], **WHY, **members}
        return self.overrides("POST", body={k: v for k, v in body.items() if v is not None}, who=who)

    def blob(self, digest, client=None):
        return (client or self.deployer)("GET", f"/v2/{self.repo}/blobs/{digest}")

    def both(self, reference, status=200):
        """HEAD and GET: the same status and headers."""
        got, head = (self.deployer.get(self.repo, reference, m) for m in ("GET", "HEAD"))
        assert (got.status, got.reason) == (head.status, head.reason)
        assert got.header_all("Warning") == head.header_all("Warning")
        return got.expect(status)

    def deny(self, digest, scope=NS, who="owner", reason="a backdoor was found"):
        return self.api(who, "POST", "/api/v1/denied", {"scope": scope, "digest": digest, "reason": reason})

    def lift(self, digest, scope=NS, who="owner"):
        return self.api(who, "DELETE", f"/api/v1/denied?scope={urllib.parse.quote(scope)}&digest={digest}")


def name_of(request):
    return request.node.name.replace("_", "-")[:60].strip("-")


@pytest.fixture
def place(request, glass):
    return Place(glass, name_of(request))


@pytest.fixture
def signed(request, glass, keeper):
    """The real notary signs: a second or two."""
    return Place(glass, name_of(request), keeper)


def policy(place, **members):
    place.api("owner", "PUT", f"/api/v1/policy?scope={place.repo}", members).expect(200)


# --- B-01, B-02: what is refused when it is made ------------------------------------------------------------------------

@pytest.mark.parametrize("digest", ["v1", "latest", "sha256:*", "sha256:" + "A" * 64, "sha256:" + "a" * 63, "", 7, None], ids=str)
def test_b01_an_override_names_an_exact_digest(glass, b01, digest):
    body = {"repository": b01.repo, "identities": [glass.deployer.user], **WHY}
    b01.overrides("POST", body=body).expect(400)
    b01.overrides("POST", body={**body, "digest": digest}).expect(400)
    b01.overrides("POST", body={**body, "tag": "v1"}).expect(400)
    b01.overrides("POST", body={**body, "digest": b01.moved.digest, "tag": "v1"}).expect(400)
    refused(b01.deployer.get(b01.repo, "v1"), b01.refusal)


@pytest.fixture(scope="module")
def b01(glass):
    return Place(glass, "b01")


def test_b01_nor_does_the_client_take_a_tag(place):
    options = ["--for", place.glass.deployer.user, "--duration", "1h", "--reason", "why", "--ticket", "T-1"]
    place.server.bond("override", "create", f"{place.repo}:v1", *options, code=2)
    place.server.bond("override", "create", place.repo, *options, code=2)
    refused(place.deployer.get(place.repo, "v1"), place.refusal)


def test_b02_it_is_bounded_by_the_policy(place):
    said = place.make(duration="25h").expect(400)
    assert "at most 24h" in said.message
    for bad in ("0", "forever", "soon", "8d", -1):
        place.make(duration=bad).expect(400)
    place.make(duration=None).expect(400)
    place.api("owner", "PUT", f"/api/v1/policy?scope={place.repo}", {"override": {"max": "8d"}}).expect(400)
    policy(place, override={"max": "30m"})
    place.make(duration="31m").expect(400)
    place.make(duration="30m").expect(201)


@pytest.mark.parametrize("members", [{"reason": ""}, {"reason": None}, {"ticket": ""}, {"ticket": None}, {"identities": []},
                                     {"identities": ["glass.nobody"]}, {"identities": ["*"]}, {"identities": None}, {"reason": "two\nlines"},
                                     {"uses": -1}, {"start": "tomorrow"}, {"start": "2099-01-01T00:00:00Z"}, {"repository": "house/app"}], ids=str)
def test_b02_every_part_of_it_is_needed_and_bounded(b01, members):
    assert b01.make(**members).status in (400, 404)


def test_only_owners_break_glass(place):
    for who in ("maintainer", "developer", "reader", "signer"):
        place.make(who=who).expect(403)
    place.make(who="stranger").expect(404)
    made = place.make().expect(201).json
    for who in ("maintainer", "developer", "reader"):
        place.overrides("DELETE", f"/{made['id']}", who=who).expect(403)
    place.overrides("DELETE", f"/{made['id']}").expect(200)


# --- B-03: what it does ---------------------------------------------------------------------------------------------------

def test_b03_an_override_lets_its_digest_through_and_says_so(signed):
    refused(signed.deployer.get(signed.repo, "v1"), signed.refusal)
    refused(signed.deployer.get(signed.repo, signed.moved.digest), "unsigned_digest")
    made = signed.make().expect(201).json
    assert made["state"] == "active" and made["created_by"] == signed.glass.owner.user
    before = signed.server.counter("bondstore_gate_decisions_total", effect="allow", reason="override")
    for reference in ("v1", signed.moved.digest):
        got = signed.both(reference)
        assert got.body == signed.moved.manifest and got.header("Docker-Content-Digest") == signed.moved.digest
        warning, = got.header_all("Warning")
        assert f"override {made['id']} until {made['end']}" in warning and "INC-7" in warning and "without it" in warning
        assert "private" in got.header("Cache-Control")
    child = signed.both(signed.child.digest)
    assert child.body == signed.child.manifest and "override" in child.header("Warning")
    for digest, content in signed.child.blobs.items():
        assert signed.blob(digest).expect(200).body == content
    assert signed.server.counter("bondstore_gate_decisions_total", effect="allow", reason="override") >= before + 6
    assert signed.server.counter("bondstore_overrides_active") >= 1
    shown = signed.overrides(rest=f"/{made['id']}").expect(200).json
    assert shown["uses"] == 1, "one pull is one use"
    records = signed.api("owner", "GET", f"/api/v1/deploy/decisions?repo={signed.repo}&n=1000").expect(200).json["decisions"]
    assert {r["override"] for r in records if r["reason"] == "override" and "override" in r} == {str(made["id"])}
    assert {r["override"] for r in records if r["reason"] != "override" and "override" in r} == {None}
    signed.overrides("DELETE", f"/{made['id']}?reason=over").expect(200)
    refused(signed.deployer.get(signed.repo, "v1"), signed.refusal)
    refused(signed.deployer.get(signed.repo, signed.moved.digest), "unsigned_digest")
    for digest in signed.child.blobs:
        refused(signed.blob(digest), "blob_not_reachable")


def test_b03_nobody_else_and_nothing_else_gets_through(place, registry):
    other = registry.client(registry.make_deployer(NS, "other"))
    evil = image(f"{place.repo} evil")
    place.glass["developer"].push(place.repo, evil, "evil")
    place.make().expect(201)
    place.both("v1")
    refused(other.get(place.repo, "v1"), place.refusal)
    refused(other.get(place.repo, place.moved.digest), "unsigned_digest")
    for digest in place.child.blobs:
        refused(place.blob(digest, other), "blob_not_reachable")
    refused(place.deployer.get(place.repo, "evil"), "unsigned")
    refused(place.deployer.get(place.repo, evil.digest), "unsigned_digest")
    for digest in set(evil.blobs) - set(place.child.blobs) - set(place.signed.blobs):
        refused(place.blob(digest), "blob_not_reachable")
    place.glass["developer"].push(place.repo, evil, "v1")  # the tag moves on: the override is of the digest
    refused(place.deployer.get(place.repo, "v1"), place.refusal)
    place.both(place.moved.digest)


def test_b03_everybody_who_may_pull_sees_it(place):
    made = place.make().expect(201).json
    for who in ("reader", "developer", "maintainer", "owner"):
        listed = [o for o in place.overrides(who=who).expect(200).json["overrides"] if o["id"] == made["id"]]
        assert listed and (listed[0]["reason"], listed[0]["ticket"]) == (WHY["reason"], WHY["ticket"])
    place.overrides(who="stranger").expect(404)
    mine = place.server.wire.request("GET", f"/api/v1/namespaces/{NS}/overrides", {"Authorization": place.glass.deployer.basic})
    assert made["id"] in [o["id"] for o in mine.expect(200).json["overrides"]]
    lines = place.server.bond("override", "list", NS, "-q").out.split()
    assert str(made["id"]) in lines


def test_b03_uses_are_counted_and_end(place, registry):
    others = [registry.make_deployer(NS, f"use{i}") for i in range(2)]
    made = place.make(identities=[o.user for o in others], uses=1).expect(201).json
    first, late = (registry.client(o) for o in others)
    first.get(place.repo, "v1").expect(200)
    first.get(place.repo, place.child.digest).expect(200)  # the same pull
    assert place.overrides(rest=f"/{made['id']}").json["state"] == "used_up"
    refused(late.get(place.repo, "v1"), place.refusal)
    refused(late.get(place.repo, place.moved.digest, "GET"), "unsigned_digest")
    first.get(place.repo, place.moved.digest).expect(200)


def test_b03_a_deployment_is_a_use_and_a_question_is_none(place, registry):
    early, late = (registry.make_deployer(NS, f"ships{i}") for i in range(2))

    def ask(who, image):
        return registry.wire.request("GET", f"/api/v1/deploy/verify?image={image}", {"Authorization": who.basic}).expect(200).json

    def deploy(who, **more):
        body = json.dumps({"service": "glassware", "image": f"{place.repo}:v1", **more}).encode()
        return registry.wire.request("POST", "/api/v1/deployments", {"Authorization": who.basic, "Content-Type": "application/json"}, body)

    def uses():
        return place.overrides(rest=f"/{made['id']}").expect(200).json["uses"]

    made = place.make(identities=[early.user, late.user], uses=1).expect(201).json
    assert ask(late, f"{place.repo}:v1")["reason"] == "override" and uses() == 0
    released = deploy(early).expect(201).json
    assert (released["reason"], released["digest"]) == ("override", place.moved.digest) and uses() == 1
    assert deploy(late).expect(403, "DENIED").reason_name == place.refusal
    assert deploy(late, image=f"{place.repo}@{place.moved.digest}").expect(403, "DENIED").reason_name == "unsigned_digest"
    refused(registry.client(late).get(place.repo, "v1"), place.refusal)
    assert ask(late, f"{place.repo}:v1")["reason"] == place.refusal
    registry.client(early).get(place.repo, place.moved.digest).expect(200)  # of the same use
    deploy(early).expect(201)
    back = json.dumps({"release": 1}).encode()
    rollback = f"/api/v1/deployments/{NS}/glassware/rollback"
    headers = {"Content-Type": "application/json"}
    assert registry.wire.request("POST", rollback, {**headers, "Authorization": late.basic}, back).expect(403).reason_name == "unsigned_digest"
    registry.wire.request("POST", rollback, {**headers, "Authorization": early.basic}, back).expect(201)
    assert uses() == 1
    entries = place.api("owner", "GET", f"/api/v1/audit?namespace={NS}&action=override.use").expect(200).json["entries"]
    assert [e["actor"] for e in entries if place.repo in e["object"]] == [early.user]


def test_b03_it_ends_when_the_digest_is_released_and_does_not_come_back(signed, keeper):
    made = signed.make().expect(201).json
    signed.both("v1")
    keeper.sign(signed.repo, "v1", signed.moved)
    got = signed.both("v1")
    assert not got.header_all("Warning")
    shown = signed.overrides(rest=f"/{made['id']}").expect(200).json
    assert shown["state"] == "ended" and "released" in shown["ended_why"]
    keeper.withdraw(signed.repo, "v1")
    refused(signed.deployer.get(signed.repo, signed.moved.digest), "unsigned_digest")
    refused(signed.deployer.get(signed.repo, "v1"), "unsigned")
    keeper.sign(signed.repo, "v1", signed.moved)
    said = signed.make().expect(409)  # it needs none
    assert "pull it by digest, or by the tag that is signed, v1; another tag" in said.message


def test_what_one_tag_releases_is_had_by_it_or_by_digest_and_by_no_other_tag(signed):
    """No override gives it to the other tag, and whoever asks for one is told which tag does."""
    signed.glass["developer"].push(signed.repo, signed.signed, "v2")
    refused(signed.deployer.get(signed.repo, "v2"), "unsigned")
    assert "signed, v1;" in signed.make(signed.signed.digest).expect(409).message
    signed.both(signed.signed.digest)
    refused(signed.deployer.get(signed.repo, "v2"), "unsigned")


def test_it_waits_for_its_start(place):
    made = place.make(start="2099-01-01T00:00:00Z")
    made.expect(400)
    made = place.make(start=later(3)).expect(201).json
    assert made["state"] == "ahead"
    refused(place.deployer.get(place.repo, "v1"), place.refusal)


def later(days):
    from datetime import datetime, timedelta, timezone
    return (datetime.now(timezone.utc) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_it_lets_a_repository_without_trust_data_through(place):
    repo, made = f"{NS}/never-signed", image("never signed")
    place.glass["developer"].push(repo, made, "v1")
    refused(place.deployer.get(repo, "v1"), "unsigned")
    place.make(made.digest, repository=repo).expect(201)
    got = place.deployer.get(repo, "v1").expect(200)
    assert "override" in got.header("Warning")


def test_it_may_come_before_the_push(place):
    repo, made = f"{NS}/pushed-later", image("pushed later")
    place.glass["developer"].push(repo, image("something"), "other")
    refused(place.deployer.get(repo, "other"), "unsigned")
    place.make(made.digest, repository=repo).expect(201)
    place.deployer.get(repo, made.digest).expect(404)
    place.glass["developer"].push(repo, made, "v1")
    place.deployer.get(repo, "v1").expect(200)
    place.deployer.get(repo, made.digest).expect(200)


def test_the_record_of_a_use_names_the_override(place):
    made = place.make().expect(201).json
    place.deployer.get(place.repo, "v1").expect(200)
    said = place.api("owner", "GET", f"/api/v1/deploy/decisions?repo={place.repo}&effect=allow").expect(200).json["decisions"]
    assert [(d["reason"], d["override"]) for d in said] == [("override", str(made["id"]))]


def decisions(place, more=""):
    answer = place.api("owner", "GET", f"/api/v1/deploy/decisions?repo={place.repo}{more}").expect(200)
    return answer.json["decisions"]


def test_b03_a_list_of_referrers_is_a_use_with_a_record(place):
    made = place.make(uses=1).expect(201).json
    address = f"/v2/{place.repo}/referrers/{place.moved.digest}"
    uses = lambda: place.overrides(rest=f"/{made['id']}").expect(200).json["uses"]
    assert uses() == 0
    got = place.deployer("GET", address).expect(200)
    assert f"override {made['id']} until" in got.header("Warning") and uses() == 1
    record, = decisions(place, "&effect=allow")
    assert (record["door"], record["reason"], record["override"]) == ("referrers", "override", str(made["id"]))
    assert record["request"]["digest"] == record["digests"]["served"] == place.moved.digest
    place.deployer("GET", address).expect(200)
    place.both(place.moved.digest)
    assert uses() == 1, "all of it is one use"


def test_b03_a_refused_list_of_referrers_has_a_record_and_one_of_nothing_none(place):
    refused(place.deployer("GET", f"/v2/{place.repo}/referrers/{place.moved.digest}"), "unsigned_digest")
    got = place.deployer("GET", f"/v2/{place.repo}/referrers/sha256:{'0' * 64}").expect(200)
    assert got.json["manifests"] == []
    record, = decisions(place)
    assert (record["door"], record["effect"], record["reason"]) == ("referrers", "deny", "unsigned_digest")


def test_why_asks_today_for_the_identity_that_asked_then(place, registry):
    mine = registry.make_deployer(NS, "today")
    client = registry.client(mine)
    ids = {}
    for path in (f"manifests/v1", f"manifests/{place.moved.digest}", f"blobs/{place.child.config}"):
        ids[path] = client("GET", f"/v2/{place.repo}/{path}").expect(403).error["detail"]["decision"]
    today = lambda path: place.api("owner", "GET", f"/api/v1/deploy/decisions/{ids[path]}").expect(200).json["now"]
    assert {p: (today(p)["effect"], today(p)["reason"]) for p in ids} == {
        "manifests/v1": ("deny", "unsigned"), f"manifests/{place.moved.digest}": ("deny", "unsigned_digest"),
        f"blobs/{place.child.config}": ("deny", "blob_not_reachable")}
    made = place.make(identities=[place.glass.deployer.user]).expect(201).json  # somebody else's
    assert today("manifests/v1")["effect"] == "deny"
    place.overrides("DELETE", f"/{made['id']}").expect(200)
    made = place.make(identities=[mine.user]).expect(201).json
    for path in ids:
        assert (today(path)["effect"], today(path)["reason"]) == ("allow", "override"), path
    assert "today     allow, override: override" in registry.bond("deploy", "why", ids["manifests/v1"]).out
    assert place.overrides(rest=f"/{made['id']}").expect(200).json["uses"] == 0, "to ask is no use"
    registry.bond("deployers", "rm", NS, "today", "--yes")
    for path in ids:
        assert today(path) == {"effect": None, "reason": None, "message": f"the account {mine.user} does not exist any more"}
    said = registry.bond("deploy", "why", ids["manifests/v1"]).out
    assert f"today     the account {mine.user} does not exist any more" in said


# --- rights and what is told ----------------------------------------------------------------------------------------------

CHANGES = {"override": lambda place, who: place.make(who=who), "deny": lambda place, who: place.deny(place.moved.digest, who=who),
           "policy": lambda place, who: place.api(who, "PUT", f"/api/v1/policy?scope={place.repo}", {"level": "off"}),
           "no-policy": lambda place, who: place.api(who, "DELETE", f"/api/v1/policy?scope={place.repo}")}


@pytest.mark.parametrize("change", CHANGES)
def test_a_right_that_goes_before_the_write_is_gone(glass, registry, change):
    """The write waits for a writer outside, who takes the membership away while it waits."""
    place = Place(glass, f"right-{change}")
    policy(place, level="deploy")
    account = registry.make_member(NS, f"{change}@leaves.example", "owner")
    place.api(account, "GET", f"/api/v1/policy?scope={place.repo}").expect(200)  # signed in
    answers = []
    idle = registry.counter("bondstore_worker_jobs")
    index_db = sqlite3.connect(registry.data / "index.db", isolation_level=None, timeout=60)
    try:
        index_db.execute("BEGIN IMMEDIATE")
        index_db.execute("DELETE FROM membership WHERE account_id = (SELECT id FROM account WHERE name = ?)", (account.user,))
        thread = threading.Thread(target=lambda: answers.append(CHANGES[change](place, account)))
        thread.start()
        eventually(lambda: answers or registry.counter("bondstore_worker_jobs") > idle, what="the request")
        index_db.execute("COMMIT")
        thread.join()
    finally:
        index_db.close()
    if answers[0].status >= 500:  # it waited too long for the other writer: nothing was written
        answers = [CHANGES[change](place, account)]
    assert answers[0].status in (403, 404), answers[0]
    refused(place.deployer.get(place.repo, "v1"), place.refusal)
    assert place.api("owner", "GET", f"/api/v1/policy?scope={place.repo}").expect(200).json["effective_scope"] == place.repo


# --- B-02, B-04: two persons ----------------------------------------------------------------------------------------------

def test_b04_with_two_person_it_acts_when_somebody_else_approved(place, second):
    policy(place, override={"two_person": True})
    made = place.make().expect(201).json
    assert made["state"] == "waiting" and made["two_person"]
    refused(place.deployer.get(place.repo, "v1"), place.refusal)
    said = place.overrides("POST", f"/{made['id']}/approve").expect(403)
    assert "second person" in said.message
    place.overrides("POST", f"/{made['id']}/approve", who="maintainer").expect(403)
    refused(place.deployer.get(place.repo, "v1"), place.refusal)
    approved = place.overrides("POST", f"/{made['id']}/approve", who=second).expect(200).json
    assert (approved["state"], approved["approved_by"]) == ("active", second.user)
    place.both("v1")
    place.overrides("POST", f"/{made['id']}/approve", who=second).expect(409)


def test_b04_one_that_was_ended_is_not_approved(place, second):
    policy(place, override={"two_person": True})
    made = place.make().expect(201).json
    place.overrides("DELETE", f"/{made['id']}").expect(200)
    place.overrides("DELETE", f"/{made['id']}").expect(409)
    place.overrides("POST", f"/{made['id']}/approve", who=second).expect(409)
    refused(place.deployer.get(place.repo, "v1"), place.refusal)


# --- B-05, G-28: the deny list --------------------------------------------------------------------------------------------

def test_b05_no_override_lifts_the_deny_list(signed):
    signed.make().expect(201)
    signed.both("v1")
    signed.deny(signed.moved.digest).expect(201)
    refused(signed.deployer.get(signed.repo, "v1"), "denied_digest")
    refused(signed.deployer.get(signed.repo, signed.moved.digest), "denied_digest")
    refused(signed.deployer.get(signed.repo, signed.child.digest), "denied_digest")
    for digest in signed.child.blobs:
        refused(signed.blob(digest), "denied_digest")
    assert "denied_digest" in signed.make().expect(403).message
    signed.lift(signed.moved.digest).expect(204)
    signed.both("v1")


def test_g28_a_denied_digest_is_refused_although_it_is_signed(signed, keeper):
    keeper.sign(signed.repo, "v1", signed.moved)
    signed.both("v1")
    signed.deny(signed.moved.digest, reason="CVE-2026-1").expect(201)
    got = signed.both("v1", 403)
    refused(got, "denied_digest")
    assert "CVE-2026-1" in got.message and signed.glass.owner.user in got.message
    refused(signed.deployer.get(signed.repo, signed.moved.digest), "denied_digest")
    refused(signed.deployer.get(signed.repo, signed.child.digest), "denied_digest")
    for digest in signed.child.blobs:
        refused(signed.blob(digest), "denied_digest")
    assert "v1" not in signed.deployer("GET", f"/v2/{signed.repo}/tags/list").expect(200).json["tags"]
    signed.glass["developer"].get(signed.repo, "v1").expect(200)
    signed.lift(signed.moved.digest).expect(204)
    signed.both("v1")


def test_g28_as_a_child_and_as_a_blob(signed, keeper):
    good = image(f"{signed.repo} good child", arch="arm64")
    both = index([signed.child, good])
    signed.glass["developer"].push(signed.repo, both, "v2")
    keeper.sign(signed.repo, "v2", both)
    signed.deny(signed.child.digest).expect(201)
    signed.both("v2")  # the index is not denied, and its other platform pulls
    signed.both(good.digest)
    refused(signed.deployer.get(signed.repo, signed.child.digest), "denied_digest")
    only_child = set(signed.child.blobs) - set(good.blobs)
    assert only_child and good.blobs
    for digest in only_child:
        refused(signed.blob(digest), "denied_digest")
    for digest in good.blobs:
        signed.blob(digest).expect(200)
    layer = sorted(set(good.blobs) - set(signed.child.blobs))[0]
    signed.deny(layer).expect(201)
    refused(signed.blob(layer), "denied_digest")
    signed.both(good.digest)


def put_as_sha512(place, made, tag=None):
    """The same bytes under their other name, and the tag on it."""
    name = "sha512:" + hashlib.sha512(made.manifest).hexdigest()
    where = f"/v2/{place.repo}/manifests/{name}" + (f"?tag={tag}" if tag else "")
    place.glass["developer"]("PUT", where, {"Content-Type": made.media_type}, made.manifest).expect(201)
    return name


def test_g28_a_denied_manifest_has_no_second_name(signed, keeper):
    made = image(f"{signed.repo} two names")
    signed.glass["developer"].push(signed.repo, made, "v2")
    keeper.sign(signed.repo, "v2", made)
    name = put_as_sha512(signed, made, "v2")
    assert signed.both("v2").header("Docker-Content-Digest") == name
    refused(signed.both(name, 403), "unsigned_digest")  # gate 6 a: S is the sha256 that was signed, and no other name
    signed.both(made.digest)
    signed.deny(made.digest).expect(201)
    refused(signed.both("v2", 403), "denied_digest")
    refused(signed.both(name, 403), "denied_digest")
    signed.lift(made.digest).expect(204)
    signed.both("v2")


def sha512_of(made):
    return "sha512:" + hashlib.sha512(made.manifest).hexdigest()


@pytest.mark.parametrize("pushed", ["before", "after"])
@pytest.mark.parametrize("denied", ["sha256", "sha512"])
@pytest.mark.parametrize("stored", ["sha256", "sha512"])
def test_g28_a_denial_by_one_name_holds_for_the_other(glass, denied, stored, pushed):
    """Whichever was first, the manifest or the entry; an override lets it through until it is denied."""
    place = Place(glass, f"names-{denied}-{stored}-{pushed}")
    child = image(f"{place.repo} two names")
    made, other = index([child]), image(f"{place.repo} another")
    entry = made.digest if denied == "sha256" else sha512_of(made)
    name = made.digest if stored == "sha256" else sha512_of(made)

    def push():
        place.glass["developer"].push(place.repo, child, child.digest)
        if stored == "sha512":
            put_as_sha512(place, made, "v2")
        else:
            place.glass["developer"].push(place.repo, made, "v2")

    place.glass["developer"].push(place.repo, other, "other")
    place.make(other.digest).expect(201)
    place.make(name).expect(201)
    if pushed == "before":
        push()
        place.both("v2")
        place.both(child.digest)
    place.deny(entry).expect(201)
    if pushed == "after":
        push()
    for reference in ("v2", name, child.digest):
        refused(place.both(reference, 403), "denied_digest")
    for digest in child.blobs:
        refused(place.blob(digest), "denied_digest")
    place.both("other")  # nothing else is denied with it
    assert "denied_digest" in place.make(name).expect(403).message
    assert ("two names" in place.both(name, 403).message) == (denied != stored)
    place.lift(entry).expect(204)
    place.both("v2")
    place.both(child.digest)


def test_g28_what_is_signed_and_served_instead_is_denied_by_both_names(signed):
    policy(signed, on_mismatch="serve_signed")
    signed.both("v1")
    signed.deny(sha512_of(signed.signed)).expect(201)
    refused(signed.both("v1", 403), "denied_digest")
    refused(signed.both(signed.signed.digest, 403), "denied_digest")
    for digest in signed.signed.blobs:
        refused(signed.blob(digest), "denied_digest")


def test_g28_nor_does_an_override_of_the_second_name_let_it_through(place):
    made = image(f"{place.repo} two names")
    place.glass["developer"].push(place.repo, made, "v2")
    name = put_as_sha512(place, made, "v2")
    place.make(name).expect(201)
    place.both("v2")
    place.both(name)
    place.deny(made.digest).expect(201)
    refused(place.both("v2", 403), "denied_digest")
    refused(place.both(name, 403), "denied_digest")
    for digest in made.blobs:
        assert place.blob(digest).status == 403


def test_g28_serving_the_signed_image_does_not_serve_a_denied_one(signed):
    policy(signed, on_mismatch="serve_signed")
    assert signed.both("v1").body == signed.signed.manifest
    signed.deny(signed.signed.digest).expect(201)
    refused(signed.both("v1", 403), "denied_digest")


def test_the_list_of_the_server_is_its_administrators(signed):
    signed.deny(signed.signed.digest, scope="*").expect(403)
    signed.server.bond("deny", "add", "*", signed.signed.digest, "--reason", "stolen key")
    refused(signed.deployer.get(signed.repo, signed.signed.digest), "denied_digest")
    signed.lift(signed.signed.digest, scope="*").expect(403)
    signed.lift(signed.signed.digest).expect(404)  # the namespace's own list has no such entry
    assert signed.signed.digest in [d["digest"] for d in signed.api("reader", "GET", "/api/v1/denied?scope=*").expect(200).json["denied"]]
    assert signed.server.bond("deny", "list", "*", "-q").out.split().count(signed.signed.digest) == 1
    signed.server.bond("deny", "rm", "*", signed.signed.digest)
    signed.both(signed.signed.digest)


def test_who_may_change_and_read_the_list_of_a_namespace(place):
    for who in ("maintainer", "developer", "reader"):
        place.deny(place.moved.digest, who=who).expect(403)
        place.api(who, "GET", f"/api/v1/denied?scope={NS}").expect(200)
    place.deny(place.moved.digest, who="stranger").expect(404)
    place.api("stranger", "GET", f"/api/v1/denied?scope={NS}").expect(404)
    for bad in ({"digest": "v1"}, {"reason": ""}, {"scope": "glass/app"}, {"scope": "glass*"}):
        body = {"scope": NS, "digest": place.moved.digest, "reason": "why", **bad}
        place.api("owner", "POST", "/api/v1/denied", body).expect(400)
    for last in ("v1", "%ZZ", "%00"):
        place.api("owner", "GET", f"/api/v1/denied?scope={NS}&last={last}").expect(400)
        place.overrides(rest=f"?last={last}").expect(400)
    place.lift(place.moved.digest).expect(404)


# --- the client -----------------------------------------------------------------------------------------------------------

def test_the_commands_of_the_manual(place):
    made = place.server.bond("override", "create", f"{place.repo}@{place.moved.digest}", "--for", place.glass.deployer.user, "--duration", "1h",
                             "--reason", "release blocked", "--ticket", "INC-8", "--uses", "3", "--json")
    made = json.loads(made.out)
    assert (made["state"], made["max_uses"]) == ("active", 3)
    place.both("v1")
    check = place.server.bond("deploy", "check", f"{place.repo}:v1", "--as", place.glass.deployer.user, "--json")
    assert "override" in check.out
    place.server.bond("deploy", "check", f"{place.repo}:v1", "--as", place.glass.deployer.user, "--strict", code=6)
    place.server.bond("deploy", "check", f"{place.repo}:v1", code=6)  # a deployer of no name has no override
    place.server.bond("override", "end", NS, str(made["id"]), "--reason", "signed again")
    refused(place.deployer.get(place.repo, "v1"), place.refusal)
    place.server.bond("override", "end", NS, str(made["id"]), code=7)
    place.server.bond("override", "end", NS, "999999", code=3)


def test_a_restart_forgets_nothing(own_server, tmp_path):
    house = make_house(own_server, NS)
    deployer, made, denied = house["deployer"], image("kept"), image("denied")
    for it, tag in ((made, "v1"), (denied, "v2")):
        house["developer"].push(f"{NS}/app", it, tag)
    own_server.bond("override", "create", f"{NS}/app@{made.digest}", "--for", house.deployer.user, "--duration", "1h", "--reason", "r", "--ticket", "t")
    own_server.bond("deny", "add", NS, denied.digest, "--reason", "bad")
    for _ in range(2):
        deployer.get(f"{NS}/app", "v1").expect(200)
        refused(deployer.get(f"{NS}/app", "v2"), "denied_digest")
        own_server.restart()
    eventually(lambda: own_server.counter("bondstore_overrides_active") == 1, what="the gauge after a restart")


def test_b05_no_override_under_a_revoked_root_key(own_server, tmp_path):
    house = make_house(own_server, NS)
    keeper = Notary(own_server, house.owner, tmp_path / "keeper")
    repo, first, moved = f"{NS}/app", image("first"), image("moved")
    house["developer"].push(repo, first, "v1")
    keeper.init(repo)
    keeper.sign(repo, "v1", first)
    house["developer"].push(repo, moved, "v1")
    glass = [f"{repo}@{moved.digest}", "--for", house.deployer.user, "--duration", "1h", "--reason", "r", "--ticket", "t"]
    own_server.bond("override", "create", *glass)
    house["deployer"].get(repo, "v1").expect(200)
    key, = json.loads(own_server.bond("trust", "status", repo, "--json").out)["repositories"][0]["root_keys"]
    own_server.stop()
    with sqlite3.connect(own_server.data / "index.db") as index_db:
        index_db.execute("INSERT INTO revoked_key (spki, reason, revoked_us, revoked_by) VALUES (?, 'stolen', 1, 'admin')",
                         (bytes.fromhex(key.partition(":")[2]),))
    index_db.close()
    own_server.start()
    for reference in ("v1", first.digest, moved.digest):
        refused(house["deployer"].get(repo, reference), "root_key_revoked")
    own_server.bond("override", "create", *glass, code=5)


# --- telling others -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("required", [False, True])
def test_a_use_is_told_to_whoever_listens_and_is_none_when_it_must_be_and_cannot(tmp_path, required):
    server = Server(tmp_path).init()
    path = tmp_path / "pager"
    server.config.write_text(server.config.read_text() + f"trust: {{ override_notice: {path}, override_notice_required: {str(required).lower()} }}\n")
    server.start()
    try:
        house, made = make_house(server, "pager"), image("paged")
        house["developer"].push("pager/app", made, "v1")
        deployers = [server.make_deployer("pager", f"d{i}") for i in range(2)]
        order = server.bond("override", "create", f"pager/app@{made.digest}", "--for", ",".join(d.user for d in deployers), "--duration", "1h",
                            "--reason", "the signer is away", "--ticket", "INC-9", "--json")
        first, second = (server.client(d) for d in deployers)
        said = first.get("pager/app", "v1").expect(503 if required else 200)  # nobody listens yet
        assert said.status == 200 or said.code == "UNAVAILABLE"
        uses = lambda: json.loads(server.bond("override", "list", "pager", "--json").out)["overrides"][0]["uses"]
        assert uses() == (0 if required else 1)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as pager:
            pager.bind(str(path))
            pager.settimeout(60)
            second.get("pager/app", "v1").expect(200)
            told = json.loads(pager.recv(65536))
            assert (told["event"], told["override"], told["repository"]) == ("override.use", json.loads(order.out)["id"], "pager/app")
            assert (told["identity"], told["digest"]) == (deployers[1].user, made.digest)
            assert "INC-9" in told["message"] and told["address"] and told["time"] < told["end"]
            second.get("pager/app", made.digest).expect(200)  # of the same use
            pager.setblocking(False)
            with pytest.raises(BlockingIOError):
                pager.recv(65536)
            first.get("pager/app", "v1").expect(200)
        assert uses() == 2
    finally:
        server.end()
