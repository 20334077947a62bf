"""The token service as the real clients use it (auth 2 to 8; the list of auth 12)."""
import threading
import time

import pytest

from support.images import image
from support.server import PASSWORD, Account
from support.wire import basic, claims, query

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def access(token):
    """{name: set of actions} of a token's claim."""
    return {(a["type"], a["name"]): set(a["actions"]) for a in claims(token)["access"] if a["actions"]}


def post(registry, headers=(), **form):
    form.setdefault("service", registry.host)
    return registry.wire.request("POST", "/token", [*FORM.items(), *dict(headers).items()], query(**form).encode())


def test_an_anonymous_caller_gets_a_token_without_access(registry, house):
    answer = registry.token_answer(scope=f"repository:{house.ns}/app:pull").expect(200)
    assert access(answer.json["token"]) == {}
    assert claims(answer.json["token"])["sub"] == ""
    assert answer.header("Cache-Control") == "no-store"
    token = answer.json["token"]
    registry.wire.request("GET", f"/v2/{house.ns}/app/tags/list", {"Authorization": f"Bearer {token}"}).expect(401)


def test_empty_basic_credentials_are_no_better_than_none(registry, house):
    answer = registry.wire.request("GET", "/token?" + query(service=registry.host, scope=f"repository:{house.ns}/app:pull"), {"Authorization": basic("", "")})
    assert answer.status == 401 or access(answer.expect(200).json["token"]) == {}


def test_an_anonymous_caller_may_pull_from_a_public_namespace(registry):
    registry.make_namespace("square", "public")
    made = image("public")
    registry.client(registry.admin).push("square/app", made, "v1")
    token = registry.token(None, "repository:square/app:pull,push")
    assert access(token) == {("repository", "square/app"): {"pull"}}
    bearer = {"Authorization": f"Bearer {token}"}
    assert registry.wire.request("GET", "/v2/square/app/manifests/v1", bearer).expect(200).body == made.manifest
    registry.wire.request("POST", "/v2/square/app/blobs/uploads/", bearer).expect(401)
    assert registry.client().get("square/app", "v1").status == 200


def test_the_answer_has_both_names_a_long_life_and_no_issued_at(registry):
    answer = registry.token_answer(registry.admin, client_id="docker", account="somebody-else").expect(200)
    body = answer.json
    assert body["token"] == body["access_token"] and isinstance(body["expires_in"], int) and body["expires_in"] >= 300
    assert "issued_at" not in body and "refresh_token" not in body
    assert answer.header("Content-Type").startswith("application/json") and answer.header("Cache-Control") == "no-store"
    said = claims(body["token"])
    assert said["iss"] == registry.url and said["aud"] == registry.host
    assert said["exp"] - said["iat"] >= body["expires_in"] and said["nbf"] <= said["iat"] and said["jti"]


def test_scopes_may_be_repeated_or_spaced_and_are_merged(registry, house):
    a, b = f"repository:{house.ns}/a:pull", f"repository:{house.ns}/b:pull,push"
    wanted = {("repository", f"{house.ns}/a"): {"pull"}, ("repository", f"{house.ns}/b"): {"pull", "push"}}
    assert access(registry.token(house.developer, a, b)) == wanted
    assert access(registry.token(house.developer, f"{a} {b}")) == wanted
    for form in ({"scope": [a, b]}, {"scope": f"{a} {b}"}):
        answer = post(registry, grant_type="password", username=house.developer.user, password=PASSWORD, client_id="t", **form).expect(200)
        assert access(answer.json["access_token"]) == wanted


def test_duplicate_and_overlapping_scopes_are_merged(registry, house):
    a = f"repository:{house.ns}/a"
    token = registry.token(house.developer, f"{a}:pull", f"{a}:pull,push", f"{a}:pull")
    assert access(token) == {("repository", f"{house.ns}/a"): {"pull", "push"}}


def test_a_partial_grant_is_no_error(registry, house):
    token = registry.token(house.reader, f"repository:{house.ns}/a:pull,push,delete", f"repository:{house.ns}/b:push")
    assert access(token) == {("repository", f"{house.ns}/a"): {"pull"}}
    assert access(registry.token(house.stranger, f"repository:{house.ns}/a:pull,push")) == {}


def test_a_name_with_a_port_is_split_at_the_last_colon(registry, house):
    gun = registry.gun(f"{house.ns}/never-signed")
    token = registry.token(house.owner, f"repository:{gun}:push,pull")
    assert access(token) == {("repository", gun): {"pull", "push"}}
    answer = registry.wire.request("GET", f"/v2/{gun}/_trust/tuf/root.json", {"Authorization": f"Bearer {token}"})
    answer.expect(404, "METADATA_NOT_FOUND")
    image_token = registry.token(house.owner, f"repository:{house.ns}/never-signed:pull,push")
    registry.wire.request("GET", f"/v2/{gun}/_trust/tuf/timestamp.key", {"Authorization": f"Bearer {image_token}"}).expect(401)


