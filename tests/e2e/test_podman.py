"""podman and buildah: build, push, pull, and the gate's sentence."""
import json

import pytest

from support.images import BUSYBOX, image
from support.oci_clients import OciClient


@pytest.fixture(scope="module")
def person(registry, house, tmp_path_factory):
    """The developer; podman signs in, buildah uses the same sign-in file."""
    client = OciClient(registry, house.developer, tmp_path_factory.mktemp("podman"))
    client.login("podman")
    return client


def test_podman_pushes_and_pulls(person, registry, repo, tmp_path):
    made = image("podman")
    name = registry.ref(f"{repo}:v1")
    (tmp_path / "image.tar").write_bytes(made.docker_archive(name))
    person.podman("load", "-q", "-i", tmp_path / "image.tar")
    person.podman("push", "-q", *person.reach, name)
    loaded = person.podman("image", "inspect", name, "--format", "{{.Id}}").out.strip()
    person.podman("rmi", "-f", name)
    person.podman("pull", "-q", *person.reach, name)
    assert person.podman("image", "inspect", name, "--format", "{{.Id}}").out.strip() == loaded
    assert json.loads(person.podman("image", "inspect", name).out)[0]["Labels"]["text"] == "podman"


def test_podman_pulls_what_was_pushed_by_hand_and_by_digest(person, registry, house, repo):
    made = image("by hand")
    house["developer"].push(repo, made, "v1")
    person.podman("pull", "-q", *person.reach, registry.ref(f"{repo}@{made.digest}"))
    missing = person.podman("pull", "-q", *person.reach, registry.ref(f"{repo}:nope"), code="fail")
    assert "manifest unknown" in missing or "not found" in missing


@pytest.mark.parametrize("form", ["oci", "v2s2"])
def test_buildah_builds_and_pushes(person, registry, house, repo, form):
    container = person.buildah("from", "scratch").out.strip()
    person.buildah("copy", "-q", container, BUSYBOX, "/bin/busybox")
    person.buildah("config", "--cmd", '["/bin/busybox","echo","from-buildah"]', container)
    person.buildah("commit", "-q", container, f"built-{form}")
    person.buildah("rm", container)
    person.buildah("push", "-q", *person.reach, "--format", form, f"built-{form}", f"docker://{registry.ref(f'{repo}:{form}')}")
    pulled = house["reader"].get(repo, form).expect(200).json
    for layer in pulled["layers"]:
        house["reader"]("HEAD", f"/v2/{repo}/blobs/{layer['digest']}").expect(200)


def test_buildah_pushes_a_manifest_list(person, registry, house, repo, tmp_path):
    person.buildah("manifest", "create", "listed")
    for arch in ("amd64", "arm64"):
        image(f"list {arch}", arch=arch).write_layout(tmp_path / arch)
        person.buildah("manifest", "add", "--os", "linux", "--arch", arch, "listed", f"oci:{tmp_path}/{arch}:latest")
    person.buildah("manifest", "push", "-q", *person.reach, "--all", "listed", f"docker://{registry.ref(f'{repo}:list')}")
    assert len(house["reader"].get(repo, "list").expect(200).json["manifests"]) == 2


def test_a_deployers_podman_shows_the_sentence_and_asks_once(registry, house, repo, tmp_path):
    house["developer"].push(repo, image("unsigned for podman"), "v1")
    deployer = OciClient(registry, house.deployer, tmp_path / "deployer")
    deployer.login("podman")
    refused = deployer.podman("pull", "-q", *deployer.reach, registry.ref(f"{repo}:v1"), code="fail")
    assert "content trust:" in refused and "no trust data" in refused
