"""The blob cases, the same for each digest algorithm. A case pushes what it is named after; what came of it is then headed,
got and deleted."""
import os

from support.images import sha256, sha512
from support.server import at

from conformance.cases import Unsupported

HASHES = {"sha256": sha256, "sha512": sha512}
OCTETS = ("Content-Type", "application/octet-stream")
SIZE, CHUNK = 512, 1024
BIG = 3067  # three chunks, the last one shorter


# --- the requests -----------------------------------------------------------------------------------------------------

def begin(t, repo, **parameters):
    answer = t.call("POST", at(f"/v2/{repo}/blobs/uploads/", **parameters) if parameters else f"/v2/{repo}/blobs/uploads/")
    return location(answer.expect(202))


def location(answer):
    place = answer.header("Location")
    assert place, f"a Location is missing: {answer}"
    return at(place)


def content_range(first, content):
    return ("Content-Range", f"{first}-{first + len(content) - 1}")


def patch(t, place, content, first=None, chunked=False):
    headers = [OCTETS] + ([content_range(first, content)] if first is not None else [])
    return t.call("PATCH", place, headers, [content] if chunked else content, chunked)


def put(t, place, digest, content=b"", first=None):
    """The empty blob goes chunked with no data, as the suite's client sends it; an empty closing PUT has a length of 0."""
    headers = [OCTETS] + ([content_range(first, content)] if first is not None else [])
    return t.call("PUT", at(place, digest=digest), headers, content)


def put_empty_chunked(t, place, digest):
    return t.call("PUT", at(place, digest=digest), [OCTETS], [], chunked=True)


# --- what is asked of the result --------------------------------------------------------------------------------------

def is_created(t, answer, repo, digest, content):
    """A final 201: its Location gives the blob, the digest is the one that the client used."""
    answer.expect(201)
    assert answer.header("Docker-Content-Digest") == digest, answer
    got = t.call("GET", location(answer)).expect(200)
    assert got.body == content, f"the Location of a 201 gives other bytes: {got}"


def is_headed(t, repo, digest, content):
    head = t.call("HEAD", f"/v2/{repo}/blobs/{digest}").expect(200)
    assert (head.header("Content-Length"), head.body) == (str(len(content)), b""), head
    assert head.header("Docker-Content-Digest") == digest, head


def is_got(t, repo, digest, content):
    got = t.call("GET", f"/v2/{repo}/blobs/{digest}").expect(200)
    assert got.body == content and got.header("Content-Length") == str(len(content)), got
    assert got.header("Docker-Content-Digest") == digest and got.header("Content-Encoding") is None, got


def is_deleted(t, repo, digest):
    """202, and gone at once."""
    answer = t.call("DELETE", f"/v2/{repo}/blobs/{digest}")
    if answer.status in (400, 405):
        raise Unsupported(f"blob delete: {answer.status}")
    answer.expect(202)
    t.call("HEAD", f"/v2/{repo}/blobs/{digest}").expect(404)


def aftermath(c, t, digest, content, repo=None):
    repo = repo or t.repo1
    with c.leaf("blob-head"):
        is_headed(t, repo, digest, content)
    with c.leaf("blob-get"):
        is_got(t, repo, digest, content)
    with c.leaf("blob-delete"):
        is_deleted(t, repo, digest)


def pushed(c, t, name, push, digest_of, content):
    """push(digest) gives the final answer."""
    digest = digest_of(content)
    with c.leaf(name):
        is_created(t, push(digest), t.repo1, digest, content)
    aftermath(c, t, digest, content)


# --- the cases --------------------------------------------------------------------------------------------------------

def get_missing(c, t, digest_of):
    with c.leaf("get-missing"):
        t.call("GET", f"/v2/{t.repo1}/blobs/{digest_of(os.urandom(SIZE))}").expect(404)


def post_only(c, t, digest_of):
    content = os.urandom(SIZE)

    def push(digest):
        answer = t.call("POST", at(f"/v2/{t.repo1}/blobs/uploads/", digest=digest), [OCTETS], content)
        if answer.status == 202:
            put(t, location(answer), digest, content).expect(201)
            raise Unsupported("a single POST opens a session")
        return answer
    pushed(c, t, "post only", push, digest_of, content)


def post_put(c, t, digest_of):
    content = os.urandom(SIZE)
    pushed(c, t, "post+put", lambda digest: put(t, begin(t, t.repo1), digest, content), digest_of, content)


