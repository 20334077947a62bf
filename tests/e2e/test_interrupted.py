"""Uploads that are cut, servers that stop in the middle: nothing half is visible, what was received goes on."""
import os
import socket
import threading
import time

import pytest

from support.images import image, sha256
from support.notary import Notary
from support.process import environment, run
from support.server import Server, at, eventually, sanitizer_environment


def begin(client, repo):
    return client("POST", f"/v2/{repo}/blobs/uploads/").expect(202).header("Location")


def received(client, place):
    """Bytes that the session holds."""
    text = client("GET", place).expect(204).header("Range")
    return int(text.split("-")[1]) + 1


def unread(sock):
    """Bytes on their way from this socket that the program at its other end has not read."""
    client, server = sock.getsockname()[1], sock.getpeername()[1]
    ends = {f"{client:04X}": 0, f"{server:04X}": 1}
    waiting = 0
    for line in open("/proc/net/tcp", encoding="ascii").readlines()[1:]:
        _, local, remote, _, queues = line.split()[:5]
        ports = local.rpartition(":")[2], remote.rpartition(":")[2]
        if set(ports) == set(ends):
            waiting += int(queues.split(":")[ends[ports[0]]], 16)  # what the sender holds, and what the reader has not taken
    return waiting


def cut(registry, account, repo, method, target, declared, sent, handler, reset=False):
    """Declares `declared` bytes, sends `sent`, hangs up when they were read, and waits until the server has noticed."""
    def requests(status):
        return registry.counter("bondstore_requests_total", handler=handler, status=status)
    before, failed = requests("cut"), requests("5xx")
    token = registry.token(account, f"repository:{repo}:pull,push")
    sock = registry.wire.connect()
    sock.sendall(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/octet-stream\r\n"
                 f"Content-Length: {declared}\r\n\r\n".encode() + sent)
    eventually(lambda: unread(sock) == 0, what="the server's reading")
    if reset:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()
    eventually(lambda: requests("cut") == before + 1, what="the end of the request that was cut")
    assert requests("5xx") == failed


def let_go(client, place):
    """The server has put the session of a cut request down; a chunk far beyond its end is refused in another way then."""
    return client("PATCH", place, {"Content-Range": "9999999-9999999"}, b"x").status in (416, 404)


def invisible(client, repo, *contents):
    for content in contents:
        client("HEAD", f"/v2/{repo}/blobs/{sha256(content)}").expect(404)
    assert repo not in client("GET", "/v2/_catalog?n=1000").expect(200).json["repositories"]


@pytest.mark.parametrize("reset", [False, True])
def test_a_cut_patch_leaves_nothing_visible_and_goes_on_where_it_stopped(registry, house, repo, reset):
    client = registry.client(house.developer)
    content = os.urandom(1500000)
    place = begin(client, repo)
    cut(registry, house.developer, repo, "PATCH", at(place), len(content), content[:900000], "api_upload_patch", reset)
    eventually(lambda: let_go(client, place), what="the session to be free")
    invisible(client, repo, content, content[:900000])
    status = client("GET", place)
    if status.status == 204:
        have = received(client, place)
        assert have <= 900000
        have = 0 if have <= 1 else have
    else:
        status.expect(404, "BLOB_UPLOAD_UNKNOWN")
        place, have = begin(client, repo), 0
    client("PATCH", place, {"Content-Range": f"{have}-{len(content) - 1}"}, content[have:]).expect(202)
    client("PUT", at(place, digest=sha256(content)), {}, b"").expect(201)
    assert client("GET", f"/v2/{repo}/blobs/{sha256(content)}").expect(200).body == content


def test_a_cut_put_publishes_nothing(registry, house, repo):
    client = registry.client(house.developer)
    content = os.urandom(400000)
    place = begin(client, repo)
    cut(registry, house.developer, repo, "PUT", at(place, digest=sha256(content)), len(content), content[:200000], "api_upload_put")
    cut(registry, house.developer, repo, "POST", f"/v2/{repo}/blobs/uploads/?digest={sha256(content)}", len(content), content[:200000], "api_upload_post")
    invisible(client, repo, content, content[:200000])
    client.push_blob(repo, content, sha256(content))


@pytest.fixture
def patient(tmp_path):
    """A server that bears silence for an hour."""
    server = Server(tmp_path).init().start(BONDSTORE_LIMITS_IDLE="1h", BONDSTORE_LIMITS_SLOW_AFTER="1h")
    server.make_namespace("ns")
    yield server
    server.end()


