"""The Notary v1 API by hand: documents made by the real client, sent, tampered with and read over plain requests (notary-api)."""
import base64
import hashlib
import json
import re

import pytest

from support.images import image
from support.notary import Notary
from support.trust import Trust
from support.wire import multipart

ZEROS = "0" * 64


@pytest.fixture
def made(registry, house, notary, repo):
    """Documents of a repository that was initialised offline: nothing is published yet. The client holds the snapshot key."""
    owner = notary("owner")
    owner("init", registry.gun(repo))
    return {role: owner.cached(repo, role) for role in ("root", "targets", "snapshot")}


@pytest.fixture
def trust(registry, house, repo):
    return Trust(registry, registry.client(house.owner), repo)


def altered(document, change):
    """A document whose signed part is changed and whose signatures are not."""
    parsed = json.loads(document)
    change(parsed["signed"])
    return json.dumps(parsed, separators=(",", ":")).encode()


def all_of(made):
    return list(made.items())


def test_a_first_publish_is_200_with_an_empty_body_and_makes_a_timestamp(trust, made):
    answer = trust.publish(*all_of(made)).expect(200)
    assert answer.body == b""
    for role, document in made.items():
        assert trust.get(f"{role}.json").expect(200).body == document  # the bytes as they were sent
    signed = trust.get("timestamp.json").expect(200).json["signed"]
    meta = signed["meta"]["snapshot"]
    assert signed["_type"] == "Timestamp" and meta["length"] == len(made["snapshot"])
    assert base64.b64decode(meta["hashes"]["sha256"]) == hashlib.sha256(made["snapshot"]).digest()


def test_documents_are_read_by_checksum_and_by_version_with_their_cache_headers(trust, made):
    trust.publish(*all_of(made)).expect(200)
    for role, document in made.items():
        digest = hashlib.sha256(document).hexdigest()
        for name in (digest, digest.upper()):
            answer = trust.get(f"{role}.{name}.json").expect(200)
            assert answer.body == document
            assert re.match(r"public, max-age=\d+", answer.header("Cache-Control")) and answer.header("Last-Modified")
        assert trust.get(f"1.{role}.json").expect(200).body == document
    assert "private" in trust.get("root.json").header("Cache-Control")
    for name in (f"root.{ZEROS}.json", "2.root.json", "0.root.json", "targets/none.json", "bogus.json", "root.json/", "root", "root.xyz.json",
                 f"targets.{hashlib.sha256(made['root']).hexdigest()}.json", "99999999999999999999.root.json", "-1.root.json"):
        trust.get(name).expect((404, 400))


def test_an_unknown_repository_is_404_with_notarys_own_code(trust):
    for name in ("root.json", "timestamp.json", "snapshot.json", "1.root.json", f"root.{ZEROS}.json"):
        answer = trust.get(name).expect(404, "METADATA_NOT_FOUND")
        assert answer.body.endswith(b"\n") and answer.header("Content-Type") == "application/json; charset=utf-8"


def test_head_and_odd_methods_and_paths(trust, made):
    trust.publish(*all_of(made)).expect(200)
    assert trust.client("HEAD", f"{trust.base}/tuf/root.json").status == 404
    for method in ("PUT", "PATCH", "OPTIONS"):
        assert trust.client(method, f"{trust.base}/tuf/root.json").status in (404, 405)
    for path in ("tuf", "tuf/targets.key", "tuf/root.key", "tuf//root.json", "tuf/./root.json", "tuf/%72oot.json", "other"):
        answer = trust.client("GET", f"{trust.base}/{path}")
        assert answer.status in (401, 404), answer


def test_a_gun_of_another_host_does_not_exist_here_before_anybody_signs_in(registry, house):
    letters = (f"LOCALHOST:{registry.port}/house/app", f"localhost:{registry.port}/House/app", f"localhost:{registry.port}/house/App")
    for gun in (*letters, "other.example/house/app", "docker.io/library/alpine", "house/app", f"localhost:{registry.port + 1}/house/app"):
        registry.wire.request("GET", f"/v2/{gun}/_trust/tuf/root.json").expect(404, "METADATA_NOT_FOUND")
        body, content_type = multipart([])
        registry.wire.request("POST", f"/v2/{gun}/_trust/tuf/", {"Content-Type": content_type}, body).expect(400, "INVALID_GUN")


