"""The verify API about what is not yet: another moment, another platform, an upload that is not published (gate 13)."""
import json
import urllib.parse

import pytest

from support.images import image, index
from support.server import Server
from support.trust import Trust
from support.tuf import Collection, Key, tag
from support.wire import multipart

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def scene(registry, house):
    """v1 is signed and pushed; v2 is pushed and not signed. Targets 2 is published; it lasts 1000 days."""
    repo = f"{house.ns}/ahead"
    made = {"v1": index([image("ahead amd"), image("ahead arm", arch="arm64")]), "v2": image("ahead two")}
    for name, what in made.items():
        house["developer"].push(repo, what, name)
    keys = Collection(Trust(registry, house["owner"], repo))
    keys.begin(tags={"v1": tag(made["v1"].hex, made["v1"].size)})
    return repo, made, keys


@pytest.fixture(scope="module")
def owner(registry, house):
    """Asks the API as the owner."""
    session = registry.session(house.owner)
    return lambda method, target, headers=(), body=None: registry.wire.request(
        method, target, {"Authorization": f"Bearer {session}", **dict(headers)}, body)


def verify(client, ref, **more):
    return client("GET", "/api/v1/deploy/verify?" + urllib.parse.urlencode({"image": ref, **more}))


def published(client, images, documents, **more):
    body = {"images": images, "documents": {role: content.decode() for role, content in documents.items()}, **more}
    return client("POST", "/api/v1/deploy/verify/if_published", JSON, json.dumps(body).encode())


def both(scene, **tags):
    """Targets 3 with these tags, each signed as the image of that name."""
    _, made, keys = scene
    return keys.targets(3, {name: tag(made[what].hex, made[what].size) for name, what in tags.items()})


# --- a moment to come -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("at,reason", [("8h", "allowed"), ("990d", "allowed"), ("1010d", "expired_targets"), ("2099-01-01T00:00:00Z", "expired_root")])
def test_will_it_hold(scene, owner, at, reason):
    """The timestamp of 14 days and the snapshot do not count: the server renews them."""
    repo, made, _ = scene
    answer = verify(owner, f"{repo}:v1", at=at).expect(200).json
    assert (answer["reason"], answer["allowed"]) == (reason, reason == "allowed"), answer
    assert answer["at"] and answer["message"]
    assert verify(owner, f"{repo}@{made['v1'].digest}", at=at).expect(200).json["allowed"] == (reason == "allowed")


def test_what_time_alone_changes_is_not_kept(scene, owner):
    repo, _, _ = scene
    assert not verify(owner, f"{repo}:v1", at="1010d").expect(200).json["allowed"]
    answer = verify(owner, f"{repo}:v1").expect(200).json
    assert answer["allowed"] and "at" not in answer


@pytest.mark.parametrize("at", ["2020-01-01T00:00:00Z", "tonight", "-8h", "forever", "2099-01-01", "9" * 40 + "d"])
def test_a_moment_that_is_none_or_past_is_refused(scene, owner, at):
    repo, _, _ = scene
    assert "moment" in verify(owner, f"{repo}:v1", at=at).expect(400).message


def test_a_batch_takes_the_same_members(scene, owner):
    repo, _, _ = scene
    body = {"images": [f"{repo}:v1", f"{repo}:v2"], "at": "1010d", "platform": "linux/amd64"}
    results = owner("POST", "/api/v1/deploy/verify", JSON, json.dumps(body).encode()).expect(200).json["results"]
    assert [r["reason"] for r in results] == ["expired_targets", "expired_targets"]


# --- a platform -----------------------------------------------------------------------------------------------------

def test_a_platform_that_the_image_has_and_one_that_it_has_not(scene, owner):
    repo, made, _ = scene
    answer = verify(owner, f"{repo}:v1", platform="linux/arm64").expect(200).json
    assert [p["platform"] for p in answer["platforms"]] == ["linux/arm64"] and answer["digest"] == made["v1"].digest
    missing = verify(owner, f"{repo}:v1", platform="linux/s390x").expect(404)
    assert "linux/s390x" in missing.message and "linux/amd64, linux/arm64" in missing.message