def test_a_star_is_granted_as_what_the_caller_has(registry, house):
    name = f"{house.ns}/star"
    granted = access(registry.token(house.reader, f"repository:{name}:*"))
    assert granted == {("repository", name): {"pull"}}
    granted = access(registry.token(house.developer, f"repository:{name}:*"))[("repository", name)]
    assert {"pull", "push"} <= granted and "*" not in granted
    made = image("star")
    registry.client(house.developer).push(name, made, "v1")
    token = registry.token(house.owner, f"repository:{name}:*")
    registry.wire.request("DELETE", f"/v2/{name}/manifests/{made.digest}", {"Authorization": f"Bearer {token}"}).expect(202)


def test_catalog_scopes(registry, house):
    token = registry.token(house.reader, "registry:catalog:*")
    assert registry.wire.request("GET", "/v2/_catalog", {"Authorization": f"Bearer {token}"}).expect(200).json["repositories"] is not None
    registry.token_answer(house.reader, "registry:catalog:search").expect(200)


def test_the_plugin_class_is_a_repository(registry, house):
    token = registry.token(house.reader, f"repository(plugin):{house.ns}/p:pull")
    assert access(token) == {("repository", f"{house.ns}/p"): {"pull"}}


@pytest.mark.parametrize("scope", ["foo:bar:baz", "repository", "repository:", "repository::pull", "repository:UPPER/x:pull", ":::",
                                   "repository:a/b:", "repository:a/b:pull,,push", "repository:a b:pull", "é:x:pull", "repository:../x:pull",
                                   "repository:" + "a" * 4000 + "/b:pull", "registry:other:*", " ", ""])
def test_an_unknown_or_broken_scope_grants_nothing_and_is_no_error(registry, house, scope):
    token = registry.token_answer(house.owner, scope).expect(200).json["token"]
    assert not [k for k in access(token) if not k[1].startswith(("a/b",))], access(token)


@pytest.mark.parametrize("form", [list, " ".join], ids=["repeated", "spaced"])
def test_a_token_carries_sixty_four_scopes_and_more_are_refused_when_they_are_asked_for(registry, house, form):
    """Not later, by every request that needs one of those that were left out."""
    gun = registry.gun(f"{house.ns}/many")
    scopes = [f"repository:{gun}-{i}:push,pull" for i in range(65)]
    token = registry.token_answer(house.owner, form(scopes[:64])).expect(200).json["token"]
    assert len(access(token)) == 64 and len(token) < 16384
    bearer = {"Authorization": f"Bearer {token}"}
    for i in (0, 63):
        registry.wire.request("GET", f"/v2/{gun}-{i}/_trust/tuf/timestamp.key", bearer).expect(200)
    refused = registry.token_answer(house.owner, form(scopes)).expect(400, "INVALID")
    assert "ask for fewer at once" in refused.message


def test_long_names_are_refused_when_a_token_cannot_carry_them(registry, house):
    scopes = [f"repository:{house.ns}/{'long-' * 12}{i}:pull" for i in range(60)]
    assert "ask for fewer at once" in registry.token_answer(house.owner, scopes).expect(400, "INVALID").message
    assert access(registry.token_answer(house.reader, scopes[:30]).expect(200).json["token"])


def test_a_refresh_token_comes_only_when_asked(registry, house):
    assert "refresh_token" not in registry.token_answer(house.reader).expect(200).json
    assert registry.token_answer(house.reader, offline_token="true", client_id="docker").expect(200).json["refresh_token"]
    form = dict(grant_type="password", username=house.reader.user, password=PASSWORD, client_id="t")
    assert "refresh_token" not in post(registry, **form).expect(200).json
    assert post(registry, access_type="offline", **form).expect(200).json["refresh_token"]


def test_the_same_refresh_token_works_again_and_again(registry, house):
    refresh = registry.token_answer(house.developer, offline_token="true").expect(200).json["refresh_token"]
    scope = f"repository:{house.ns}/a:pull,push"
    for _ in range(3):
        answer = post(registry, grant_type="refresh_token", refresh_token=refresh, client_id="docker", scope=scope).expect(200).json
        assert answer.get("refresh_token", refresh) == refresh
        assert access(answer["access_token"]) == {("repository", f"{house.ns}/a"): {"pull", "push"}}


