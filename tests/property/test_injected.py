"""What fails inside is never taken for a verdict: 503 `indeterminate`, neither an image given out nor one called unsigned
(gate 4.1, 10.2, 15). The file system calls of a real server are made to fail (tests/crash/fault)."""
import json
import sqlite3
from datetime import timedelta

import pytest

import tuf
from author import Author
from faults import Faults
from support.images import image
from world import World, reason_of

POINTS = range(1, 16)  # which read of the database fails; some questions come to fewer, and a blob's to that of its bytes


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("injected"), ["ns/app"], faults=Faults, BONDSTORE_MAINTENANCE_INTERVAL="1h")
    yield made
    made.faults.clear()
    made.server.end()


@pytest.fixture(autouse=True)
def no_fault_stays(world):
    yield
    world.faults.clear()


@pytest.fixture(scope="module")
def place(world):
    """v1 is signed and v2 is not; `d1`, `d2`."""
    made = world.places["ns/app"]
    made.author = Author(world, made, world.master)
    made.author.begin().expect(200)
    made.d1, made.d2 = image("d1"), image("d2")
    for tag, pushed in (("v1", made.d1), ("v2", made.d2)):
        world.push(made, pushed, tag)
    plan = made.author.plan.copy()
    plan.roles["targets"].entries["v1"] = tuf.target(made.d1.size, made.d1.hex)
    made.author.publish(plan, {"targets"}).expect(200)
    return made


def questions(place):
    """(path, the answer when nothing fails: status and reason)"""
    return [("manifests/v1", 200, None), ("manifests/v2", 403, "unsigned"), (f"manifests/{place.d1.digest}", 200, None),
            (f"manifests/{place.d2.digest}", 403, "unsigned_digest"), (f"blobs/{place.d1.config}", 200, None),
            (f"blobs/{place.d2.config}", 403, "blob_not_reachable")]


LISTS = {"tags/list": lambda answer: answer.json["tags"] == ["v1"],
         "/api/v1/images/ns/app/tags": lambda answer: [t["name"] for t in answer.json["tags"]] == ["v1"]}


def ask(world, place, path, method="GET"):
    target = path if path.startswith("/") else f"/v2/{place.repo}/{path}"
    return world.deployers["ns"](method, target, [("Accept", "*/*")])


def undecided(answer):
    """The only answer that may be asked again."""
    assert answer.expect(503).code == "UNAVAILABLE", answer
    assert answer.header("Retry-After"), answer
    return answer


def as_ever(world, place):
    for path, status, reason in questions(place):
        answer = ask(world, place, path).expect(status)
        assert status == 200 or reason_of(answer, None) == reason, answer
    for path, is_right in LISTS.items():
        answer = ask(world, place, path).expect(200)
        assert is_right(answer), answer


def nothing_is_decided(world, place):
    """Nor is a list of what is released told without what could not be decided."""
    for path in [path for path, _, _ in questions(place)] + list(LISTS):
        undecided(ask(world, place, path))


@pytest.mark.parametrize("path", LISTS)
def test_a_list_of_tags_is_told_whole_or_not_at_all(world, place, path):
    failed = 0
    for point in POINTS:
        world.push(place, image(f"change {path} {point}"), f"x{point}")
        before = len(world.faults.hits())
        world.faults.set(f"EIO op=read path=index.db from={point} to={point}")
        answer = ask(world, place, path)
        world.faults.clear()
        failed += len(world.faults.hits()) > before
        if answer.status != 200 or not LISTS[path](answer):
            undecided(answer)
    as_ever(world, place)
    assert failed, "no read failed"