def test_an_end_that_comes_together_with_bytes_is_seen_soon(patient):
    """It comes while the server is at work on what came before, and one look at the socket meets both."""
    token = patient.token(patient.make_member("ns", "dev@ns.example", "developer"), "repository:ns/app:pull,push")
    cut = []
    for sent in [100000, 200000, 300000] * 5:
        sock = patient.plain.connect()
        sock.sendall(f"POST /v2/ns/app/blobs/uploads/?digest={sha256(b'')} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
                     f"Content-Length: 1500000\r\n\r\n".encode() + b"x" * sent)
        sock.shutdown(socket.SHUT_WR)
        cut.append(sock)
    eventually(lambda: patient.counter("bondstore_requests_total", handler="api_upload_post", status="cut") == len(cut), 60, what="the ends")
    for sock in cut:
        sock.close()


def test_whoever_has_only_finished_his_question_gets_the_whole_answer(patient):
    """The same end after a whole request: a slow reader who sends nothing more."""
    account = patient.make_member("ns", "dev@ns.example", "developer")
    content = os.urandom(12 << 20)
    patient.client(account).push_blob("ns/app", content, sha256(content))
    sock = patient.plain.connect()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    sock.sendall(f"GET /v2/ns/app/blobs/{sha256(content)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                 f"Authorization: Bearer {patient.token(account, 'repository:ns/app:pull')}\r\n\r\n".encode())
    sock.shutdown(socket.SHUT_WR)
    got = bytearray()
    while piece := sock.recv(1 << 18):
        got += piece
        if len(got) < 4 << 20:
            time.sleep(0.1)  # as somebody who is slow, over several looks of the server
    sock.close()
    assert bytes(got.partition(b"\r\n\r\n")[2]) == content


def test_a_cut_manifest_is_not_stored(registry, house, repo):
    client = registry.client(house.developer)
    made = image("cut")
    client.push(repo, made)
    cut(registry, house.developer, repo, "PUT", f"/v2/{repo}/manifests/cut", len(made.manifest), made.manifest[:100], "api_manifest_put")
    client.get(repo, "cut", "HEAD").expect(404)


def test_a_restart_in_the_middle_of_an_upload_goes_on_where_it_was(own_server):
    own_server.make_namespace("ns")
    account = own_server.make_member("ns", "dev@ns.example", "developer")
    client = own_server.client(account)
    content = os.urandom(900000)
    place = begin(client, "ns/app")
    client("PATCH", place, {"Content-Range": "0-299999"}, content[:300000]).expect(202)
    own_server.restart()
    assert received(client, place) == 300000
    client("PATCH", place, {"Content-Range": "300000-599999"}, content[300000:600000]).expect(202)
    own_server.kill()
    own_server.start()
    assert received(client, place) == 600000
    client("PATCH", place, {"Content-Range": "0-9"}, content[:10]).expect(416)
    client("PUT", at(place, digest=sha256(content)), {"Content-Range": "600000-899999"}, content[600000:]).expect(201)
    assert client("GET", f"/v2/ns/app/blobs/{sha256(content)}").expect(200).body == content


def test_a_chunk_that_a_proxy_repeats_is_refused_with_the_place_to_go_on_from(registry, house, repo):
    client = registry.client(house.developer)
    content = os.urandom(3000)
    place = begin(client, repo)
    for first, last in ((0, 999), (1000, 1999)):
        chunk = {"Content-Range": f"{first}-{last}"}
        client("PATCH", place, chunk, content[first:last + 1]).expect(202)
        again = client("PATCH", place, chunk, content[first:last + 1]).expect(416, "BLOB_UPLOAD_INVALID")
        assert again.header("Range") == f"0-{last}"
        assert again.header("Location").endswith(at(place)) and at(place).endswith(again.header("Docker-Upload-UUID"))
    client("PUT", at(place, digest=sha256(content)), {"Content-Range": "1000-1999"}, content[1000:2000]).expect(416)
    client("PUT", at(place, digest=sha256(content)), {"Content-Range": "2000-2999"}, content[2000:]).expect(201)
    assert client("GET", f"/v2/{repo}/blobs/{sha256(content)}").expect(200).body == content


def test_a_second_request_on_a_session_in_use_is_told_to_come_again_and_the_first_goes_on(registry, house, repo):
    client = registry.client(house.developer)
    content = os.urandom(1000000)
    place = begin(client, repo)
    token = registry.token(house.developer, f"repository:{repo}:pull,push")
    first = registry.wire.connect()
    first.sendall(f"PATCH {at(place)} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
                  f"Content-Range: 0-{len(content) - 1}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content[:600000])
    eventually(lambda: received(client, place) > 1, what="the first bytes")
    for answer in (client("PATCH", place, {}, b"x"), client("PUT", at(place, digest=sha256(content))), client("DELETE", place)):
        answer.expect(503, "BLOB_UPLOAD_INVALID")
        assert int(answer.header("Retry-After")) > 0 and "another request" in answer.message
    first.sendall(content[600000:])
    assert first.recv(4096).startswith(b"HTTP/1.1 202 ")
    first.close()
    client("PUT", at(place, digest=sha256(content))).expect(201)
    assert client("GET", f"/v2/{repo}/blobs/{sha256(content)}").expect(200).body == content


def test_sigterm_while_uploads_and_downloads_run_ends_within_ten_seconds_and_loses_nothing_acknowledged(own_server):
    own_server.make_namespace("ns")
    account = own_server.make_member("ns", "dev@ns.example", "developer")
    client = own_server.client(account)
    kept = os.urandom(3000000)
    client.push_blob("ns/app", kept, sha256(kept))
    token = own_server.token(account, "repository:ns/app:pull,push")
    place = begin(client, "ns/app")
    stalled = own_server.wire.connect()  # an upload whose client has fallen silent
    stalled.sendall(f"PATCH {at(place)} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: 5000000\r\n\r\n".encode() + b"x" * 100000)
    slow = own_server.wire.connect()  # a download that nobody reads
    slow.sendall(f"GET /v2/ns/app/blobs/{sha256(kept)} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    acknowledged, stop = [], threading.Event()

    def pusher():
        while not stop.is_set():
            content = os.urandom(50000)
            try:
                if own_server.wire.request("POST", f"/v2/ns/app/blobs/uploads/?digest={sha256(content)}", {"Authorization": f"Bearer {token}"}, content).status == 201:
                    acknowledged.append(content)
            except OSError:
                return
            except Exception:  # the answer was cut: not acknowledged
                return
    threads = [threading.Thread(target=pusher) for _ in range(3)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(acknowledged) >= 3, what="pushes beside the two that stand still")
    own_server.stop()
    stop.set()
    for thread in threads:
        thread.join(30)
    stalled.close()
    slow.close()
    own_server.start()
    assert acknowledged
    for content in [kept, *acknowledged]:
        assert client("GET", f"/v2/ns/app/blobs/{sha256(content)}").expect(200).body == content


def test_readyz_turns_503_or_refuses_while_the_server_drains(own_server):
    own_server.process.terminate()

    def gone():
        try:
            return own_server.wire.request("GET", "/readyz").status == 503
        except OSError:
            return True
    eventually(gone, 10)
    own_server.stop()  # with status 0, whether it has ended by now or not


def test_after_a_kill_the_trust_data_is_whole(own_server, tmp_path):
    own_server.make_namespace("ns")
    owner = own_server.make_member("ns", "owner@ns.example", "owner")
    made = image("killed")
    own_server.client(owner).push("ns/app", made, "v1")
    keeper = Notary(own_server, owner, tmp_path / "keeper")
    keeper.init("ns/app")
    for n in range(3):
        keeper.sign("ns/app", f"v{n}", made)
        own_server.kill()
        own_server.start()
        assert set(keeper.list("ns/app")) == {f"v{i}" for i in range(n + 1)}


def test_fsck_is_clean_after_pushes_deletes_and_a_kill(own_server):
    own_server.make_namespace("ns")
    owner = own_server.client(own_server.make_member("ns", "owner@ns.example", "owner"))
    for n in range(4):
        owner.push("ns/app", image(f"n {n}"), f"v{n}")
    owner("DELETE", "/v2/ns/app/manifests/v1").expect(202)
    owner("DELETE", f"/v2/ns/app/manifests/{image('n 2').digest}").expect(202)
    begin(owner, "ns/app")
    own_server.kill()
    run([own_server.bondstore, "fsck", own_server.config], env=environment(**sanitizer_environment()))
    own_server.start()
    owner.get("ns/app", "v3").expect(200)
