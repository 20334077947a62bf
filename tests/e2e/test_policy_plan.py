"""Which policy applies and why, and what a changed one would refuse (gate 2.3, 8)."""
import json
import urllib.parse

import pytest

from support.images import image

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def place(registry, notary_of):
    """Namespace `planned`: in `app` v1 is signed and pushed, v2 pushed; in `web` v1 is pushed. Level warn."""
    registry.make_namespace("planned")
    owner = registry.make_member("planned", "owner@planned.example", "owner")
    developer = registry.make_member("planned", "developer@planned.example", "developer")
    client = registry.client(developer)
    made = {name: image(f"planned {name}") for name in ("one", "two", "three")}
    client.push("planned/app", made["one"], "v1")
    client.push("planned/app", made["two"], "v2")
    client.push("planned/web", made["three"], "v1")
    keeper = notary_of(owner)
    keeper.init("planned/app")
    keeper.sign("planned/app", "v1", made["one"])
    registry.bond("policy", "set", "planned", "--level", "warn")
    sessions = {who: registry.session(account) for who, account in (("owner", owner), ("developer", developer))}

    def ask(method, path, body=None, who="owner", **query):
        return registry.wire.request(method, path + "?" + urllib.parse.urlencode(query), {"Authorization": f"Bearer {sessions[who]}", **JSON},
                                     json.dumps(body).encode() if body is not None else None)
    ask.made = made
    return ask


@pytest.fixture(scope="module")
def notary_of(registry, tmp_path_factory):
    from support.notary import Notary
    return lambda account: Notary(registry, account, tmp_path_factory.mktemp("planner"))


def plan(place, scope, policy, **more):
    return place("POST", "/api/v1/policy/plan", policy, scope=scope, **more)


def behind_tags(rows):
    """Without what was pulled: the log of pulls reaches the index when it is written, some tests later."""
    return [r for r in rows if r["kind"] != "pulled"]


def refused(answer):
    return {(r["image"], r["reason"], tuple(r["for"])) for r in behind_tags(answer.expect(200).json["refused"])}


def test_a_stricter_level_refuses_what_is_not_signed(place):
    answer = plan(place, "planned", {"level": "deploy"})
    assert refused(answer) == {("planned/app:v2", "unsigned", ("deployers",)), ("planned/web:v1", "unsigned", ("deployers",))}
    assert answer.json["next"] is None
    for item in answer.json["refused"]:
        assert item["now"] == "would_deny" and item["message"].startswith("content trust: ") and item["hint"]
    assert {r["digest"] for r in answer.json["refused"]} == {place.made["two"].digest, place.made["three"].digest}


def test_level_all_refuses_readers_too(place):
    assert ("planned/app:v2", "unsigned", ("deployers", "readers")) in refused(plan(place, "planned", {"level": "all"}))


def test_what_refuses_nothing_more_is_empty(place):
    for policy in ({"level": "off"}, {"level": "warn"}):
        assert refused(plan(place, "planned", policy)) == set()


def test_members_other_than_the_level_count(place):
    assert ("planned/app:v1", "signer_policy", ("deployers",)) in refused(
        plan(place, "planned", {"level": "deploy", "signers": {"threshold": 1, "of": ["alice"]}}))
    assert ("planned/app:v1", "not_covered", ("deployers",)) in refused(plan(place, "planned", {"level": "deploy", "tags": ["prod-*"]}))


def test_nothing_changes_by_a_plan(registry, place):
    plan(place, "planned", {"level": "lock"}).expect(200)
    assert place("GET", "/api/v1/policy", scope="planned").expect(200).json["policy"]["level"] == "warn"
    deployer = registry.client(registry.make_deployer("planned", "k8s"))
    assert "content trust" in deployer.get("planned/web", "v1").expect(200).header("Warning")