@pytest.mark.parametrize("kind", range(6), ids=["signed tag", "unsigned tag", "signed digest", "unsigned digest", "blob", "unsigned blob"])
def test_a_database_that_cannot_be_read_is_no_verdict(world, place, kind):
    """The first read fails, the second, and so on: each time after a change that makes the server read anew."""
    path, status, reason = questions(place)[kind]
    failed = 0
    for point in POINTS:
        world.push(place, image(f"change {kind} {point}"), f"w{point}")
        before = len(world.faults.hits())
        world.faults.set(f"EIO op=read path=index.db from={point} to={point}")
        answer = ask(world, place, path)
        world.faults.clear()
        if len(world.faults.hits()) == before:
            assert answer.status == status, answer  # there was no such read
            continue
        failed += 1
        if answer.status != status or status == 403 and reason_of(answer, None) != reason:
            undecided(answer)
    as_ever(world, place)
    assert failed, "no read failed"
    assert world.server.counter("bondstore_blob_read_errors_total") == 0, "a read of the index is none of a blob"


def test_a_database_that_can_never_be_read_gives_nothing_out(world, place):
    world.again(kill=False)
    as_ever(world, place)
    world.push(place, image("change"), "w")
    world.faults.set("EIO op=read path=index.db")
    for path, _, _ in questions(place):
        for method in ("GET", "HEAD"):
            answer = ask(world, place, path, method)
            assert answer.status == 503, answer
    world.faults.clear()
    as_ever(world, place)


def test_a_full_disk_at_a_renewal_is_no_expiry(world, place):
    """The timestamp has expired, and the new one cannot be stored."""
    as_ever(world, place)
    world.later(timedelta(days=40))
    world.faults.set("ENOSPC op=write path=index.db", "ENOSPC op=allocate path=index.db", "ENOSPC op=truncate path=index.db")
    nothing_is_decided(world, place)
    world.faults.clear()
    as_ever(world, place)


BROKEN_CHECKPOINT = [f"EIO op={op} path=checkpoint/" for op in ("write", "create", "fsync")]


def test_what_acts_is_told_to_act_though_the_checkpoint_cannot_be_written(world, place):
    """A denial and an override are in force after their commit: the answer says so, with a warning."""
    server = world.server
    admin = {"Authorization": f"Bearer {server.session(server.admin)}", "Content-Type": "application/json"}
    overrides = "/api/v1/namespaces/ns/overrides"

    def api(method, path, body=None):
        return server.wire.request(method, path, admin, json.dumps(body).encode() if body else None)

    def deny(digest):
        return api("POST", "/api/v1/denied", {"scope": "ns", "digest": digest, "reason": "a backdoor"})

    def warned(status, *request):
        """After a change of something else that went well, so that the file has room."""
        assert not deny("sha256:" + "0" * 64).expect(201).header_all("Warning")
        before = len(world.faults.hits())
        world.faults.set(*BROKEN_CHECKPOINT)
        answer = api(*request)
        world.faults.clear()
        assert len(world.faults.hits()) > before
        assert answer.expect(status).header("Warning").startswith('299 - "it is in force, but the checkpoint of the trust data cannot be written')
        assert answer.json["warning"] in answer.header("Warning")
        return answer

    warned(201, "POST", "/api/v1/denied", {"scope": "ns", "digest": place.d1.digest, "reason": "a backdoor"})
    assert reason_of(ask(world, place, "manifests/v1").expect(403), None) == "denied_digest"
    warned(200, "DELETE", f"/api/v1/denied?scope=ns&digest={place.d1.digest}")
    as_ever(world, place)
    made = warned(201, "POST", overrides, {"repository": place.repo, "digest": place.d2.digest, "duration": "1h", "reason": "r", "ticket": "t",
                                           "identities": [world.deployers["ns"].account.user]}).json
    ask(world, place, "manifests/v2").expect(200)
    assert warned(200, "DELETE", f"{overrides}/{made['id']}").json["state"] == "ended"
    assert not deny("sha256:" + "0" * 64).expect(201).header_all("Warning")
    world.faults.set(*BROKEN_CHECKPOINT)
    said = server.bond("deny", "add", "ns", "sha256:" + "1" * 64, "--reason", "bad")
    world.faults.clear()
    assert "is denied to gated identities" in said.err and "warning: it is in force" in said.err
    assert not deny("sha256:" + "0" * 64).expect(201).header_all("Warning")
    world.faults.set(*BROKEN_CHECKPOINT)
    said = server.bond("deny", "rm", "ns", "sha256:" + "1" * 64)
    world.faults.clear()
    assert "is not denied any more" in said.err and "warning: it is in force" in said.err
    as_ever(world, place)
    world.again(kill=False)
    as_ever(world, place)  # a store that is ahead of its checkpoint is not suspected


