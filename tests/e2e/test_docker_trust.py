"""Docker Content Trust with the unmodified docker: signed push and pull, docker trust sign, inspect, signer, revoke."""
import json
import shutil

import pytest

from support.images import image


@pytest.fixture(scope="module")
def owner(docker):
    return docker("owner")


@pytest.fixture
def fresh(docker, house, request):
    """A person who has seen no trust data yet."""
    return docker("reader", name=f"fresh-{request.node.name[:40]}")


def inspect(person, name, code=0):
    return json.loads(person("trust", "inspect", person.server.ref(name), code=code).out or "[]")


def test_a_first_signed_push_and_a_pull_by_a_client_that_has_seen_nothing(owner, fresh, repo):
    digest = owner.push(f"{repo}:v1", image("signed", runs=True), trust=True)
    shown = fresh.pull(f"{repo}:v1", trust=True)
    assert digest in shown.out and fresh.output(f"{repo}:v1") == "signed"


def test_an_unsigned_tag_and_an_unsigned_repository_do_not_pull_with_content_trust(owner, fresh, house, repo):
    owner.push(f"{repo}:v1", image("signed"), trust=True)
    owner.push(f"{repo}:v2", image("unsigned"))
    assert "No valid trust data for v2" in fresh.pull(f"{repo}:v2", trust=True, code="fail")
    house["developer"].push(f"{repo}-plain", image("plain"), "v1")
    assert "remote trust data does not exist" in fresh.pull(f"{repo}-plain:v1", trust=True, code="fail")


def test_a_signed_pull_gets_the_signed_image_after_the_tag_moved(owner, fresh, repo):
    digest = owner.push(f"{repo}:v1", image("what was signed", runs=True), trust=True)
    moved = owner.push(f"{repo}:v1", image("what was not"))
    assert digest != moved
    assert digest in fresh.pull(f"{repo}:v1", trust=True).out
    assert fresh.output(f"{repo}:v1") == "what was signed"


def test_trust_inspect_names_tag_digest_and_keys(owner, repo):
    digest = owner.push(f"{repo}:v1", image("inspected"), trust=True)
    shown = inspect(owner, f"{repo}:v1")[0]
    assert shown["SignedTags"] == [{"SignedTag": "v1", "Digest": digest[7:], "Signers": ["Repo Admin"]}]
    assert sorted(k["Name"] for k in shown["AdministrativeKeys"]) == ["Repository", "Root"]


def test_trust_sign_pushes_and_signs_a_further_tag(owner, fresh, repo):
    owner.push(f"{repo}:v1", image("first signature"), trust=True)
    owner.load(image("trust sign"), f"{repo}:v2")
    owner("trust", "sign", owner.server.ref(f"{repo}:v2"))
    fresh.pull(f"{repo}:v2", trust=True)
    assert sorted(t["SignedTag"] for t in inspect(owner, repo)[0]["SignedTags"]) == ["v1", "v2"]


def test_a_signer_is_added_signs_and_deploys(registry, owner, docker, house, repo, tmp_path):
    signer = docker("signer")
    signer("trust", "key", "generate", "alice", "--dir", tmp_path, code=0)
    owner("trust", "signer", "add", "--key", tmp_path / "alice.pub", "alice", owner.server.ref(repo))
    assert [s["Name"] for s in inspect(owner, repo)[0]["Signers"]] == ["alice"]
    digest = signer.push(f"{repo}:v1", image("by alice"))
    signer("trust", "sign", signer.server.ref(f"{repo}:v1"))
    assert inspect(owner, f"{repo}:v1")[0]["SignedTags"] == [{"SignedTag": "v1", "Digest": digest[7:], "Signers": ["alice"]}]
    assert house["deployer"].get(repo, "v1").expect(200).header("Docker-Content-Digest") == digest
    verdict = registry.client(house.deployer, basic=True)("GET", f"/api/v1/deploy/verify?image={repo}:v1").expect(200)
    assert [s["name"] for s in verdict.json["signers"]] == ["alice"]


def test_revoke_takes_the_tag_back_and_the_gate_closes(owner, fresh, house, repo):
    owner.push(f"{repo}:v1", image("revoked"), trust=True)
    owner.push(f"{repo}:v2", image("kept"), trust=True)
    house["deployer"].get(repo, "v1").expect(200)
    owner("trust", "revoke", "-y", owner.server.ref(f"{repo}:v1"))
    assert "No valid trust data" in fresh.pull(f"{repo}:v1", trust=True, code="fail")
    assert [t["SignedTag"] for t in inspect(owner, repo)[0]["SignedTags"]] == ["v2"]
    house["deployer"].get(repo, "v1").expect(403)
    house["deployer"].get(repo, "v2").expect(200)


def test_a_signer_without_the_flag_is_refused(owner, docker, house, repo, tmp_path):
    developer = docker("developer")
    developer("trust", "key", "generate", "dave", "--dir", tmp_path)
    owner("trust", "signer", "add", "--key", tmp_path / "dave.pub", "dave", owner.server.ref(repo))
    developer.push(f"{repo}:v1", image("by dave"))
    shown = developer("trust", "sign", developer.server.ref(f"{repo}:v1"), code="fail")
    assert "401" in shown or "authorized" in shown or "denied" in shown, shown.text
    house["deployer"].get(repo, "v1").expect(403)


def test_a_wrong_passphrase_signs_nothing(owner, house, repo):
    owner.push(f"{repo}:v1", image("first"), trust=True)
    owner.push(f"{repo}:v2", image("second"), trust=True, code="fail", DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE="wrong")
    house["deployer"].get(repo, "v2").expect(403)
    house["deployer"].get(repo, "v1").expect(200)


def test_docker_keys_are_used_by_the_notary_client(owner, registry, house, notary, repo):
    owner.push(f"{repo}:v1", image("shared keys"), trust=True)
    client = notary("owner")
    client.folder.mkdir()
    shutil.copytree(owner.folder / "trust" / "private", client.folder / "private")
    listed = client.list(repo)
    assert listed["v1"][2] == "targets"


def test_build_from_a_signed_image_only(owner, repo, tmp_path):
    owner.push(f"{repo}:signed", image("base", runs=True), trust=True)
    owner.push(f"{repo}:unsigned", image("no base", runs=True))
    for tag, code in (("signed", 0), ("unsigned", "fail")):
        (tmp_path / "Dockerfile").write_text(f"FROM {owner.server.ref(f'{repo}:{tag}')}\n")
        owner("build", "--network", "none", "--no-cache", "-t", f"built-from:{tag}", tmp_path, trust=True, code=code)