def test_buildkit_sends_the_refresh_token_as_basic_password_of_nobody(registry, house):
    refresh = registry.token_answer(house.developer, offline_token="true").expect(200).json["refresh_token"]
    scope = f"repository:{house.ns}/a:pull"
    answer = registry.wire.request("GET", "/token?" + query(service=registry.host, scope=scope), {"Authorization": basic("", refresh)})
    assert access(answer.expect(200).json["token"]) == {("repository", f"{house.ns}/a"): {"pull"}}


def test_skopeo_repeats_the_scope_field_with_a_refresh_token(registry, house):
    refresh = registry.token_answer(house.developer, offline_token="true").expect(200).json["refresh_token"]
    scopes = [f"repository:{house.ns}/a:pull", f"repository:{house.ns}/b:pull,push"]
    answer = post(registry, grant_type="refresh_token", refresh_token=refresh, client_id="containers/image", scope=scopes).expect(200)
    assert len(access(answer.json["access_token"])) == 2


@pytest.mark.parametrize("who", ["robot", "deployer"])
def test_a_robot_signs_in_at_every_door_and_gets_no_refresh_token(registry, house, who):
    account = getattr(house, who)
    scope = f"repository:{house.ns}/a:pull,push"
    wanted = {"pull", "push"} if who == "robot" else {"pull"}
    doors = [registry.token_answer(account, scope, offline_token="true"),
             post(registry, grant_type="password", username=account.user, password=account.secret, access_type="offline", scope=scope),
             post(registry, grant_type="refresh_token", refresh_token=account.secret, scope=scope)]
    for answer in doors:
        answer.expect(200)
        assert "refresh_token" not in answer.json
        assert access(answer.json["access_token"]) == {("repository", f"{house.ns}/a"): wanted}


def test_a_wrong_password_is_401_with_a_sentence_at_both_doors_and_locks_nothing(registry, house):
    # containerd sends a wrong password twice: POST, then GET
    for _ in range(3):
        answer = post(registry, grant_type="password", username=house.maintainer.user, password="not the password at all").expect(401, "UNAUTHORIZED")
        assert len(answer.message) > 10
        registry.token_answer(Account(house.maintainer.user, "not the password at all")).expect(401, "UNAUTHORIZED")
    registry.token_answer(house.maintainer).expect(200)


def test_an_unknown_user_is_told_the_same_as_a_wrong_password(registry, house):
    wrong = registry.token_answer(Account(house.reader.user, "some wrong password"))
    unknown = registry.token_answer(Account("nobody@nowhere.example", "some wrong password"))
    assert (wrong.status, wrong.body) == (unknown.status, unknown.body)
    wrong.expect(401, "UNAUTHORIZED")


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic " + "A" * 8000, basic("x", ""), "Basic bm9jb2xvbg==",
                                    "Digest username=x", "Bearer x", basic("x\0y", "z"), basic("a" * 3000, "b" * 3000),
                                    basic("who@example.org", "b" * 1025)])
def test_a_broken_authorization_header_is_refused_with_an_envelope(registry, header):
    answer = registry.wire.request("GET", f"/token?service={registry.host}", {"Authorization": header})
    answer.expect((400, 401))
    assert answer.message


@pytest.mark.parametrize("form", [{}, {"grant_type": "password"}, {"grant_type": "password", "username": "x"}, {"grant_type": "magic"},
                                  {"grant_type": "refresh_token"}, {"grant_type": "refresh_token", "refresh_token": ""},
                                  {"grant_type": "refresh_token", "refresh_token": "bst_ses_" + "0" * 36},
                                  {"grant_type": "refresh_token", "refresh_token": "x" * 5000},
                                  {"grant_type": ["password", "refresh_token"], "username": "x", "password": "y" * 20}])
def test_a_form_that_is_no_grant_is_refused(registry, form):
    answer = post(registry, **form).expect((400, 401))
    assert answer.message


def test_a_form_beyond_16_kib_is_refused(registry):
    answer = post(registry, grant_type="password", username="x", password="y" * 20000)
    answer.expect((400, 413))
    assert answer.message


def test_a_token_for_another_service_is_not_given(registry, house):
    answer = registry.token_answer(house.reader, service="other.example:5000")
    assert answer.status >= 400 or claims(answer.json["token"])["aud"] == registry.host
    registry.wire.request("GET", "/token", {"Authorization": house.reader.basic}).expect(200)


