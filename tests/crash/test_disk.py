"""A disk that stays full or broken for a while: clear answers, reads go on, nothing is lost or left behind, and no restart is
needed once it is well again."""
import os

import pytest

from support.images import image, sha256
from support.server import at, eventually

from life import APP, Life

FULL = ("ENOSPC", "EDQUOT")
INDEX, BLOBS, UPLOADS = "index.db", "blobs/", "uploads/"


@pytest.fixture
def life(template, tmp_path):
    """A running server that holds images one and two under v1 and v2, and a client that is not surprised by refusals."""
    life = Life(template, tmp_path / "life")
    life.start()
    for number, made in enumerate(template.images[:2], 1):
        for content in made.blobs.values():
            life.upload_whole(content)
        life.put_manifest(made, f"v{number}")
    yield life
    life.abandon()


def descriptors(life):
    """Open files below the data folder, but those of the index: its readers keep theirs."""
    found = []
    for fd in os.scandir(f"/proc/{life.server.process.pid}/fd"):
        try:
            path = os.readlink(fd.path)
        except FileNotFoundError:
            continue
        if path.startswith(str(life.server.data)) and INDEX not in path:
            found.append(path)
    return sorted(found)


def refused(answer, status=(503, 507), word="disk"):
    assert answer is not None, "the connection was cut instead of an answer"
    answer.expect(status)
    if answer.method != "HEAD":
        assert word in answer.message and answer.message[-1] not in ":,", answer
    return answer


def pulls(life):
    """What is there is read as ever."""
    life.check_content()
    life.ask("GET", f"/v2/{APP}/tags/list").expect(200)
    life.ask("GET", f"/v2/{APP}/referrers/{life.template.images[0].digest}").expect(200)
    life.ask("GET", "/v2/").expect(200)


def works_again(life, before):
    """Without a restart."""
    life.faults.clear()
    life.upload_chunked(os.urandom(200000))
    made = life.template.images[2]
    for content in made.blobs.values():
        life.upload_single(content)
    life.put_manifest(made, "v3")
    life.delete("tag", "v1")
    pulls(life)
    eventually(lambda: descriptors(life) == before, what="the end of the last request's files")
    eventually(lambda: not list((life.server.data / "uploads").iterdir()), what="no upload is left")
    life.stop()
    life.check()


def health(life, trouble=None):
    """What the doors for health say: the registry serves, and whether its index can be written."""
    ready = life.ask("GET", "/readyz").expect(200).json
    assert life.ask("GET", "/healthz").expect(200).json == {}
    signing = life.ask("GET", "/_notary_server/health").expect(503 if trouble else 200).json
    metrics = life.ask("GET", "/metrics").expect(200).body.decode()
    if trouble:
        assert list(ready) == ["warning"] and trouble in ready["warning"], ready
        assert trouble in signing["Trust operational"], signing
    else:
        assert ready == {} and signing == {}
    for name in ("index_writable", "trust_operational"):
        assert f"\nbondstore_{name} {0 if trouble else 1}\n" in metrics, metrics


def is_well(life):
    return life.ask("GET", "/readyz").json == {}


def rules_for(error, *paths):
    return [f"{error} op={op} path={path}" for path in paths for op in ("create", "write", "allocate", "link", "mkdir")]


@pytest.mark.parametrize("error", FULL)
@pytest.mark.parametrize("path", [UPLOADS, BLOBS])
def test_no_room_for_blobs(life, error, path):
    before, content = descriptors(life), os.urandom(100000)
    life.faults.set(*rules_for(error, path))
    where, digest = f"/v2/{APP}/blobs/uploads/", sha256(content)
    for _ in range(3):
        refused(life.ask("POST", f"{where}?digest={digest}", content))
        begun = life.ask("POST", where)
        if begun.status != 202:
            refused(begun)
            continue
        place = at(begun.header("Location"))
        refused(life.ask("PUT", at(place, digest=digest), content))
        life.ask("DELETE", place).expect((204, 404))
    life.ask("HEAD", f"/v2/{APP}/blobs/{digest}").expect(404)
    pulls(life)
    life.put_manifest(life.template.images[0], "small-things-go-on")
    assert life.faults.hits()
    works_again(life, before)


def test_a_session_outlives_a_disk_that_was_full_for_a_while(life):
    content = os.urandom(90000)
    place = at(life.ask("POST", f"/v2/{APP}/blobs/uploads/").expect(202).header("Location"))
    life.ask("PATCH", place, content[:30000], **{"Content-Range": "0-29999"}).expect(202)
    before = descriptors(life)
    life.faults.set(*rules_for("ENOSPC", UPLOADS))
    refused(life.ask("PATCH", place, content[30000:60000], **{"Content-Range": "30000-59999"}))
    assert life.ask("GET", place).expect(204).header("Range") == "0-29999"
    life.faults.clear()
    life.ask("PATCH", place, content[30000:60000], **{"Content-Range": "30000-59999"}).expect(202)
    changes = {("blob", APP, sha256(content)): content}
    life.step(changes, life.wants(201, "PUT", at(place, digest=sha256(content)), content[60000:], **{"Content-Range": "60000-89999"}))
    works_again(life, before)