@pytest.mark.parametrize("platform", ["linux", "linux/", "/amd64", "a/b/c/d", "li nux/amd64", "x" * 200 + "/y"])
def test_a_platform_that_is_none_is_refused(scene, owner, platform):
    repo, _, _ = scene
    assert "platform" in verify(owner, f"{repo}:v1", platform=platform).expect(400).message


# --- an upload that is not published --------------------------------------------------------------------------------

def test_what_would_be_after_a_publish_and_nothing_is_stored(scene, owner, house, registry):
    repo, made, keys = scene
    images = [f"{repo}:v1", f"{repo}:v2", f"{repo}@{made['v1'].digest}"]
    before = [keys.trust.get(f"{role}.json").body for role in ("root", "targets", "snapshot", "timestamp")]
    answer = published(owner, images, {"targets": both(scene, v1="v2", v2="v2")}).expect(200).json
    assert answer["if_published"] == {"accepted": True, "warnings": answer["if_published"]["warnings"]}
    assert [r["reason"] for r in answer["results"]] == ["digest_mismatch", "allowed", "superseded"]
    withdrawn = published(owner, images, {"targets": both(scene, v2="v2")}).expect(200).json
    assert [r["reason"] for r in withdrawn["results"]] == ["unsigned", "allowed", "unsigned_digest"]
    assert [keys.trust.get(f"{role}.json").body for role in ("root", "targets", "snapshot", "timestamp")] == before
    house["deployer"].get(repo, "v1").expect(200)
    house["deployer"].get(repo, "v2").expect(403)


def test_the_same_as_a_notary_client_sends_it(scene, owner):
    repo, _, _ = scene
    body, kind = multipart([("targets", both(scene, v1="v1", v2="v2"))])
    target = "/api/v1/deploy/verify/if_published?" + urllib.parse.urlencode({"image": [f"{repo}:v1", f"{repo}:v2"]}, doseq=True)
    answer = owner("POST", target, {"Content-Type": kind}, body).expect(200).json
    assert [r["reason"] for r in answer["results"]] == ["allowed", "allowed"]


def test_an_upload_that_would_be_refused_allows_nothing(scene, owner):
    repo, made, keys = scene
    tags = {"v1": tag(made["v1"].hex, made["v1"].size)}
    for documents, name in (({"targets": keys.targets(2, tags)}, "VERSION"), ({"targets": keys.targets(3, tags, by=[Key.bare()])}, "ErrBadTargets"),
                            ({"targets": b"{}"}, "ErrBadTargets"), ({"timestamp/x": b"{}"}, "INVALID_ROLE")):
        answer = published(owner, [f"{repo}:v1"], documents).expect(200).json
        (result,) = answer["results"]
        assert (result["allowed"], result["reason"]) == (False, "publish_refused"), answer
        assert answer["if_published"]["name"] == name and answer["if_published"]["message"] in result["message"]


def test_who_may_not_publish_may_not_try(scene, registry, house):
    repo, _, _ = scene
    documents = {"targets": both(scene, v1="v1")}
    for who, status in ((house.reader, 403), (house.developer, 403), (house.stranger, 404), (house.signer, 200)):
        session = registry.session(who)
        client = lambda m, t, h, b: registry.wire.request(m, t, {"Authorization": f"Bearer {session}", **h}, b)  # noqa: B023
        published(client, [f"{repo}:v1"], documents).expect(status)


