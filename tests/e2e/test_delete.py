"""Deleting repositories and namespaces: gone at once for everybody, space back soon, nothing of the former life in the next one."""
import json

import pytest

from support.images import image, index
from support.notary import Notary
from support.process import environment, run
from support.server import eventually, sanitizer_environment
from test_gate import refused


@pytest.fixture
def made(own_server):
    """A namespace with an owner, a maintainer, a developer and a deployer, and an image."""
    own_server.make_namespace("ns")
    people = {role: own_server.make_member("ns", f"{role}@ns.example", role) for role in ("owner", "maintainer", "developer")}
    deployer = own_server.make_deployer("ns", "k8s")
    pushed = image("to be deleted")
    own_server.client(people["owner"]).push("ns/app", pushed, "v1")
    return own_server, people, deployer, pushed


def delete(server, account, path):
    return server.wire.request("DELETE", path, {"Authorization": f"Bearer {server.session(account)}"})


def may_push_again(client, repo):
    """Until the rows of the former life are gone a push is told to wait."""
    answer = client("POST", f"/v2/{repo}/blobs/uploads/")
    assert answer.status in (202, 503), answer
    return answer.status == 202


def blob_files(server):
    return [p for p in (server.data / "blobs").rglob("*") if p.is_file()]


def test_a_repository_is_gone_at_once_and_its_upload_sessions_with_it(made):
    server, people, _, pushed = made
    client = server.client(people["owner"])
    place = client("POST", "/v2/ns/app/blobs/uploads/").expect(202).header("Location")
    result = server.bond("images", "rm", "ns/app", "--confirm", "ns/app")
    assert "deleted" in result.err
    client.get("ns/app", "v1").expect(404)
    for digest in pushed.blobs:
        client("GET", f"/v2/ns/app/blobs/{digest}").expect(404)
    client("GET", "/v2/ns/app/tags/list").expect(404)
    assert "ns/app" not in server.bond("images", "list").out
    eventually(lambda: client("PATCH", place, {}, b"abc").status == 404, what="the end of the upload")
    eventually(lambda: may_push_again(client, "ns/app"), what="the end of the removal")
    client.get("ns/app", "v1").expect(404)
    client.push("ns/app", pushed, "v2")
    assert client("GET", "/v2/ns/app/tags/list").expect(200).json["tags"] == ["v2"]
    server.stop()
    run([server.bondstore, "fsck", "--bytes", server.config], env=environment(**sanitizer_environment()))


def test_the_files_go_too(made):
    server, people, _, pushed = made
    eventually(lambda: len(blob_files(server)) == len(pushed.blobs), what="the files of small blobs")
    server.stop()
    server.config.write_text(server.config.read_text() + "maintenance:\n  interval: 1s\n")
    server.start()
    server.bond("images", "rm", "ns/app", "--confirm", "ns/app")
    eventually(lambda: not blob_files(server), what="the collection")


def test_who_may_delete(made):
    server, people, deployer, _ = made
    for role in ("developer",):
        delete(server, people[role], "/api/v1/repositories/ns/app").expect(403)
    delete(server, people["maintainer"], "/api/v1/namespaces/ns").expect(403)
    server.wire.request("DELETE", "/api/v1/repositories/ns/app").expect(401)
    server.wire.request("DELETE", "/api/v1/repositories/ns/app", {"Authorization": deployer.basic}).expect((401, 403))
    stranger = server.make_user("stranger@ns.example")
    delete(server, stranger, "/api/v1/repositories/ns/app").expect(404)
    delete(server, stranger, "/api/v1/namespaces/ns").expect(404)
    delete(server, people["owner"], "/api/v1/repositories/ns/none").expect(404)
    delete(server, people["owner"], "/api/v1/repositories/ns/app?pins=lose").expect(400)
    server.client(people["owner"]).get("ns/app", "v1").expect(200)
    delete(server, people["maintainer"], "/api/v1/repositories/ns/app").expect(202)
    delete(server, people["owner"], "/api/v1/namespaces/ns").expect(202)


def test_the_name_is_typed_twice(made):
    server = made[0]
    for words in (("images", "rm", "ns/app"), ("images", "rm", "ns/app", "--confirm", "ns/other"), ("namespaces", "rm", "ns"),
                  ("namespaces", "rm", "ns", "--confirm", "ns/app")):
        assert "--confirm" in server.bond(*words, code=2).err
    server.client(server.admin).get("ns/app", "v1").expect(200)