@pytest.mark.parametrize("error", FULL)
def test_no_room_for_the_index(life, error):
    before, content, three = descriptors(life), os.urandom(1000), life.template.images[2]
    life.faults.set(*rules_for(error, INDEX))
    where = f"/v2/{APP}/blobs/uploads/"
    for _ in range(3):
        refused(life.ask("POST", where))
        refused(life.ask("POST", f"{where}?digest={sha256(content)}", content))
        refused(life.ask("PUT", f"/v2/{APP}/manifests/v9", life.template.images[0].manifest, **{"Content-Type": three.media_type}))
        refused(life.ask("DELETE", f"/v2/{APP}/manifests/v1"))
        refused(life.ask("DELETE", f"/v2/{APP}/manifests/{life.template.images[1].digest}"))
        pulls(life)
        health(life, "the disk is full")
    told = life.server.bond("status")
    assert "ready" in told.out and "the disk is full" in told.err, told
    life.ask("HEAD", f"/v2/{APP}/manifests/v9").expect(404)
    life.ask("HEAD", f"/v2/{APP}/blobs/{sha256(content)}").expect(404)
    assert life.faults.hits()
    life.faults.clear()
    eventually(lambda: is_well(life), what="a round of maintenance, since nobody writes")
    health(life)
    works_again(life, before)


def test_an_index_that_cannot_be_written_or_synced(life):
    """Not full but broken: an error of ours, and no write that follows is poisoned by it."""
    before = descriptors(life)
    for number, rule in enumerate(("EIO op=write path=index.db", "EIO op=fsync path=index.db", "EROFS op=write path=index.db")):
        life.faults.set(rule)
        for _ in range(2):
            refused(life.ask("PUT", f"/v2/{APP}/manifests/v9", life.template.images[0].manifest,
                             **{"Content-Type": life.template.images[0].media_type}), (500, 503), "")
            life.ask("HEAD", f"/v2/{APP}/manifests/v9").expect(404)
            pulls(life)
        health(life, "the disk fails")
        life.faults.clear()
        life.put_manifest(life.template.images[0], f"after-{number}")
        health(life)
    works_again(life, before)


@pytest.mark.parametrize("way", ["session", "single"])
def test_a_blob_whose_sync_failed_is_not_acknowledged_by_a_second_one(life, way):
    content = os.urandom(100000)
    digest, before = sha256(content), descriptors(life)
    life.faults.set("EIO op=fsync path=uploads/ to=1")
    if way == "session":
        place = at(life.ask("POST", f"/v2/{APP}/blobs/uploads/").expect(202).header("Location"))
        refused(life.ask("PUT", at(place, digest=digest), content), (500, 503), "")
        life.ask("PUT", at(place, digest=digest)).expect(404, "BLOB_UPLOAD_UNKNOWN")
        life.ask("PUT", at(place, digest=digest), content).expect(404, "BLOB_UPLOAD_UNKNOWN")
    else:
        refused(life.ask("POST", f"/v2/{APP}/blobs/uploads/?digest={digest}", content), (500, 503), "")
    assert len(life.faults.hits()) == 1
    life.ask("HEAD", f"/v2/{APP}/blobs/{digest}").expect(404)
    works_again(life, before)


# --- reading ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("asked", [None, "bytes=1000-1999999"])
def test_a_blob_that_cannot_be_read_to_its_end_is_cut_off(life, tls, asked):
    """Not ended as if it were whole. Who asks again when the disk is well gets it: scrub, which looks at it meanwhile, takes
    nothing away for an error that passes."""
    wire, before = life.server.wire if tls else life.server.plain, descriptors(life)
    headers = {"Authorization": f"Bearer {life.token}", **({"Range": asked} if asked else {})}
    for first in (1, 2, 5):
        content = os.urandom(3 << 20)
        digest = life.upload_single(content)
        wanted = content[1000:2000000] if asked else content

        def fetch(keep):
            return wire.request("GET", f"/v2/{APP}/blobs/{digest}", headers, sink=keep.append)
        life.faults.set(f"EIO op=sendfile path={BLOBS} from={first}", f"EIO op=read path={BLOBS} from={first}")
        got = []
        answer = fetch(got).expect((200, 206))
        sent = b"".join(got)
        assert int(answer.header("Content-Length")) == len(wanted) > len(sent), "a clean end"
        assert wanted.startswith(sent) and life.faults.hits()
        life.faults.clear()
        whole = []
        fetch(whole).expect((200, 206))
        assert b"".join(whole) == wanted
    eventually(lambda: descriptors(life) == before, what="the end of the last request's files")


def test_an_index_that_cannot_be_read_gives_errors_and_no_wrong_answers(life, template):
    """Above all not 404: a client would believe it."""
    made = template.images[0]
    questions = [("GET", f"/v2/{APP}/manifests/v1"), ("GET", f"/v2/{APP}/manifests/{made.digest}"), ("HEAD", f"/v2/{APP}/manifests/v2"),
                 ("GET", f"/v2/{APP}/tags/list"), ("GET", f"/v2/{APP}/referrers/{made.digest}"),
                 *[("HEAD", f"/v2/{APP}/blobs/{digest}") for digest in made.blobs]]
    right = {question: life.ask(*question).expect(200) for question in questions}
    life.stop()
    life.start()  # with nothing in its caches
    refusals = 0
    for question in questions * 3:
        life.faults.set(f"EIO op=read path={INDEX}")
        answer = life.ask(*question).expect((200, 500, 503))
        if answer.status == 200:
            assert answer.body == right[question].body
        refusals += answer.status >= 500
        if question == questions[-1]:
            life.faults.clear()
            assert all(life.ask(*again).expect(200).body == right[again].body for again in questions)
    assert life.faults.hits() and refusals
    life.faults.clear()
    for question in questions:
        assert life.ask(*question).expect(200).body == right[question].body
    life.stop()
    life.check()