def test_a_session_that_ended_ends_its_tokens_within_one_request(registry, house):
    session = registry.session(house.developer)
    scope = f"repository:{house.ns}/app:pull,push"
    token = post(registry, grant_type="refresh_token", refresh_token=session, scope=scope).expect(200).json["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    registry.wire.request("GET", "/v2/", bearer).expect(200)
    registry.wire.request("DELETE", "/api/v1/sessions/current", {"Authorization": f"Bearer {session}"}).expect(204)
    answer = registry.wire.request("GET", "/v2/", bearer).expect(401)
    assert answer.challenge()["error"] == "invalid_token"
    refused = post(registry, grant_type="refresh_token", refresh_token=session, scope=scope).expect(401, "UNAUTHORIZED")
    assert "docker login" in refused.message
    registry.wire.request("GET", "/api/v1/whoami", {"Authorization": f"Bearer {session}"}).expect(401)


def test_a_removed_robot_is_out_within_one_request(registry, house):
    robot = registry.make_robot(house.ns, "short-lived", "pull,push")
    scope = f"repository:{house.ns}/app:pull"
    bearer = {"Authorization": f"Bearer {registry.token(robot, scope)}"}
    registry.wire.request("GET", "/v2/", bearer).expect(200)
    owner = registry.session(house.owner)
    registry.wire.request("DELETE", f"/api/v1/namespaces/{house.ns}/robots/short-lived", {"Authorization": f"Bearer {owner}"}).expect(204)
    assert registry.wire.request("GET", "/v2/", bearer).expect(401).challenge()["error"] == "invalid_token"
    registry.wire.request("GET", "/v2/", {"Authorization": robot.basic}).expect(401)
    registry.token_answer(robot, scope).expect(401)


def test_a_role_that_was_taken_away_is_gone_within_one_request(registry, house):
    account = registry.make_member(house.ns, "leaving@house.example", "developer")
    bearer = {"Authorization": f"Bearer {registry.token(account, f'repository:{house.ns}/app:pull,push')}"}
    registry.wire.request("POST", f"/v2/{house.ns}/app/blobs/uploads/", bearer).expect(202)
    registry.bond("members", "set", house.ns, account.user, "reader")
    registry.wire.request("POST", f"/v2/{house.ns}/app/blobs/uploads/", bearer).expect(401)
    registry.wire.request("DELETE", f"/api/v1/namespaces/{house.ns}/members/{account.user}",
                          {"Authorization": f"Bearer {registry.session(house.owner)}"}).expect(204)
    registry.wire.request("GET", f"/v2/{house.ns}/app/tags/list", bearer).expect((401, 404))


def test_the_token_is_checked_when_the_request_starts_only(registry, house):
    session = registry.session(house.developer)
    token = post(registry, grant_type="refresh_token", refresh_token=session, scope=f"repository:{house.ns}/app:pull,push").json["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    place = registry.wire.request("POST", f"/v2/{house.ns}/app/blobs/uploads/", bearer).expect(202).header("Location")

    def slowly():
        yield b"a" * 100000
        time.sleep(0.5)
        registry.wire.request("DELETE", "/api/v1/sessions/current", {"Authorization": f"Bearer {session}"}).expect(204)
        yield b"b" * 100000
    registry.wire.request("PATCH", place, bearer, slowly(), chunked=True).expect(202)
    registry.wire.request("GET", place, bearer).expect(401)


def test_tokens_and_sessions_survive_a_restart(own_server):
    own_server.make_namespace("kept")
    robot = own_server.make_robot("kept", "ci", "pull,push")
    session = own_server.session(own_server.admin)
    tokens = [own_server.token(own_server.admin, "repository:kept/app:pull,push"), own_server.token(robot, "repository:kept/app:pull")]
    refresh = own_server.token_answer(own_server.admin, offline_token="true").json["refresh_token"]
    own_server.restart()
    for token in tokens:
        own_server.wire.request("GET", "/v2/", {"Authorization": f"Bearer {token}"}).expect(200)
    own_server.wire.request("GET", "/api/v1/whoami", {"Authorization": f"Bearer {session}"}).expect(200)
    post(own_server, grant_type="refresh_token", refresh_token=refresh).expect(200)


def test_a_login_is_answered_in_time_while_strangers_fill_the_hashing_queue(own_server):
    stop = time.monotonic() + 4
    odd = []

    def guess(number):
        while time.monotonic() < stop:
            answer = own_server.token_answer(Account(f"guess-{number}@example.org", f"a wrong password {time.monotonic()}"))
            if answer.status not in (401, 429):
                odd.append(answer)
            if answer.status == 429 and not answer.header("Retry-After"):
                odd.append(answer)
    threads = [threading.Thread(target=guess, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    began = time.monotonic()
    answer = own_server.token_answer(own_server.admin)
    took = time.monotonic() - began
    for thread in threads:
        thread.join()
    assert not odd, odd[0]
    assert took < 15, f"{took:.1f} s"
    assert answer.status in (200, 429), answer
    for _ in range(8):
        answer = own_server.token_answer(own_server.admin).expect((200, 429))
        if answer.status == 200:
            break
        time.sleep(int(answer.header("Retry-After")))
    answer.expect(200)
    own_server.alive()