def chunked_single(c, t, digest_of):
    content = os.urandom(SIZE)

    def push(digest):
        place = location(patch(t, begin(t, t.repo1), content, 0).expect(202))
        return put(t, place, digest)
    pushed(c, t, "chunked single", push, digest_of, content)


def stream(c, t, digest_of):
    content = os.urandom(SIZE)

    def push(digest):
        place = location(patch(t, begin(t, t.repo1), content, chunked=True).expect(202))
        return put(t, place, digest)
    pushed(c, t, "stream", push, digest_of, content)


def mount_from(c, t, digest_of):
    content = os.urandom(SIZE)

    def push(digest):
        put(t, begin(t, t.repo2), digest, content).expect(201)
        answer = t.call("POST", at(f"/v2/{t.repo1}/blobs/uploads/", **{"from": t.repo2, "mount": digest}))
        if answer.status == 202:
            put(t, location(answer), digest, content).expect(201)
            raise Unsupported("a mount opens a session")
        assert location(answer) == f"/v2/{t.repo1}/blobs/{digest}", answer
        return answer
    pushed(c, t, "mount", push, digest_of, content)
    with c.leaf("blob-delete of the source"):
        is_got(t, t.repo2, digest_of(content), content)
        is_deleted(t, t.repo2, digest_of(content))


def mount_anonymous(c, t, digest_of):
    content = os.urandom(SIZE)

    def push(digest):
        put(t, begin(t, t.repo2), digest, content).expect(201)
        answer = t.call("POST", at(f"/v2/{t.repo1}/blobs/uploads/", mount=digest))
        if answer.status == 202:
            put(t, location(answer), digest, content).expect(201)
            raise Unsupported("a mount without a source opens a session")
        return answer
    pushed(c, t, "mount anonymous", push, digest_of, content)


def mount_missing(c, t, digest_of):
    content = os.urandom(SIZE)

    def push(digest):
        answer = t.call("POST", at(f"/v2/{t.repo1}/blobs/uploads/", **{"from": t.repo2, "mount": digest})).expect(202)
        assert location(answer).startswith(f"/v2/{t.repo1}/blobs/uploads/"), answer
        return put(t, location(answer), digest, content)
    pushed(c, t, "mount missing", push, digest_of, content)


def post_cancel(c, t, digest_of):
    with c.leaf("post cancel"):
        place = begin(t, t.repo1)
        t.call("DELETE", place).expect(204)
        t.call("GET", place).expect(404, "BLOB_UPLOAD_UNKNOWN")


def chunks_of(content):
    return [(first, content[first:first + CHUNK]) for first in range(0, len(content), CHUNK)]


def chunked_multi(c, t, digest_of, last_in_put=False):
    content = os.urandom(BIG)

    def push(digest):
        place = begin(t, t.repo1)
        chunks = chunks_of(content)
        for first, chunk in chunks[:-1] if last_in_put else chunks:
            answer = patch(t, place, chunk, first).expect(202)
            assert answer.header("Range") == f"0-{first + len(chunk) - 1}", answer
            place = location(answer)
        return put(t, place, digest, chunks[-1][1], chunks[-1][0]) if last_in_put else put(t, place, digest)
    pushed(c, t, "chunked multi", push, digest_of, content)


def chunked_multi_and_put_chunk(c, t, digest_of):
    chunked_multi(c, t, digest_of, last_in_put=True)


def chunked_out_of_order(c, t, digest_of, last_in_put=False):
    """Before each right chunk a wrong one: the 2nd, the 3rd, the 1st again."""
    content = os.urandom(BIG)

    def refuse(place, digest, wrong, by_put, received):
        first, chunk = wrong
        if by_put:
            put(t, place, digest, chunk, first).expect(416)
            place = at(place, digest=digest)
        else:
            patch(t, place, chunk, first).expect(416)
        status = t.call("GET", place).expect(204)
        assert status.header("Range").startswith("0-") and int(status.header("Range")[2:]) is not None, status
        assert not received or status.header("Range") == f"0-{received - 1}", status
        return location(status)

    def push(digest):
        place = begin(t, t.repo1)
        chunks = chunks_of(content)
        for right, wrong in ((0, 1), (1, 2), (2, 0)):
            by_put = last_in_put and right == 2
            place = refuse(place, digest, chunks[wrong], by_put, chunks[right][0])
            if by_put:
                return put(t, place, digest, chunks[right][1], chunks[right][0])
            place = location(patch(t, place, chunks[right][1], chunks[right][0]).expect(202))
        return put(t, place, digest)
    pushed(c, t, "chunked out-of-order", push, digest_of, content)


