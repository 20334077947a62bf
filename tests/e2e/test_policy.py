"""Policies: the gate's level per repository, pattern, namespace and for all (gate 8)."""
import json

import pytest

from support.images import image
from test_gate import refused


@pytest.fixture(scope="module")
def place(registry):
    """Namespace `rules` with an unsigned image in two repositories, a deployer, a developer and an owner."""
    registry.make_namespace("rules")
    deployer = registry.make_deployer("rules", "k8s")
    owner = registry.make_member("rules", "owner@rules.example", "owner")
    developer = registry.make_member("rules", "developer@rules.example", "developer")
    for repo in ("rules/app", "rules/api"):
        registry.client(developer).push(repo, image(repo), "v1")
    return {"deployer": registry.client(deployer), "owner": owner, "developer": developer, "server": registry}


@pytest.fixture(autouse=True)
def back_to_deploy(registry, place):
    yield
    registry.bond("policy", "set", "rules", "--level", "deploy")


def api(place, method, scope, body=None, who="owner"):
    session = place["server"].session(place[who])
    return place["server"].wire.request(method, f"/api/v1/policy?scope={scope}",
                                        {"Authorization": f"Bearer {session}", "Content-Type": "application/json"},
                                        json.dumps(body).encode() if body is not None else None)


def test_the_global_policy_is_deploy_from_the_first_start(own_server):
    session = own_server.session(own_server.admin)
    answer = own_server.wire.request("GET", "/api/v1/policy?scope=*", {"Authorization": f"Bearer {session}"}).expect(200).json
    assert answer["effective_scope"] == "*" and answer["policy"]["level"] == "deploy" and answer["policy"]["sources"] == "tuf"
    assert answer["policy"]["on_mismatch"] == "refuse" and answer["policy"]["fallback"] == "not_after_revoke"


def test_off_serves_unsigned_images_and_deploy_refuses_again_at_once(registry, place):
    refused(place["deployer"].get("rules/app", "v1"), "unsigned")
    registry.bond("policy", "set", "rules", "--level", "off")
    place["deployer"].get("rules/app", "v1").expect(200)
    registry.bond("policy", "set", "rules", "--level", "deploy")
    refused(place["deployer"].get("rules/app", "v1"), "unsigned")


def test_warn_serves_with_a_warning(registry, place):
    registry.bond("policy", "set", "rules", "--level", "warn")
    for method in ("GET", "HEAD"):
        answer = place["deployer"].get("rules/app", "v1", method).expect(200)
        assert "content trust" in answer.header("Warning")
    assert registry.counter("bondstore_gate_decisions_total", reason="would_deny") >= 1


def test_one_repository_and_a_pattern_may_differ(registry):
    registry.make_namespace("patterns")
    deployer = registry.client(registry.make_deployer("patterns", "k8s"))
    for repo in ("patterns/app", "patterns/api", "patterns/web"):
        registry.client(registry.admin).push(repo, image(repo), "v1")
    registry.bond("policy", "set", "patterns/app", "--level", "off")
    deployer.get("patterns/app", "v1").expect(200)
    refused(deployer.get("patterns/api", "v1"), "unsigned")
    registry.bond("policy", "set", "patterns/ap*", "--level", "off")
    deployer.get("patterns/api", "v1").expect(200)
    refused(deployer.get("patterns/web", "v1"), "unsigned")
    registry.bond("policy", "set", "patterns/app", "--level", "deploy")
    refused(deployer.get("patterns/app", "v1"), "unsigned")  # the exact repository wins
    registry.bond("policy", "set", "patterns/api*", "--level", "deploy")
    refused(deployer.get("patterns/api", "v1"), "unsigned")  # the longest pattern wins


def test_all_gates_everybody_but_those_who_push(registry, place):
    reader = registry.make_member("rules", "reader@rules.example", "reader")
    registry.client(reader).get("rules/app", "v1").expect(200)
    registry.bond("policy", "set", "rules", "--level", "all")
    refused(registry.client(reader).get("rules/app", "v1"), "unsigned")
    registry.client(place["developer"]).get("rules/app", "v1").expect(200)


@pytest.mark.parametrize("level", ["all", "lock"])
def test_a_scanner_reads_what_is_not_signed_and_writes_nothing(registry, place, level):
    scanner = registry.client(registry.make_robot("rules", f"scanner-{level}", "trust:read_unsigned"))
    puller = registry.client(registry.make_robot("rules", f"puller-{level}", "pull"))
    registry.bond("policy", "set", "rules", "--level", level)
    refused(puller.get("rules/app", "v1"), "unsigned")
    got = scanner.get("rules/app", "v1").expect(200)
    scanner("GET", f"/v2/rules/app/blobs/{got.json['config']['digest']}").expect(200)
    assert scanner("GET", "/v2/rules/app/tags/list").expect(200).json["tags"] == ["v1"]
    scanner("POST", "/v2/rules/app/blobs/uploads/").expect(401)
    listed = registry.bond("robots", "list", "rules", "--json").out
    listed = json.loads(listed)
    listed = listed["robots"] if isinstance(listed, dict) else listed
    assert [r["actions"] for r in listed if r["user"] == f"rules.scanner-{level}"] == [["pull", "trust:read_unsigned"]]