@pytest.mark.parametrize("change", [{"images": []}, {"images": "x"}, {"documents": []}, {"documents": {"targets": 1}}, {"at": "8h"}, {"more": 1}])
def test_a_body_that_is_none_is_refused_with_a_sentence(scene, owner, change):
    repo, _, _ = scene
    body = {"images": [f"{repo}:v1"], "documents": {"targets": "{}"}, **change}
    answer = owner("POST", "/api/v1/deploy/verify/if_published", JSON, json.dumps(body).encode())
    assert answer.expect(400).message


def test_images_of_two_repositories_are_refused(scene, owner, house):
    repo, _, _ = scene
    answer = published(owner, [f"{repo}:v1", f"{house.ns}/other:v1"], {"targets": both(scene, v1="v1")}).expect(400)
    assert "one" in answer.message


def test_trying_counts_as_publishing(tmp_path):
    server = Server(tmp_path).init()
    server.config.write_text(server.config.read_text() + "limits: { publishes: 5 }\n")
    server.start()
    try:
        server.make_namespace("ns")
        who = server.make_member("ns", "one@ns.example", "owner")
        made = Collection(Trust(server, server.client(who), "ns/app"))
        made.begin()
        session = server.session(who)
        client = lambda m, t, h, b: server.wire.request(m, t, {"Authorization": f"Bearer {session}", **h}, b)
        answers = [published(client, ["ns/app:v1"], {"targets": made.targets(3)}) for _ in range(20)]
        refused = [a for a in answers if a.status != 200]
        assert refused, answers
        for answer in refused:
            assert answer.expect(429, "TOOMANYREQUESTS").message.startswith("too many publishes, try again in ")
            assert int(answer.header("Retry-After")) > 0
        assert verify(lambda m, t: client(m, t, {}, None), "ns/app:v1").status in (200, 404)  # asking about what is costs no turn
    finally:
        server.end()


# --- bond deploy check ----------------------------------------------------------------------------------------------

def test_bond_asks_the_same_with_its_exit_statuses(registry, scene, tmp_path):
    repo, _, _ = scene
    registry.bond("deploy", "check", f"{repo}:v1", "--at", "8h", "--platform", "linux/amd64")
    registry.bond("deploy", "check", f"{repo}:v1", "--at", "1010d", code=6)
    registry.bond("deploy", "check", f"{repo}:v1", "--at", "yesterday", code=2)
    registry.bond("deploy", "check", f"{repo}:v1", "--platform", "linux/s390x", code=3)
    (tmp_path / "targets.json").write_bytes(both(scene, v1="v1", v2="v2"))
    result = registry.bond("deploy", "check", f"{repo}:v1", f"{repo}:v2", "--if-published", tmp_path)
    assert [line.split()[0] for line in result.out.splitlines()] == ["allow", "allow"]
    registry.bond("deploy", "check", f"{repo}:v1", f"{repo}:absent", "--if-published", tmp_path, code=3)
    (tmp_path / "targets.json").write_bytes(both(scene, v2="v2"))
    refused = registry.bond("deploy", "check", f"{repo}:v1", f"{repo}:v2", "--if-published", tmp_path, code=6)
    assert "unsigned" in refused.out
    assert json.loads(registry.bond("deploy", "check", f"{repo}:v2", "--if-published", tmp_path, "--json").out)["if_published"]["accepted"]
    (tmp_path / "targets.json").write_text("{}")
    assert "publish_refused" in registry.bond("deploy", "check", f"{repo}:v1", "--if-published", tmp_path, code=6).out
    (tmp_path / "targets.json").unlink()
    registry.bond("deploy", "check", f"{repo}:v1", "--if-published", tmp_path, code=2)


def test_superseded_is_allowed_and_not_strictly(registry, scene, tmp_path):
    repo, made, _ = scene
    (tmp_path / "targets.json").write_bytes(both(scene, v1="v2", v2="v2"))
    ref = f"{repo}@{made['v1'].digest}"
    registry.bond("deploy", "check", ref, "--if-published", tmp_path)
    registry.bond("deploy", "check", ref, "--if-published", tmp_path, "--strict", code=6)
