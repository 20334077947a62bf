"""Requests whose head or body takes its time: what they ask is decided, and what they do is dated, when it is done and
not when their first byte came."""
import contextlib
import glob
import json
import os
import sqlite3
import threading
import time
from http.client import HTTPResponse

import pytest

from support.images import image, sha256
from support.server import Client, Server, at, eventually
from support.trust import Trust
from support.tuf import Collection, document, tag
from support.wire import Answer, claims, multipart, query

HOUR = 3600


class Slow:
    """A request whose head the server has judged and whose body has come by half; `end` sends the rest."""

    def __init__(self, wire, method, target, headers, body):
        lines = {"Host": "localhost", "Expect": "100-continue", "Content-Length": str(len(body)), "Connection": "close", **headers}
        self.method, self.target, self.rest = method, target, body[len(body) // 2:]
        self.sock = wire.connect()
        self.sock.sendall(f"{method} {target} HTTP/1.1\r\n".encode() + b"".join(f"{k}: {v}\r\n".encode() for k, v in lines.items()) + b"\r\n")
        said = b""
        while not said.endswith(b"\r\n\r\n"):
            said += self.sock.recv(1)
        assert said.startswith(b"HTTP/1.1 100 "), said
        self.sock.sendall(body[:len(body) // 2])

    def end(self):
        with contextlib.closing(self.sock):
            self.sock.sendall(self.rest)
            return answer_of(self.sock, self.method, self.target)


def answer_of(sock, method, target):
    got = HTTPResponse(sock, method=method)
    got.begin()
    return Answer(method, target, got.status, got.reason, got.getheaders(), got.read())


def bearer(server, account, *scope):
    return {"Authorization": f"Bearer {server.token(account, *scope)}"}


# --- on the clock that everybody has ------------------------------------------------------------------------------------

@pytest.fixture
def writer(registry, house, repo):
    return bearer(registry, house.developer, f"repository:{repo}:pull,push")


def rows(server, sql, *values):
    with contextlib.closing(sqlite3.connect(server.data / "index.db")) as db:
        return db.execute(sql, values).fetchall()


def test_a_manifest_that_came_slowly_has_the_time_of_its_commit(registry, house, repo, writer):
    client, slow, quick = registry.client(house.developer), image("slow"), image("quick")
    client.push(repo, slow)
    begun = Slow(registry.wire, "PUT", f"/v2/{repo}/manifests/v1", {**writer, "Content-Type": slow.media_type}, slow.manifest)
    client.push(repo, quick, "v1")
    begun.end().expect(201)
    assert client.get(repo, "v1").expect(200).body == slow.manifest
    history = rows(registry, "SELECT changed_us FROM tag_history h JOIN repository r ON r.id = h.repository_id "
                             "WHERE r.name = ? AND h.name = 'v1' ORDER BY h.id", repo)
    assert len(history) == 2 and history == sorted(history)


def test_a_blob_that_came_slowly_is_kept_from_its_end_on(registry, house, repo, writer):
    content, keep_us = os.urandom(300000), 24 * HOUR * 10**6
    place = registry.client(house.developer)("POST", f"/v2/{repo}/blobs/uploads/").expect(202).header("Location")
    begun = Slow(registry.wire, "PUT", at(place, digest=sha256(content)), writer, content)
    before_us = time.time_ns() // 1000
    begun.end().expect(201)
    (due,) = rows(registry, "SELECT not_before_us FROM condemned WHERE digest = ?", b"\x01" + bytes.fromhex(sha256(content)[7:]))
    assert due[0] >= before_us + keep_us


@pytest.fixture
def two_at_a_time(tmp_path):
    """A server where an account has two uploads: one more ends its longest idle one."""
    server = Server(tmp_path).init().start(BONDSTORE_LIMITS_UPLOADS_PER_ACCOUNT="2")
    server.make_namespace("ns")
    yield server
    server.end()


@pytest.mark.parametrize("size", [2, 600000])
def test_a_session_is_idle_from_the_end_of_a_slow_patch_on(two_at_a_time, size):
    server = two_at_a_time
    account = server.make_member("ns", "dev@ns.example", "developer")
    client = server.client(account)

    def begin():
        return client("POST", "/v2/ns/app/blobs/uploads/").expect(202).header("Location")
    slow = begin()
    begun = Slow(server.wire, "PATCH", at(slow), bearer(server, account, "repository:ns/app:pull,push"), b"x" * size)
    idle = begin()
    begun.end().expect(202)
    begin()
    client("GET", idle).expect(404, "BLOB_UPLOAD_UNKNOWN")
    assert client("GET", slow).expect(204).header("Range") == f"0-{size - 1}"


# --- rights that are taken while the body comes -------------------------------------------------------------------------

def less(registry, house, account):
    registry.bond("members", "set", house.ns, account.user, "reader")


def nothing(registry, house, account):
    registry.wire.request("DELETE", f"/api/v1/namespaces/{house.ns}/members/{account.user}", session_of(registry, house.owner)).expect(204)


def nobody(registry, house, account):
    registry.wire.request("DELETE", f"/api/v1/namespaces/{house.ns}/robots/{account.user.partition('.')[2]}",
                          session_of(registry, house.owner)).expect(204)


def session_of(registry, account):
    return {"Authorization": f"Bearer {registry.session(account)}"}


def other(registry, house, account):
    registry.bond("members", "set", house.ns, house.reader.user, "reader")


TAKEN = pytest.mark.parametrize("take", [less, nothing, nobody])


def leaver(registry, house, take):
    """Somebody who may push, until what is to be taken is taken."""
    name = f"leaver-{os.urandom(4).hex()}"
    return (registry.make_robot(house.ns, name, "pull,push,delete") if take is nobody
            else registry.make_member(house.ns, f"{name}@house.example", "maintainer"))


@TAKEN
def test_a_manifest_whose_pusher_lost_his_right_while_it_came_is_not_stored(registry, house, repo, take):
    made, account = image("lost right"), leaver(registry, house, take)
    registry.client(house.developer).push(repo, made)
    headers = {**bearer(registry, account, f"repository:{repo}:pull,push"), "Content-Type": made.media_type}
    begun = Slow(registry.wire, "PUT", f"/v2/{repo}/manifests/late", headers, made.manifest)
    take(registry, house, account)
    answer = begun.end().expect(401, "UNAUTHORIZED")
    assert answer.challenge()["error"] == ("invalid_token" if take is nobody else "insufficient_scope")
    registry.client(house.developer).get(repo, "late", "HEAD").expect(404)


@TAKEN
@pytest.mark.parametrize("size", [2000, 600000])
def test_a_blob_whose_pusher_lost_his_right_while_it_came_is_not_kept(registry, house, repo, take, size):
    account, content = leaver(registry, house, take), os.urandom(size)
    headers = bearer(registry, account, f"repository:{repo}:pull,push")
    place = registry.wire.request("POST", f"/v2/{repo}/blobs/uploads/", headers).expect(202).header("Location")
    begun = [Slow(registry.wire, "PUT", at(place, digest=sha256(content)), headers, content),
             Slow(registry.wire, "POST", f"/v2/{repo}/blobs/uploads/?digest={sha256(content)}", headers, content)]
    take(registry, house, account)
    for one in begun:
        one.end().expect(*((404, "NAME_UNKNOWN") if take is nothing else (403, "DENIED")))
    registry.client(house.developer)("HEAD", f"/v2/{repo}/blobs/{sha256(content)}").expect(404)


def test_a_right_that_somebody_else_lost_is_no_reason_to_refuse(registry, house, repo, writer):
    made, content = image("others"), os.urandom(600000)
    registry.client(house.developer).push(repo, made)
    begun = [Slow(registry.wire, "PUT", f"/v2/{repo}/manifests/kept", {**writer, "Content-Type": made.media_type}, made.manifest),
             Slow(registry.wire, "POST", f"/v2/{repo}/blobs/uploads/?digest={sha256(content)}", writer, content)]
    other(registry, house, None)
    for one in begun:
        one.end().expect(201)


def test_a_setting_of_somebody_who_was_signed_out_while_it_came_is_not_made(registry, house):
    headers = {**session_of(registry, house.owner), "Content-Type": "application/json"}
    name = f"late-{os.urandom(4).hex()}"
    begun = Slow(registry.wire, "POST", f"/api/v1/namespaces/{house.ns}/robots", headers, json.dumps({"name": name, "actions": ["pull"]}).encode())
    registry.wire.request("DELETE", "/api/v1/sessions/current", headers).expect(204)
    begun.end().expect(401)
    robots = registry.wire.request("GET", f"/api/v1/namespaces/{house.ns}/robots", session_of(registry, house.owner)).expect(200).body
    assert name.encode() not in robots


def test_nothing_is_stored_after_the_answer_that_took_the_right(registry, house, repo):
    """Pushes on every way through the server at that moment; what counts is the order of the transactions."""
    made, robot = image("order"), registry.make_robot(house.ns, f"order-{os.urandom(4).hex()}", "pull,push")
    watcher = registry.client(house.developer)
    watcher.push(repo, made)
    headers = {**bearer(registry, robot, f"repository:{repo}:pull,push"), "Content-Type": made.media_type}
    stored, last = [], []

    def push(number):
        for turn in range(10**6):
            answer = registry.wire.request("PUT", f"/v2/{repo}/manifests/t{number}-{turn}", headers, made.manifest)
            if answer.status != 201:
                return last.append(answer)
            stored.append(answer)

    def tags():
        return watcher("GET", f"/v2/{repo}/tags/list").expect(200).json["tags"]
    threads = [threading.Thread(target=push, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(stored) >= 12, what="pushes by everybody")
    nobody(registry, house, robot)
    then = tags()
    for thread in threads:
        thread.join()
    assert tags() == then
    assert {answer.status for answer in last} <= {401, 403}, last


# --- on a clock that goes on in the middle ------------------------------------------------------------------------------

class Moving:
    """A server whose clock the test moves (libfaketime)."""

    def __init__(self, folder):
        found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        assert found, "libfaketime is not installed; scripts/test installs it"
        self.clock, self.ahead = folder / "clock", 0
        self.move(0)
        self.server = Server(folder).init().start(LD_PRELOAD=found[0], FAKETIME_TIMESTAMP_FILE=str(self.clock), FAKETIME_NO_CACHE="1",
                                                  FAKETIME_DONT_FAKE_MONOTONIC="1")
        self.server.make_namespace("ns")
        self.owner = self.server.make_member("ns", "owner@ns.example", "owner")

    def move(self, seconds):
        """In one step, so that nobody reads half a number."""
        self.ahead += seconds
        new = self.clock.with_suffix(".new")
        new.write_text(f"+{self.ahead}")
        new.rename(self.clock)

    def now(self):
        return time.time() + self.ahead


    def client(self):
        """The owner, without the tokens of an earlier hour."""
        return Client(self.server, self.owner)


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
    moving = Moving(tmp_path_factory.mktemp("slow"))
    yield moving
    moving.server.end()


def targets_for(made, hours, moving, tags):
    """Targets that end `hours` from the server's now."""
    part = made.targets_part(tags=tags)
    part["expires"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moving.now() + hours * HOUR))
    return document(part, made.targets_key)


def test_a_publish_whose_targets_ended_while_they_came_is_refused(moving):
    server = moving.server
    trust = Trust(server, moving.client(), "ns/publish")
    made = Collection(trust)
    body, content_type = multipart([("root", made.root()), ("targets", targets_for(made, 2, moving, {"v1": tag()}))])
    headers = {**bearer(server, moving.owner, f"repository:{trust.gun}:push,pull"), "Content-Type": content_type}
    begun = Slow(server.wire, "POST", f"{trust.base}/tuf/", headers, body)
    moving.move(3 * HOUR)
    begun.end().expect(400, "INVALID_UPDATE")
    trust.get("root.json", moving.client()).expect(404)


def test_a_verdict_is_of_the_moment_at_which_the_question_was_complete(moving):
    server = moving.server
    owner, made = moving.client(), image("verdict")
    owner.push("ns/verdict", made, "v1")
    trust = Trust(server, owner, "ns/verdict")
    keys = Collection(trust)
    signed = tag(made.hex, made.size)
    trust.publish(("root", keys.root()), ("targets", targets_for(keys, 2, moving, {"v1": signed}))).expect(200)
    deployer = server.make_deployer("ns", "verdict")
    headers = {"Authorization": deployer.basic, "Content-Type": "application/json"}
    question = json.dumps({"images": ["ns/verdict:v1"]}).encode()

    def verdict(answer):
        (one,) = answer.expect(200).json["results"]
        return one["allowed"], one["reason"]
    assert verdict(server.wire.request("POST", "/api/v1/deploy/verify", headers, question)) == (True, "allowed")
    begun = Slow(server.wire, "POST", "/api/v1/deploy/verify", headers, question)
    moving.move(3 * HOUR)
    assert verdict(begun.end()) == (False, "expired_targets")


def test_a_token_lives_from_the_moment_at_which_it_is_made(moving):
    server = moving.server
    form = query(grant_type="password", service=server.host, username=moving.owner.user, password=moving.owner.secret,
                 client_id="slow", scope="repository:ns/token:pull").encode()
    begun = Slow(server.wire, "POST", "/token", {"Content-Type": "application/x-www-form-urlencoded"}, form)
    moving.move(2 * HOUR)
    answer = begun.end().expect(200).json
    made = claims(answer["access_token"])
    assert made["iat"] >= moving.now() - HOUR and made["exp"] > moving.now()


def test_a_token_that_ended_before_the_head_was_complete_is_refused(moving):
    server = moving.server
    value = bearer(server, moving.owner, "repository:ns/head:pull")["Authorization"]
    server.wire.request("GET", "/v2/ns/head/tags/list", {"Authorization": value}).expect(404)
    with contextlib.closing(server.wire.connect()) as sock:
        sock.sendall(b"GET /v2/ns/head/tags/list HTTP/1.1\r\nHost: localhost\r\n")
        eventually(lambda: server.counter("bondstore_connections") >= 2, what="the beginning")
        moving.move(2 * HOUR)
        sock.sendall(f"Connection: close\r\nAuthorization: {value}\r\n\r\n".encode())
        answer = answer_of(sock, "GET", "/v2/ns/head/tags/list").expect(401)
    assert answer.challenge()["error"] == "invalid_token"


def test_a_token_that_ends_while_the_body_comes_was_good_for_it(moving):
    """A large blob takes longer than a token lives: who may send is asked when he begins."""
    server = moving.server
    content = os.urandom(300000)
    headers = bearer(server, moving.owner, "repository:ns/body:pull,push")
    begun = Slow(server.wire, "POST", f"/v2/ns/body/blobs/uploads/?digest={sha256(content)}", headers, content)
    moving.move(2 * HOUR)
    begun.end().expect(201)
