"""Who may do what: every role against every action over HTTP (rbac), by bearer token as clients send it."""
import os

import pytest

from support.images import image, sha256
from support.wire import multipart

ROLES = ["owner", "maintainer", "signer", "developer", "reader", "stranger", "robot", "deployer", "anonymous"]
ALLOWED = {
    "pull":        {"owner", "maintainer", "signer", "developer", "reader", "robot"},
    "push":        {"owner", "maintainer", "signer", "developer", "robot"},
    "overwrite":   {"owner", "maintainer", "signer", "developer", "robot"},
    "delete":      {"owner", "maintainer"},
    "trust read":  {"owner", "maintainer", "signer", "developer", "reader", "robot", "deployer"},
    "trust write": {"owner", "maintainer", "signer"},
    "trust rotate": {"owner", "maintainer"},
    "trust wipe":  {"owner"},
}


@pytest.fixture(scope="module")
def shelf(house):
    """A repository with one image, and the clients of everybody."""
    repo = f"{house.ns}/roles"
    made = image("roles")
    house["developer"].push(repo, made, "v1")
    clients = {role: house[role] for role in ROLES if role != "anonymous"}
    clients["anonymous"] = house.server.client()
    return repo, made, clients


def verdict(answer):
    """True: allowed; False: refused as the contract says."""
    if answer.status == 401:
        answer.challenge()
        return False
    if answer.status == 403:
        assert answer.code == "DENIED"
        return False
    assert answer.status < 500, answer
    return True


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", ["pull", "push", "overwrite", "delete"])
def test_registry_rights(house, shelf, action, role):
    repo, made, clients = shelf
    client = clients[role]
    if action == "pull":
        answer = client.get(repo, "v1")
    elif action == "push":
        answer = client("POST", f"/v2/{repo}/blobs/uploads/")
    elif action == "overwrite":
        answer = client.push_manifest(repo, "v1", made.manifest, made.media_type)
    else:
        spare = image(f"spare of {role}")
        house["owner"].push(repo, spare, f"spare-{role}")
        answer = client("DELETE", f"/v2/{repo}/manifests/{spare.digest}")
    assert verdict(answer) == (role in ALLOWED[action]), answer
    if action == "delete":
        house["reader"].get(repo, spare.digest, "HEAD").expect(404 if role in ALLOWED[action] else 200)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", ["trust read", "trust write", "trust rotate"])
def test_trust_rights_and_the_refusal_is_always_401(registry, shelf, action, role):
    repo, _, clients = shelf
    path = f"/v2/{registry.gun(repo)}/_trust/tuf/"
    if action == "trust read":
        answer = clients[role]("GET", path + "root.json")
    elif action == "trust write":
        body, content_type = multipart([("targets", b"{}")])
        answer = clients[role]("POST", path, {"Content-Type": content_type}, body)
    else:
        answer = clients[role]("POST", path + "timestamp.key")
    assert answer.status != 403, answer
    assert verdict(answer) == (role in ALLOWED[action]), answer


@pytest.mark.parametrize("role", ["signer", "maintainer", "owner"])
def test_a_root_needs_trust_administration(registry, house, shelf, role):
    body, content_type = multipart([("root", b"{}")])
    answer = shelf[2][role]("POST", f"/v2/{registry.gun(shelf[0])}/_trust/tuf/", {"Content-Type": content_type}, body)
    answer.expect(401 if role == "signer" else 400)


@pytest.mark.parametrize("role", ["deployer", "anonymous", "stranger", "reader", "robot", "developer", "signer", "maintainer", "owner"])
def test_only_an_owner_wipes_trust_data(registry, shelf, role):
    repo, _, clients = shelf
    answer = clients[role]("DELETE", f"/v2/{registry.gun(repo)}/_trust/tuf/")
    assert answer.status != 403
    assert verdict(answer) == (role in ALLOWED["trust wipe"]), answer
    if role in ALLOWED["trust wipe"]:
        assert answer.expect(200).body == b""


def test_an_administrator_may_do_all(registry, shelf):
    repo, made, _ = shelf
    admin = registry.client(registry.admin)
    assert admin.get(repo, "v1").status == 200
    admin.push(repo, image("by the administrator"), "admin")
    assert admin("DELETE", f"/v2/{repo}/manifests/admin").status == 202


@pytest.mark.parametrize("method,rest", [("POST", "blobs/uploads/"), ("POST", "blobs/uploads/?mount=sha256:" + "0" * 64 + "&from=house/roles"),
                                         ("PUT", "manifests/v1"), ("DELETE", "manifests/v1"), ("DELETE", "blobs/sha256:" + "0" * 64)])
