"""A lost root key: wipe, until then refusals that say so, then a fresh signature with a new root key (gate 11.3)."""
import json
import shutil
import time
import zlib

import pytest

from support.images import image
from support.notary import Notary
from support.trust import Trust
from support.tuf import Collection, tag
from support.wire import claims, multipart
from test_gate import refused


@pytest.fixture(params=[("app",)])
def lost(registry, request, tmp_path):
    """A namespace of signed repositories whose root key is lost."""
    ns = f"lost-{zlib.crc32(request.node.name.encode()):08x}"
    registry.make_namespace(ns)
    owner = registry.make_member(ns, f"owner@{ns}.example", "owner")
    maintainer = registry.make_member(ns, f"maintainer@{ns}.example", "maintainer")
    deployer = registry.client(registry.make_deployer(ns, "k8s"))
    made = {}
    old = Notary(registry, owner, tmp_path / "old")
    for name in request.param:
        made[name] = image(f"{ns} {name}")
        registry.client(owner).push(f"{ns}/{name}", made[name], "v1")
        old.init(f"{ns}/{name}")
        old.sign(f"{ns}/{name}", "v1", made[name])
        deployer.get(f"{ns}/{name}", "v1").expect(200)
    return ns, owner, maintainer, deployer, made, old


TWO = pytest.mark.parametrize("lost", [("app", "api")], indirect=True)


def sign_afresh(registry, account, folder, repo, made):
    fresh = Notary(registry, account, folder)
    fresh.init(repo)
    fresh.sign(repo, "v1", made)
    return fresh


@TWO
def test_the_whole_namespace_is_wiped_refused_with_a_sentence_and_signed_afresh_with_a_new_root(registry, lost, tmp_path):
    ns, owner, _, deployer, made, old = lost
    stolen = Notary(registry, owner, tmp_path / "attempt")
    stolen("init", "-p", registry.gun(f"{ns}/app"), code="fail")  # a new root over the old one is refused as long as nothing was wiped
    deployer.get(f"{ns}/app", "v1").expect(200)
    result = registry.bond("trust", "wipe", ns, "--confirm", ns)
    assert f"{ns}/app" in result.text and f"{ns}/api" in result.text and "trust" in result.text
    for name in ("app", "api"):
        for method in ("GET", "HEAD"):
            deployer.get(f"{ns}/{name}", "v1", method).expect(403)
        told = refused(deployer.get(f"{ns}/{name}", "v1"), "unsigned").message
        assert "wiped" in told, told
        old.server.client(owner)("GET", f"/v2/{registry.gun(f'{ns}/{name}')}/_trust/tuf/root.json").expect(404)
    registry.bond("deploy", "check", f"{ns}/app:v1", code=6)
    for name in ("app", "api"):
        fresh = sign_afresh(registry, owner, tmp_path / "fresh", f"{ns}/{name}", made[name])
        deployer.get(f"{ns}/{name}", "v1").expect(200)
        assert fresh.list(f"{ns}/{name}")["v1"][0] == made[name].hex
    old("list", registry.gun(f"{ns}/app"), code="fail")  # a client that pinned the lost root keeps refusing


@TWO
def test_one_repository_is_wiped_and_the_other_stays(registry, lost):
    ns, _, _, deployer, _, _ = lost
    registry.bond("trust", "wipe", f"{ns}/app", "--confirm", f"{ns}/app")
    refused(deployer.get(f"{ns}/app", "v1"), "unsigned")
    deployer.get(f"{ns}/api", "v1").expect(200)


def test_documents_of_the_wiped_life_are_gone_and_versions_start_anew(registry, lost, tmp_path):
    ns, owner, _, _, made, _ = lost
    gun = registry.gun(f"{ns}/app")
    client = registry.client(owner)
    assert client("GET", f"/v2/{gun}/_trust/tuf/1.root.json").status == 200
    registry.bond("trust", "wipe", f"{ns}/app", "--confirm", f"{ns}/app")
    for name in ("root.json", "1.root.json", "timestamp.json", "targets.json"):
        client("GET", f"/v2/{gun}/_trust/tuf/{name}").expect(404, "METADATA_NOT_FOUND")
    sign_afresh(registry, owner, tmp_path / "fresh", f"{ns}/app", made["app"])
    assert client("GET", f"/v2/{gun}/_trust/tuf/1.root.json").expect(200).json["signed"]["version"] == 1


