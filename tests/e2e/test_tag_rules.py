"""Tag rules: immutable tags by every door, retention with its dry run, the doors of the rules themselves."""
import json
import sqlite3

import pytest

from support.engine import Docker
from support.images import image, index
from support.notary import Notary
from support.oci_clients import OciClient
from support.server import Server, eventually
from test_clock import faketime

FIXED = {"name": "releases", "repository": "*", "tag": "v*", "immutable": True}


def index_of(server):
    return sqlite3.connect(f"file:{server.data / 'index.db'}?mode=ro", uri=True)


class Place:
    """A namespace with an owner, a maintainer and a developer, and the API of its rules."""

    def __init__(self, server, ns):
        self.server, self.ns = server, server.make_namespace(ns)
        self.people = {role: server.make_member(ns, f"{role}@{ns}.example", role) for role in ("owner", "maintainer", "developer", "reader")}
        self.people["stranger"] = server.make_user(f"stranger@{ns}.example")

    def client(self, role):
        return self.server.client(self.people[role])

    def api(self, method, rest="", body=None, who="owner"):
        session = self.server.session(self.people[who])
        return self.server.wire.request(method, f"/api/v1/namespaces/{self.ns}/tag-rules{rest}",
                                        {"Authorization": f"Bearer {session}", "Content-Type": "application/json"},
                                        json.dumps(body).encode() if body is not None else None)

    def rules(self, *rules):
        return self.api("PUT", body={"rules": list(rules)}).expect(200).json

    def tags(self, repo):
        return self.client("owner")("GET", f"/v2/{repo}/tags/list").expect(200).json["tags"]

    def audited(self, *words):
        """Lines of the audit table that hold all these words."""
        db = index_of(self.server)
        rows = [" ".join(map(str, row)) for row in db.execute("SELECT actor, action, object, state_before, state_after FROM audit")]
        db.close()
        return [row for row in rows if all(word in row for word in words)]


@pytest.fixture(scope="module")
def place(registry):
    return Place(registry, "tagrules")


@pytest.fixture(autouse=True)
def no_rules(request):
    yield
    if "place" in request.fixturenames:
        request.getfixturevalue("place").rules()


def denied(answer, *words):
    assert answer.expect(403).error["code"] == "DENIED"
    for word in words:
        assert word in answer.message, answer.message
    return answer


# --- immutable tags ---------------------------------------------------------------------------------------------------
def test_an_immutable_tag_is_made_and_put_again_but_not_moved_by_any_door(place):
    repo, client = "tagrules/app", place.client("owner")
    one, two = image("one"), image("two")
    place.rules(FIXED)
    client.push(repo, one, "v1")
    client.push(repo, one, "v1")
    client.push(repo, two, "latest")
    denied(client.push_manifest(repo, "v1", two.manifest, two.media_type), "v1", '"releases"')
    denied(client("PUT", f"/v2/{repo}/manifests/{two.digest}?tag=v1", {"Content-Type": two.media_type}, two.manifest), "v1", '"releases"')
    # all tags of one request or none
    denied(client("PUT", f"/v2/{repo}/manifests/{two.digest}?tag=other&tag=v1", {"Content-Type": two.media_type}, two.manifest), "v1")
    assert place.tags(repo) == ["latest", "v1"]
    assert client.get(repo, "v1").expect(200).header("Docker-Content-Digest") == one.digest
    client.push(repo, one, "latest")  # what no rule matches moves
    denied(client("DELETE", f"/v2/{repo}/manifests/v1"), "v1", '"releases"')
    client("DELETE", f"/v2/{repo}/manifests/latest").expect(202)


def test_the_administrator_is_bound_too_until_the_rule_is_changed(place):
    repo, admin = "tagrules/admin", place.server.client(place.server.admin)
    one, two = image("one"), image("two")
    place.rules(FIXED)
    admin.push(repo, one, "v1")
    denied(admin("DELETE", f"/v2/{repo}/manifests/v1"), '"releases"')
    place.rules()
    admin.push(repo, two, "v1")


def test_nothing_that_an_immutable_image_consists_of_is_deleted(place):
    repo, client = "tagrules/multi", place.client("owner")
    children = [image(f"for {a}", arch=a) for a in ("amd64", "arm64")]
    made = index(children)
    place.rules({**FIXED, "repository": "tagrules/mul*"})
    client.push(repo, made, "v1")
    for digest in [made.digest, *made.children]:
        denied(client("DELETE", f"/v2/{repo}/manifests/{digest}"), "v1", '"releases"')
    for digest in made.blobs:
        denied(client("DELETE", f"/v2/{repo}/blobs/{digest}"), "v1", '"releases"')
    for digest in [made.digest, *made.children]:
        client.get(repo, digest).expect(200)
    for digest in made.blobs:
        client("GET", f"/v2/{repo}/blobs/{digest}").expect(200)
    place.rules()
    client("DELETE", f"/v2/{repo}/manifests/{made.digest}").expect(202)
    client("DELETE", f"/v2/{repo}/blobs/{next(iter(made.blobs))}").expect(202)


