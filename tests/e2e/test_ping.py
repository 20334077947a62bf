"""GET /v2/ and the challenge: what every client reads first (auth 1)."""
from support.server import Account


def test_ping_without_credentials_is_401_with_one_bearer_challenge(registry):
    answer = registry.wire.request("GET", "/v2/").expect(401, "UNAUTHORIZED")
    challenge = answer.challenge()
    assert challenge["realm"] == f"{registry.url}/token"
    assert challenge["service"] == registry.host
    assert "scope" not in challenge and "error" not in challenge
    assert answer.header("Docker-Distribution-Api-Version") == "registry/2.0"


def test_ping_stays_401_when_a_public_namespace_exists(registry):
    registry.make_namespace("open", "public")
    registry.wire.request("GET", "/v2/").expect(401)


def test_ping_with_a_token_is_200(registry):
    token = registry.token(registry.admin)
    answer = registry.wire.request("GET", "/v2/", {"Authorization": f"Bearer {token}"}).expect(200)
    assert answer.header("Docker-Distribution-Api-Version") == "registry/2.0"
    assert registry.wire.request("HEAD", "/v2/", {"Authorization": f"Bearer {token}"}).expect(200).body == b""


def test_the_realm_is_the_public_url_and_never_the_host_header(registry):
    answer = registry.wire.request("GET", "/v2/", {"Host": "evil.example"})
    if answer.status == 401:
        assert answer.challenge()["realm"] == f"{registry.url}/token"
    else:
        answer.expect((400, 404, 421))


def test_a_resource_challenge_names_the_scope_that_would_do(registry, house):
    wanted = {("GET", "manifests/v1"): {"pull"}, ("HEAD", "blobs/sha256:" + "0" * 64): {"pull"}, ("GET", "tags/list"): {"pull"},
              ("POST", "blobs/uploads/"): {"pull", "push"}, ("PUT", "manifests/v1"): {"pull", "push"},
              ("DELETE", "manifests/v1"): {"delete"}}
    for (method, rest), actions in wanted.items():
        challenge = registry.wire.request(method, f"/v2/{house.ns}/app/{rest}").expect(401).challenge()
        kind, name, got = challenge["scope"].split(":")
        assert (kind, name) == ("repository", f"{house.ns}/app")
        assert actions <= set(got.split(",")), challenge


def test_a_mount_challenge_names_both_repositories(registry, house):
    answer = registry.wire.request("POST", f"/v2/{house.ns}/app/blobs/uploads/?mount=sha256:{'0' * 64}&from={house.ns}/other").expect(401)
    scopes = {s.rsplit(":", 1)[0]: set(s.rsplit(":", 1)[1].split(",")) for s in answer.challenge()["scope"].split(" ")}
    assert scopes == {f"repository:{house.ns}/app": {"pull", "push"}, f"repository:{house.ns}/other": {"pull"}}


def test_a_catalog_challenge_asks_for_the_catalog(registry):
    assert registry.wire.request("GET", "/v2/_catalog").expect(401).challenge()["scope"].startswith("registry:catalog:")


def test_a_trust_challenge_asks_for_the_whole_gun(registry, house):
    gun = registry.gun(f"{house.ns}/app")
    for method, rest, actions in (("GET", "tuf/root.json", {"pull"}), ("POST", "tuf/", {"push", "pull"}),
                                  ("GET", "tuf/timestamp.key", {"push", "pull"}), ("POST", "tuf/timestamp.key", {"*"}),
                                  ("DELETE", "tuf/", {"*"})):
        challenge = registry.wire.request(method, f"/v2/{gun}/_trust/{rest}").expect(401, "UNAUTHORIZED").challenge()
        assert challenge["scope"].startswith(f"repository:{gun}:")
        assert set(challenge["scope"].rsplit(":", 1)[1].split(",")) == actions, challenge


def test_a_broken_token_is_told_invalid_token(registry, house):
    good = registry.token(house.reader, f"repository:{house.ns}/app:pull")
    head, payload, signature = good.split(".")
    none = "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0"  # {"typ":"JWT","alg":"none"}
    for token in ("x", "a.b.c", f"{none}.{payload}.", f"{none}.{payload}.{signature}", f"{head}.{payload}.", f"{head}.{payload}",
                  f"{good}.x", f"{head}.{payload[:-4]}AAAA.{signature}", good[:-2] + ("AA" if good[-2:] != "AA" else "BB"), good + "=",
                  "x" * 9000):
        challenge = registry.wire.request("GET", f"/v2/{house.ns}/app/tags/list", {"Authorization": f"Bearer {token}"}).expect(401).challenge()
        assert challenge["error"] == "invalid_token", token


def test_a_token_of_another_server_is_invalid(registry, own_server):
    foreign = own_server.token(own_server.admin)
    challenge = registry.wire.request("GET", "/v2/", {"Authorization": f"Bearer {foreign}"}).expect(401).challenge()
    assert challenge["error"] == "invalid_token"


def test_a_missing_right_is_401_insufficient_scope_with_a_sentence(registry, house):
    token = registry.token(house.reader, f"repository:{house.ns}/app:pull,push")
    answer = registry.wire.request("POST", f"/v2/{house.ns}/app/blobs/uploads/", {"Authorization": f"Bearer {token}"}).expect(401)
    challenge = answer.challenge()
    assert challenge["error"] == "insufficient_scope"
    assert "reader" in challenge["error_description"] and "developer" in challenge["error_description"]
    assert all(0x20 <= ord(c) < 0x7f and c not in '"\\' for c in challenge["error_description"])


def test_a_cookie_is_no_credential_below_v2(registry):
    session = registry.session(registry.admin)
    for name in ("__Host-bst", "session", "token"):
        registry.wire.request("GET", "/v2/", {"Cookie": f"{name}={session}"}).expect(401)
        registry.wire.request("GET", "/v2/_catalog", {"Cookie": f"{name}={session}"}).expect(401)


def test_a_password_by_basic_on_v2_is_refused_and_a_robot_secret_accepted(registry, house):
    registry.wire.request("GET", "/v2/", {"Authorization": registry.admin.basic}).expect(401)
    registry.wire.request("GET", "/v2/", {"Authorization": house.robot.basic}).expect(200)
    registry.wire.request("GET", "/v2/", {"Authorization": house.deployer.basic}).expect(200)
    forged = Account(house.robot.user, house.robot.secret[:-1] + ("0" if house.robot.secret[-1] != "0" else "1"))
    registry.wire.request("GET", "/v2/", {"Authorization": forged.basic}).expect(401)
    other = Account(house.deployer.user, house.robot.secret)
    registry.wire.request("GET", "/v2/", {"Authorization": other.basic}).expect(401)