def test_nothing_of_the_old_life_lets_anything_through_in_the_new_one(registry, lost, tmp_path):
    """What was released, in grace, deployed, or is in somebody's cache; an override is an administrator's word about bytes, and stays."""
    ns, owner, _, deployer, made, old = lost
    repo, pusher, first = f"{ns}/app", registry.client(owner), made["app"]
    second, third, excepted = (image(f"{ns} {name}") for name in ("second", "third", "excepted"))
    wanted = {"service": "web", "image": f"{repo}:v1"}
    headers = {"Content-Type": "application/json", "Authorization": deployer.account.basic}
    deploy = lambda target, body: registry.wire.request("POST", f"/api/v1/deployments{target}", headers, json.dumps(body).encode())  # noqa: E731
    deploy("", wanted).expect(201)
    pusher.push(repo, second, "v1")
    old.sign(repo, "v1", second)
    deploy("", wanted).expect(201)
    pusher.push(repo, excepted, "late")
    registry.bond("override", "create", f"{repo}@{excepted.digest}", "--for", deployer.account.user, "--duration", "2h", "--reason", "r", "--ticket", "t")
    for reference in ("v1", first.digest, second.digest, "late"):
        deployer.get(repo, reference).expect(200)
    registry.bond("trust", "wipe", repo, "--confirm", repo)
    pusher.push(repo, third, "v2")
    fresh = Notary(registry, owner, tmp_path / "fresh")
    fresh.init(repo)
    fresh.sign(repo, "v2", third)
    deployer.get(repo, "v2").expect(200)
    for reference, reason in (("v1", "unsigned"), (first.digest, "unsigned_digest"), (second.digest, "unsigned_digest")):
        refused(deployer.get(repo, reference), reason)
        refused(deployer.get(repo, reference, headers=[("If-None-Match", f'"{second.digest}"')]), reason)
    for blob in set(second.blobs) - set(third.blobs) - set(excepted.blobs):
        refused(deployer("GET", f"/v2/{repo}/blobs/{blob}"), "blob_not_reachable")
    deploy("", wanted).expect(403, "DENIED")
    deploy(f"/{ns}/web/rollback", {"release": 1}).expect(403, "DENIED")
    assert "override" in deployer.get(repo, "late").expect(200).header("Warning")


def test_a_token_of_before_the_wipe_changes_nothing_of_what_is_signed_anew(registry, lost, tmp_path):
    ns, owner, _, _, made, _ = lost
    repo = f"{ns}/app"
    gun = f"{registry.host}/{repo}"
    with_token = lambda token, method, what: registry.wire.request(method, f"/v2/{gun}/_trust/tuf/{what}", {"Authorization": f"Bearer {token}"})  # noqa: E731
    scope = (f"repository:{gun}:pull,push", f"repository:{gun}:*")
    before = registry.token(owner, *scope)
    with_token(before, "GET", "timestamp.key").expect(200)
    with_token(before, "POST", "snapshot.key").expect(200)
    while time.time() < claims(before)["iat"] + 1:  # a token says its second, and counts as newer in it
        with_token(before, "GET", "timestamp.json").expect(200)
    registry.bond("trust", "wipe", repo, "--confirm", repo)
    sign_afresh(registry, owner, tmp_path / "fresh", repo, made["app"])
    for method, what in (("GET", "timestamp.key"), ("POST", "snapshot.key"), ("POST", ""), ("DELETE", "")):
        answer = with_token(before, method, what).expect(401, "UNAUTHORIZED")
        assert "older than the wipe" in answer.challenge()["error_description"], answer
    with_token(before, "GET", "timestamp.json").expect(200)  # reading is nobody's life
    after = registry.token(owner, *scope)
    with_token(after, "GET", "timestamp.key").expect(200)
    with_token(after, "POST", "snapshot.key").expect(200)
    with_token(registry.token(owner, f"repository:{registry.host}/{ns}/other:pull,push"), "GET", "timestamp.key").expect(401)