def test_docker_push_tells_the_rule(place, engine, tmp_path):
    engine.trust_ca(place.server.host, place.server.ca)
    person = Docker(engine, place.server, place.people["developer"], tmp_path / "docker")
    person.login()
    place.rules(FIXED)
    person.push("tagrules/docker:v1", image("first"))
    person.push("tagrules/docker:v1", image("first"))
    refused = person.push("tagrules/docker:v1", image("second"), code="fail")
    assert "denied" in refused and 'the tag v1 is immutable by the tag rule "releases"' in refused.text.replace('\\"', '"')


def test_skopeo_delete_is_refused_with_the_sentence(place, tmp_path):
    client = OciClient(place.server, place.people["maintainer"], tmp_path)
    client.login()
    place.rules(FIXED)
    place.client("owner").push("tagrules/skopeo", image("kept"), "v1")
    refused = client.remote("delete", "tagrules/skopeo:v1", code="fail")
    assert "immutable" in refused and "releases" in refused
    place.client("owner").get("tagrules/skopeo", "v1").expect(200)


# --- the rules' own doors ---------------------------------------------------------------------------------------------
def test_rules_are_read_set_whole_and_audited(place):
    keep = {"name": "nightly", "repository": "tagrules/app", "tag": "n-*", "keep": {"newest": 10, "younger_than": "30d", "pulled_within": "14d"}}
    before = place.api("GET").expect(200).json
    stored = place.rules(FIXED, keep)
    assert stored["rules"] == [FIXED, keep] and stored["generation"] == before["generation"] + 1
    read = place.api("GET", who="maintainer").expect(200).json
    assert read == stored and read["updated_by"] == place.people["owner"].user
    assert place.audited(place.people["owner"].user, "tag_rules.put", "nightly", "pulled_within")
    place.rules()
    assert place.api("GET").expect(200).json["rules"] == []


@pytest.mark.parametrize("body, said", [
    ({}, "rules"), ({"rules": {}}, "rules"), ({"rules": [FIXED], "more": 1}, "more"), ({"rules": [FIXED, FIXED]}, "rule 2"),
    ({"rules": [{**FIXED, "keep": {"newest": 1}}]}, "releases"), ({"rules": [{**FIXED, "repository": "house/*"}]}, "tagrules/"),
    ({"rules": [{"name": "x", "tag": "*", "keep": {}}]}, "keep"), ({"rules": [{"name": "x", "tag": "*", "keep": {"newest": 0}}]}, "newest"),
    ({"rules": [{**FIXED, "tag": "v[0-9]"}]}, "tag")], ids=lambda v: json.dumps(v)[:50])
def test_bad_rules_are_refused_whole_with_rule_and_member(place, body, said):
    before = place.rules(FIXED)
    for door in ("PUT", ""), ("POST", "/dry-run"):
        answer = place.api(*door, body)
        assert answer.expect(400).error["code"] == "INVALID" and said in answer.message, answer.message
    assert place.api("GET").expect(200).json == before


def test_owners_set_maintainers_read_and_others_do_neither(place):
    for who in ("maintainer", "developer", "reader"):
        place.api("PUT", body={"rules": []}, who=who).expect(403)
    place.api("GET", who="maintainer").expect(200)
    place.api("POST", "/dry-run", who="maintainer").expect(200)
    for who in ("developer", "reader"):
        place.api("GET", who=who).expect(403)
        place.api("POST", "/dry-run", who=who).expect(403)
    for method, rest in (("GET", ""), ("PUT", ""), ("POST", "/dry-run")):
        answer = place.api(method, rest, {"rules": [{"name": "wrong"}]} if method == "PUT" else None, who="stranger").expect(404)
        assert answer.error["code"] == "NAME_UNKNOWN"
    place.server.wire.request("GET", "/api/v1/namespaces/tagrules/tag-rules").expect(401)


def test_bond_sets_shows_and_plans(place):
    bond = place.server.bond
    for n in range(3):
        place.client("owner").push("tagrules/plan", image(f"plan {n}"), f"n-{n}")
    rules = json.dumps({"rules": [{"name": "nightly", "repository": "tagrules/plan", "tag": "n-*", "keep": {"newest": 1}}]})
    plan = bond("rules", "plan", "tagrules", "--file", "-", stdin=rules)  # proposed, not stored
    lines = [line.split("\t") for line in plan.out.splitlines() if line.startswith("tagrules/plan:")]
    assert [(line[0], line[1]) for line in lines] == [("tagrules/plan:n-0", "remove"), ("tagrules/plan:n-1", "remove"), ("tagrules/plan:n-2", "keep")]
    assert "2 of" in plan.err and "nothing was changed" in plan.err
    assert "nightly" not in bond("rules", "get", "tagrules", "-q").out
    bond("rules", "set", "tagrules", "--file", "-", stdin=rules)
    assert bond("rules", "get", "tagrules", "-q").out.split() == ["nightly"]
    got = bond("rules", "get", "tagrules").out
    bond("rules", "set", "tagrules", "--file", "-", stdin=got)  # what is shown is taken back
    every = json.loads(bond("rules", "plan", "tagrules", "--json").out)["tags"]
    mine = {row["tag"]: row for row in every if row["repository"] == "tagrules/plan"}
    assert mine["n-2"]["reason"] == "newest" and mine["n-0"]["reason"] == "remove" and mine["n-0"]["rule"] == "nightly"
    assert place.tags("tagrules/plan") == ["n-0", "n-1", "n-2"]
    bond("rules", "set", "tagrules", code=2)
    bond("rules", "get", "no-such-namespace", code=3)
    assert "newest" in bond("rules", "set", "tagrules", "--file", "-", stdin=rules.replace(": 1}", ": 0}"), code="fail").err


