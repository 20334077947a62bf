"""Every decision leaves a record that explains and proves itself (gate 12, 13), and a refusal without one is not sent."""
import hashlib
import json
import re
import resource
import shutil
import sqlite3
import time

import pytest

from support.images import image
from support.notary import Notary
from support.people import make_house
from support.process import environment, run
from support.server import Server, eventually, sanitizer_environment

SMALL = {"ASAN_OPTIONS": sanitizer_environment()["ASAN_OPTIONS"] + ":quarantine_size_mb=1"}
ID = r"[0-9A-HJKMNP-TV-Z]{26}"


def api(server, account, path, status=200):
    """As that account, over the API."""
    headers = {}
    if account:
        headers["Authorization"] = f"Bearer {server.session(account)}" if account.kind == "user" else account.basic
    return server.wire.request("GET", path, headers).expect(status)


def chain(server):
    """The records as lines, by the offline reader that every language has."""
    return server.bond("audit", "export", "--decisions").out.splitlines()


def records_of(lines, **wanted):
    return [r for r in map(json.loads, lines) if all(r.get(k) == v for k, v in wanted.items())]


def proves(lines):
    """Each line holds the SHA-256 of the line before it."""
    return all(json.loads(line)["prev"] == "sha256:" + hashlib.sha256(before.encode()).hexdigest()
               for before, line in zip(lines, lines[1:]))


# --- one record ---------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def refused(registry, house, keeper):
    """v1 signed as D1, moved to D2 unsigned, asked for once by the deployer."""
    repo = f"{house.ns}/decided"
    d1, d2 = image("decided"), image("decided otherwise")
    house["developer"].push(repo, d1, "v1")
    keeper.init(repo)
    keeper.sign(repo, "v1", d1)
    house["developer"].push(repo, d2, "v1")
    answer = house["deployer"].get(repo, "v1").expect(403)
    return repo, d1, d2, answer.error["detail"]


def test_a_refusal_names_its_record_which_has_the_shape_of_the_specification(registry, house, refused):
    repo, d1, d2, detail = refused
    assert re.fullmatch(ID, detail["decision"])
    assert detail["why"] == f"{registry.url}/api/v1/deploy/decisions/{detail['decision']}"
    record = api(registry, house.reader, detail["why"].removeprefix(registry.url)).json
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", record.pop("time"))
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", record.pop("prev")) and record.pop("took_us") > 0
    assert record["door"] == "pull" and record["effect"] == "deny" and record["reason"] == "digest_mismatch"
    who = record["identity"]
    assert (who["id"], who["kind"], who["gated"], who["addr"]) == (house.deployer.user, "deployer", True, "127.0.0.1")
    assert {k: record["request"][k] for k in ("method", "repo", "tag", "digest")} == {"method": "GET", "repo": repo, "tag": "v1", "digest": None}
    assert record["digests"] == {"registry": d2.digest, "signed": d1.digest, "served": None}
    trust = record["trust"]
    assert trust["gun"] == registry.gun(repo) and trust["role"] == "targets" and trust["root"] in (1, 2) and trust["incarnation"] == 1
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", trust["root_spki"]) and len(trust["signer_spki"]) == 1
    assert record["policy"]["id"] == "*" and record["policy"]["level"] == "deploy" and record["policy"]["gen"] >= 1
    assert record["override"] is None and record["base"] is None and set(record["gens"]) == {"trust", "registry", "override"}


def test_why_tells_the_state_of_that_time_and_what_holds_today(registry, house, keeper, refused):
    repo, d1, d2, detail = refused
    said = registry.bond("deploy", "why", detail["decision"]).out
    assert f"targets listed v1 = {d1.digest}" in said and f"tag v1 pointed to {d2.digest}" in said
    assert "deny, digest_mismatch" in said and re.search(r"^today +deny, digest_mismatch", said, re.M)
    keeper.sign(repo, "v1", d2)
    later = registry.bond("deploy", "why", detail["why"]).out
    assert f"targets listed v1 = {d1.digest}" in later and "(replaced)" in later
    assert re.search(r"^today +allow, allowed", later, re.M) and f"tag v1 pointed to {d2.digest}" in later
    registry.bond("deploy", "why", detail["decision"][:-1], code=2)
    registry.bond("deploy", "why", "0" * 26, code=3)


def test_whoever_may_pull_sees_the_decisions_and_a_deployer_its_own(registry, house, refused):
    repo, _, _, detail = refused
    path = f"/api/v1/deploy/decisions/{detail['decision']}"
    other = registry.make_deployer(house.ns, "decided-other")
    for who, status in ((house.reader, 200), (house.developer, 200), (house.deployer, 200), (registry.admin, 200),
                        (house.stranger, 404), (other, 404), (None, 401)):
        api(registry, who, path, status)
    lists = "/api/v1/deploy/decisions?repo=" + repo
    ids = lambda who, more="": [r["id"] for r in api(registry, who, lists + more).json["decisions"]]
    for who in (house.reader, house.deployer, registry.admin):
        assert detail["decision"] in ids(who)
        assert detail["decision"] in ids(who, "&effect=deny&identity=" + house.deployer.user)
        assert detail["decision"] not in ids(who, "&effect=allow")
        assert ids(who, "&since=2099-01-01T00:00:00Z") == []
    assert ids(other) == []
    api(registry, house.stranger, lists, 404)
    assert api(registry, house.reader, "/api/v1/deploy/decisions").json["decisions"] == []  # its own
    for bad in ("&effect=maybe", "&since=yesterday", "&n=x", "&before=-1", "&effect=%ZZ", "&since=%2", "&before=%", "&identity=%00"):
        api(registry, house.reader, lists + bad, 400)


