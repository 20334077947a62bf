"""The release call (gate 9.4): signatures and tag in one transaction, all of it or nothing."""
import json
import threading

import pytest

from support.attackers import resident
from support.images import image
from support.trust import Trust
from support.tuf import Collection, tag


def target(made):
    return tag(made.hex, made.size)


def release(server, account, repo, name, made, **documents):
    """`documents`: role (`__` for `/`) and its bytes."""
    body = {"repo": repo, "tag": name, "digest": made if isinstance(made, str) else made.digest,
            "tuf": {role.replace("__", "/"): text.decode() for role, text in documents.items()}}
    return post(server, account, body)


def post(server, account, body):
    return server.wire.request("POST", "/api/v1/release", {"Content-Type": "application/json", "Authorization": account.basic},
                               json.dumps(body).encode())


def explained(server, account, answer):
    """What is on the disk about a refusal when the refusal arrives."""
    url = answer.error["detail"]["why"]
    assert url.endswith(answer.error["detail"]["decision"])
    told = server.wire.request("GET", url[url.index("/api/"):], {"Authorization": account.basic}).expect(200).json
    steps = {step["step"]: step for step in told["explain"]}
    assert steps["decision"]["ok"] is False and "not stored" in steps["release"]["text"]
    assert told["id"] in server.bond("deploy", "why", told["id"]).text
    return told


@pytest.fixture
def owner(registry, house):
    """Signed in as `bond` does it."""
    return Bearer(registry.session(house.owner))


class Bearer:
    def __init__(self, token):
        self.basic = f"Bearer {token}"


@pytest.fixture
def scene(registry, house, repo):
    """A repository that signs `first` as v1, and holds `second` without a tag."""
    client = house["owner"]
    trust = Trust(registry, client, repo)
    first, second = image(f"first {repo}"), image(f"second {repo}")
    client.push(repo, first, "v1")
    client.push(repo, second, second.digest)
    collection = Collection(trust)
    collection.begin(tags={"v1": target(first)})
    return Scene(repo, client, trust, collection, first, second)


class Scene:
    def __init__(self, repo, client, trust, collection, first, second):
        self.repo, self.client, self.trust, self.keys, self.first, self.second = repo, client, trust, collection, first, second

    def state(self):
        """What a release changes: the tag and every document."""
        tagged = self.client.get(self.repo, "v1").expect(200).header("Docker-Content-Digest")
        return tagged, {role: self.trust.get(f"{role}.json").expect(200).body for role in ("root", "targets", "snapshot", "timestamp")}

    def next_targets(self, made=None, version=3, **more):
        return self.keys.targets(version, {"v1": target(made or self.second)}, **more)


def test_signatures_and_tag_change_together_and_the_answer_is_the_decision(registry, house, owner, scene):
    answer = release(registry, owner, scene.repo, "v1", scene.second, targets=scene.next_targets()).expect(200).json
    assert (answer["allowed"], answer["reason"], answer["digest"]) == (True, "allowed", scene.second.digest)
    assert answer["image"] == registry.ref(f"{scene.repo}:v1") and answer["pinned"] == registry.ref(f"{scene.repo}@{scene.second.digest}")
    assert answer["decision"]
    assert house["deployer"].get(scene.repo, "v1").expect(200).header("Docker-Content-Digest") == scene.second.digest
    assert scene.trust.version("targets") == 3


def test_a_first_release_begins_trust_and_tag(registry, house, owner, repo):
    trust = Trust(registry, house["owner"], repo)
    made = image("begins")
    house["owner"].push(repo, made, made.digest)
    keys = Collection(trust)
    release(registry, owner, repo, "v1", made, root=keys.root(), targets=keys.targets(tags={"v1": target(made)})).expect(200)
    assert house["deployer"].get(repo, "v1").expect(200).header("Docker-Content-Digest") == made.digest


