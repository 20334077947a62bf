"""Scrub: a file that went bad is found while the server serves, named, taken aside, and repaired by the next push."""
import contextlib
import http.client
import json
import os
import pty
import re
import sqlite3
import subprocess
from pathlib import Path

import pytest

from support.images import image, sha256
from support.process import environment, program, run
from support.server import Server, at, eventually, sanitizer_environment


def blob_file(server, digest):
    algorithm, _, name = digest.partition(":")
    return server.data / "blobs" / algorithm / name[:2] / name


def settled(server, digest):
    """Its file, when its bytes are there and nowhere else: a small blob lies in the index for a while."""
    def nothing_waits():
        with contextlib.closing(sqlite3.connect(f"file:{server.data}/index.db?mode=ro", uri=True)) as index:
            return index.execute("SELECT COUNT(*) FROM blob_journal").fetchone() == (0,)
    eventually(nothing_waits, what="the files of small blobs")
    return blob_file(server, digest)


def damage(server, digest):
    """One bit of the first byte: the size stays."""
    path = settled(server, digest)
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)


def scrub(server, *options, code=0, where=None):
    return run([server.bondstore, "scrub", *options, where or server.data], code=code, env=environment(**sanitizer_environment()))


def fsck(server, *options, code=0):
    return run([server.bondstore, "fsck", *options, server.config], code=code, env=environment(**sanitizer_environment()))


def some_blob(pushed):
    """The layer of an image: a blob that a manifest names."""
    return max(pushed.blobs, key=lambda digest: len(pushed.blobs[digest]))


def test_a_damaged_blob_is_found_named_hidden_and_repaired_by_a_push_while_the_server_runs(own_server):
    client = own_server.client(own_server.admin)
    pushed, sound = image("goes bad"), image("stays well")
    client.push("ns/app", pushed, "v1")
    client.push("ns/app", sound, "v2")
    client("POST", f"/v2/ns/other/blobs/uploads/?mount={some_blob(pushed)}&from=ns/app").expect(201)
    layer = some_blob(pushed)
    assert scrub(own_server).out.splitlines()[-2:] == ["findings 0", "missing 0"]

    damage(own_server, layer)
    found = json.loads(scrub(own_server, "--json", code=1).out)
    assert found["round"]["findings"] == 1 and found["round"]["missing"] == 1 and found["round"]["state"] == "idle"
    (missing,) = found["missing"]
    assert missing["digest"] == layer and missing["size"] == len(pushed.blobs[layer]) and missing["more_users"] is False
    assert {"repository": "ns/app", "manifest": pushed.digest, "tags": "v1"} in missing["users"]
    assert {"repository": "ns/other"} in missing["users"]

    for method in ("HEAD", "GET"):
        client(method, f"/v2/ns/app/blobs/{layer}").expect(404)
    assert client("GET", f"/v2/ns/app/blobs/{layer}").code == "BLOB_UNKNOWN"
    for query in (f"mount={layer}&from=ns/app", f"mount={layer}"):
        client("POST", f"/v2/ns/third/blobs/uploads/?{query}").expect(202)
    again = client.push_manifest("ns/app", "v3", pushed.manifest, pushed.media_type).expect(404, "MANIFEST_BLOB_UNKNOWN")
    assert layer in again.message  # no further tag on an image that has lost a layer
    kept = own_server.data / "quarantine" / layer.replace(":", "-")
    assert sha256(kept.read_bytes()) != layer and not blob_file(own_server, layer).exists()
    assert "event=blob_missing" in own_server.log_text() and f'ns/app@{pushed.digest} (v1)' in own_server.log_text()
    assert own_server.counter("bondstore_scrub_findings_total") == 1
    assert own_server.counter("bondstore_scrub_bytes_total") > 0
    for digest in sound.blobs:
        client("GET", f"/v2/ns/app/blobs/{digest}").expect(200)
    assert layer in scrub(own_server, "--list", code=1).out

    client.push("ns/app", pushed, "v1")  # as docker does: HEAD says 404, so it uploads
    client.push_manifest("ns/app", "v3", pushed.manifest, pushed.media_type).expect(201)
    for repo in ("ns/app", "ns/other"):
        assert client("GET", f"/v2/{repo}/blobs/{layer}").expect(200).body == pushed.blobs[layer]
    assert scrub(own_server, "--list").out == ""
    scrub(own_server)
    own_server.stop()
    fsck(own_server, "--bytes")