# --- retention --------------------------------------------------------------------------------------------------------
@pytest.fixture
def quick(tmp_path):
    """A server whose maintenance and rounds of retention come every second."""
    server = Server(tmp_path).init()
    server.start(BONDSTORE_MAINTENANCE_INTERVAL="1s", BONDSTORE_RETENTION_INTERVAL="1s")
    yield Place(server, "quick")
    server.end()


def test_old_tags_go_by_themselves_with_what_hung_on_them_and_signed_ones_stay(quick, tmp_path):
    client, server = quick.client("owner"), quick.server
    keeper = Notary(server, quick.people["owner"], tmp_path / "keeper")
    made = {n: index([image(f"{n} {a}", arch=a) for a in ("amd64", "arm64")]) for n in range(4)}
    for n, one in made.items():
        client.push("quick/app", one, f"n-{n}")
    client.push("quick/app", made[0], "other")
    keeper.init("quick/app")
    keeper.sign("quick/app", "n-1", made[1])
    rule = {"name": "nightly", "repository": "quick/app", "tag": "n-*", "keep": {"newest": 1}}
    planned = quick.api("POST", "/dry-run", {"rules": [rule]}).expect(200).json["tags"]
    assert [(row["tag"], row["action"], row["reason"]) for row in planned] == [
        ("n-0", "remove", "remove"), ("n-1", "keep", "signed"), ("n-2", "remove", "remove"), ("n-3", "keep", "newest"), ("other", "keep", "no_rule")]
    assert len(quick.tags("quick/app")) == 5
    quick.rules(rule)
    eventually(lambda: quick.tags("quick/app") == ["n-1", "n-3", "other"], what="retention")
    eventually(lambda: client.get("quick/app", made[2].digest).status == 404, what="removal of the manifest")
    for child in made[2].children:
        eventually(lambda: client.get("quick/app", child).status == 404, what="removal of its platforms")
    for n in (0, 1, 3):  # another tag, a signature, the newest
        for digest in (made[n].digest, *made[n].children):
            client.get("quick/app", digest).expect(200)
    assert server.counter("bondstore_tags_retired_total") == 2
    assert server.counter("bondstore_manifests_retired_total") == 3
    assert quick.audited("retention", "retention.tag", "quick/app:n-2", "nightly")
    assert quick.audited("retention", "retention.manifest", f"quick/app@{made[2].digest}", "nightly")


def test_what_is_pulled_stays_and_what_nobody_pulls_goes(tmp_path):
    server = Server(tmp_path).init().start(BONDSTORE_MAINTENANCE_INTERVAL="1s")
    place = Place(server, "quick")
    client = place.client("owner")
    used, idle = image("used"), index([image("idle")])
    client.push("quick/pull", used, "used")
    client.push("quick/pull", idle, "idle")
    client.get("quick/pull", "idle").expect(200)
    rule = {"name": "unused", "repository": "quick/pull", "tag": "*", "keep": {"pulled_within": "10d"}}

    def planned():
        rows = place.api("POST", "/dry-run", {"rules": [rule]}).expect(200).json["tags"]
        return {row["tag"]: row["reason"] for row in rows}
    assert planned() == {"used": "younger", "idle": "younger"}
    eventually(lambda: pulls_written(server) >= 1, what="the writing of pulls")
    server.stop()
    client.forget()
    clock, _ = faketime(20)
    server.start(BONDSTORE_MAINTENANCE_INTERVAL="1s", BONDSTORE_RETENTION_INTERVAL="1s", **clock)
    client.get("quick/pull", "used", "HEAD").expect(200)
    eventually(lambda: planned() == {"used": "pulled", "idle": "remove"}, what="the writing of pulls")
    place.rules(rule)
    eventually(lambda: place.tags("quick/pull") == ["used"], what="removal of what nobody pulls")
    client.get("quick/pull", "used").expect(200)
    client.get("quick/pull", idle.digest).expect(404)
    server.end()


def pulls_written(server):
    db = index_of(server)
    rows = db.execute("SELECT COUNT(*) FROM manifest_pull").fetchone()[0]
    db.close()
    return rows
