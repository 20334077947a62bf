"""Crowds of connections and heaps of content: others are served, memory stays bounded, and all is well when the crowd is
gone. How long a normal client waits meanwhile is measured by tests/perf/attack.py."""
import contextlib
import hashlib
import re
import resource
import sqlite3
import ssl
import time

import pytest

from support.attackers import Crowd, connect_from, descriptors, limit_descriptors, processor_time, resident
from support.images import OCI_CONFIG, OCI_MANIFEST, compact, sha256
from support.server import Account, Server, eventually
from support.trust import Trust
from support.tuf import Collection

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
MIB = 1 << 20
HELLO = bytes.fromhex("16030100f8010000f40303") + bytes(32)  # the first part of a TLS client's


@pytest.fixture(autouse=True)
def enough_descriptors():
    """For the crowds, which run in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def small_server(tmp_path):
    """64 connections, 16 of one address, and no patience: what thousands do to a large server."""
    server = Server(tmp_path).init()
    server.config.write_text(server.config.read_text() + "\nlimits:\n  connections: 64\n  connections_per_address: 16\n  slow_after: 5s\n")
    yield server.start()
    server.end()


def served(wire):
    return wire.request("GET", "/healthz").status == 200


def is_sanitized(server):
    return b"__asan_init" in server.bondstore.read_bytes()


def test_one_address_cannot_take_all_connections(small_server):
    held = [connect_from("127.0.0.2", small_server.plain_port) for _ in range(16)]
    for sock in held:
        sock.sendall(GET)
        assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
    one_more = connect_from("127.0.0.2", small_server.plain_port)
    assert one_more.recv(4096) == b"", "the seventeenth connection of an address is closed"
    other = connect_from("127.0.0.3", small_server.plain_port)
    other.sendall(GET)
    assert other.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert served(small_server.plain)
    held.pop().close()

    def room():
        with connect_from("127.0.0.2", small_server.plain_port) as sock:
            try:
                sock.sendall(GET)
                return sock.recv(4096).startswith(b"HTTP/1.1 200 ")
            except OSError:
                return False
    eventually(room, what="room for the address whose connection was closed")


CROWDS = {
    "that say nothing": {},
    "that wait between requests": {"first": GET},
    "whose first line does not end": {"first": b"GET /v2/", "drip": b"a", "every": .2},
    "whose head does not end": {"first": GET[:-2], "drip": b"X: y\r\n", "every": .2},
    "whose body does not end": {"first": b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 16000\r\n\r\n", "drip": b"a", "every": .2},
    "whose body does not come": {"first": b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 16000\r\n\r\n"},
    "that begin TLS and stop": {"first": HELLO},
    "that send garbage": {"first": b"\x80" * 300},
}


@pytest.mark.parametrize("what,listener", [(what, "plain") for what in CROWDS] + [(what, "tls") for what in (
    "that say nothing", "that begin TLS and stop", "that send garbage")])
def test_a_crowd_of_connections_makes_room_for_others(small_server, what, listener):
    """More than the limit, from sixteen addresses, and they come back."""
    port, wire = (small_server.plain_port, small_server.plain) if listener == "plain" else (small_server.port, small_server.wire)
    with Crowd(port, 200, per_address=13, back=.5, **CROWDS[what]) as crowd:
        eventually(lambda: crowd.opened >= 100, wait=60, what="the crowd")
        for _ in range(3):
            assert served(wire)
        assert descriptors(small_server.process.pid) < 2 * 64 + 100
    eventually(lambda: small_server.counter("bondstore_connections") <= 2, what="an empty house")
    assert served(wire)


def test_p15_a_crowd_of_trust_uploads_that_do_not_end_makes_room_for_others(small_server):
    """By somebody who may publish: a megabyte is announced, a byte comes now and then."""
    small_server.make_namespace("slow")
    owner = small_server.client(small_server.make_member("slow", "owner@slow.example", "owner"))
    trust = Trust(small_server, owner, "slow/app")
    keys = Collection(trust)
    bearer = small_server.token(owner.account, f"repository:{trust.gun}:push,pull,*")
    first = (f"POST /v2/{trust.gun}/_trust/tuf/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bearer}\r\n"
             "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000000\r\n\r\n--x\r\n").encode()
    with Crowd(small_server.plain_port, 200, per_address=13, back=.5, first=first, drip=b"a", every=.2) as crowd:
        eventually(lambda: crowd.opened >= 100, wait=60, what="the crowd")
        for _ in range(3):
            assert served(small_server.plain)
        keys.begin()
        assert descriptors(small_server.process.pid) < 2 * 64 + 100
    eventually(lambda: small_server.counter("bondstore_connections") <= 2, what="an empty house")
    assert trust.version("targets") == 2


@pytest.mark.parametrize("listener", ["plain", "tls"])
@pytest.mark.parametrize("begun", [b"\x16", HELLO, b"GET /v2/", GET[:-2], b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na"])
def test_waiting_for_the_rest_costs_no_processor_time(own_server, listener, begun):
    """Whatever somebody begins and does not end, plain or before or within TLS."""
    port = own_server.plain_port if listener == "plain" else own_server.port
    held = [connect_from("127.0.0.2", port) for _ in range(4)]
    if listener == "tls" and not begun.startswith(b"\x16"):
        context = ssl.create_default_context(cafile=str(own_server.ca))
        held = [context.wrap_socket(sock, server_hostname="localhost") for sock in held]
    for sock in held:
        sock.sendall(begun)
    assert served(own_server.wire) and served(own_server.plain)
    began, before = time.monotonic(), processor_time(own_server.process.pid)
    time.sleep(2)
    used = (processor_time(own_server.process.pid) - before) / (time.monotonic() - began)
    assert used < .05, f"{used:.0%} of a processor"
    for sock in held:
        sock.close()


def test_readers_that_do_not_read_hold_little_and_give_way(small_server):
    small_server.make_namespace("house")
    robot = small_server.make_robot("house", "ci", "pull,push")
    client, content = small_server.client(robot), bytes(64 * MIB)
    client.push_blob("house/app", content, sha256(content))
    bearer = small_server.token(robot, "repository:house/app:pull")
    before = resident(small_server.process.pid)
    get = f"GET /v2/house/app/blobs/{sha256(content)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bearer}\r\n\r\n".encode()
    for port in (small_server.plain_port, small_server.port):
        first = get if port == small_server.plain_port else b""
        with Crowd(port, 60, per_address=13, first=first, reads=False) as crowd:
            eventually(lambda: crowd.opened >= 60, what="the crowd")
            got = client("GET", f"/v2/house/app/blobs/{sha256(content)}", {"Range": "bytes=0-9"}).expect(206)
            assert got.body == bytes(10)
            assert resident(small_server.process.pid) - before < 32 * MIB, "a reader who does not read holds no blob in memory"


@pytest.mark.parametrize("listener,most", [("plain", 72), ("tls", 80)])
def test_each_open_connection_holds_little_memory(own_server, listener, most):
    """Half a thousand clients that asked once and keep the connection. KiB each."""
    number, pid = 500, own_server.process.pid
    context = ssl.create_default_context(cafile=str(own_server.ca))
    held = []

    def join(count):
        for _ in range(count):
            sock = connect_from("127.0.0.2", own_server.plain_port if listener == "plain" else own_server.port)
            sock = sock if listener == "plain" else context.wrap_socket(sock, server_hostname="localhost")
            sock.sendall(GET)
            assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
            held.append(sock)
    join(50)  # what the process takes once
    before = resident(pid)
    join(number)
    each = (resident(pid) - before) / number / 1024
    print(f"{listener}: {each:.1f} KiB")
    assert each <= most * (8 if is_sanitized(own_server) else 1), f"{each:.1f} KiB"
    for sock in held:
        sock.close()
    assert served(own_server.wire)


def test_a_server_out_of_descriptors_says_so_and_goes_on_when_they_come_free(own_server):
    own_server.make_namespace("house")
    robot = own_server.make_robot("house", "ci", "pull,push")
    own_server.client(robot).push_blob("house/app", b"x" * 5000, sha256(b"x" * 5000))
    bearer = own_server.token(robot, "repository:house/app:pull")
    get = f"GET /v2/house/app/blobs/{sha256(b'x' * 5000)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bearer}\r\n\r\n".encode()
    pid = own_server.process.pid
    kept = connect_from("127.0.0.2", own_server.plain_port)
    kept.sendall(GET)
    assert kept.recv(4096).startswith(b"HTTP/1.1 200 ")
    limit_descriptors(pid, 3)
    kept.sendall(get)
    answer = kept.recv(4096)
    assert answer.startswith(b"HTTP/1.1 503 ") and b"Retry-After: " in answer and b'"UNAVAILABLE"' in answer, answer
    newcomer = connect_from("127.0.0.3", own_server.plain_port)  # waits in the backlog
    newcomer.sendall(GET)
    kept.sendall(GET)
    assert kept.recv(4096).startswith(b"HTTP/1.1 200 "), "who is in is served"
    limit_descriptors(pid, 4096)
    kept.close()  # with a descriptor that comes free the server looks again
    newcomer.settimeout(20)
    assert newcomer.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert own_server.plain.request("GET", f"/v2/house/app/blobs/{sha256(b'x' * 5000)}", {"Authorization": f"Bearer {bearer}"}).expect(200).body == b"x" * 5000
    assert "code=ERR_BUSY sys=24 " in own_server.log_text(), "the log names the reason"
    assert own_server.counter("bondstore_blob_read_errors_total") == 0, "and does not blame the disk"


def test_few_descriptors_mean_few_connections(tmp_path):
    """Connections are fewer than the descriptors, so that files can still be opened; the log says what to do."""
    server = Server(tmp_path).init().start(prefix=("prlimit", "--nofile=400:400"))
    try:
        said = re.search(r"event=few_descriptors limit=400 connections=(\d+) wanted=4096 advice=", server.log_text())
        assert said and int(said.group(1)) == (400 - 256) // 4, server.log_text()[:2000]
        with Crowd(server.plain_port, 300, first=GET) as crowd:
            eventually(lambda: crowd.opened >= 300, what="the crowd")
            assert served(server.plain)
            assert descriptors(server.process.pid) < 400
    finally:
        server.end()


# --- heaps of content -------------------------------------------------------------------------------------------------

def test_uploads_announced_and_abandoned_hold_neither_memory_nor_disk(own_server):
    """One identity opens more sessions than it may; one hundred bodies of a terabyte are announced and never sent."""
    own_server.make_namespace("house")
    robot = own_server.make_robot("house", "ci", "pull,push")
    client, pid = own_server.client(robot), own_server.process.pid
    before, open_before = resident(pid), descriptors(pid)
    places = [client("POST", "/v2/house/app/blobs/uploads/").expect(202).header("Location") for _ in range(520)]
    assert [client("GET", place).status for place in (places[0], places[7], places[8], places[-1])] == [404, 404, 204, 204]
    bearer = own_server.token(robot, "repository:house/app:pull,push")
    held = []
    for place in places[-100:]:
        sock = connect_from("127.0.0.2", own_server.plain_port)
        sock.sendall(f"PATCH {place} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bearer}\r\nContent-Length: {1 << 40}\r\n\r\nx".encode())
        held.append(sock)
    assert served(own_server.plain)
    assert resident(pid) - before < 96 * MIB * (3 if is_sanitized(own_server) else 1)
    assert sum(f.stat().st_blocks * 512 for f in own_server.data.rglob("*") if f.is_file() and "uploads" in f.parts) < MIB
    for sock in held:
        sock.close()
    # a hundred connections, and a file of each; the rest is what every worker opens once to read the index
    eventually(lambda: descriptors(pid) <= open_before + 80, what="descriptors of abandoned uploads")


def test_a_manifest_of_the_same_descriptor_over_and_over(own_server):
    own_server.make_namespace("house")
    client = own_server.client(own_server.make_robot("house", "ci", "pull,push"))
    for content in (b"{}", b"x"):
        client.push_blob("house/app", content, sha256(content))
    descriptor = {"mediaType": "application/x-layer", "digest": sha256(b"x"), "size": 1}

    def manifest(count, annotations=None):
        return compact({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": [descriptor] * count, **({"annotations": annotations} if annotations else {}),
                        "config": {"mediaType": OCI_CONFIG, "digest": sha256(b"{}"), "size": 2}})
    client.push_manifest("house/app", "many", manifest(4095), OCI_MANIFEST).expect(201)
    client.push_manifest("house/app", "more", manifest(4097), OCI_MANIFEST).expect(400, "MANIFEST_INVALID")
    large = manifest(1, {f"k{i}": "v" * 1000 for i in range(4100)})
    assert 4 * MIB - 200000 < len(large) < 4 * MIB
    client.push_manifest("house/app", "large", large, OCI_MANIFEST).expect(201)
    assert client.get("house/app", "large").expect(200).body == large
    client.push_manifest("house/app", "larger", large + b" " * (4 * MIB - len(large) + 1), OCI_MANIFEST).expect(413)


@pytest.fixture
def stuffed_server(own_server):
    """10^5 tags on one manifest, 10^4 manifests that refer to one, 10^5 repositories: rows as pushes would leave them."""
    own_server.make_namespace("house")
    client = own_server.client(own_server.make_robot("house", "ci", "pull,push"))
    client.push_blob("house/app", b"{}", sha256(b"{}"))
    small = compact({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": {"mediaType": OCI_CONFIG, "digest": sha256(b"{}"), "size": 2}, "layers": []})
    client.push_manifest("house/app", "v1", small, OCI_MANIFEST).expect(201)
    own_server.stop()
    database = next(f for f in own_server.data.iterdir() if f.is_file() and f.read_bytes().startswith(b"SQLite format 3"))
    with contextlib.closing(sqlite3.connect(database)) as db, db:
        repository, namespace = db.execute("SELECT id, namespace_id FROM repository WHERE name = 'house/app'").fetchone()
        subject = db.execute("SELECT digest FROM manifest WHERE repository_id = ?", (repository,)).fetchone()[0]
        columns = [c[1] for c in db.execute("PRAGMA table_info(tag)")]
        tag = dict(zip(columns, db.execute("SELECT * FROM tag WHERE repository_id = ?", (repository,)).fetchone()))
        marks = ", ".join(f":{c}" for c in columns)
        db.executemany(f"INSERT INTO tag ({', '.join(columns)}) VALUES ({marks})", ({**tag, "name": f"t{i:06d}"} for i in range(100_000)))
        columns = [c[1] for c in db.execute("PRAGMA table_info(manifest)") if c[1] != "id"]
        row = dict(zip(columns, db.execute(f"SELECT {', '.join(columns)} FROM manifest WHERE repository_id = ?", (repository,)).fetchone()))
        marks = ", ".join(f":{c}" for c in columns)
        db.executemany(f"INSERT INTO manifest ({', '.join(columns)}) VALUES ({marks})",
                       ({**row, "digest": b"\x01" + hashlib.sha256(b"%d" % i).digest(), "subject": subject, "artifact_type": "application/x-note"} for i in range(10_000)))
        db.executemany("INSERT INTO repository (namespace_id, name, manifest_count, created_us) VALUES (?, ?, 1, 1)", ((namespace, f"house/r{i:06d}") for i in range(100_000)))
        db.execute("UPDATE repository SET manifest_count = 10001 WHERE id = ?", (repository,))
    own_server.start()
    return own_server


def test_lists_of_a_hundred_thousand_come_in_pages(stuffed_server):
    server = stuffed_server
    robot, deployer = server.make_robot("house", "reader", "pull"), server.make_deployer("house", "k8s")
    owner = server.make_member("house", "owner@house.example", "owner")
    pid, before = server.process.pid, resident(server.process.pid)
    digest = server.client(robot).get("house/app", "v1", "HEAD").expect(200).header("Docker-Content-Digest")
    lists = {"/v2/house/app/tags/list": (robot, "tags"), f"/v2/house/app/referrers/{digest}": (robot, "manifests"),
             f"/v2/house/app/referrers/{digest}?artifactType=application/x-note": (robot, "manifests"),
             f"/v2/house/app/referrers/{digest}?artifactType=nothing": (robot, "manifests"), "/v2/_catalog": (owner, "repositories")}
    for target, (who, member) in lists.items():
        answer = server.client(who)("GET", target).expect(200)
        got = answer.json[member]
        assert len(got) <= 1000 and len(answer.body) <= 5 * MIB, target
        assert (answer.header("Link") is not None) == (len(got) > 0), target
        assert len(got) == (0 if target.endswith("nothing") else 1000), target
    for target in ("/v2/house/app/tags/list", f"/v2/house/app/referrers/{digest}"):  # nothing is signed
        assert len(server.client(deployer)("GET", target).body) < MIB
    assert server.client(robot)("GET", "/v2/house/app/tags/list?n=18446744073709551616").expect(400).message
    assert resident(pid) - before < 64 * MIB * (3 if is_sanitized(server) else 1)


def test_a_pattern_of_many_stars_is_matched_at_once(own_server):
    """Against the longest tag, where a matcher that tries every split would not come back."""
    own_server.make_namespace("house")
    stars = "*a" * 63 + "b"
    own_server.bond("policy", "set", "house", "--file", "-", stdin='{"level":"deploy","tags":["%s"]}' % stars)
    deployer = own_server.client(own_server.make_deployer("house", "k8s"))
    before = processor_time(own_server.process.pid)
    deployer("GET", f"/v2/house/app/manifests/{'a' * 128}").expect((403, 404))
    assert processor_time(own_server.process.pid) - before < 2


def test_nothing_that_a_client_sends_forges_a_line_of_the_log(own_server):
    names = ["%0atime=2026-01-01T00:00:00Z%20level=info%20event=forged", "a%0d%0aevent=forged", "%1b[2J", "%22%20event=forged", "x" * 3000]
    for name in names:
        own_server.wire.request("GET", f"/api/v1/users/{name}")
        own_server.wire.request("GET", f"/v2/house/{name}/tags/list")
        own_server.wire.raw(f"GET /token?account={name}&service=x HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a\x0bb event=forged\r\nConnection: close\r\n\r\n".encode())
        own_server.token_answer(Account(f"a\" event=forged b{name}", "x y event=forged"))
    text = own_server.log_text()
    for line in text.splitlines():
        assert re.match(r"time=\S+ level=(debug|info|warn|error) event=\w+( |$)", line), line
        assert "event=forged" not in re.sub(r'"(?:[^"\\]|\\.)*"', '""', line), line
    assert "\x1b" not in text and "x y event" not in text
