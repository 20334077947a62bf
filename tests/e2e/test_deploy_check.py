"""The verify API and `bond deploy check`: the gate's verdict before a deploy, with its exit statuses (gate 13)."""
import json
import re
import urllib.parse

import pytest

from support.images import image, index
from support.server import free_port


@pytest.fixture(scope="module")
def scene(house, keeper):
    """Tags of one repository: signed, moved after signing, unsigned, signed but never pushed."""
    repo = f"{house.ns}/check"
    dev = house["developer"]
    made = {"signed": index([image("check amd"), image("check arm", arch="arm64")]), "before": image("before"), "after": image("after"),
            "unsigned": image("unsigned"), "absent": image("absent")}
    dev.push(repo, made["signed"], "signed")
    dev.push(repo, made["before"], "moved")
    dev.push(repo, made["unsigned"], "unsigned")
    keeper.init(repo)
    gun = keeper.server.gun(repo)
    for tag, what in (("signed", "signed"), ("moved", "before"), ("absent", "absent")):
        keeper("addhash", gun, tag, made[what].size, "--sha256", made[what].hex)
    keeper("publish", gun)
    dev.push(repo, made["after"], "moved")
    return repo, made


def verify(client, ref, **more):
    text = urllib.parse.urlencode({"image": ref, **more})
    return client("GET", f"/api/v1/deploy/verify?{text}")


@pytest.fixture(scope="module")
def deployer(registry, house):
    return registry.client(house.deployer, basic=True)


def test_the_verdict_of_a_signed_tag(registry, scene, deployer):
    repo, made = scene
    for name in (f"{repo}:signed", registry.ref(f"{repo}:signed")):
        body = verify(deployer, name).expect(200).json
        assert (body["allowed"], body["effect"], body["reason"]) == (True, "allow", "allowed")
        assert body["digest"] == made["signed"].digest == body["signed_digest"] == body["registry_digest"]
        assert body["pinned"] == registry.ref(f"{repo}@{made['signed'].digest}")
        assert body["image"] == registry.ref(f"{repo}:signed")
        assert {p["platform"] for p in body["platforms"]} == {"linux/amd64", "linux/arm64"}
        assert body["role"] == "targets" and body["valid_until"]


def test_the_verdict_of_a_moved_tag(scene, deployer):
    repo, made = scene
    body = verify(deployer, f"{repo}:moved").expect(200).json
    assert (body["allowed"], body["effect"], body["reason"]) == (False, "deny", "digest_mismatch")
    assert body["digest"] is None and body["pinned"] is None
    assert (body["signed_digest"], body["registry_digest"]) == (made["before"].digest, made["after"].digest)
    assert body["message"].startswith("content trust: ")


@pytest.mark.parametrize("reference,reason", [(":unsigned", "unsigned"), (":absent", "signed_not_pushed"), ("@after", "unsigned_digest"),
                                              (":signed", "allowed"), ("@signed", "allowed"), (":signed@signed", "allowed"),
                                              (":moved@before", "allowed"), (":moved@signed", "digest_mismatch"), (":signed@before", "digest_mismatch")])
def test_every_form_of_a_reference_has_its_verdict(scene, deployer, reference, reason):
    repo, made = scene
    tag, _, digest = reference.partition("@")
    body = verify(deployer, f"{repo}{tag}" + (f"@{made[digest].digest}" if digest else "")).expect(200).json
    assert body["reason"] == reason and body["allowed"] == (reason == "allowed"), body


def test_explain_lists_the_steps(scene, deployer):
    repo, _ = scene
    for tag in ("signed", "moved"):
        steps = {s["step"]: s for s in verify(deployer, f"{repo}:{tag}", explain=1).expect(200).json["explain"]}
        assert {"policy", "root", "timestamp", "snapshot", "targets", "role", "registry"} <= set(steps), steps
        assert all(s["text"] for s in steps.values())
        assert steps["registry"]["ok"] == (tag == "signed")
        assert f" pinned for {repo.split('/')[0]} since 20" in steps["root"]["text"], steps["root"]
        assert re.match(r"\d+, re-signed by the server \d+ (s|min) ago, expires 20", steps["timestamp"]["text"]), steps["timestamp"]