def test_an_old_signature_allows_nothing_in_the_next_life(made, tmp_path):
    server, people, deployer, pushed = made
    client, platform = server.client(people["owner"]), server.client(deployer)
    old = Notary(server, people["owner"], tmp_path / "old")
    old.init("ns/app")
    old.sign("ns/app", "v1", pushed)
    platform.get("ns/app", "v1").expect(200)
    delete(server, people["maintainer"], "/api/v1/repositories/ns/app").expect(403)
    result = server.bond("images", "rm", "ns/app", "--confirm", "ns/app")
    assert f"rm -rf ~/.docker/trust/tuf/{server.host}/ns/app" in result.err
    eventually(lambda: may_push_again(client, "ns/app"), what="the end of the removal")
    client.push("ns/app", pushed, "v1")
    assert "wiped by" in refused(platform.get("ns/app", "v1"), "unsigned").message
    platform("GET", f"/v2/ns/app/manifests/{pushed.digest}").expect((403, 404))
    stranger = Notary(server, people["owner"], tmp_path / "another-key")
    stranger("init", "-p", server.gun("ns/app"), code="fail")  # only the old root key may begin again
    server.bond("trust", "wipe", "ns/app", "--confirm", "ns/app")  # until the pin is given up
    fresh = Notary(server, people["owner"], tmp_path / "fresh")
    fresh.init("ns/app")
    fresh.sign("ns/app", "v1", pushed)
    platform.get("ns/app", "v1").expect(200)


def test_a_namespace_goes_with_its_machines_and_can_be_made_again(made):
    server, people, deployer, pushed = made
    client = server.client(people["owner"])
    client.push("ns/api", image("second"), "v1")
    token = server.token(people["owner"], "repository:ns/app:pull,push")
    server.bond("namespaces", "rm", "ns", "--confirm", "ns")
    assert server.bond("namespaces", "list", "-q").out == ""
    for repo in ("ns/app", "ns/api"):
        server.wire.request("GET", f"/v2/{repo}/manifests/v1", {"Authorization": f"Bearer {token}"}).expect((401, 404))
    server.client(server.admin).get("ns/app", "v1").expect(404)
    eventually(lambda: server.token_answer(deployer).status == 401, what="the end of the deployer")

    def made_again():
        return server.bond("namespaces", "create", "ns", code=None).code == 0
    eventually(made_again, what="the name")
    server.wire.request("POST", "/v2/ns/app/blobs/uploads/", {"Authorization": f"Bearer {token}"}).expect((401, 403, 404))
    server.client(server.admin).get("ns/app", "v1").expect(404)
    server.client(server.admin).push("ns/app", pushed, "v1")
    server.stop()
    run([server.bondstore, "fsck", "--bytes", server.config], env=environment(**sanitizer_environment()))


def test_a_kill_in_the_middle_is_gone_on_with(made):
    server, people, _, pushed = made
    client = server.client(people["owner"])
    for i in range(20):
        client.push("ns/app", image(f"layer {i}"), f"v{i}")
    server.bond("images", "rm", "ns/app", "--confirm", "ns/app")
    server.kill()
    run([server.bondstore, "fsck", "--bytes", server.config], env=environment(**sanitizer_environment()))
    server.start()
    client.get("ns/app", "v1").expect(404)
    eventually(lambda: may_push_again(client, "ns/app"), what="the end of the removal")
    client.push("ns/app", pushed, "v1")


def test_an_immutable_tag_protects_its_repository_and_its_namespace_until_the_rule_is_gone(made):
    server, people, _, _ = made
    rules = {"rules": [{"name": "releases", "repository": "ns/app", "tag": "v*", "immutable": True}]}
    server.bond("rules", "set", "ns", "--file", "-", stdin=json.dumps(rules))
    for words in (("images", "rm", "ns/app", "--confirm", "ns/app"), ("namespaces", "rm", "ns", "--confirm", "ns")):
        assert '"releases"' in server.bond(*words, code=5).err
    server.client(people["owner"]).get("ns/app", "v1").expect(200)
    server.bond("rules", "set", "ns", "--file", "-", stdin=json.dumps({"rules": []}))
    server.bond("images", "rm", "ns/app", "--confirm", "ns/app")
    server.bond("namespaces", "rm", "ns", "--confirm", "ns")


# --- what a released image is made of -------------------------------------------------------------------------------------