@pytest.mark.parametrize("level", ["all", "lock"])
def test_a_mount_is_no_way_around_the_gate(registry, level):
    """He may pull from `walled`, where the gate refuses him what is unsigned, and pushes to a namespace of his own."""
    walled, own = registry.make_namespace(f"walled-{level}"), registry.make_namespace(f"own-{level}")
    admin, made = registry.client(registry.admin), image(f"behind the wall {level}")
    admin.push(f"{walled}/app", made, "v1")
    account = registry.make_member(walled, f"reader@{walled}.example", "reader")
    registry.bond("members", "set", own, account.user, "developer")
    registry.bond("policy", "set", walled, "--level", level)
    reader, digest = registry.client(account), made.config
    refused(reader("GET", f"/v2/{walled}/app/blobs/{digest}"), "blob_not_reachable")
    for source in (f"&from={walled}/app", ""):
        reader("POST", f"/v2/{own}/app/blobs/uploads/?mount={digest}{source}").expect(202)
        reader("GET", f"/v2/{own}/app/blobs/{digest}").expect(404)
    registry.bond("policy", "set", f"{walled}/app", "--level", "deploy")  # what he may read he may mount
    for source in (f"&from={walled}/app", ""):
        reader("POST", f"/v2/{own}/app/blobs/uploads/?mount={digest}{source}").expect(201)
    assert reader("GET", f"/v2/{own}/app/blobs/{digest}").expect(200).body == made.blobs[digest]


def test_a_mount_looks_for_a_source_that_the_gate_lets_through(registry):
    """The newest repository that holds the blob is behind the gate, an older one is not."""
    free, walled, own = (registry.make_namespace(name) for name in ("older-free", "newer-walled", "own-found"))
    admin, made = registry.client(registry.admin), image("in two places")
    for ns in (free, walled):
        admin.push(f"{ns}/app", made, "v1")
    account = registry.make_member(walled, "reader@two-places.example", "reader")
    registry.bond("members", "set", free, account.user, "reader")
    registry.bond("members", "set", own, account.user, "developer")
    registry.bond("policy", "set", walled, "--level", "all")
    registry.client(account)("POST", f"/v2/{own}/app/blobs/uploads/?mount={made.config}").expect(201)


def test_a_whole_policy_is_set_from_a_file_and_read_back(registry, place):
    policy = {"level": "deploy", "on_mismatch": "refuse", "grace": "7d", "signers": {"threshold": 1, "of": ["alice"]}, "tags": ["prod-*"]}
    registry.bond("policy", "set", "rules", "--file", "-", stdin=json.dumps(policy))
    read = api(place, "GET", "rules").expect(200).json
    assert read["effective_scope"] == "rules"
    for name in ("level", "grace", "signers", "tags"):
        assert read["policy"][name] == policy[name], name
    assert read["policy"]["fallback"] == "not_after_revoke"  # absent members have their defaults
    assert place["deployer"].get("rules/app", "v1").expect(403).error["detail"]["reason"] == "not_covered"


BAD = [{"level": "maybe"}, {"level": 1}, {}, [], "deploy", None, {"level": "deploy", "no_such_member": 1}, {"level": "deploy", "grace": "soon"},
       {"level": "deploy", "signers": {"threshold": -1, "of": []}}, {"level": "deploy", "signers": {"threshold": 3, "of": ["alice"]}},
       {"level": "deploy", "tags": "v*"}, {"level": "deploy", "tags": [1]}, {"level": "deploy", "on_mismatch": "shrug"},
       {"level": "deploy", "fallback": True}, {"level": "deploy", "tags": ["x" * 5000]}]


@pytest.mark.parametrize("policy", BAD, ids=lambda p: json.dumps(p)[:60])
def test_a_bad_policy_is_refused_with_the_member_and_nothing_changes(place, policy):
    before = api(place, "GET", "rules").expect(200).json
    answer = api(place, "PUT", "rules", policy)
    if policy == {}:
        answer.expect((200, 204, 400))  # all members absent: the defaults
        return
    assert answer.expect(400).message
    if isinstance(policy, dict) and len(policy) == 2:
        member = next(m for m in policy if m != "level")
        assert member in answer.message or any(m in answer.message for m in ("threshold", "pattern")), answer.message
    assert api(place, "GET", "rules").expect(200).json == before


@pytest.mark.parametrize("scope", ["no-such-namespace", "UPPER", "rules/../x", "", "**", "rules/app:v1"])
def test_a_scope_that_is_none_is_refused(registry, scope):
    session = registry.session(registry.admin)
    answer = registry.wire.request("PUT", f"/api/v1/policy?scope={scope}", {"Authorization": f"Bearer {session}", "Content-Type": "application/json"},
                                   b'{"level":"off"}')
    assert answer.expect((400, 404)).message


