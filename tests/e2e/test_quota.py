"""The quota of a namespace: set and seen at every door, kept to the byte, refused before the bytes come."""
import json
import os
import threading

import pytest

from support.images import image, sha256
from support.process import environment, run
from support.server import at, sanitizer_environment

KIB, MIB = 1024, 1024 * 1024


@pytest.fixture
def shop(own_server):
    """A server, and the owner of its namespace ns."""
    own_server.make_namespace("ns")
    return own_server, own_server.make_member("ns", "owner@ns.example", "owner")


def set_quota(server, size, name="ns"):
    server.bond("namespaces", "set", name, "--quota", size)


def seen(server, name="ns"):
    return json.loads(server.bond("namespaces", "inspect", name, "--json").out)


def held(server):
    space = seen(server)
    return space["used_bytes"], space["reserved_bytes"]


def begin(client, repo="ns/app"):
    return client("POST", f"/v2/{repo}/blobs/uploads/").expect(202).header("Location")


def head_only(server, account, method, target, headers):
    """The answer to a request whose body is announced and not sent: it has to come before the body."""
    bearer = server.token(account, "repository:ns/app:pull,push")
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return server.wire.raw(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bearer}\r\n"
                           f"Expect: 100-continue\r\n{lines}\r\n".encode(), until=b"\r\n\r\n")[0]


def clean(server):
    server.stop()
    run([server.bondstore, "fsck", server.config], env=environment(**sanitizer_environment()))
    server.start()


# --- doors ----------------------------------------------------------------------------------------------------------

def test_a_quota_is_set_and_seen_at_every_door(own_server):
    own_server.bond("namespaces", "create", "small", "--quota", "10MiB")
    own_server.bond("namespaces", "create", "free")
    rows = {line.split("\t")[0]: line.split("\t") for line in own_server.bond("namespaces", "list").out.splitlines()}
    assert rows["small"][-2:] == ["0B", "10MiB"] and rows["free"][-2:] == ["0B", "none"]
    assert "holds 0B" in own_server.bond("namespaces", "set", "small", "--quota", "1GiB").err
    assert seen(own_server, "small")["quota_bytes"] == 1024 * MIB
    own_server.bond("namespaces", "set", "small", "--quota", "none")
    assert seen(own_server, "small")["quota_bytes"] == 0
    listed = json.loads(own_server.bond("namespaces", "list", "--json").out)["namespaces"]
    assert {(n["name"], n["quota_bytes"], n["used_bytes"], n["reserved_bytes"]) for n in listed} == {
        ("small", 0, 0, 0), ("free", 0, 0, 0)}


@pytest.mark.parametrize("size", ["10", "-1GiB", "0B", "10GB", "1.5GiB", "", "9999999999TiB"])
def test_what_is_no_size_is_refused_as_wrong_use(own_server, size):
    own_server.make_namespace("ns")
    assert "as in 10GiB" in own_server.bond("namespaces", "set", "ns", "--quota", size, code=2).err
    assert seen(own_server)["quota_bytes"] == 0


@pytest.mark.parametrize("body", [{}, {"quota_bytes": -1}, {"quota_bytes": "10GiB"}, {"quota_bytes": 1.5},
                                  {"quota_bytes": None}, {"quota_bytes": 1, "used_bytes": 0}])
def test_the_api_refuses_what_is_no_quota(registry, house, body):
    bearer = {"Authorization": f"Bearer {registry.session(registry.admin)}", "Content-Type": "application/json"}
    registry.wire.request("PATCH", f"/api/v1/namespaces/{house.ns}", bearer, json.dumps(body).encode()).expect(400)


def test_administrators_set_quotas_members_see_them_and_strangers_see_nothing(shop):
    server, owner = shop
    set_quota(server, "5MiB")
    stranger = server.make_user("stranger@example.org")
    body = json.dumps({"quota_bytes": 0}).encode()

    def call(account, method, content=None):
        headers = {"Authorization": f"Bearer {server.session(account)}", "Content-Type": "application/json"}
        return server.wire.request(method, "/api/v1/namespaces/ns", headers, content)
    call(owner, "PATCH", body).expect(403, "DENIED")
    assert call(owner, "GET").expect(200).json["quota_bytes"] == 5 * MIB
    call(stranger, "GET").expect(404)
    call(stranger, "PATCH", body).expect(403, "DENIED")
    server.wire.request("PATCH", "/api/v1/namespaces/nowhere", {
        "Authorization": f"Bearer {server.session(server.admin)}", "Content-Type": "application/json"}, body).expect(404)
    assert seen(server)["quota_bytes"] == 5 * MIB


# --- refused before the bytes come ------------------------------------------------------------------------------------

@pytest.mark.parametrize("method, query, headers", [
    ("POST", "?digest=" + sha256(b"x"), {"Content-Length": 3 * MIB}),
    ("PATCH", "", {"Content-Length": 3 * MIB}),
    ("PATCH", "", {"Content-Range": f"0-{3 * MIB - 1}", "Transfer-Encoding": "chunked"}),
    ("PUT", "?digest=" + sha256(b"x"), {"Content-Length": 3 * MIB}),
])
def test_an_announced_body_that_cannot_fit_is_refused_before_it_is_read(shop, method, query, headers):
    server, owner = shop
    set_quota(server, "2MiB")
    place = "/v2/ns/app/blobs/uploads/" if method == "POST" else at(begin(server.client(owner)))
    answer = head_only(server, owner, method, place + query, headers)
    assert b"100 Continue" not in answer and answer.startswith(b"HTTP/1.1 403 "), answer
    smaller = {name: str(value).replace(str(3 * MIB), str(2 * MIB)).replace(str(3 * MIB - 1), str(2 * MIB - 1))
               for name, value in headers.items()}
    assert head_only(server, owner, method, place + query, smaller).startswith(b"HTTP/1.1 100 Continue")