@pytest.fixture
def released(house, keeper, repo):
    """(repository, index, its platforms): the index is signed as v1."""
    platforms = [image(f"{repo} {arch}", arch=arch) for arch in ("amd64", "arm64")]
    both = index(platforms)
    house["developer"].push(repo, both, "v1")
    keeper.init(repo)
    keeper.sign(repo, "v1", both)
    return repo, both, platforms


def parts(repo, platforms):
    """Addresses of everything below the index, manifests first."""
    return [f"/v2/{repo}/manifests/{p.digest}" for p in platforms] + [f"/v2/{repo}/blobs/{d}" for d in {d for p in platforms for d in p.blobs}]


def test_no_part_of_a_released_image_is_deleted(registry, house, released):
    repo, both, platforms = released
    for address in parts(repo, platforms):
        for force in ("", "?force=1"):  # which is for administrators
            kept = refused(house["owner"]("DELETE", address + force), "signed_in_use")
            assert "part of an image that is signed and released as v1" in kept.message and "?force=1" in kept.error["detail"]["hint"]
            assert kept.reason.startswith("Forbidden: content trust: ") and kept.reason.endswith("(signed_in_use)")
        house["deployer"]("GET", address).expect(200)
    assert "released as v1" in refused(house["owner"]("DELETE", f"/v2/{repo}/manifests/{both.digest}"), "signed_in_use").message
    house["deployer"].get(repo, "v1").expect(200)
    admin = registry.client(registry.admin)
    for address, action in ((f"/v2/{repo}/manifests/{platforms[0].digest}", "manifest.delete_signed"),
                            (f"/v2/{repo}/blobs/{platforms[1].config}", "blob.delete_signed")):
        refused(admin("DELETE", address), "signed_in_use")
        admin("DELETE", address + "?force=1").expect(202)
        house["deployer"]("GET", address).expect(404)
        entries = map(json.loads, registry.bond("audit", "export", "--action", action).out.splitlines())
        assert f"{repo}@{address.rpartition('/')[2]}" in [e["object"] for e in entries]


def test_parts_of_what_is_not_signed_are_deleted(house, keeper, released):
    """Beside a signed image; what both need stays."""
    repo, _, platforms = released
    alone = image(f"{repo} not signed", arch="arm64")
    loose = index([platforms[0], alone])
    house["developer"].push(repo, loose, "v2")
    refused(house["owner"]("DELETE", f"/v2/{repo}/manifests/{platforms[0].digest}"), "signed_in_use")
    house["owner"]("DELETE", f"/v2/{repo}/manifests/{alone.digest}").expect(202)
    for digest in set(alone.blobs) - {d for p in platforms for d in p.blobs}:
        house["owner"]("DELETE", f"/v2/{repo}/blobs/{digest}").expect(202)
    house["owner"]("DELETE", f"/v2/{repo}/manifests/{loose.digest}").expect(202)
    house["deployer"].get(repo, "v1").expect(200)


def test_parts_go_when_the_signature_is_withdrawn_or_the_gate_is_off(registry, house, keeper, released):
    repo, both, platforms = released
    registry.bond("policy", "set", repo, "--level", "off")
    house["owner"]("DELETE", f"/v2/{repo}/manifests/{platforms[1].digest}").expect(202)
    registry.bond("policy", "rm", repo)
    refused(house["owner"]("DELETE", f"/v2/{repo}/manifests/{platforms[0].digest}"), "signed_in_use")
    keeper.withdraw(repo, "v1")
    house["owner"]("DELETE", f"/v2/{repo}/manifests/{platforms[0].digest}").expect(202)
    house["owner"]("DELETE", f"/v2/{repo}/manifests/{both.digest}").expect(202)


def test_what_is_in_grace_alone_is_deleted(house, keeper, released):
    """It was replaced: who deletes it says that nobody runs it. Its successor stays."""
    repo, both, platforms = released
    newer = image(f"{repo} newer")
    house["developer"].push(repo, newer, "v1")
    keeper.sign(repo, "v1", newer)
    house["deployer"].get(repo, both.digest).expect(200)
    refused(house["owner"]("DELETE", f"/v2/{repo}/blobs/{newer.config}"), "signed_in_use")
    house["owner"]("DELETE", f"/v2/{repo}/manifests/{platforms[0].digest}").expect(202)
    house["owner"]("DELETE", f"/v2/{repo}/manifests/{both.digest}").expect(202)
    house["deployer"].get(repo, "v1").expect(200)