def test_pages_join_to_the_whole(registry, place):
    whole = [r["image"] for r in plan(place, "planned/app", {"level": "deploy", "tags": ["none"]}).expect(200).json["refused"]]
    assert whole == ["planned/app:v1", "planned/app:v2"]
    pages, last = [], {}
    for _ in range(10):
        answer = plan(place, "planned/app", {"level": "deploy", "tags": ["none"]}, n=1, **last).expect(200).json
        pages += [r["image"] for r in answer["refused"]]
        assert len(answer["refused"]) <= 1
        if answer["next"] is None:
            break
        last = {"last": answer["next"]}
    assert pages == whole and answer["next"] is None


@pytest.mark.parametrize("more", [{"n": 0}, {"n": 501}, {"n": "x"}, {"last": "x"}, {"last": "planned/app:"}, {"last": "planned/app@sha256:1"}, {"since": "soon"}])
def test_a_page_that_is_none_is_refused(place, more):
    assert plan(place, "planned", {"level": "deploy"}, **more).expect(400).message


def test_only_who_may_set_the_policy_may_plan_it(place):
    plan(place, "planned", {"level": "deploy"}, who="developer").expect(403)
    plan(place, "*", {"level": "deploy"}).expect(403)
    plan(place, "house", {"level": "deploy"}).expect((403, 404))
    assert "level" in plan(place, "planned", {"level": "maybe"}).expect(400).message


@pytest.fixture(scope="module")
def shipped(registry):
    """Namespace `running`: services run digests that no tag names. Level warn. What is behind a tag is not looked at here."""
    registry.make_namespace("running")
    owner = registry.make_member("running", "owner@running.example", "owner")
    client, session = registry.client(owner), registry.session(owner)
    registry.bond("policy", "set", "running", "--level", "warn")
    made = {name: image(f"running {name}") for name in ("old", "one", "two", "idle")}
    for one in made.values():
        client.push("running/app", one, one.digest)

    def ask(method, path, body=None, **query):
        return registry.wire.request(method, path + "?" + urllib.parse.urlencode(query), {"Authorization": f"Bearer {session}", **JSON},
                                     json.dumps(body).encode() if body is not None else None)

    for service, name in (("web", "old"), ("web", "one"), ("api", "one"), ("jobs", "two")):
        ask("POST", "/api/v1/deployments", {"service": service, "image": f"running/app@{made[name].digest}"}).expect(201)
    ask.made = made
    return ask


def test_what_services_run_is_named_with_them(registry, shipped):
    rows = plan(shipped, "running", {"level": "deploy"}).expect(200).json["refused"]
    assert {(r["image"], r["kind"], r["reason"], tuple(r["services"])) for r in rows if r["kind"] == "running"} == {
        (f"running/app@{shipped.made['one'].digest}", "running", "unsigned_digest", ("api", "web")),
        (f"running/app@{shipped.made['two'].digest}", "running", "unsigned_digest", ("jobs",))}
    assert not [r for r in rows if shipped.made["idle"].digest in r["image"]]
    assert plan(shipped, "running", {"level": "warn"}).expect(200).json["refused"] == []
    assert "api,web" in registry.bond("policy", "plan", "running", "--level", "deploy", code=6).out


def test_pages_of_what_runs_join_to_the_whole(shipped):
    whole = [r["image"] for r in plan(shipped, "running", {"level": "deploy"}).expect(200).json["refused"]]
    pages, last = [], {}
    for _ in range(10):
        answer = plan(shipped, "running", {"level": "deploy"}, n=1, **last).expect(200).json
        pages += [r["image"] for r in answer["refused"]]
        if answer["next"] is None:
            break
        last = {"last": answer["next"]}
    assert pages == whole and len(pages) == len(set(pages)) >= 2 and answer["next"] is None


def test_bond_policy_plan_lists_and_ends_with_6(registry, place):
    shown = registry.bond("policy", "plan", "planned", "--level", "deploy", code=6)
    named = [line.split("\t")[0] for line in shown.out.splitlines()]
    assert [n for n in named if "@" not in n] == ["planned/app:v2", "planned/web:v1"] and f"{len(named)} images" in shown.err
    assert registry.bond("policy", "plan", "planned", "--level", "off").out == ""
    asked = registry.bond("policy", "plan", "planned", "--file", "-", "--json", stdin='{"level": "deploy"}', code=6)
    assert len(behind_tags(json.loads(asked.out)["refused"])) == 2
    registry.bond("policy", "plan", "planned", code=2)
    registry.bond("policy", "plan", "no-such-namespace", "--level", "deploy", code=3)