def test_server_keys_are_stable_pending_and_bound_to_role_and_repository(registry, house, trust, made):
    def key(name, t=trust):
        answer = t.get(name).expect(200).json
        assert answer["keytype"] in ("ecdsa", "ed25519") and answer["keyval"]["private"] is None and base64.b64decode(answer["keyval"]["public"])
        return answer["keyval"]["public"]
    timestamp, snapshot = key("timestamp.key"), key("snapshot.key")
    assert timestamp == key("timestamp.key") and snapshot == key("snapshot.key") and timestamp != snapshot
    other = Trust(registry, trust.client, f"{house.ns}/other-keys")
    assert key("timestamp.key", other) not in (timestamp, snapshot)
    rotated = trust.client("POST", f"{trust.base}/tuf/timestamp.key").expect(200).json["keyval"]["public"]
    assert rotated == timestamp  # pending until its first signature
    trust.publish(*all_of(made)).expect(200)
    fresh = trust.client("POST", f"{trust.base}/tuf/timestamp.key").expect(200).json["keyval"]["public"]
    assert fresh != timestamp and fresh == trust.client("POST", f"{trust.base}/tuf/timestamp.key").json["keyval"]["public"]
    assert key("timestamp.key") == timestamp  # GET goes on naming the key of the current root


@pytest.mark.parametrize("role", ["root", "targets", "snapshot"])
def test_a_tampered_document_is_refused_and_nothing_is_stored(trust, made, role):
    def later(signed):
        signed["expires"] = signed["expires"].replace("20", "21", 1)
    wrong = {"root": "ErrBadRoot", "targets": "ErrBadTargets", "snapshot": "ErrBadSnapshot"}[role]
    trust.refused(*all_of({**made, role: altered(made[role], later)}), name=wrong)
    trust.get("root.json").expect(404)
    trust.publish(*all_of(made)).expect(200)


def test_a_broken_signature_is_refused(trust, made):
    parsed = json.loads(made["targets"])
    signature = bytearray(base64.b64decode(parsed["signatures"][0]["sig"]))
    signature[0] ^= 1
    parsed["signatures"][0]["sig"] = base64.b64encode(bytes(signature)).decode()
    trust.refused(*all_of({**made, "targets": json.dumps(parsed).encode()}), name="ErrBadTargets")
    parsed["signatures"] = []
    trust.refused(*all_of({**made, "targets": json.dumps(parsed).encode()}), name="ErrBadTargets")
    parsed["signatures"] = json.loads(made["targets"])["signatures"] * 2
    trust.refused(*all_of({**made, "targets": json.dumps(parsed).encode()}))


def test_incomplete_first_publishes_are_refused(trust, made):
    trust.refused(("targets", made["targets"]), ("snapshot", made["snapshot"]), name="ErrValidation")
    trust.refused(("root", made["root"]))
    trust.refused(("root", made["root"]), ("targets", made["targets"]), name="ErrBadHierarchy")
    trust.refused(("root", made["root"]), ("snapshot", made["snapshot"]))
    trust.get("root.json").expect(404)


def test_the_order_of_parts_does_not_matter_and_a_timestamp_part_is_ignored(trust, made):
    trust.publish(("snapshot", made["snapshot"]), ("timestamp", b'{"signed":{},"signatures":[]}'), ("targets.json", made["targets"]),
                  ("root", made["root"])).expect(200)
    assert trust.get("timestamp.json").expect(200).json["signed"]["version"] >= 1


def test_a_certificate_of_another_repository_is_refused(registry, house, trust, made):
    other = Trust(registry, trust.client, f"{house.ns}/another-cn")
    other.refused(*all_of(made), name="ErrBadRoot")
    other.get("root.json").expect(404)


def test_old_equal_and_jumping_versions_are_refused(registry, trust, made, notary, repo):
    owner = notary("owner")
    owner("publish", registry.gun(repo))
    owner("addhash", "-p", registry.gun(repo), "v1", 10, "--sha256", "ab" * 32)
    before = {role: trust.version(role) for role in ("root", "targets", "snapshot", "timestamp")}
    trust.refused(("targets", made["targets"]), ("snapshot", made["snapshot"]), code="VERSION")
    current = {role: trust.get(f"{role}.json").body for role in ("root", "targets", "snapshot")}
    trust.refused(*all_of(current), code="VERSION")
    assert before == {role: trust.version(role) for role in before}


