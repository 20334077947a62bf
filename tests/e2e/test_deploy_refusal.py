"""The story of the product, with docker on both sides: an unsigned push over a signed tag stops the deploy, says why,
and signing heals it at once."""
import pytest

from support.containerd import Containerd
from support.engine import Docker
from support.images import image, index


@pytest.fixture(scope="module")
def owner(docker):
    return docker("owner")


@pytest.fixture(scope="module")
def platform(engine, registry, house, tmp_path_factory):
    """The docker of the cluster: signed in as the deployer."""
    person = Docker(engine, registry, house.deployer, tmp_path_factory.mktemp("platform"))
    person.login()
    return person


def test_unsigned_push_over_a_signed_tag_is_refused(registry, house, owner, docker, platform, repo):
    developer = docker("developer")
    signed = owner.push(f"{repo}:v1", image("reviewed", runs=True), trust=True)
    assert signed in platform.pull(f"{repo}:v1").out and platform.output(f"{repo}:v1") == "reviewed"

    before = registry.counter("bondstore_gate_decisions_total", effect="deny", reason="digest_mismatch")
    unsigned = developer.push(f"{repo}:v1", image("not reviewed", runs=True))
    shown = platform.pull(f"{repo}:v1", code="fail").text
    assert f"v1 is signed as {signed[:15]}" in shown and unsigned[:15] in shown and "not signed" in shown, shown
    assert registry.counter("bondstore_gate_decisions_total", effect="deny", reason="digest_mismatch") > before

    got, head = (house["deployer"].get(repo, "v1", method) for method in ("GET", "HEAD"))
    assert (got.status, head.status) == (403, 403) and got.reason == head.reason
    assert got.message in shown
    assert signed in platform.pull(f"{repo}@{signed}").out
    assert "content trust" in platform.pull(f"{repo}@{unsigned}", code="fail")
    for layer in house["developer"].get(repo, "v1").expect(200).json["layers"][1:]:
        house["deployer"]("GET", f"/v2/{repo}/blobs/{layer['digest']}").expect(403)
    assert unsigned in developer.pull(f"{repo}:v1").out and signed in developer.pull(f"{repo}@{signed}").out
    registry.bond("deploy", "check", f"{repo}:v1", code=6)

    owner.pull(f"{repo}:v1")
    owner("trust", "sign", "--local", owner.server.ref(f"{repo}:v1"))  # without --local docker signs the old digest again
    assert unsigned in platform.pull(f"{repo}:v1").out and platform.output(f"{repo}:v1") == "not reviewed"
    registry.bond("deploy", "check", f"{repo}:v1")


def test_disable_content_trust_makes_no_difference_to_the_gate(owner, docker, platform, repo):
    owner.push(f"{repo}:v1", image("signed"), trust=True)
    docker("developer").push(f"{repo}:v1", image("unsigned"))
    for trust in (False, True):
        platform.forget(repo)
        shown = platform("pull", "--disable-content-trust", platform.server.ref(f"{repo}:v1"), trust=trust, code="fail")
        assert "content trust:" in shown, shown.text
    owner("push", "--disable-content-trust", owner.server.ref(f"{repo}:v1"), trust=True, code=None)
    assert "content trust:" in platform.pull(f"{repo}:v2", code="fail") or "not found" in platform.pull(f"{repo}:v2", code="fail")


def test_a_deployer_pushes_nothing(platform, docker, repo):
    docker("developer").load(image("from the platform"), f"{repo}:v1")
    shown = platform("push", platform.server.ref(f"{repo}:v1"), code="fail")
    assert "denied" in shown, shown.text


def test_a_lost_root_key_is_wiped_and_the_repository_signed_afresh(registry, engine, house, owner, platform, repo, tmp_path):
    owner.push(f"{repo}:v1", image("before the loss", runs=True), trust=True)
    platform.pull(f"{repo}:v1")
    registry.bond("trust", "wipe", repo, "--confirm", repo)
    assert "wiped" in platform.pull(f"{repo}:v1", code="fail")
    fresh = Docker(engine, registry, house.owner, tmp_path / "new-keys")
    fresh.login()
    fresh.pull(f"{repo}:v1")
    fresh.push(f"{repo}:v1", trust=True)
    platform.pull(f"{repo}:v1")
    assert platform.output(f"{repo}:v1") == "before the loss"


@pytest.fixture(scope="module")
def cluster(registry, house, tmp_path_factory):
    """The containerd of a node: pulls as the deployer."""
    node = Containerd(tmp_path_factory.mktemp("node"), registry, house.deployer)
    try:
        yield node.start()
    finally:
        node.stop()


def test_containerd_shows_the_phrase_and_fetches_what_is_signed(house, keeper, cluster, repo):
    """gate 10.1: it reads no body of a refused HEAD, so that the kubelet's event is the status line."""
    platform, unsigned = image("node amd"), image("node unsigned")
    signed = index([platform, image("node arm", arch="arm64")])
    house["developer"].push(repo, signed, "v1")
    keeper.init(repo)
    keeper.sign(repo, "v1", signed)
    cluster.fetch(f"{repo}:v1")
    assert all(cluster.holds(d) for d in (signed.digest, platform.digest, *platform.blobs))

    house["developer"].push(repo, unsigned, "v1")
    shown = cluster.fetch(f"{repo}:v1", code="fail").text
    assert f"403 Forbidden: content trust: v1 is signed as {signed.hex[:8]}, registry has {unsigned.hex[:8]} (digest_mismatch)" in shown, shown
    cluster.fetch(f"{repo}@{signed.digest}")
    shown = cluster.fetch(f"{repo}@{unsigned.digest}", code="fail").text
    assert f"403 Forbidden: content trust: manifest {unsigned.hex[:8]} is not part of a signed image (unsigned_digest)" in shown, shown
    assert not cluster.holds(unsigned.digest)
    house["developer"].push(repo, unsigned, "v2")
    assert "(unsigned)" in cluster.fetch(f"{repo}:v2", code="fail").text
