"""skopeo: single and multi-platform images in OCI and Docker types, copies within the registry, deletion, refusals."""
import json

import pytest

from support.images import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, image, index
from support.oci_clients import OciClient


@pytest.fixture(scope="module")
def skopeo(registry, house, tmp_path_factory):
    client = OciClient(registry, house.owner, tmp_path_factory.mktemp("skopeo"))
    client.login()
    return client


def test_login_and_a_wrong_password(registry, house, tmp_path):
    client = OciClient(registry, house.reader, tmp_path)
    client.login()
    refused = OciClient(registry, house.reader, tmp_path / "x").login(secret="not the password", code="fail")
    assert "invalid username/password" in refused or "unauthorized" in refused


def test_a_certificate_of_an_unknown_ca_is_refused(registry, house, tmp_path, skopeo):
    refused = skopeo.skopeo("inspect", "--authfile", skopeo.auth, f"docker://{registry.ref('house/x:v1')}", code="fail")
    assert "certificate" in refused


@pytest.mark.parametrize("kind", ["oci", "docker"])
def test_an_image_makes_the_round_trip(skopeo, repo, tmp_path, kind):
    made = image("skopeo")
    made.write_layout(tmp_path / "in")
    skopeo.copy(f"oci:{tmp_path}/in:latest", f"docker://{repo}:v1", "--format", "oci" if kind == "oci" else "v2s2")
    raw = json.loads(skopeo.remote("inspect", f"{repo}:v1", "--raw").out)
    assert raw["mediaType"] == (OCI_MANIFEST if kind == "oci" else DOCKER_MANIFEST)
    if kind == "oci":
        assert json.loads(skopeo.remote("inspect", f"{repo}:v1").out)["Digest"] == made.digest
    skopeo.copy(f"docker://{repo}:v1", f"oci:{tmp_path}/out:latest")
    out = json.loads((tmp_path / "out" / "index.json").read_text())["manifests"][0]["digest"]
    assert (tmp_path / "out" / "blobs" / "sha256" / out[7:]).exists() and (kind != "oci" or out == made.digest)


@pytest.mark.parametrize("kind", ["oci", "docker"])
def test_a_multi_platform_image_makes_the_round_trip_and_is_copied_within_the_registry(skopeo, registry, house, repo, tmp_path, kind):
    made = index([image(f"for {a}", arch=a) for a in ("amd64", "arm64", "riscv64")])
    made.write_layout(tmp_path / "in")
    skopeo.copy(f"oci:{tmp_path}/in:latest", f"docker://{repo}:multi", "--all", *(["--format", "v2s2"] if kind == "docker" else []))
    raw = json.loads(skopeo.remote("inspect", f"{repo}:multi", "--raw").out)
    assert raw["mediaType"] == (OCI_INDEX if kind == "oci" else DOCKER_LIST) and len(raw["manifests"]) == 3
    skopeo.copy(f"docker://{repo}:multi", f"docker://{repo}-copy/deeper:multi", "--all")
    copied = json.loads(skopeo.remote("inspect", f"{repo}-copy/deeper:multi", "--raw").out)
    assert [m["digest"] for m in copied["manifests"]] == [m["digest"] for m in raw["manifests"]]
    skopeo.copy(f"docker://{repo}-copy/deeper:multi", f"oci:{tmp_path}/out:latest", "--all")


def test_uncompressed_layers_keep_their_digest(skopeo, repo, tmp_path):
    made = image("uncompressed")
    made.write_layout(tmp_path / "in")
    skopeo.copy(f"oci:{tmp_path}/in:latest", f"dir:{tmp_path}/dir", "--dest-decompress")
    skopeo.copy(f"dir:{tmp_path}/dir", f"docker://{repo}:v1", "--preserve-digests", code=None)
    skopeo.copy(f"oci:{tmp_path}/in:latest", f"docker://{repo}:v2", "--preserve-digests")
    assert json.loads(skopeo.remote("inspect", f"{repo}:v2").out)["Digest"] == made.digest


def test_tags_are_listed_and_an_image_deleted(skopeo, repo, tmp_path):
    for tag in ("one", "two"):
        image(f"delete {tag}").write_layout(tmp_path / tag)
        skopeo.copy(f"oci:{tmp_path}/{tag}:latest", f"docker://{repo}:{tag}")
    assert sorted(json.loads(skopeo.remote("list-tags", repo).out)["Tags"]) == ["one", "two"]
    skopeo.remote("delete", f"{repo}:one")
    assert json.loads(skopeo.remote("list-tags", repo).out)["Tags"] == ["two"]
    gone = skopeo.remote("inspect", f"{repo}:one", code="fail")
    assert "manifest unknown" in gone or "not found" in gone
    skopeo.remote("inspect", f"{repo}:two")


def test_a_robots_secret_pushes_without_a_login(registry, house, repo, tmp_path):
    image("by the robot").write_layout(tmp_path / "in")
    robot = OciClient(registry, house.robot, tmp_path / "robot")
    robot.copy(f"oci:{tmp_path}/in:latest", f"docker://{repo}:v1", "--dest-creds", f"{house.robot.user}:{house.robot.secret}")


def test_a_reader_may_not_push_and_is_told_why(registry, house, repo, tmp_path):
    image("refused").write_layout(tmp_path / "in")
    reader = OciClient(registry, house.reader, tmp_path / "reader")
    reader.login()
    refused = reader.copy(f"oci:{tmp_path}/in:latest", f"docker://{repo}:v1", code="fail")
    assert "developer" in refused, refused.text


def test_a_deployer_reads_the_sentence_of_the_gate(registry, house, repo, tmp_path):
    house["developer"].push(repo, image("never signed"), "v1")
    deployer = OciClient(registry, house.deployer, tmp_path / "deployer")
    deployer.login()
    refused = deployer.copy(f"docker://{repo}:v1", f"oci:{tmp_path}/out:latest", code="fail")
    assert "content trust:" in refused and "no trust data" in refused