@pytest.mark.parametrize("what", ["another image", "another tag", "another length", "no tag at all"])
def test_documents_that_do_not_release_this_image_change_nothing(registry, owner, scene, what):
    tags = {"another image": {"v1": target(scene.first)}, "another tag": {"v1": target(scene.first), "v2": target(scene.second)},
            "another length": {"v1": tag(scene.second.hex, scene.second.size + 1)}, "no tag at all": {}}[what]
    reason = {"another image": "digest_mismatch", "another tag": "digest_mismatch", "another length": "length_mismatch", "no tag at all": "unsigned"}[what]
    before = scene.state()
    answer = release(registry, owner, scene.repo, "v1", scene.second, targets=scene.keys.targets(3, tags)).expect(403, "DENIED")
    assert answer.reason_name == reason and answer.message.startswith("content trust: ")
    assert scene.state() == before
    told = explained(registry, owner, answer)
    assert (told["door"], told["effect"], told["reason"], told["request"]["tag"]) == ("release", "deny", reason, "v1")
    assert told["digests"]["registry"] == scene.second.digest and told["trust"]["targets"] == 3
    assert told["trust"]["signer_spki"] == [], "whoever signed what is stored did not sign this"


def test_a_bad_signature_changes_nothing(registry, owner, scene):
    before = scene.state()
    forged = scene.next_targets(by=[scene.keys.root_key])
    answer = release(registry, owner, scene.repo, "v1", scene.second, targets=forged).expect(400, "INVALID")
    assert answer.message and answer.reason_name
    assert scene.state() == before


def test_a_version_that_was_taken_is_409_with_the_one_that_is_there(registry, owner, scene):
    for version in (2, 1):
        before = scene.state()
        answer = release(registry, owner, scene.repo, "v1", scene.second, targets=scene.next_targets(version=version)).expect(409, "CONFLICT")
        assert answer.reason_name == "version_conflict" and answer.error["detail"]["versions"] == {"targets": 2}
        assert scene.state() == before


@pytest.mark.parametrize("path", ["release", "deploy/verify/if_published"])
def test_a_body_of_many_values_is_not_parsed(own_server, path):
    """Thirty megabytes of them took the server more than a gigabyte, from any account: fifty times the text."""
    deployer = own_server.make_deployer(own_server.make_namespace("bounds"), "k8s")
    before = resident(own_server.process.pid, "VmHWM")
    for body in (b'{"tuf":[' + b"[]," * 1_000_000 + b"[]]}", b'{"tuf":{' + b",".join(b'"%d":""' % i for i in range(200_000)) + b"}}",
                 b'{"tuf":{"\\\\":"' + b'"}}' + b"[" * 30):
        said = own_server.wire.request("POST", f"/api/v1/{path}", {"Content-Type": "application/json", "Authorization": deployer.basic}, body)
        assert said.expect(400).message
    assert resident(own_server.process.pid, "VmHWM") - before < 64_000_000


def test_an_image_that_was_not_pushed_is_404_and_signs_nothing(registry, owner, scene):
    before = scene.state()
    absent = image("never pushed")
    answer = release(registry, owner, scene.repo, "v1", absent, targets=scene.next_targets(absent)).expect(404, "MANIFEST_UNKNOWN")
    assert "push it by digest first" in answer.message
    assert scene.state() == before


def test_an_immutable_tag_is_not_moved_and_signs_nothing(registry, house, owner, scene):
    rules = json.dumps({"rules": [{"name": "fixed", "repository": scene.repo, "tag": "v1", "immutable": True}]})
    registry.bond("rules", "set", house.ns, "--file", "-", stdin=rules)
    try:
        before = scene.state()
        answer = release(registry, owner, scene.repo, "v1", scene.second, targets=scene.next_targets()).expect(403, "DENIED")
        assert "immutable" in answer.message
        assert scene.state() == before
    finally:
        registry.bond("rules", "set", house.ns, "--file", "-", stdin='{"rules": []}')


def test_a_locked_tag_is_moved_by_it_and_by_nothing_unsigned(registry, owner, scene):
    registry.bond("policy", "set", scene.repo, "--level", "lock")
    assert "is signed and locked" in scene.client("PUT", f"/v2/{scene.repo}/manifests/v1", {"Content-Type": scene.second.media_type},
                                        scene.second.manifest).expect(403, "DENIED").message
    release(registry, owner, scene.repo, "v1", scene.second, targets=scene.next_targets()).expect(200)
    assert scene.state()[0] == scene.second.digest