@pytest.mark.parametrize("scope", ["*", "house"])
def test_an_owner_sets_policies_of_his_namespace_only(place, scope):
    api(place, "PUT", "rules", {"level": "deploy"}).expect((200, 204))
    api(place, "PUT", scope, {"level": "off"}).expect((401, 403, 404))
    api(place, "PUT", "rules", {"level": "off"}, who="developer").expect((401, 403))
    refused(place["deployer"].get("rules/app", "v1"), "unsigned")


def test_bond_refuses_a_level_that_is_none_with_2_or_1(registry):
    result = registry.bond("policy", "set", "rules", "--level", "maybe", code="fail")
    assert result.err.strip()


def test_policies_are_listed(registry, place):
    session = registry.session(registry.admin)
    scopes = [p["scope"] for p in registry.wire.request("GET", "/api/v1/policies", {"Authorization": f"Bearer {session}"}).expect(200).json["policies"]]
    assert "*" in scopes and "rules" in scopes


# --- removing ---------------------------------------------------------------------------------------------------------

def audited(registry, scope, action):
    lines = registry.bond("audit", "export", "--action", action).out.splitlines()
    return [e for e in map(json.loads, lines) if e["object"] == scope]


def test_a_policy_is_removed_and_the_next_wider_one_applies(registry, place):
    registry.bond("policy", "set", "rules", "--level", "off")
    registry.bond("policy", "set", "rules/ap*", "--level", "deploy")
    registry.bond("policy", "set", "rules/app", "--level", "off")
    place["deployer"].get("rules/app", "v1").expect(200)
    gone = api(place, "DELETE", "rules/app").expect(200).json
    assert (gone["scope"], gone["effective_scope"], gone["policy"]["level"]) == ("rules/app", "rules/ap*", "deploy")
    refused(place["deployer"].get("rules/app", "v1"), "unsigned")
    assert api(place, "GET", "rules/app").expect(200).json["effective_scope"] == "rules/ap*"
    entry = audited(registry, "rules/app", "policy.remove")[-1]
    assert json.loads(entry["before"])["level"] == "off" and not entry["after"]
    said = registry.bond("policy", "rm", "rules/ap*")
    assert said.out == "" and "that of rules applies, level off" in said.err
    place["deployer"].get("rules/app", "v1").expect(200)
    assert json.loads(registry.bond("policy", "rm", "rules", "--json").out)["effective_scope"] == "*"
    refused(place["deployer"].get("rules/app", "v1"), "unsigned")
    assert "rules" not in registry.bond("policy", "list", "-q").out.split()


def test_what_has_no_policy_of_its_own_has_none_to_remove(registry, place):
    said = api(place, "DELETE", "rules/none").expect(404)
    assert "rules/none has no policy of its own: that of rules applies" in said.message
    assert "no policy of its own" in registry.bond("policy", "rm", "rules/none", code=3).err
    session = registry.session(registry.admin)
    kept = registry.wire.request("DELETE", "/api/v1/policy?scope=*", {"Authorization": f"Bearer {session}"}).expect(400)
    assert "cannot be removed" in kept.message
    for scope in ("", "UPPER", "rules/../x", "**"):
        api(place, "DELETE", scope).expect(400)
    registry.bond("policy", "rm", "UPPER", code=2)
    registry.bond("policy", "rm", "*", code="fail")
    registry.bond("policy", "get", "*")


def test_only_who_sets_policies_removes_them(registry, place):
    registry.bond("policy", "set", "rules/app", "--level", "lock")
    api(place, "DELETE", "rules/app", who="developer").expect(403)
    api(place, "DELETE", "*").expect(403)
    api(place, "DELETE", "no-such-namespace").expect(404)
    registry.wire.request("DELETE", "/api/v1/policy?scope=rules/app").expect(401)
    assert api(place, "GET", "rules/app").expect(200).json["effective_scope"] == "rules/app"
    api(place, "DELETE", "rules/app").expect(200)


def test_a_scope_inherits_the_pattern_around_it(registry, place):
    """A level that is set keeps everything else as it applied: a narrower pattern begins with what the wider one says."""
    strict = {"level": "deploy", "signers": {"threshold": 1, "of": ["alice"]}}
    registry.bond("policy", "set", "rules/w*", "--file", "-", stdin=json.dumps(strict))
    registry.bond("policy", "set", "rules/web-*", "--level", "all")
    read = api(place, "GET", "rules/web-*").expect(200).json
    assert (read["effective_scope"], read["policy"]["level"], read["policy"]["signers"]) == ("rules/web-*", "all", strict["signers"])
    for scope in ("rules/web-*", "rules/w*"):
        registry.bond("policy", "rm", scope)