def test_an_identity_that_is_not_gated_and_finds_nothing_leaves_no_record(registry, house, repo):
    house["developer"].push(repo, image("there"), "v1")
    before = len(chain(registry))
    house["developer"].get(repo, "none").expect(404)
    house["reader"].get(repo, "v1").expect(200)
    house["reader"]("HEAD", f"/v2/{repo}/blobs/sha256:{'0' * 64}").expect(404)
    assert len(chain(registry)) == before


# --- counting -----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A server that these tests stop, kill and tamper with, its people, and the owner's notary. What it frees is gone at
    once, so that its size means something."""
    folder = tmp_path_factory.mktemp("decisions")
    server = Server(folder).init().start(**SMALL)
    house = make_house(server, "count")
    yield server, house, Notary(server, house.owner, folder / "keeper")
    server.end()


@pytest.fixture
def scene(own, request):
    """A repository of its own: `signed` is released, `moved` is not what was signed."""
    server, house, keeper = own
    repo, made = f"count/{request.node.originalname.split('_')[1]}", image(request.node.name)
    for tag in ("signed", "moved"):
        house["developer"].push(repo, made, tag)
    keeper.init(repo)
    keeper.sign(repo, "signed", made)
    keeper.sign(repo, "moved", made)
    house["developer"].push(repo, image("other"), "moved")
    return server, house, repo, made


def stop(server):
    """When every connection is closed but the one that asks: what a stop does to others is not the matter here."""
    eventually(lambda: server.counter("bondstore_connections") <= 1, what="the end of all connections")
    server.stop()


def again(server):
    stop(server)
    server.start(**SMALL)


def of(repo, lines, **wanted):
    return [r for r in records_of(lines, **wanted) if r["request"]["repo"] == repo]


def memory(server):
    """Resident bytes of the server."""
    with open(f"/proc/{server.process.pid}/statm") as f:
        return int(f.read().split()[1]) * resource.getpagesize()


def test_refused_heads_of_one_image_are_two_records_and_constant_memory(scene):
    """H-15."""
    server, house, repo, _ = scene

    def crowd(count):
        for _ in range(count):
            house["deployer"].get(repo, "moved", "HEAD").expect(403)
    began = time.monotonic()
    crowd(100)
    before = memory(server)
    crowd(300)
    assert memory(server) - before < 8 << 20
    again(server)
    denied = of(repo, chain(server), effect="deny")
    windows = (time.monotonic() - began) // 60 + 1  # a window counts for a minute
    assert 2 <= len(denied) <= 2 * windows and denied[1]["repeat_of"] == denied[0]["id"]
    assert sum(r["count"] for r in denied) == 400
    assert proves(chain(server)) and "BROKEN" not in server.bond("audit", "verify").out


def test_allowed_pulls_are_records_with_their_blobs_counted(scene):
    server, house, repo, made = scene
    client = house["deployer"]
    client.get(repo, "signed", "HEAD").expect(200)
    client.get(repo, made.digest).expect(200)
    for digest in made.blobs:
        client("GET", f"/v2/{repo}/blobs/{digest}").expect(200)
    eventually(lambda: len(of(repo, chain(server))) == 2, what="the records of the two manifests")
    again(server)
    by_tag, by_digest, blobs = of(repo, chain(server))
    assert by_tag["effect"] == by_digest["effect"] == "allow"
    assert by_tag["request"]["tag"] == "signed" and by_tag["digests"]["served"] == made.digest
    assert by_digest["request"]["digest"] == made.digest == by_digest["digests"]["served"]
    assert blobs["blobs"] is True and blobs["repeat_of"] == by_tag["id"] and blobs["count"] == len(made.blobs)


def test_refusals_are_recorded_when_they_are_sent_whatever_happens_then(scene):
    """A kill loses only what was counted since."""
    server, house, repo, _ = scene
    ids = {house["deployer"].get(repo, "moved").expect(403).error["detail"]["decision"]}
    for i in range(20):
        house["deployer"].get(repo, f"none-{i}").expect(404)
    server.kill()
    server.start(**SMALL)
    lines = chain(server)
    found = of(repo, lines, effect="deny")
    assert ids <= {r["id"] for r in found} and proves(lines)
    assert {r["request"]["tag"] for r in found} == {"moved", *(f"none-{i}" for i in range(20))}
    assert "BROKEN" not in server.bond("audit", "verify").out


# --- what cannot be recorded --------------------------------------------------------------------------------------
def test_unrecorded_refusals_are_503_and_never_allows(scene):
    """O-07: the index takes no record."""
    server, house, repo, _ = scene
    house["deployer"].get(repo, "moved").expect(403)
    stop(server)
    with sqlite3.connect(server.data / "index.db") as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON decision BEGIN SELECT RAISE(ABORT, 'full'); END")
    server.start(**SMALL)
    for method in ("GET", "HEAD"):
        for reference in ("moved", "none"):
            answer = house["deployer"].get(repo, reference, method).expect(503)
            assert answer.reason == "Service Unavailable: content trust: the decision could not be recorded (indeterminate)"
            assert answer.header("Retry-After")
            assert answer.header("Cache-Control") == "no-store"
    assert server.counter("bondstore_gate_decisions_total", effect="deny", reason="indeterminate") == 4
    house["developer"].get(repo, "moved").expect(200)  # whom the gate does not concern
    stop(server)
    with sqlite3.connect(server.data / "index.db") as db:
        db.execute("DROP TRIGGER full")
    server.start(**SMALL)
    house["deployer"].get(repo, "moved").expect(403)


# --- proofs -------------------------------------------------------------------------------------------------------
TAMPERING = (  # what is done, to which chain, and the first record that is bad
    ("UPDATE decision SET record = replace(record, 'digest_mismatch', 'allowed') WHERE number = {n}", "decisions", 0),
    ("UPDATE decision SET effect = 1 WHERE number = {n}", "decisions", 0),
    ("DELETE FROM decision WHERE number = {n}", "decisions", 1),
    ("DELETE FROM decision WHERE number = (SELECT max(number) FROM decision)", "decisions", None),
    ("UPDATE audit SET actor = 'nobody' WHERE id = {n}", "audit", 0),
    ("DELETE FROM audit WHERE id = {n}", "audit", 1),
)


def test_tampering_is_found_and_named_on_and_off_line(scene, tmp_path):
    server, house, repo, _ = scene
    house["deployer"].get(repo, "moved").expect(403)
    for i in range(2):
        house["deployer"].get(repo, f"none-{i}").expect(404)
    stop(server)
    kept = tmp_path / "kept"
    shutil.copytree(server.data, kept, ignore=shutil.ignore_patterns("run"))
    offline = lambda folder, code: run([server.bondstore, "audit", "verify", folder], code=code, env=environment(**sanitizer_environment()))
    assert re.fullmatch(r"audit proved \d+ sha256:[0-9a-f]{64}\ndecisions proved \d+ sha256:[0-9a-f]{64}\n", offline(kept, 0).out)
    with sqlite3.connect(kept / "index.db") as db:
        number, = db.execute("SELECT max(number) FROM decision WHERE record LIKE '%digest_mismatch%' AND record NOT LIKE '%repeat_of%'").fetchone()
    for i, (sql, name, step) in enumerate(TAMPERING):
        folder, n = tmp_path / str(i), number if name == "decisions" else 2
        shutil.copytree(kept, folder)
        with sqlite3.connect(folder / "index.db") as db:
            assert db.execute(sql.format(n=n)).rowcount == 1, sql
        bad = offline(folder, 1)
        assert re.search(rf"^{name} BROKEN {'' if step is None else n + step}", bad.out, re.M), (sql, bad.out)
        assert "broken at record" in bad.err
    with sqlite3.connect(server.data / "index.db") as db:
        db.execute("DELETE FROM audit WHERE id = 2")
    server.start(**SMALL)
    said = server.bond("audit", "verify", code=6)
    assert re.search(r"^audit\tBROKEN\t3\t", said.out, re.M) and re.search(r"^decisions\tproved", said.out, re.M)


def test_the_log_is_listed_and_exported_by_time_and_action(registry, house, refused):
    repo, _, _, detail = refused
    registry.bond("policy", "set", repo, "--level", "warn")
    registry.bond("policy", "set", repo, "--level", "deploy")
    entries = [json.loads(line) for line in registry.bond("audit", "export", "--action", "policy.put").out.splitlines()]
    entries = [e for e in entries if e["object"] == repo]
    assert [json.loads(e["after"])["level"] for e in entries] == ["warn", "deploy"]
    assert json.loads(entries[1]["before"])["level"] == "warn"
    assert repo in registry.bond("audit", "list", "--action", "policy.put").out
    assert detail["decision"] in registry.bond("audit", "list", "--action", "pull").out
    assert detail["decision"] not in registry.bond("audit", "list", "--action", "verify").out
    assert registry.bond("audit", "export", "--since", "2099-01-01T00:00:00Z").out == ""
    registry.bond("audit", "list", "--since", "soon", code=2)
    assert proves(chain(registry))
    api(registry, house.owner, "/api/v1/audit", 403)
    assert api(registry, house.owner, f"/api/v1/audit?namespace={house.ns}").json["entries"]
    api(registry, house.stranger, f"/api/v1/audit?namespace={house.ns}", 404)
    api(registry, house.owner, "/api/v1/audit/decisions", 403)
