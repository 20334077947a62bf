"""Blobs: every way to upload one, ranges, mounts, deletion (OCI distribution 1.1; conformance checklist 3.3 and 4)."""
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


def created(client, answer, repo, digest, content):
    """A final 201: its Location gives the blob."""
    answer.expect(201)
    assert answer.header("Docker-Content-Digest") == digest
    assert client("GET", at(answer.header("Location"))).expect(200).body == content
    pulled(client, repo, digest, content)


def test_a_single_post_uploads(dev, repo, digest_of):
    content = os.urandom(512)
    digest = digest_of(content)
    created(dev, dev("POST", f"/v2/{repo}/blobs/uploads/?digest={digest}", {"Content-Type": "application/octet-stream"}, content), repo, digest, content)


def test_post_then_put_uploads(dev, repo, digest_of):
    content = os.urandom(512)
    digest = digest_of(content)
    created(dev, finish(dev, begin(dev, repo), digest, content), repo, digest, content)


def test_one_chunk_then_an_empty_put_uploads(dev, repo, digest_of):
    content = os.urandom(512)
    digest = digest_of(content)
    place = begin(dev, repo)
    answer = patch(dev, place, content, 0).expect(202)
    assert answer.header("Range") == "0-511" and answer.header("Location")
    created(dev, finish(dev, answer.header("Location"), digest), repo, digest, content)


@pytest.mark.parametrize("last_in_put", [False, True])
def test_three_chunks_upload(dev, repo, digest_of, last_in_put):
    content = os.urandom(3067)
    digest = digest_of(content)
    place = begin(dev, repo)
    for first, end in ((0, 1024), (1024, 2048)):
        assert patch(dev, place, content[first:end], first).expect(202).header("Range") == f"0-{end - 1}"
    if last_in_put:
        answer = finish(dev, place, digest, content[2048:], {"Content-Range": "2048-3066"})
    else:
        patch(dev, place, content[2048:], 2048).expect(202)
        answer = finish(dev, place, digest)
    created(dev, answer, repo, digest, content)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_stream_without_content_range_appends(dev, repo, digest_of, chunked):
    content = os.urandom(70000)
    digest = digest_of(content)
    place = begin(dev, repo)
    patch(dev, place, content[:40000], chunked=chunked).expect(202)
    assert patch(dev, place, content[40000:], chunked=chunked).expect(202).header("Range") == "0-69999"
    created(dev, finish(dev, place, digest, headers={"Content-Type": "application/octet-stream"}), repo, digest, content)


@pytest.mark.parametrize("by_put", [False, True])
def test_a_chunk_out_of_order_is_416_and_the_session_lives(dev, repo, digest_of, by_put):
    content = os.urandom(3067)
    digest = digest_of(content)
    chunks = [(0, content[:1024]), (1024, content[1024:2048]), (2048, content[2048:])]
    place = begin(dev, repo)
    received = 0
    for right, wrong in ((0, 1), (1, 2), (2, 0)):
        first, bytes_ = chunks[wrong]
        if by_put and right == 2:
            finish(dev, place, digest, bytes_, {"Content-Range": f"{first}-{first + len(bytes_) - 1}"}).expect(416)
            status = dev("GET", at(place, digest=digest)).expect(204)
        else:
            patch(dev, place, bytes_, first).expect(416)
            status = dev("GET", place).expect(204)
        assert status.header("Range").startswith("0-") and status.header("Location")
        assert not received or status.header("Range") == f"0-{received - 1}"
        patch(dev, place, chunks[right][1], chunks[right][0]).expect(202)
        received += len(chunks[right][1])
    created(dev, finish(dev, place, digest), repo, digest, content)


def test_an_earlier_location_stays_valid(dev, repo):
    content = os.urandom(2048)
    place = begin(dev, repo)
    patch(dev, place, content[:1024], 0).expect(202)
    patch(dev, place, content[:1024], 0).expect(416)
    assert dev("GET", place).expect(204).header("Range") == "0-1023"
    patch(dev, place, content[1024:], 1024).expect(202)
    finish(dev, place, sha256(content)).expect(201)


def test_the_empty_blob_uploads_chunked_with_no_data(dev, repo, digest_of):
    digest = digest_of(b"")
    created(dev, finish(dev, begin(dev, repo), digest, [], chunked=True), repo, digest, b"")