def test_a_batch_answers_in_order(scene, deployer):
    repo, _ = scene
    body = json.dumps({"images": [f"{repo}:signed", f"{repo}:moved", f"{repo}:unsigned"], "explain": False}).encode()
    results = deployer("POST", "/api/v1/deploy/verify", {"Content-Type": "application/json"}, body).expect(200).json["results"]
    assert [r["reason"] for r in results] == ["allowed", "digest_mismatch", "unsigned"]


def test_the_api_and_the_pull_agree(scene, deployer, house):
    repo, made = scene
    for reference in ("signed", "moved", "unsigned", "absent"):
        pulled = house["deployer"].get(repo, reference)
        asked = verify(deployer, f"{repo}:{reference}").expect(200).json
        assert (pulled.status == 200) == asked["allowed"]
        if pulled.status != 200:
            assert pulled.error["detail"]["reason"] == asked["reason"] and pulled.message == asked["message"]


def test_an_unknown_repository_is_404_and_looks_the_same_to_who_may_not_read(registry, house, scene, deployer):
    repo, _ = scene
    verify(deployer, f"{house.ns}/nothing:v1").expect(404)
    verify(deployer, f"{repo}:no-such-tag").expect((200, 404))
    stranger = registry.client(registry_stranger(registry, house), basic=False)
    hidden, absent = verify(stranger, f"{repo}:signed"), verify(stranger, f"{house.ns}/nothing:signed")
    assert hidden.status == absent.status and hidden.status in (401, 404)


def registry_stranger(registry, house):
    return registry.make_deployer(registry.make_namespace("strangers"), "k8s")


def test_as_somebody_who_may_not_pull_the_image_does_not_exist(registry, house, scene):
    """His pull is refused, so that no verdict may allow it."""
    repo, _ = scene
    far = registry.make_deployer(registry.make_namespace("far"), "k8s")
    registry.client(far).get(repo, "signed").expect(401)
    said = registry.bond("deploy", "check", f"{repo}:signed", "--as", far.user, code=3)
    assert far.user in said.out + said.err and "may not pull" in said.out + said.err
    registry.bond("deploy", "check", f"{repo}:signed", "--as", house.deployer.user)
    registry.bond("deploy", "check", f"{repo}:signed", "--as", house.reader.user)


def test_a_record_says_whom_an_administrator_asked_for(registry, house, scene):
    """Neither question is counted into the record of the other, and today's answer is for the same account."""
    repo, _ = scene
    gone = registry.make_deployer(house.ns, "going")
    ids = {}
    for name in (house.deployer.user, gone.user, None):
        said = registry.bond("deploy", "check", f"{repo}:unsigned", *(("--as", name) if name else ()), "--json", code=6)
        ids[name] = json.loads(said.out)["decision"]
    assert len(set(ids.values())) == 3
    registry.bond("deployers", "rm", house.ns, "going", "--yes")
    said = {name: registry.bond("deploy", "why", id).out for name, id in ids.items()}
    assert f"asked as  {house.deployer.user}\n" in said[house.deployer.user] and "today     deny, unsigned" in said[house.deployer.user]
    assert f"asked as  {gone.user}\n" in said[gone.user] and f"today     the account {gone.user} does not exist any more" in said[gone.user]
    assert "asked as" not in said[None]
    assert "identity  control" in said[gone.user]


@pytest.mark.parametrize("ref", ["", "x", "UPPER/app:v1", "house/check:", "house/check:-x", "other.example/house/check:signed", "house/check@sha256:short",
                                 "house/check:v1:v2", "a" * 5000, "house/check\x00:v1", "../../etc/passwd"])