def test_a_signature_that_the_policy_asks_for_and_that_is_missing_leaves_all_as_it_was(registry, owner, scene):
    policy = {"level": "deploy", "signers": {"threshold": 1, "of": ["alice"]}}
    registry.bond("policy", "set", scene.repo, "--file", "-", stdin=json.dumps(policy))
    before = scene.state()
    answer = release(registry, owner, scene.repo, "v1", scene.second, targets=scene.next_targets()).expect(403, "DENIED")
    assert answer.reason_name == "signer_policy" and answer.error["detail"]["required"]["missing"] == ["alice"]
    assert explained(registry, owner, answer)["reason"] == "signer_policy"
    assert scene.state() == before


def test_it_takes_the_rights_to_push_and_to_sign(registry, house, scene):
    before = scene.state()
    documents = {"targets": scene.next_targets()}
    for who in ("reader", "developer"):  # the developer may push, and not sign
        answer = release(registry, Bearer(registry.session(getattr(house, who))), scene.repo, "v1", scene.second, **documents).expect(403, "DENIED")
        assert answer.message
    release(registry, house.robot, scene.repo, "v1", scene.second, **documents).expect(403, "DENIED")
    assert "writes nothing" in release(registry, house.deployer, scene.repo, "v1", scene.second, **documents).expect(403, "DENIED").message
    release(registry, Bearer(registry.session(house.stranger)), scene.repo, "v1", scene.second, **documents).expect(404, "NAME_UNKNOWN")
    registry.wire.request("POST", "/api/v1/release", {"Content-Type": "application/json"}, b"{}").expect(401)
    assert scene.state() == before
    release(registry, Bearer(registry.session(house.signer)), scene.repo, "v1", scene.second, **documents).expect(200)


def test_a_robot_that_pushes_and_signs_releases(registry, house, scene):
    robot = registry.make_robot(house.ns, f"releases-{scene.repo.rpartition('-')[2]}", "pull,push,sign")
    release(registry, robot, scene.repo, "v1", scene.second, targets=scene.next_targets()).expect(200)


def test_a_root_takes_trust_administration(registry, house, scene):
    before = scene.state()
    answer = release(registry, Bearer(registry.session(house.signer)), scene.repo, "v1", scene.second,
                     root=scene.keys.root(2), targets=scene.next_targets()).expect(403, "DENIED")
    assert answer.message
    assert scene.state() == before


@pytest.mark.parametrize("change", [{"repo": None}, {"repo": "UPPER/app"}, {"tag": "-x"}, {"tag": None}, {"digest": "sha256:short"}, {"tuf": {}},
                                    {"tuf": None}, {"tuf": []}, {"tuf": {"targets": {"signed": {}}}}, {"tuf": {"../targets": "{}"}},
                                    {"tuf": {"": "{}"}}, {"tuf": {"elsewhere": "{}"}}, {"tuf": {"targets": ""}}, {"more": 1}])
def test_a_call_that_is_none_is_400_with_a_sentence(registry, owner, scene, change):
    before = scene.state()
    body = {"repo": scene.repo, "tag": "v1", "digest": scene.second.digest, "tuf": {"targets": scene.next_targets().decode()}, **change}
    assert post(registry, owner, {k: v for k, v in body.items() if v is not None}).expect(400).message
    assert scene.state() == before


def test_documents_without_end_are_not_looked_at(registry, owner, scene):
    before = scene.state()
    documents = {f"targets/r{i}": "{}" for i in range(2049)}
    body = {"repo": scene.repo, "tag": "v1", "digest": scene.second.digest, "tuf": documents}
    assert "more than 2048 documents" in post(registry, owner, body).expect(400).message
    assert scene.state() == before


def test_of_two_at_once_one_releases_and_the_other_is_told(registry, owner, scene):
    third = image(f"third {scene.repo}")
    scene.client.push(scene.repo, third, third.digest)
    calls = {made.digest: scene.next_targets(made) for made in (scene.second, third)}
    answers = {}

    def run(digest, text):
        answers[digest] = release(registry, owner, scene.repo, "v1", digest, targets=text)
    threads = [threading.Thread(target=run, args=item) for item in calls.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(a.status for a in answers.values()) == [200, 409]
    winner = next(d for d, a in answers.items() if a.status == 200)
    tagged, documents = scene.state()
    assert tagged == winner and documents["targets"] == calls[winner]
