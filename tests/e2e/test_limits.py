"""Limits of the registry, each at its value and one beyond (docs/limits.md). Those of manifests' bytes and of tag
parameters are among the conformance cases, those of trust data in test_trust_api.py."""
import json
import os

import pytest

from support.images import OCI_MANIFEST, compact, image, sha256
from support.server import Server, at, eventually
from test_clock import faketime

KIB, MIB = 1024, 1024 * 1024


@pytest.fixture
def client(registry, house):
    return registry.client(house.developer)


def begin(client, repo):
    return client("POST", f"/v2/{repo}/blobs/uploads/").expect(202).header("Location")


def is_open(client, place):
    return client("GET", place).status == 204


# --- sizes of requests ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("target, headers, limit", [
    ("/token", {"Content-Type": "application/x-www-form-urlencoded"}, 16 * KIB),
    ("/api/v1/sessions", {"Content-Type": "application/json"}, 16 * KIB),
    ("/api/v1/namespaces", {"Content-Type": "application/json"}, MIB),
])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_at_its_limit_is_read_and_one_byte_more_is_413(registry, target, headers, limit, chunked):
    headers = {**headers, "Authorization": f"Bearer {registry.session(registry.admin)}"} if "namespaces" in target else headers
    registry.wire.request("POST", target, headers, b" " * limit, chunked=chunked).expect(400)
    registry.wire.request("POST", target, headers, b" " * (limit + 1), chunked=chunked).expect(413, "SIZE_INVALID")


@pytest.mark.parametrize("target", ["/healthz", "/healthz?" + "q" * 4000])
def test_a_request_head_at_its_limit_is_read_and_one_byte_more_is_431(registry, target):
    def ask(size):
        fixed = len(target) + len("Host") + len("localhost") + len("Connection") + len("close") + len("X-Pad")
        got, _ = registry.wire.raw(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                                   f"X-Pad: {'p' * (size - fixed)}\r\n\r\n".encode())
        return int(got.split(b" ", 2)[1])
    assert ask(16 * KIB) == 200
    assert ask(16 * KIB + 1) == 431


def test_a_request_may_have_a_hundred_header_lines(registry):
    def ask(lines):
        more = "".join(f"X-{n}: 1\r\n" for n in range(lines - 2))
        return registry.wire.raw(f"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n".encode())[0]
    assert ask(100).startswith(b"HTTP/1.1 200 ")
    assert ask(101).startswith(b"HTTP/1.1 431 ")


# --- names ---------------------------------------------------------------------------------------------------------------

def test_the_longest_names_are_taken_and_longer_ones_are_400(client, house):
    prefix = f"{house.ns}/"
    longest = prefix + "a" * (255 - len(prefix))
    begin(client, longest)
    client("POST", f"/v2/{longest}a/blobs/uploads/").expect(400, "NAME_INVALID")
    made = image("names")
    client.push(f"{house.ns}/names", made)
    client.push_manifest(f"{house.ns}/names", "t" * 128, made.manifest, made.media_type).expect(201)
    client.push_manifest(f"{house.ns}/names", "t" * 129, made.manifest, made.media_type).expect(400, "TAG_INVALID")


# --- manifests --------------------------------------------------------------------------------------------------------------

def manifest_of(client, repo, layers, **more):
    content = b"{}"
    client.push_blob(repo, content, sha256(content))
    one = {"mediaType": "application/octet-stream", "digest": sha256(content), "size": len(content)}
    return compact({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": one, "layers": [one] * layers, **more})


def test_a_manifest_names_at_most_4096_things(client, repo):
    client.push_manifest(repo, "most", manifest_of(client, repo, 4095), OCI_MANIFEST).expect(201)
    answer = client.push_manifest(repo, "more", manifest_of(client, repo, 4096), OCI_MANIFEST)
    answer.expect(400, "MANIFEST_INVALID")
    assert "4096" in answer.message


def test_a_manifest_is_at_most_64_levels_deep(client, repo):
    def nested(levels):  # the manifest itself is the first
        return json.loads("[" * (levels - 1) + "]" * (levels - 1))
    client.push_manifest(repo, "deep", manifest_of(client, repo, 1, extra=nested(64)), OCI_MANIFEST).expect(201)
    client.push_manifest(repo, "deeper", manifest_of(client, repo, 1, extra=nested(65)), OCI_MANIFEST).expect(400, "MANIFEST_INVALID")


# --- upload sessions -----------------------------------------------------------------------------------------------------------

@pytest.fixture
def aged(tmp_path):
    """A server whose clock a test sets, and its developer."""
    server = Server(tmp_path).init().start()
    server.make_namespace("ns")
    yield server, server.client(server.make_member("ns", "dev@ns.example", "developer"))
    server.end()


def later(server, client, hours, **settings):
    server.stop()
    client.forget()
    server.start(**settings, **faketime(hours / 24)[0])


def test_one_session_more_than_the_limit_ends_the_longest_idle_of_its_account_and_no_other(aged):
    server, client = aged
    server.stop()
    server.start(BONDSTORE_LIMITS_UPLOADS_PER_ACCOUNT="3")
    other = server.client(server.make_member("ns", "other@ns.example", "developer"))
    oldest = begin(other, "ns/app")
    places = [begin(client, "ns/app") for _ in range(3)]
    assert all(is_open(client, place) for place in places)
    client("PATCH", places[0], {}, b"not idle").expect(202)
    places.append(begin(client, "ns/app"))
    assert [is_open(client, place) for place in places] == [True, False, True, True]
    client("PATCH", places[1], {}, b"x").expect(404, "BLOB_UPLOAD_UNKNOWN")
    assert is_open(other, oldest)


def test_a_client_that_comes_back_within_a_day_goes_on_and_later_begins_anew(aged):
    server, client = aged
    content = os.urandom(300000)
    place, idle = begin(client, "ns/app"), begin(client, "ns/app")
    client("PATCH", place, {"Content-Range": "0-99999"}, content[:100000]).expect(202)
    later(server, client, 1)
    assert client("GET", place).expect(204).header("Range") == "0-99999"
    client("PATCH", place, {"Content-Range": "100000-199999"}, content[100000:200000]).expect(202)
    later(server, client, 23.9, BONDSTORE_MAINTENANCE_INTERVAL="1s")
    assert is_open(client, place) and is_open(client, idle)
    client("PUT", at(place, digest=sha256(content)), {"Content-Range": "200000-299999"}, content[200000:]).expect(201)
    later(server, client, 24.1, BONDSTORE_MAINTENANCE_INTERVAL="1s")
    eventually(lambda: not is_open(client, idle), what="the end of the idle session")
    client("PATCH", idle, {}, b"x").expect(404, "BLOB_UPLOAD_UNKNOWN")
    assert not any((server.data / "uploads").iterdir())