def chunked_out_of_order_and_put_chunk(c, t, digest_of):
    chunked_out_of_order(c, t, digest_of, last_in_put=True)


# what is asked of 2,048 bytes: the first byte and the length of the answer; None = 416
RANGES = {"500-1499": (500, 1000), "500-": (500, 1548), "-500": (1548, 500), "2000-5000": (2000, 48), "500-0": None, "5000-10000": None}
RANGED = 2048


def range_requests(c, t, digest_of):
    content = os.urandom(RANGED)
    digest = digest_of(content)
    with c.leaf("push"):
        is_created(t, put(t, begin(t, t.repo1), digest, content), t.repo1, digest, content)
    for asked, wanted in RANGES.items():
        with c.leaf(f"range {asked}"):
            answer = t.call("GET", f"/v2/{t.repo1}/blobs/{digest}", [("Range", f"bytes={asked}")])
            assert int(answer.header("Content-Length")) == len(answer.body), answer
            if wanted is None:
                answer.expect(416)
                continue
            first, length = wanted
            assert answer.expect(206).body == content[first:first + length], answer
            assert answer.header("Content-Range") in (f"bytes {first}-{first + length - 1}/{n}" for n in (RANGED, "*")), answer
    aftermath(c, t, digest, content)


def empty(c, t, digest_of):
    pushed(c, t, "empty", lambda digest: put_empty_chunked(t, begin(t, t.repo1), digest), digest_of, b"")


def empty_json(c, t, digest_of):
    pushed(c, t, "emptyJSON", lambda digest: put(t, begin(t, t.repo1), digest, b"{}"), digest_of, b"{}")


def bad_digest(send):
    """send(t, content, digest): nothing is kept, neither under the digest that was said nor under the right one."""
    def case(c, t, digest_of):
        content, wrong = os.urandom(SIZE), digest_of(os.urandom(SIZE))
        with c.leaf("bad digest"):
            send(t, content, wrong).expect(400, "DIGEST_INVALID")
        for digest in (wrong, digest_of(content)):
            with c.leaf("nothing is kept"):
                t.call("HEAD", f"/v2/{t.repo1}/blobs/{digest}").expect(404)
    return case


def bad_post(t, content, digest):
    answer = t.call("POST", at(f"/v2/{t.repo1}/blobs/uploads/", digest=digest), [OCTETS], content)
    if answer.status == 202:
        put(t, location(answer), digest, content).expect(400)
        raise Unsupported("a single POST opens a session")
    return answer


def bad_chunked(t, content, digest):
    return put(t, location(patch(t, begin(t, t.repo1), content, 0).expect(202)), digest)


def bad_put_chunk(t, content, digest):
    place = location(patch(t, begin(t, t.repo1), content[:300], 0).expect(202))
    return put(t, place, digest, content[300:], 300)


def bad_stream(t, content, digest):
    return put(t, location(patch(t, begin(t, t.repo1), content, chunked=True).expect(202)), digest)


CASES = {
    "get-missing": get_missing,
    "post only": post_only,
    "post+put": post_put,
    "chunked single": chunked_single,
    "stream": stream,
    "mount": mount_from,
    "mount anonymous": mount_anonymous,
    "mount missing": mount_missing,
    "post cancel": post_cancel,
    "chunked multi": chunked_multi,
    "chunked multi and put chunk": chunked_multi_and_put_chunk,
    "chunked out-of-order": chunked_out_of_order,
    "chunked out-of-order and put chunk": chunked_out_of_order_and_put_chunk,
    "range requests": range_requests,
    "empty": empty,
    "emptyJSON": empty_json,
    "bad digest post only": bad_digest(bad_post),
    "bad digest post+put": bad_digest(lambda t, content, digest: put(t, begin(t, t.repo1), digest, content)),
    "bad digest chunked": bad_digest(bad_chunked),
    "bad digest chunked and put chunk": bad_digest(bad_put_chunk),
    "bad digest stream": bad_digest(bad_stream),
}