def test_the_refusal_names_the_quota_what_is_used_and_what_to_do(shop):
    server, owner = shop
    client = server.client(owner)
    client.push_blob("ns/app", b"a" * 1000, sha256(b"a" * 1000))
    set_quota(server, "1KiB")
    for answer in (client("POST", "/v2/ns/app/blobs/uploads/?digest=" + sha256(b"b" * 25), {}, b"b" * 25),
                   client("PATCH", begin(client), {}, b"b" * 25)):
        assert answer.expect(403, "DENIED").message == (
            "25B more do not fit in the quota of namespace ns, 1KiB: 1000B are used, 0B held by unfinished uploads; "
            "delete images or ask an administrator to raise it")
    client("POST", "/v2/ns/app/blobs/uploads/?digest=" + sha256(b"b" * 24), {}, b"b" * 24).expect(201)
    assert held(server) == (1024, 0)


# --- to the byte --------------------------------------------------------------------------------------------------------

def test_an_unannounced_body_is_cut_off_where_the_quota_ends(shop):
    server, owner = shop
    client = server.client(owner)
    set_quota(server, "3MiB")
    place = begin(client)
    client("PATCH", place, {}, os.urandom(4 * MIB), chunked=True).expect(403, "DENIED")
    client("DELETE", place).expect(204)
    content = os.urandom(3 * MIB)
    place = begin(client)
    client("PATCH", place, {}, content, chunked=True).expect(202)
    client("PATCH", place, {}, b"x").expect(403, "DENIED")
    client("PUT", at(place, digest=sha256(content))).expect(201)
    assert held(server) == (3 * MIB, 0)
    clean(server)


def test_unfinished_uploads_count_and_what_they_did_not_fill_does_not(shop):
    server, owner = shop
    client = server.client(owner)
    set_quota(server, "1000B")
    places = [begin(client) for _ in range(4)]
    for place in places:
        client("PATCH", place, {}, b"u" * 200).expect(202)
    client("PATCH", places[0], {}, b"u" * 201).expect(403, "DENIED")
    manifest = image("too much").manifest
    assert len(manifest) > 200
    client("POST", "/v2/ns/app/blobs/uploads/?digest=" + sha256(b"s" * 201), {}, b"s" * 201).expect(403, "DENIED")
    client("POST", "/v2/ns/app/blobs/uploads/?digest=" + sha256(b"s" * 200), {}, b"s" * 200).expect(201)
    assert held(server) == (200, 800)
    client("DELETE", places[3]).expect(204)
    client("PATCH", places[0], {}, b"u" * 200).expect(202)
    for place, n in zip(places, (400, 200, 200)):
        client("PUT", at(place, digest=sha256(b"u" * n))).expect(201)
    assert held(server) == (800, 0)
    clean(server)


def test_manifests_and_mounts_count_too(shop):
    server, owner = shop
    client = server.client(owner)
    made = image("counts")
    for content in made.blobs.values():
        client.push_blob("ns/app", content, sha256(content))
    used, _ = held(server)
    set_quota(server, f"{used + len(made.manifest) - 1}B")
    put = ("PUT", "/v2/ns/app/manifests/v1", {"Content-Type": made.media_type}, made.manifest)
    client(*put).expect(403, "DENIED")
    set_quota(server, f"{used + len(made.manifest)}B")
    begin(client)  # holds nothing that it did not fill
    client(*put).expect(201)
    layer = max(made.blobs.values(), key=len)
    mount = f"/v2/ns/other/blobs/uploads/?mount={sha256(layer)}&from=ns/app"
    client("POST", mount).expect(403, "DENIED")
    set_quota(server, f"{used + len(made.manifest) + len(layer)}B")
    client("POST", mount).expect(201)
    client("DELETE", f"/v2/ns/app/manifests/{made.digest}").expect(202)
    assert held(server)[0] == used + len(layer)
    clean(server)


def test_a_killed_server_forgets_nothing_that_is_held(shop):
    server, owner = shop
    client = server.client(owner)
    set_quota(server, "3MiB")
    place = begin(client)
    client("PATCH", place, {}, os.urandom(2 * MIB)).expect(202)
    server.kill()
    server.start()
    other = begin(client)
    client("PATCH", other, {}, os.urandom(MIB + 1)).expect(403, "DENIED")
    client("PATCH", other, {}, os.urandom(MIB)).expect(202)
    client("PATCH", place, {}, b"x").expect(403, "DENIED")
    client("DELETE", place).expect(204)
    client("PATCH", other, {}, os.urandom(2 * MIB)).expect(202)
    client("DELETE", other).expect(204)
    assert held(server) == (0, 0)
    clean(server)


def test_many_pushers_at_once_end_with_exactly_what_is_stored(shop):
    server, owner = shop
    set_quota(server, "5MiB")
    stored, refused, done = [], [], []
    client = server.client(owner)
    client("DELETE", begin(client)).expect(204)  # one token for all of them

    def push(n):
        for i in range(6):
            content = os.urandom((n * 6 + i) % 9 * 100 * KIB + 1)
            place = begin(client)
            sent = client("PATCH", place, {}, content, chunked=bool(i % 2))
            if sent.status == 202 and client("PUT", at(place, digest=sha256(content))).status == 201:
                stored.append(len(content))
            else:
                refused.append(sent.status)
                client("DELETE", place).expect(204)
        done.append(n)
    threads = [threading.Thread(target=push, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 4 and held(server) == (sum(stored), 0) and sum(stored) <= 5 * MIB
    assert refused
    clean(server)