def test_a_second_root_for_the_same_repository_is_refused(registry, house, trust, made, tmp_path, repo):
    trust.publish(*all_of(made)).expect(200)
    attacker = Notary(registry, house.owner, tmp_path / "attacker")
    attacker("init", registry.gun(repo), code=None)
    theirs = {role: attacker.cached(repo, role) for role in made}
    assert theirs["root"] != made["root"]
    trust.publish(*all_of(theirs)).expect(400)
    assert trust.get("root.json").body == made["root"]


MALFORMED = {
    "not multipart": (b"{}", "application/json", "MALFORMED_UPLOAD"),
    "no content type": (b"{}", None, "MALFORMED_UPLOAD"),
    "no boundary": (b"x", "multipart/form-data", "MALFORMED_UPLOAD"),
    "truncated": (b'--b\r\nContent-Disposition: form-data; name="files"; filename="root"\r\n\r\n{}', "multipart/form-data; boundary=b", "MALFORMED_UPLOAD"),
    "garbage before": (b"garbage", "multipart/form-data; boundary=b", "MALFORMED_UPLOAD"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_upload_is_told(trust, what):
    body, content_type, code = MALFORMED[what]
    trust.client("POST", f"{trust.base}/tuf/", {"Content-Type": content_type} if content_type else {}, body).expect(400, code)


@pytest.mark.parametrize("name,content,code", [
    ("", b"{}", "NO_FILENAME"), ("evil", b"{}", "INVALID_ROLE"), ("targets/UP", b"{}", "INVALID_ROLE"), ("targets/../root", b"{}", "INVALID_ROLE"),
    ("targets/", b"{}", "INVALID_ROLE"), ("targets//x", b"{}", "INVALID_ROLE"), ("targets/" + "a" * 250, b"{}", "INVALID_ROLE"), ("root\0", b"{}", "INVALID_ROLE"),
    ("root", b"", "MALFORMED_JSON"), ("root", b"[]", "MALFORMED_JSON"), ("root", b"{", "MALFORMED_JSON"), ("root", b'{"signed":1,"signatures":[]}', "MALFORMED_JSON"),
    ("root", b'{"signed":{"version":1.5},"signatures":[]}', "MALFORMED_JSON"), ("root", b'{"signed":{"version":"1"},"signatures":[]}', "MALFORMED_JSON"),
    ("root", b'{"signed":{"expires":"soon"},"signatures":[]}', "MALFORMED_JSON"), ("root", b'{"signed":{},"signatures":[{"keyid":"x","method":"y","sig":"***"}]}', "MALFORMED_JSON"),
    ("targets", b'{"signed":{},"signatures":[]} {}', None), ("targets", b'{"signed":{},"signed":{},"signatures":[]}', None),
    ("targets", b'{"signed":{},"Signed":{},"signatures":[]}', None), ("targets", b'{"signed":{"x":' + b"[" * 40 + b"]" * 40 + b'},"signatures":[]}', None),
    ("targets", b'{"signed":{"x":' + b"[" * 100000, None), ("targets", b'{"signed":{"x":"\xff"},"signatures":[]}', None)])
def test_a_malformed_part_is_told(trust, name, content, code):
    answer = trust.publish((name, content)).expect(400)
    assert code is None or answer.code == code, answer
    assert len(answer.body) <= 1024 and answer.error["detail"]["Error"]["Msg"]
    trust.get("root.json").expect(404)


def test_a_part_without_a_file_name_and_a_role_twice(trust, made):
    body = b'--b\r\nContent-Disposition: form-data; name="files"\r\n\r\nhello\r\n--b--\r\n'
    trust.client("POST", f"{trust.base}/tuf/", {"Content-Type": "multipart/form-data; boundary=b"}, body).expect(400, "NO_FILENAME")
    trust.refused(*all_of(made), ("root", made["root"]), name="ErrValidation")


def test_an_upload_of_no_parts(registry, trust, notary, repo):
    trust.publish().expect(400)  # nothing is there that it could be an update of
    notary("owner").init(repo)
    before = trust.version("targets")
    trust.publish().expect(200)
    assert trust.version("targets") == before


@pytest.mark.parametrize("role,size", [("root", (1 << 20) + 1), ("snapshot", (1 << 20) + 1), ("targets", (16 << 20) + 1), ("timestamp", (64 << 10) + 1)])
def test_an_oversized_document_is_400_and_never_413(trust, role, size):
    answer = trust.publish((role, b'{"signed":{"x":"' + b"a" * size + b'"},"signatures":[]}')).expect(400)
    assert answer.error["detail"]["Name"].startswith("Err") and len(answer.body) <= 1024


def test_an_upload_beyond_32_mib_is_400_and_never_413(trust):
    answer = trust.publish(("targets", b"x" * (33 << 20))).expect(400)
    assert answer.error["detail"]["Name"] == "ErrValidation"


def test_many_parts_keys_and_signatures_are_refused_at_their_limits(trust, made):
    trust.publish(*[(f"targets/r{i}", b"{}") for i in range(2000)]).expect(400)
    parsed = json.loads(made["targets"])
    parsed["signatures"] = [dict(parsed["signatures"][0], keyid=f"{i:064x}") for i in range(5000)]
    trust.refused(*all_of({**made, "targets": json.dumps(parsed).encode()}))


def test_delete_of_nothing_is_200_and_of_something_a_wipe(trust, made):
    assert trust.client("DELETE", f"{trust.base}/tuf/").expect(200).body == b""
    trust.publish(*all_of(made)).expect(200)
    trust.client("DELETE", f"{trust.base}/tuf/").expect(200)
    for name in ("root.json", "1.root.json", f"root.{hashlib.sha256(made['root']).hexdigest()}.json", "timestamp.json"):
        trust.get(name).expect(404, "METADATA_NOT_FOUND")


def test_delete_of_nothing_is_200_in_a_namespace_that_does_not_exist_too(registry, house):
    for repo in ("no-such-namespace/app", f"{house.ns}/no-such-repository"):
        path = f"/v2/{registry.gun(repo)}/_trust/tuf/"
        assert registry.client(registry.admin)("DELETE", path).expect(200).body == b""
        house["stranger"]("DELETE", path).expect(401, "UNAUTHORIZED")


def test_the_changefeed_tells_publishes_and_deletions(registry, trust, made, repo):
    trust.publish(*all_of(made)).expect(200)
    stamp = hashlib.sha256(trust.get("timestamp.json").body).hexdigest()
    trust.client("DELETE", f"{trust.base}/tuf/").expect(200)

    def feed(query):
        return trust.client("GET", f"{trust.base}/changefeed{query}")
    body = feed("?records=100").expect(200).json
    assert body["count"] == 2 and [r["Category"] for r in body["records"]] == ["update", "deletion"]
    update, deletion = body["records"]
    assert update["GUN"] == registry.gun(repo) and update["SHA256"] == stamp and isinstance(update["ID"], str)
    assert deletion["SHA256"] == "" and deletion["Version"] == 0
    assert feed("?records=1").json["records"] == [update]
    assert feed("?records=-1").json["records"] == [deletion]
    assert feed(f"?records=10&change_id={update['ID']}").json["records"] == [deletion]
    for query in ("", "?records=", "?records=x", "?records=1&change_id=x", "?records=99999999999"):
        feed(query).expect(400, "INVALID_PARAMETERS")


def test_the_changefeed_of_all_is_for_administrators(registry, house):
    registry.client(registry.admin)("GET", "/v2/_trust/changefeed?records=5").expect(200)
    registry.client(house.owner)("GET", "/v2/_trust/changefeed?records=5").expect((401, 403))


def test_health_needs_nobody(registry):
    assert registry.wire.request("GET", "/_notary_server/health").expect(200).json == {}


def test_signing_may_make_the_repository_and_the_catalog_waits_for_a_manifest(registry, house, trust, made, repo):
    trust.publish(*all_of(made)).expect(200)
    client = registry.client(house.developer)
    assert repo not in client("GET", "/v2/_catalog?n=1000").json["repositories"]
    client.push(repo, image("after"), "v1")
    assert repo in client("GET", "/v2/_catalog?n=1000").json["repositories"]


def test_reads_need_the_right_to_pull_and_names_stay_hidden(registry, house, trust, made):
    trust.publish(*all_of(made)).expect(200)
    for client in (registry.client(house.stranger), registry.client()):
        trust.get("root.json", client).expect(401)
    for who in ("reader", "deployer", "developer"):
        trust.get("root.json", house[who]).expect(200)
