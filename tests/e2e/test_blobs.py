"""Blobs: what is refused, and what surrounds the uploads, ranges, mounts and deletions of conformance/."""
import hashlib
import os
import re

import pytest

from support.images import sha256, sha512
from support.server import at

HASHES = {"sha256": sha256, "sha512": sha512}


@pytest.fixture(scope="module")
def dev(registry, house):
    """The developer over plain HTTP: same server, no TLS in the way."""
    return registry.client(house.developer, plain=True)


@pytest.fixture(scope="module")
def owner(registry, house):
    return registry.client(house.owner, plain=True)


@pytest.fixture(params=["sha256", "sha512"])
def digest_of(request):
    return HASHES[request.param]


def begin(client, repo):
    answer = client("POST", f"/v2/{repo}/blobs/uploads/").expect(202)
    place = answer.header("Location")
    assert re.search(rf"/v2/{repo}/blobs/uploads/[0-9a-f]{{8}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{12}}", place), place
    assert answer.header("Docker-Upload-UUID") and answer.header("Docker-Upload-UUID") in place
    return place


def patch(client, place, content, first=None, chunked=False):
    headers = {"Content-Type": "application/octet-stream"}
    if first is not None:
        headers["Content-Range"] = f"{first}-{first + len(content) - 1}"
    return client("PATCH", place, headers, [content] if chunked else content, chunked)


def finish(client, place, digest, content=None, headers=(), chunked=False):
    return client("PUT", at(place, digest=digest), headers, content if content is not None or chunked else b"", chunked)


def pulled(client, repo, digest, content):
    """GET and HEAD give exactly the bytes, the length and the digest."""
    answer = client("GET", f"/v2/{repo}/blobs/{digest}").expect(200)
    assert answer.body == content
    head = client("HEAD", f"/v2/{repo}/blobs/{digest}").expect(200)
    for a in (answer, head):
        assert a.header("Content-Length") == str(len(content)) and a.header("Docker-Content-Digest") == digest
        assert a.header("Docker-Distribution-Api-Version") == "registry/2.0" and "Content-Encoding" not in dict(a.headers)
    assert head.body == b""


@pytest.mark.parametrize("digest", ["sha256:short", "sha256:" + "G" * 64, "md5:" + "0" * 32, "sha256", "", "sha256:" + "A" * 64, "sha999:" + "0" * 64])
def test_a_digest_that_is_none_is_400(dev, repo, digest):
    finish(dev, begin(dev, repo), digest, b"x").expect(400, "DIGEST_INVALID")
    dev("GET", f"/v2/{repo}/blobs/{digest or 'x'}").expect((400, 404))


def test_put_without_a_digest_is_400(dev, repo):
    dev("PUT", begin(dev, repo), {}, b"x").expect(400)


def test_a_cancelled_upload_is_gone(dev, repo):
    place = begin(dev, repo)
    patch(dev, place, b"x" * 10, 0).expect(202)
    dev("DELETE", place).expect(204)
    dev("GET", place).expect(404, "BLOB_UPLOAD_UNKNOWN")
    patch(dev, place, b"x" * 10, 10).expect(404, "BLOB_UPLOAD_UNKNOWN")
    dev("DELETE", place).expect(404, "BLOB_UPLOAD_UNKNOWN")