def test_only_repositories_that_the_policy_would_apply_to(registry, place):
    assert {image for image, _, _ in refused(plan(place, "planned/w*", {"level": "deploy"}))} == {"planned/web:v1"}
    assert {image for image, _, _ in refused(plan(place, "planned/app", {"level": "deploy"}))} == {"planned/app:v2"}
    registry.bond("policy", "set", "planned/web", "--level", "off")
    assert {image for image, _, _ in refused(plan(place, "planned", {"level": "deploy"}))} == {"planned/app:v2"}
    assert refused(plan(place, "planned/w*", {"level": "deploy"})) == set()
    assert {image for image, _, _ in refused(plan(place, "planned/web", {"level": "deploy"}))} == {"planned/web:v1"}


def test_explain_names_the_policy_and_what_was_looked_at(registry, place):
    registry.bond("policy", "set", "planned/a*", "--level", "warn")
    answer = place("GET", "/api/v1/policy/explain", image="planned/app:v1").expect(200).json
    assert answer["scope"] == "planned/a*" and answer["policy"]["level"] == "warn" and answer["updated_by"]
    assert [(s["step"], s["ok"]) for s in answer["explain"]] == [
        ("repository", False), ("pattern", True), ("namespace", False), ("server", False), ("level", True), ("tag", True), ("digest", True)]
    other = place("GET", "/api/v1/policy/explain", image="planned/other").expect(200).json
    assert other["scope"] == "planned" and "tag" not in [s["step"] for s in other["explain"]]
    assert any("does not match" in s["text"] for s in other["explain"])


def test_explain_says_when_a_tag_is_not_covered(registry, place):
    registry.bond("policy", "set", "planned/narrow", "--file", "-", stdin='{"level": "deploy", "tags": ["prod-*"]}')
    steps = {s["step"]: s for s in place("GET", "/api/v1/policy/explain", image="planned/narrow:v1").expect(200).json["explain"]}
    assert not steps["tag"]["ok"] and "prod-*" in steps["tag"]["text"]
    assert steps["repository"]["ok"]


def test_bond_policy_explain(registry, place):
    shown = registry.bond("policy", "explain", "planned/narrow:v1").out
    assert shown.splitlines()[0] == "planned/narrow" and "prod-*" in shown and "level deploy" in shown
    assert "tag" not in [line.split()[1] for line in registry.bond("policy", "explain", "planned/narrow").out.splitlines()[1:]]
    registry.bond("policy", "explain", "planned", code=2)
    registry.bond("policy", "explain", "planned/x@sha256:" + "0" * 64, code=2)


def test_a_removal_is_planned_by_the_policy_that_would_apply(registry, place):
    registry.bond("policy", "rm", "planned/a*", code=None)  # of a test before
    registry.bond("policy", "set", "planned/web", "--level", "off")
    asked = place("POST", "/api/v1/policy/plan", scope="planned", remove=1)
    assert refused(asked) == {("planned/app:v2", "unsigned", ("deployers",))}  # web has one of its own
    assert refused(place("POST", "/api/v1/policy/plan", scope="planned/web", remove=1)) == set()  # planned says warn
    said = registry.bond("policy", "plan", "planned", "--remove", code=6)
    assert "planned/app:v2" in said.out and "`bond policy rm` does it" in said.err
    registry.bond("policy", "plan", "planned", "--remove", "--level", "off", code=2)
    registry.bond("policy", "rm", "planned/web")
    assert "no policy of its own" in place("POST", "/api/v1/policy/plan", scope="planned/web", remove=1).expect(404).message
    place("POST", "/api/v1/policy/plan", scope="planned", remove=1, who="developer").expect(403)
    assert json.loads(registry.bond("policy", "get", "planned").out)["policy"]["level"] == "warn"