def test_an_image_name_that_is_none_is_refused_with_a_sentence(deployer, ref):
    answer = verify(deployer, ref).expect((400, 404))
    assert answer.message


def test_exit_0_for_an_allowed_image(registry, scene):
    repo, made = scene
    result = registry.bond("deploy", "check", f"{repo}:signed")
    assert result.out.split()[:4] == ["allow", f"{repo}:signed", made["signed"].digest, "allowed"] or \
        (result.out.startswith("allow") and made["signed"].digest in result.out)
    registry.bond("deploy", "check", registry.ref(f"{repo}:signed"))
    registry.bond("deploy", "check", f"{repo}@{made['signed'].digest}")


def test_exit_6_for_a_refused_image_with_the_sentence(registry, scene):
    repo, made = scene
    result = registry.bond("deploy", "check", f"{repo}:moved", code=6)
    assert result.out.startswith("deny") and "digest_mismatch" in result.out
    assert f"signed as {made['before'].digest[:15]}" in result.text
    registry.bond("deploy", "check", f"{repo}:absent", code=6)


def test_exit_6_when_one_of_several_is_refused(registry, scene):
    repo, _ = scene
    result = registry.bond("deploy", "check", f"{repo}:signed", f"{repo}:unsigned", f"{registry_missing(repo)}:v1", code=6)
    assert len([line for line in result.out.splitlines() if line.startswith(("allow", "deny"))]) >= 2


def registry_missing(repo):
    return repo + "-missing"


def test_exit_3_for_an_image_that_does_not_exist(registry, scene):
    repo, _ = scene
    registry.bond("deploy", "check", f"{registry_missing(repo)}:v1", code=3)
    registry.bond("deploy", "check", f"{repo}:signed", f"{registry_missing(repo)}:v1", code=3)


def test_exit_1_when_nobody_answers_and_never_0(registry, scene):
    repo, _ = scene
    registry.bond_remote("deploy", "check", f"{repo}:signed", token="bst_ses_" + "0" * 36, code=1, BOND_HOST=f"localhost:{free_port()}")


def test_exit_4_without_a_sign_in(registry, scene):
    repo, _ = scene
    registry.bond_remote("deploy", "check", f"{repo}:signed", code=4)
    registry.bond_remote("deploy", "check", f"{repo}:signed", token="bst_ses_" + "0" * 36, code=4)


def test_exit_2_for_a_usage_error(registry):
    registry.bond("deploy", "check", code=2)
    registry.bond("deploy", "nonsense", code=2)
    registry.bond("deploy", "check", "UPPER//:", code=2)


def test_a_deployers_own_secret_checks_over_https(registry, house, scene):
    repo, _ = scene
    registry.bond_remote("deploy", "check", f"{repo}:signed", token=house.deployer.secret)
    registry.bond_remote("deploy", "check", f"{repo}:moved", token=house.deployer.secret, code=6)


def test_json_is_the_answer_of_the_api(registry, scene):
    repo, made = scene
    result = json.loads(registry.bond("deploy", "check", f"{repo}:signed", f"{repo}:moved", "--json", code=6).out)
    results = result["results"] if isinstance(result, dict) else result
    assert [r["allowed"] for r in results] == [True, False]
    assert results[1]["signed_digest"] == made["before"].digest


def test_explain_prints_the_steps(registry, scene):
    repo, _ = scene
    text = registry.bond("deploy", "check", f"{repo}:moved", "--explain", code=6).text
    for word in ("policy", "root", "timestamp", "snapshot", "targets", "registry"):
        assert word in text, word


def test_strict_fails_on_what_a_warning_lets_through(registry, house, keeper):
    registry.make_namespace("lenient")
    registry.bond("policy", "set", "lenient", "--level", "warn")
    registry.client(registry.admin).push("lenient/app", image("warned"), "v1")
    registry.bond("deploy", "check", "lenient/app:v1")
    registry.bond("deploy", "check", "lenient/app:v1", "--strict", code=6)