def test_a_finished_upload_is_closed(dev, repo):
    place = begin(dev, repo)
    finish(dev, place, sha256(b"done"), b"done").expect(201)
    dev("GET", place).expect(404, "BLOB_UPLOAD_UNKNOWN")
    finish(dev, place, sha256(b"done"), b"done").expect(404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize("session", ["00000000-0000-4000-8000-000000000000", "not-a-uuid", "x" * 200])
def test_an_unknown_session_is_404(dev, repo, session):
    place = f"/v2/{repo}/blobs/uploads/{session}"
    for answer in (dev("GET", place), patch(dev, place, b"x", 0), finish(dev, place, sha256(b"x"), b"x"), dev("DELETE", place)):
        answer.expect(404, "BLOB_UPLOAD_UNKNOWN")


def test_a_session_belongs_to_its_repository(dev, registry, house, repo):
    place = begin(dev, repo)
    other = place.replace(repo, f"{house.ns}/elsewhere")
    dev("GET", other).expect(404, "BLOB_UPLOAD_UNKNOWN")
    finish(dev, other, sha256(b"x"), b"x").expect(404, "BLOB_UPLOAD_UNKNOWN")
    dev("GET", place).expect(204)


@pytest.mark.parametrize("header,status", [("0-5", (400, 416)), ("x-y", (400, 416)), ("5-0", (400, 416)), ("-", (400, 416)), ("0-99999999999999999999", (400, 416)),
                                           ("-1-9", (400, 416)), ("9", (400, 416))])
def test_a_content_range_that_does_not_fit_the_chunk_is_refused(dev, repo, header, status):
    place = begin(dev, repo)
    dev("PATCH", place, {"Content-Range": header}, b"0123456789").expect(status)
    dev("GET", place).expect(204)
    finish(dev, place, sha256(b"0123456789"), b"0123456789").expect(201)


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("last", [9, 29])
def test_a_chunk_without_a_length_has_the_bytes_that_its_range_says(dev, repo, last, method):
    """Of 20 bytes: one that says fewer is refused whole, of one that says more the client learns where to go on."""
    content = b"0123456789" * 2
    place = begin(dev, repo)
    target = at(place, digest=sha256(content)) if method == "PUT" else place
    dev(method, target, {"Content-Range": f"0-{last}"}, [content], True).expect(400, "SIZE_INVALID")
    assert dev("GET", place).expect(204).header("Range") == ("0-0" if last == 9 else "0-19")
    dev("HEAD", f"/v2/{repo}/blobs/{sha256(content)}").expect(404)
    if last == 9:
        dev("PATCH", place, {"Content-Range": "0-19"}, [content], True).expect(202)
    finish(dev, place, sha256(content)).expect(201)


RANGES = [("bytes=0-0", 206, 0, 1), ("bytes=-5000", 206, 0, 2048), ("bytes=2047-", 206, 2047, 1), ("bytes=2048-", 416, 0, 0), ("bytes=-0", 416, 0, 0),
          (f"bytes=0-{2**64}", 206, 0, 2048), (f"bytes=-{2**64}", 206, 0, 2048), (f"bytes={2**64}-", 416, 0, 0),
          ("lines=0-1", 200, 0, 2048), ("bytes=x-y", 200, 0, 2048), ("bytes=0-1,5-6", 200, 0, 2048), ("", 200, 0, 2048)]


@pytest.fixture(scope="module")
def ranged(dev, house):
    content = os.urandom(2048)
    repo = f"{house.ns}/ranges"
    dev.push_blob(repo, content, sha256(content))
    return repo, content


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("header,status,first,length", RANGES)
def test_range_requests(registry, house, ranged, header, status, first, length, tls):
    repo, content = ranged
    client = registry.client(house.developer, plain=not tls)
    answer = client("GET", f"/v2/{repo}/blobs/{sha256(content)}", {"Range": header}).expect(status)
    assert int(answer.header("Content-Length")) == len(answer.body)
    if status == 206:
        assert answer.body == content[first:first + length]
        assert answer.header("Content-Range") == f"bytes {first}-{first + length - 1}/2048"
    elif status == 416:
        assert answer.header("Content-Range") == "bytes */2048"
    else:
        assert answer.body == content


@pytest.mark.parametrize("header", [header for header, _, _, _ in RANGES])
def test_a_range_is_nothing_to_head(dev, ranged, header):
    """RFC 9110 14.2: a range is defined for GET alone, and every other method passes it over."""
    repo, content = ranged
    answer = dev("HEAD", f"/v2/{repo}/blobs/{sha256(content)}", {"Range": header}).expect(200)
    assert answer.header("Content-Length") == "2048" and answer.header("Content-Range") is None and answer.body == b""


@pytest.mark.parametrize("header,same", [('"DIGEST"', True), (' "DIGEST" ', True), ('W/"DIGEST"', False), ("DIGEST", False), ('"DIGEST', False), ('"other"', False),
                                         ('"DIGEST", "other"', False), ("*", False), ("", False), ("Sat, 28 Nov 2026 00:00:00 GMT", False)])
def test_a_part_is_only_of_what_the_client_has_the_rest_of(dev, ranged, header, same):
    """RFC 9110 13.1.5: an If-Range that is not the strong tag of this content makes the answer the whole of it."""
    repo, content = ranged
    path, if_range = f"/v2/{repo}/blobs/{sha256(content)}", {"If-Range": header.replace("DIGEST", sha256(content))}
    answer = dev("GET", path, {"Range": "bytes=100-199", **if_range}).expect(206 if same else 200)
    assert answer.body == (content[100:200] if same else content)
    dev("GET", path, {"Range": "bytes=5000-", **if_range}).expect(416 if same else 200)


def test_a_mount_of_a_missing_blob_goes_on_as_an_upload(dev, house, repo, digest_of):
    content = os.urandom(512)
    dev.push_blob(f"{repo}-source", b"x", sha256(b"x"))
    for more in (f"&from={repo}-source", "&from=house/nowhere", "&from=Not%20A%20Name", ""):
        answer = dev("POST", f"/v2/{repo}/blobs/uploads/?mount={digest_of(content)}{more}").expect(202)
        assert f"/v2/{repo}/blobs/uploads/" in answer.header("Location")
    finish(dev, answer.header("Location"), digest_of(content), content).expect(201)
    pulled(dev, repo, digest_of(content), content)


def test_a_mount_is_no_way_to_read_what_one_may_not(registry, dev, repo):
    registry.make_namespace("vault") if "vault" not in registry.bond("namespaces", "list").out else None
    content = os.urandom(512)
    registry.client(registry.admin, plain=True).push_blob("vault/app", content, sha256(content))
    for more in ("&from=vault/app", ""):
        dev("POST", f"/v2/{repo}/blobs/uploads/?mount={sha256(content)}{more}").expect(202)
        dev("HEAD", f"/v2/{repo}/blobs/{sha256(content)}").expect(404)


def test_a_blob_of_another_repository_is_not_served(dev, house, repo):
    content = os.urandom(100)
    dev.push_blob(f"{repo}-one", content, sha256(content))
    dev.push_blob(repo, b"y", sha256(b"y"))
    dev("GET", f"/v2/{repo}/blobs/{sha256(content)}").expect(404, "BLOB_UNKNOWN")


def test_deleting_a_blob_is_202_and_at_once_and_leaves_other_repositories(dev, owner, repo, digest_of):
    content = os.urandom(512)
    digest = digest_of(content)
    for name in (repo, f"{repo}-other"):
        dev.push_blob(name, content, digest)
    owner("DELETE", f"/v2/{repo}/blobs/{digest}").expect(202)
    dev("HEAD", f"/v2/{repo}/blobs/{digest}").expect(404)
    dev("GET", f"/v2/{repo}/blobs/{digest}").expect(404, "BLOB_UNKNOWN")
    owner("DELETE", f"/v2/{repo}/blobs/{digest}").expect(404, "BLOB_UNKNOWN")
    pulled(dev, f"{repo}-other", digest, content)
    dev.push_blob(repo, content, digest)
    pulled(dev, repo, digest, content)


def test_a_missing_blob_is_404(dev, repo):
    dev.push_blob(repo, b"z", sha256(b"z"))
    dev("GET", f"/v2/{repo}/blobs/{sha256(os.urandom(8))}").expect(404, "BLOB_UNKNOWN")
    dev("GET", f"/v2/{repo}-never/blobs/{sha256(b'z')}").expect(404)


def test_expect_100_continue_is_answered(registry, house, repo):
    content = os.urandom(300000)
    client = registry.client(house.developer, plain=True)
    place = begin(client, repo)
    token = registry.token(house.developer, f"repository:{repo}:pull,push")
    head = (f"PUT {at(place, digest=sha256(content))} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            f"Expect: 100-continue\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n").encode()
    sock = registry.plain.connect()
    with sock:
        sock.settimeout(20)
        sock.sendall(head)
        assert sock.recv(4096).startswith(b"HTTP/1.1 100")
        sock.sendall(content)
        got = b""
        while piece := sock.recv(4096):
            got += piece
    assert b"HTTP/1.1 201" in got
    pulled(client, repo, sha256(content), content)


def test_a_conditional_get_is_304(dev, repo):
    content = os.urandom(100)
    dev.push_blob(repo, content, sha256(content))
    tag = dev("GET", f"/v2/{repo}/blobs/{sha256(content)}").expect(200).header("ETag")
    assert tag == f'"{sha256(content)}"'
    answer = dev("GET", f"/v2/{repo}/blobs/{sha256(content)}", {"If-None-Match": tag})
    assert answer.expect(304).body == b""


def test_a_blob_of_several_megabytes_arrives_whole_over_tls_and_plain(registry, house, repo):
    content = os.urandom(5 << 20)
    digest = sha256(content)
    secure = registry.client(house.developer)
    secure.push_blob(repo, content, digest)
    for client in (secure, registry.client(house.developer, plain=True)):
        got = hashlib.sha256()
        client("GET", f"/v2/{repo}/blobs/{digest}", sink=got.update).expect(200)
        assert got.hexdigest() == digest[7:]