def test_what_an_administrator_ended_is_told_as_ended_though_the_checkpoint_cannot_be_written(world, place):
    """A revoked key, a wipe by either door, and a deletion: done, with a warning. A publish alone is told as failed."""
    server = world.server
    admin = {"Authorization": f"Bearer {server.session(server.admin)}", "Content-Type": "application/json"}

    def signed(name):
        other = world.add_place(name)
        author = Author(world, other, world.master)
        author.begin().expect(200)
        return other, author

    def broken(request):
        """The file has room, as after something that went well, and cannot be written in that moment."""
        server.wire.request("POST", "/api/v1/denied", admin, json.dumps({"scope": "ns", "digest": "sha256:" + "0" * 64, "reason": "r"}).encode()).expect(201)
        before = len(world.faults.hits())
        world.faults.set(*BROKEN_CHECKPOINT)
        answer = request()
        world.faults.clear()
        assert len(world.faults.hits()) > before
        return answer

    def warned(answer, status):
        assert answer.expect(status).header("Warning").startswith('299 - "it is in force, but the checkpoint of the trust data cannot be written')
        return answer

    def api(method, path, body=None):
        return lambda: server.wire.request(method, path, admin, json.dumps(body).encode() if body else None)

    stranger = "sha256:" + "77" * 32
    answer = warned(broken(api("POST", "/api/v1/trust/revoked-keys", {"key": stranger, "reason": "lost"})), 200)
    assert answer.json["already"] is False and answer.json["warning"] in answer.header("Warning")
    assert api("POST", "/api/v1/trust/revoked-keys", {"key": stranger, "reason": "lost"})().expect(200).json["already"] is True
    for name, status, request in (
            ("ns/wiped", 200, lambda o: api("POST", "/api/v1/trust/wipe", {"scope": o.repo, "confirm": o.repo})),
            ("ns/unsigned", 200, lambda o: lambda: world.owner(o, "DELETE", f"/v2/{o.gun}/_trust/tuf/")),
            ("ns/gone", 202, lambda o: api("DELETE", f"/api/v1/repositories/{o.repo}"))):
        other, author = signed(name)
        world.owner(other, "GET", f"/v2/{other.gun}/_trust/tuf/root.json").expect(200)
        warned(broken(request(other)), status)
        world.owner(other, "GET", f"/v2/{other.gun}/_trust/tuf/root.json").expect(404)
        del world.places[name]
    other, author = signed("ns/told")
    plan = author.plan.copy()
    plan.roles["targets"].entries["v1"] = tuf.target(place.d1.size, place.d1.hex)
    answer = broken(lambda: author.publish(plan, {"targets"}))
    assert answer.status >= 500 and not answer.header_all("Warning"), answer
    del world.places["ns/told"]
    as_ever(world, place)
    world.again(kill=False)
    as_ever(world, place)  # a store that is ahead of its checkpoint is not suspected


def test_a_key_of_the_server_that_cannot_be_opened_is_no_expiry(world, place):
    """The timestamp has expired, and its key does not open."""
    as_ever(world, place)
    world.server.stop()
    with sqlite3.connect(world.server.data / "index.db") as index:
        kept = index.execute("SELECT id, sealed FROM trust_key").fetchall()
        assert kept
        index.executemany("UPDATE trust_key SET sealed = ? WHERE id = ?", [(bytes(len(s)), i) for i, s in kept])
    index.close()
    world.start()
    world.forget()
    as_ever(world, place)
    world.later(timedelta(days=40))
    nothing_is_decided(world, place)
    world.server.stop()
    with sqlite3.connect(world.server.data / "index.db") as index:
        index.executemany("UPDATE trust_key SET sealed = ? WHERE id = ?", [(s, i) for i, s in kept])
    index.close()
    world.start()
    world.forget()
    as_ever(world, place)