@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_file_that_is_cut_or_gone_is_404_at_once_and_looked_at_next(own_server, harm):
    client = own_server.client(own_server.admin)
    pushed = image(f"is {harm}")
    client.push("ns/app", pushed, "v1")
    layer = some_blob(pushed)
    if harm == "cut":
        os.truncate(settled(own_server, layer), 1)
    else:
        settled(own_server, layer).unlink()
    assert client("GET", f"/v2/ns/app/blobs/{layer}").expect(404).code == "BLOB_UNKNOWN"
    eventually(lambda: "event=blob_missing" in own_server.log_text(), what="the verdict of the scrubber")
    client("HEAD", f"/v2/ns/app/blobs/{layer}").expect(404)
    client.push_blob("ns/app", pushed.blobs[layer], layer)
    assert client("GET", f"/v2/ns/app/blobs/{layer}").expect(200).body == pushed.blobs[layer]


@pytest.mark.parametrize("sql, said", [
    ("DELETE FROM namespace", "a row of the table repository belongs to one of namespace that is not there"),
    ("DELETE FROM account WHERE kind = 1", "a row of the table membership belongs to one of account that is not there"),
    ("UPDATE tag SET name = ''", "CHECK constraint failed in tag")])
def test_fsck_tells_what_the_index_would_never_have_stored(own_server, sql, said):
    own_server.make_namespace("ns")
    own_server.make_member("ns", "dev@ns.example", "developer")
    own_server.client(own_server.admin).push("ns/app", image("index"), "v1")
    own_server.stop()
    fsck(own_server)
    with contextlib.closing(sqlite3.connect(own_server.data / "index.db", isolation_level=None)) as index:
        index.execute("PRAGMA ignore_check_constraints = ON")
        assert index.execute(sql).rowcount > 0
    told = json.loads(fsck(own_server, "--json", code=1).out)["findings"]
    assert [f["what"] for f in told if f["kind"] == "index" and f["where"] == "index.db" and "restored" in f["remedy"]].count(said) >= 1, told


# A day goes by in a second: work that is short here is long for the command.
FAST = "+0 x100000"
LINES = {("fsck", "--bytes"): r"checked so far: (\d+) manifests, (\d+) tags, (\d+) audit entries, (\d+) blobs \((\d+) MiB read\), (\d+) files; 0 findings",
         ("scrub",): r"(\d+)% of the blobs, (\d+) manifests, (\d+) MiB read, 0 findings"}


