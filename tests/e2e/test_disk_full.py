"""A full disk: a clear answer, nothing half, and the server goes on when there is room again."""
import os

import pytest

from support.images import image, sha256
from support.process import ALONE, environment, run
from support.server import ADMIN, PASSWORD, Server, sanitizer_environment

PREFIX = [ALONE, "/bin/sh", "-c", 'mount -t tmpfs -o size="$1" tmpfs "$2" && cp -a "$3"/. "$2"/ && shift 3 && exec "$@"', "full"]


@pytest.fixture
def small(tmp_path):
    """A server whose data folder is a file system of 12 MiB, in a mount namespace of its own."""
    server = Server(tmp_path).init()
    template = tmp_path / "template"
    os.rename(server.data, template)
    server.data.mkdir()
    server.trusted_ca = template / "tls" / "ca.crt"  # the data folder itself is seen by the server alone
    server.start(prefix=[*PREFIX, "12m", server.data, template])
    yield server
    server.end()


def test_a_full_disk_is_told_and_nothing_is_kept_and_small_things_go_on(small):
    client = small.client(small.admin)
    client.push("ns/app", image("fits"), "v1")
    big = os.urandom(20 << 20)
    place = client("POST", "/v2/ns/app/blobs/uploads/").expect(202).header("Location")
    answer = client("PUT", f"{place}?digest={sha256(big)}", {}, big)
    assert answer.expect((503, 507)).code == "UNAVAILABLE" and "disk" in answer.message
    client("HEAD", f"/v2/ns/app/blobs/{sha256(big)}").expect(404)
    answer = client("POST", f"/v2/ns/app/blobs/uploads/?digest={sha256(big)}", {}, big)
    answer.expect((503, 507))
    client("DELETE", place).expect((204, 404))
    client.get("ns/app", "v1").expect(200)
    small.alive()
    client.push("ns/app", image("fits again"), "v2")


def test_init_on_a_full_disk_says_so(tmp_path):
    server = Server(tmp_path)
    server.data.mkdir()
    (tmp_path / "nothing").mkdir()
    result = run([*PREFIX, "16k", server.data, tmp_path / "nothing", server.bondstore, "init", f"{server.data}/store", "--public-url", server.url,
                  "--admin", ADMIN, "--password-stdin"], stdin=PASSWORD + "\n", code="fail", env=environment(**sanitizer_environment()))
    assert "disk" in result.err or "space" in result.err, result.err