@pytest.mark.parametrize("basic", [False, True])
def test_a_gated_identity_writes_nothing(registry, house, shelf, method, rest, basic):
    repo, made, _ = shelf
    client = registry.client(house.deployer, basic=basic)
    if not basic:
        client.tokens[client.scope_key(method, f"/v2/{repo}/{rest}")] = registry.token(house.deployer, f"repository:{repo}:pull,push,delete")
    answer = client(method, f"/v2/{repo}/{rest}", {"Content-Type": made.media_type}, made.manifest if method == "PUT" else None)
    answer.expect(403, "DENIED")
    assert answer.reason_name == "not_writable"


@pytest.mark.parametrize("missing", [True, False])
def test_what_one_may_not_read_looks_like_what_is_not_there(registry, house, shelf, missing):
    repo = "house/none-such" if missing else shelf[0]
    stranger = house["stranger"]
    answers = [stranger("GET", f"/v2/{repo}/tags/list"), stranger.get(repo, "v1"), stranger.get(repo, "v1", "HEAD"),
               stranger("GET", f"/v2/{repo}/blobs/{sha256(b'x')}")]
    assert {a.status for a in answers} == {401}
    texts = [a.body.decode().replace(repo, "REPO") + a.challenge().get("error_description", "").replace(repo, "REPO") for a in answers if a.body]
    seen = test_what_one_may_not_read_looks_like_what_is_not_there.__dict__.setdefault("seen", texts)
    assert texts == seen


def test_a_token_is_no_wider_than_it_was_asked(registry, house, shelf):
    repo, made, _ = shelf
    bearer = {"Authorization": f"Bearer {registry.token(house.owner, f'repository:{repo}:pull')}"}
    registry.wire.request("GET", f"/v2/{repo}/manifests/v1", bearer).expect(200)
    for method, rest in (("POST", "blobs/uploads/"), ("DELETE", "manifests/v1")):
        answer = registry.wire.request(method, f"/v2/{repo}/{rest}", bearer).expect(401)
        assert answer.challenge()["error"] == "insufficient_scope"
    registry.wire.request("GET", "/v2/house/other/manifests/v1", bearer).expect(401)


def test_image_push_and_trust_publish_are_separate_rights(registry, house, shelf):
    repo, _, _ = shelf
    gun = registry.gun(repo)
    body, content_type = multipart([])
    image_token = registry.token(house.owner, f"repository:{repo}:pull,push")
    trust_token = registry.token(house.owner, f"repository:{gun}:pull,push")
    registry.wire.request("POST", f"/v2/{gun}/_trust/tuf/", {"Authorization": f"Bearer {image_token}", "Content-Type": content_type}, body).expect(401)
    registry.wire.request("POST", f"/v2/{repo}/blobs/uploads/", {"Authorization": f"Bearer {trust_token}"}).expect(401)


def test_a_robot_has_its_actions_in_its_namespace_only(registry, house, shelf):
    repo, _, _ = shelf
    puller = registry.make_robot(house.ns, "only-pull", "pull")
    assert registry.client(puller).get(repo, "v1").status == 200
    registry.client(puller)("POST", f"/v2/{repo}/blobs/uploads/").expect(401)
    remover = registry.make_robot(house.ns, "remover", "pull,push,delete")
    spare = image("for the remover")
    registry.client(remover).push(repo, spare, "robot")
    registry.client(remover)("DELETE", f"/v2/{repo}/manifests/{spare.digest}").expect(202)
    registry.make_namespace("next-door")
    other = registry.client(registry.admin)
    other.push("next-door/app", image("x"), "v1")
    for account in (puller, remover, house.deployer):
        registry.client(account).get("next-door/app", "v1").expect(401)


def test_visibility_internal_is_for_everybody_who_signed_in(registry, house):
    registry.make_namespace("inside", "internal")
    registry.client(registry.admin).push("inside/app", image("internal"), "v1")
    assert registry.client(house.stranger).get("inside/app", "v1").status == 200
    registry.client(house.stranger)("POST", "/v2/inside/app/blobs/uploads/").expect(401)
    registry.client().get("inside/app", "v1").expect(401)


def test_a_member_of_another_namespace_cannot_push_here(registry, house):
    registry.make_namespace("annex")
    account = registry.make_member("annex", "dev@annex.example", "owner")
    registry.client(account)("POST", f"/v2/{house.ns}/roles/blobs/uploads/").expect(401)
    registry.client(account).push("annex/app", image("own"), "v1")


def test_a_deleted_upload_right_ends_a_running_upload(registry, house):
    account = registry.make_member(house.ns, "uploader@house.example", "developer")
    client = registry.client(account)
    place = client("POST", f"/v2/{house.ns}/roles/blobs/uploads/").expect(202).header("Location")
    registry.bond("members", "set", house.ns, account.user, "reader")
    content = os.urandom(20)
    client("PUT", f"{place}?digest={sha256(content)}", {}, content).expect(401)
    house["developer"]("HEAD", f"/v2/{house.ns}/roles/blobs/{sha256(content)}").expect(404)
