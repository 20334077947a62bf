"""Whoever is told "exists" before a push need not send the blob: it stays until his manifest can come."""
import pytest

from support.images import sha256
from support.server import Server, eventually
from test_clock import faketime

HOUR = 1 / 24
SETTINGS = {"BONDSTORE_LIMITS_UNREFERENCED": "24h", "BONDSTORE_MAINTENANCE_INTERVAL": "1s"}


@pytest.fixture
def aged(tmp_path):
    """A server whose clock a test sets, and its developer."""
    server = Server(tmp_path).init().start(**SETTINGS)
    server.make_namespace("ns")
    account = server.make_member("ns", "dev@ns.example", "developer")
    yield server, account
    server.end()


def later(server, hours):
    server.stop()
    server.start(**SETTINGS, **faketime(hours * HOUR)[0])


def head(server, account, content, actions):
    """HEAD as docker sends it: with the token that it will push with, or one that only pulls."""
    bearer = {"Authorization": f"Bearer {server.token(account, f'repository:ns/app:{actions}')}"}
    return server.wire.request("HEAD", f"/v2/ns/app/blobs/{sha256(content)}", bearer).status


def is_there(server, content):
    return (server.data / "blobs" / "sha256" / sha256(content)[7:9] / sha256(content)[7:]).exists()


def test_the_head_of_a_pusher_postpones_collection_and_that_of_a_reader_does_not(aged):
    server, account = aged
    asked, read = b"a layer that a pusher asks for", b"a layer that somebody looks at"
    for content in (asked, read):
        server.client(account).push_blob("ns/app", content, sha256(content))
    later(server, 16)  # a third of its time is left
    assert head(server, account, asked, "pull,push") == 200
    assert head(server, account, read, "pull") == 200
    later(server, 30)
    eventually(lambda: not is_there(server, read), what="collection of what nobody pushes")
    assert is_there(server, asked)
    assert head(server, account, asked, "pull") == 200
    later(server, 41)
    eventually(lambda: not is_there(server, asked), what="collection after the second term")


def test_within_the_last_hour_a_reader_is_told_404_and_a_pusher_keeps_it(aged):
    server, account = aged
    content = b"nearly over"
    server.client(account).push_blob("ns/app", content, sha256(content))
    later(server, 23.5)
    assert head(server, account, content, "pull") == 404
    decisions = server.counter("bondstore_gate_decisions_total")
    assert head(server, account, content, "pull,push") == 200
    assert server.counter("bondstore_gate_decisions_total") == decisions + 1
    assert head(server, account, content, "pull") == 200  # it has a day again


def test_a_fresh_blob_is_told_of_without_a_write(aged):
    server, account = aged
    content = b"fresh"
    server.client(account).push_blob("ns/app", content, sha256(content))
    later(server, 11)
    assert head(server, account, content, "pull,push") == 200
    later(server, 23.5)
    assert head(server, account, content, "pull") == 404  # its time was not moved at 11 hours