def test_the_empty_json_blob(dev, repo):
    digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    created(dev, finish(dev, begin(dev, repo), digest, b"{}"), repo, digest, b"{}")


@pytest.mark.parametrize("way", ["post", "put", "chunked", "put chunk", "stream"])
def test_a_digest_that_does_not_match_is_400_and_nothing_is_kept(dev, repo, digest_of, way):
    content, wrong = os.urandom(512), digest_of(b"something else" + os.urandom(8))
    if way == "post":
        answer = dev("POST", f"/v2/{repo}/blobs/uploads/?digest={wrong}", {}, content)
    else:
        place = begin(dev, repo)
        if way == "chunked":
            patch(dev, place, content, 0).expect(202)
        elif way == "put chunk":
            patch(dev, place, content[:300], 0).expect(202)
        elif way == "stream":
            patch(dev, place, content, chunked=True).expect(202)
        rest = content if way == "put" else content[300:] if way == "put chunk" else b""
        answer = finish(dev, place, wrong, rest, {"Content-Range": "300-511"} if way == "put chunk" else {})
    answer.expect(400, "DIGEST_INVALID")
    for digest in (wrong, digest_of(content)):
        dev("HEAD", f"/v2/{repo}/blobs/{digest}").expect(404)
        dev("GET", f"/v2/{repo}/blobs/{digest}").expect(404)


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


RANGES = [("bytes=500-1499", 206, 500, 1000), ("bytes=500-", 206, 500, 1548), ("bytes=-500", 206, 1548, 500), ("bytes=2000-5000", 206, 2000, 48),
          ("bytes=0-0", 206, 0, 1), ("bytes=-5000", 206, 0, 2048), ("bytes=2047-", 206, 2047, 1),
          ("bytes=500-0", 416, 0, 0), ("bytes=5000-10000", 416, 0, 0), ("bytes=2048-", 416, 0, 0), ("bytes=-0", 416, 0, 0),
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
    for method in ("GET", "HEAD"):
        answer = client(method, f"/v2/{repo}/blobs/{sha256(content)}", {"Range": header})
        if method == "HEAD" and status != 200:
            answer.expect((status, 200))
            continue
        answer.expect(status)
        if method == "GET":
            assert int(answer.header("Content-Length")) == len(answer.body)
        if status == 206:
            assert answer.body == content[first:first + length]
            assert answer.header("Content-Range") == f"bytes {first}-{first + length - 1}/2048"
        elif status == 200 and method == "GET":
            assert answer.body == content


def test_a_mount_from_a_readable_repository_is_201(dev, house, repo, digest_of):
    content = os.urandom(512)
    digest = digest_of(content)
    source = f"{repo}-source"
    dev.push_blob(source, content, digest)
    answer = dev("POST", f"/v2/{repo}/blobs/uploads/?from={source.replace('/', '%2F')}&mount={digest.replace(':', '%3A')}").expect(201)
    assert at(answer.header("Location")) == f"/v2/{repo}/blobs/{digest}"
    created(dev, answer, repo, digest, content)


def test_an_anonymous_mount_of_a_blob_that_the_caller_can_read_is_201_or_takes_the_upload(dev, house, repo):
    content = os.urandom(512)
    dev.push_blob(f"{repo}-source", content, sha256(content))
    answer = dev("POST", f"/v2/{repo}/blobs/uploads/?mount={sha256(content)}").expect((201, 202))
    if answer.status == 202:
        answer = finish(dev, answer.header("Location"), sha256(content), content)
    created(dev, answer, repo, sha256(content), content)


def test_a_mount_of_a_missing_blob_goes_on_as_an_upload(dev, house, repo, digest_of):
    content = os.urandom(512)
    dev.push_blob(f"{repo}-source", b"x", sha256(b"x"))
    for more in (f"&from={repo}-source", "&from=house/nowhere", "&from=Not%20A%20Name", ""):
        answer = dev("POST", f"/v2/{repo}/blobs/uploads/?mount={digest_of(content)}{more}").expect(202)
        assert f"/v2/{repo}/blobs/uploads/" in answer.header("Location")
    created(dev, finish(dev, answer.header("Location"), digest_of(content), content), repo, digest_of(content), content)


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
