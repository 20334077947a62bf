"""One blob of 1 GiB, streamed both ways: the memory of the server stays small and the bytes are right."""
import hashlib
from pathlib import Path

from support.server import at

BLOCK = bytes(range(256)) * 4096  # 1 MiB
COUNT = 1024


def blocks():
    for n in range(COUNT):
        yield n.to_bytes(8, "big") + BLOCK[8:] if n % 64 == 0 else BLOCK


def resident(server):
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) >> 10


def test_a_blob_of_one_gibibyte(registry, house, repo):
    client = registry.client(house.owner, plain=True)
    whole = hashlib.sha256()
    place = client("POST", f"/v2/{repo}/blobs/uploads/").expect(202).header("Location")

    def counted():
        for block in blocks():
            whole.update(block)
            yield block
    before = resident(registry)
    client("PATCH", place, {"Content-Length": str(COUNT << 20), "Content-Type": "application/octet-stream"}, counted()).expect(202)
    digest = "sha256:" + whole.hexdigest()
    client("PUT", at(place, digest=digest)).expect(201)
    head = client("HEAD", f"/v2/{repo}/blobs/{digest}").expect(200)
    assert head.header("Content-Length") == str(COUNT << 20)
    got = hashlib.sha256()
    client("GET", f"/v2/{repo}/blobs/{digest}", sink=got.update).expect(200)
    assert got.hexdigest() == digest[7:]
    last = client("GET", f"/v2/{repo}/blobs/{digest}", {"Range": "bytes=-16"}).expect(206)
    assert last.body == BLOCK[-16:]
    assert resident(registry) - before < 256, "the blob must not pass through memory"
    client("DELETE", f"/v2/{repo}/blobs/{digest}").expect(202)