@pytest.mark.parametrize("how", ["by the command", "by the Notary API"])
def test_a_publish_that_began_before_the_wipe_changes_nothing_of_what_is_signed_anew(registry, how):
    """Its token was good when it was admitted, and the key of its targets is used in the new life too."""
    ns = f"begun-{zlib.crc32(how.encode()):08x}"
    registry.make_namespace(ns)
    owner = registry.make_member(ns, f"owner@{ns}.example", "owner")
    trust = Trust(registry, registry.client(owner), f"{ns}/app")
    old = Collection(trust)
    old.begin()
    before = registry.token(owner, f"repository:{trust.gun}:pull,push")
    while time.time() < claims(before)["iat"] + 1:
        trust.get("timestamp.json").expect(200)
    body, content_type = multipart([("targets", old.targets(7, {"v1": tag(b"late")}))])
    conn = registry.wire.begin()
    conn.putrequest("POST", f"{trust.base}/tuf/")
    for name, value in (("Authorization", f"Bearer {before}"), ("Content-Type", content_type), ("Content-Length", str(len(body))), ("Expect", "100-continue")):
        conn.putheader(name, value)
    conn.endheaders()
    assert conn.sock.recv(1000).startswith(b"HTTP/1.1 100 "), "it is admitted"
    if how == "by the command":
        registry.bond("trust", "wipe", f"{ns}/app", "--confirm", f"{ns}/app")
    else:
        trust.client("DELETE", f"{trust.base}/tuf/").expect(200)
    trust.client.forget()
    anew = Collection(trust)
    anew.targets_key = old.targets_key
    anew.begin()
    conn.send(body)
    answer = conn.getresponse()
    assert answer.status == 401 and "older than the wipe" in answer.getheader("WWW-Authenticate"), answer.read()
    registry.wire.end(conn)
    assert trust.version("targets") == 2


def test_keep_pin_takes_only_a_root_of_the_same_key(registry, lost, tmp_path):
    ns, owner, _, deployer, made, old = lost
    repo = f"{ns}/app"
    registry.bond("trust", "wipe", repo, "--confirm", repo, "--keep-pin")
    other = Notary(registry, owner, tmp_path / "other")
    other("init", "-p", registry.gun(repo), code="fail")
    refused(deployer.get(repo, "v1"), "unsigned")
    (tmp_path / "same").mkdir()
    shutil.copytree(old.folder / "private", tmp_path / "same" / "private")
    sign_afresh(registry, owner, tmp_path / "same", repo, made["app"])
    deployer.get(repo, "v1").expect(200)


def test_after_a_wipe_of_one_repository_a_maintainers_foreign_root_is_refused(registry, lost, tmp_path):
    ns, _, maintainer, _, _, _ = lost
    repo = f"{ns}/app"
    registry.bond("trust", "wipe", repo, "--confirm", repo)
    foreign = Notary(registry, maintainer, tmp_path / "foreign")
    result = foreign("init", "-p", registry.gun(repo), code="fail")
    assert "root" in result.text


def test_the_confirmation_must_repeat_the_name(registry, lost):
    ns, _, _, deployer, _, _ = lost
    for args in (["--confirm", "other"], ["--confirm", ""], [], ["--confirm", f"{ns}/app"]):
        registry.bond("trust", "wipe", ns, *args, code="fail")
    deployer.get(f"{ns}/app", "v1").expect(200)


def test_a_wipe_of_what_is_not_there_is_told(registry):
    registry.bond("trust", "wipe", "no-such-namespace", "--confirm", "no-such-namespace", code=3)


def test_a_reason_that_cannot_be_told_whole_wipes_nothing(registry, lost):
    ns, _, _, deployer, _, _ = lost
    repo = f"{ns}/app"
    assert "500 bytes" in registry.bond("trust", "wipe", repo, "--confirm", repo, "--reason", "x" + "ü" * 250, code="fail").err
    deployer.get(repo, "v1").expect(200)
    registry.bond("trust", "wipe", repo, "--confirm", repo, "--reason", "ü" * 250)
    assert "ü" * 250 in registry.bond("trust", "status", repo, "--json").out


def test_only_owners_and_administrators_wipe(registry, lost):
    ns, owner, maintainer, deployer, _, _ = lost
    repo = f"{ns}/app"
    registry.bond_remote("trust", "wipe", repo, "--confirm", repo, token=registry.session(maintainer), code=5)
    deployer.get(repo, "v1").expect(200)
    registry.bond_remote("trust", "wipe", repo, "--confirm", repo, token=registry.session(owner))
    deployer.get(repo, "v1").expect(403)


def test_the_notary_clients_own_delete_is_a_wipe(registry, lost, tmp_path):
    ns, owner, maintainer, deployer, made, old = lost
    gun = registry.gun(f"{ns}/app")
    Notary(registry, maintainer, tmp_path / "m")("delete", gun, "--remote", code="fail")
    deployer.get(f"{ns}/app", "v1").expect(200)
    old("delete", gun, "--remote")
    assert "wiped" in refused(deployer.get(f"{ns}/app", "v1"), "unsigned").message
    sign_afresh(registry, owner, tmp_path / "fresh", f"{ns}/app", made["app"])
    deployer.get(f"{ns}/app", "v1").expect(200)


def test_trust_status_tells_what_is_signed(registry, lost):
    ns, *_ = lost
    assert registry.gun(f"{ns}/app") in registry.bond("trust", "status", ns).text or f"{ns}/app" in registry.bond("trust", "status", ns).text