def fast():
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    return environment(LD_PRELOAD=library, FAKETIME=FAST, **sanitizer_environment())


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A store of some images, and nobody who serves it."""
    server = Server(tmp_path_factory.mktemp("stopped")).init().start()
    client = server.client(server.admin)
    for n in range(8):
        client.push("ns/app", image(f"long {n}"), f"v{n}")
    server.stop()
    yield server
    server.end()


@pytest.mark.parametrize("command", LINES, ids=" ".join)
def test_long_work_tells_a_log_how_far_it_is(stopped, command):
    long = run([stopped.bondstore, *command, stopped.data], env=fast())
    told = [re.fullmatch("bondstore: " + LINES[command], line) for line in long.err.splitlines()]
    assert told and all(told), long.err
    far = [tuple(int(n) for n in line.groups()) for line in told]
    assert all(a <= b for before, after in zip(far, far[1:]) for a, b in zip(before, after)), long.err
    assert far[-1][0] > 0 and "findings 0\n" in long.out


@pytest.mark.parametrize("command", LINES, ids=" ".join)
def test_long_work_draws_one_line_on_a_terminal_and_takes_it_away(stopped, command):
    screen, terminal = pty.openpty()
    working = subprocess.Popen([stopped.bondstore, *command, stopped.data], env=fast(), stdout=subprocess.PIPE, stderr=terminal)
    os.close(terminal)
    said = b""
    with os.fdopen(screen, "rb", buffering=0) as seen, contextlib.suppress(OSError):  # how the end of a terminal shows itself
        while piece := seen.read(65536):
            said += piece
    out = working.communicate(timeout=120)[0].decode()
    first, *lines, last = said.decode().split("\r\033[K")
    assert first == "" and last == "" and lines and "\n" not in said.decode()
    assert all(re.fullmatch(LINES[command], line) for line in lines), said
    assert "findings 0\n" in out and working.returncode == 0


def test_without_a_server_the_command_does_the_work(own_server):
    client = own_server.client(own_server.admin)
    pushed = image("alone")
    client.push("ns/app", pushed, "v1")
    own_server.stop()
    scrub(own_server, where=own_server.config)
    damage(own_server, some_blob(pushed))
    result = scrub(own_server, code=1)
    assert f"needed by ns/app@{pushed.digest} (v1)" in result.out and "has other bytes; moved to quarantine/" in result.err
    assert "marked missing" in fsck(own_server, code=1).out
    told = json.loads(fsck(own_server, "--json", code=1).out)
    assert told["counts"]["findings"] == 1 and told["counts"]["blobs"] == len(pushed.blobs)
    (finding,) = told["findings"]
    assert finding["kind"] == "blob_marked_missing" and some_blob(pushed) in finding["where"] and "push" in finding["remedy"]
    own_server.start()
    client.forget()
    client("GET", f"/v2/ns/app/blobs/{some_blob(pushed)}").expect(404)


def test_a_folder_that_is_none_is_told(own_server, tmp_path):
    assert "bondstore.yaml" in scrub(own_server, code=1, where=tmp_path).err
    scrub(own_server, "--rate", "fast", code=2)
    (own_server.data / "run" / "control.sock").rename(tmp_path / "elsewhere")
    said = scrub(own_server, code=1).err
    assert "another server is using the folder" in said and "control.sock: No such file" in said


def test_only_the_administrator_is_told_what_is_missing(own_server):
    own_server.make_namespace("ns")
    alice = own_server.make_member("ns", "alice@example.org", "owner")
    token = own_server.session(alice)
    for method, path in (("GET", "/api/v1/scrub"), ("POST", "/api/v1/scrub"), ("GET", "/api/v1/scrub/missing")):
        own_server.wire.request(method, path).expect(401)
        own_server.wire.request(method, path, {"Authorization": f"Bearer {token}"}).expect(403)


@pytest.fixture(scope="module")
def bad_disk(tmp_path_factory):
    """The library that makes a disk bad, built here: it is two calls long."""
    library = tmp_path_factory.mktemp("bad-disk") / "bad_disk.so"
    source = Path(__file__).parent / "support" / "bad_disk.c"
    subprocess.run([program("cc"), "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


def cut_short(client, path):
    """The request fails, or its answer ends early: never a whole answer."""
    try:
        answer = client("GET", path)
    except (OSError, http.client.HTTPException):
        return True
    return answer.status >= 500


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "tls"])
def test_a_read_error_is_counted_and_the_blob_looked_at_next(own_server, bad_disk, tmp_path, plain):
    bad = tmp_path / "bad"
    bad.write_text("")
    own_server.stop()
    own_server.start(LD_PRELOAD=str(bad_disk), BAD_DISK=str(bad))
    client = own_server.client(own_server.admin, plain=plain)
    content = os.urandom(300_000)
    digest = sha256(content)
    client.push_blob("ns/app", content, digest)
    client("GET", f"/v2/ns/app/blobs/{digest}").expect(200)
    bad.write_text(digest.partition(":")[2] + "\n")
    assert cut_short(client, f"/v2/ns/app/blobs/{digest}")
    eventually(lambda: own_server.counter("bondstore_blob_read_errors_total") == 1, what="the count")
    assert f"event=blob_read_failed digest={digest}" in own_server.log_text()
    eventually(lambda: "its file cannot be read" in own_server.log_text(), what="the verdict of the scrubber")
    client("HEAD", f"/v2/ns/app/blobs/{digest}").expect(404)
    bad.write_text("")
    client.push_blob("ns/app", content, digest)
    assert client("GET", f"/v2/ns/app/blobs/{digest}").expect(200).body == content
