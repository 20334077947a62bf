"""The Notary v1 API statement by statement; each test is named by the section of the description that it holds the server to."""
import concurrent.futures
import hashlib
import re

import pytest

from support.server import Server
from support.trust import Trust
from support.tuf import Collection, Key, document, hashes_of, later, tag
from support.wire import multipart
from test_clock import faketime


@pytest.fixture
def trust(registry, house, repo):
    return Trust(registry, house["owner"], repo)


@pytest.fixture
def begun(trust):
    made = Collection(trust)
    made.begin(tags={"v1": tag()})
    return made


@pytest.fixture(scope="module")
def opened(registry):
    """A public namespace and its owner's client."""
    registry.make_namespace("open-trust", "public")
    return registry.client(registry.make_member("open-trust", "owner@open-trust.example", "owner"))


# --- 3 routes -----------------------------------------------------------------------------------------------------------

FILES = ("root.json", "timestamp.json", "targets.json", "1.root.json", "timestamp.key", "snapshot.key", "")


@pytest.mark.parametrize("name", FILES)
def test_3_head_is_404_whatever_is_there(trust, begun, name):
    answer = trust.client("HEAD", f"{trust.base}/tuf/{name}")
    assert answer.status == 404 and answer.body == b""


@pytest.mark.parametrize("path", ["changefeed", "changefeed?records=1"])
def test_3_head_of_the_changefeed_is_404(trust, begun, path):
    assert trust.client("HEAD", f"{trust.base}/{path}").status == 404


@pytest.mark.parametrize("method,names", [("PATCH", FILES), ("OPTIONS", FILES), ("PUT", FILES), ("DELETE", FILES[:-1]), ("POST", FILES[:4])])
def test_3_other_methods_change_nothing(trust, begun, method, names):
    before = trust.get("root.json").body
    for name in names:
        answer = trust.client(method, f"{trust.base}/tuf/{name}", body=b"" if method in ("PUT", "POST") else None)
        if method in ("PATCH", "OPTIONS"):
            answer.expect(405)
        else:
            assert "detail" not in answer.expect(404, "METADATA_NOT_FOUND").error
    assert trust.get("root.json").body == before


@pytest.mark.parametrize("path", ["tuf", "tuf/root", "tuf/root.key", "tuf/targets.key", "tuf/targets/a.key", "tuf/bogus.json", "tuf/bogus", "tuf/.json", "tuf/root.json/",
                                  "tuf/root.json/x", "tuf/targets/.json", "tuf/targets//a.json", "tuf/a/root.json", "tuf/root%2ejson", "tuf//root.json", "tuf/../tuf/root.json",
                                  "changefeed/", "nothing"])
def test_3_what_is_no_route_is_404(trust, begun, path):
    trust.client("GET", f"{trust.base}/{path}").expect(404)


def test_3_a_well_formed_role_that_does_not_exist_is_404(trust, begun):
    """23 row 10"""
    for name in ("targets/nobody.json", "targets/a/b/c.json", "1.targets/nobody.json", "0.root.json", "00.root.json", "2.root.json", "9223372036854775808.root.json"):
        trust.get(name).expect(404, "METADATA_NOT_FOUND")


@pytest.mark.parametrize("digits", [64, 96, 128])
def test_3_only_sha256_finds_a_document(trust, begun, digits):
    content = trust.get("root.json").body
    name = {64: hashlib.sha256, 96: hashlib.sha384, 128: hashlib.sha512}[digits](content).hexdigest()
    assert len(name) == digits
    for spelling in (name, name.upper()):
        trust.get(f"root.{spelling}.json").expect(200 if digits == 64 else 404)


# --- 4 order of checks --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("parts,code", [
    ([("", b"x"), ("evil", b"x"), ("root", b"x")], "NO_FILENAME"), ([("evil", b"x"), ("", b"x")], "INVALID_ROLE"), ([("root", b"x"), ("evil", b"x"), ("", b"x")], "MALFORMED_JSON"),
    ([("evil", b"x"), ("root", b"x")], "INVALID_ROLE")])
def test_4_parts_are_looked_at_in_their_order(trust, begun, parts, code):
    trust.publish(*parts).expect(400, code)


def test_4_the_framing_comes_before_the_parts_and_the_documents_before_their_versions(trust, begun):
    body, _ = multipart([("evil", b"x")])
    trust.client("POST", f"{trust.base}/tuf/", {"Content-Type": "text/plain"}, body).expect(400, "MALFORMED_UPLOAD")
    trust.refused(("targets", begun.targets(2, by=[Key.bare()])), name="ErrBadTargets")  # the version is old too


def test_4_the_changefeed_asks_for_records_first(trust, begun):
    for query, has_text in (("?change_id=x", True), ("?records=x&change_id=x", True), ("?records=1&change_id=x", False)):
        detail = trust.client("GET", f"{trust.base}/changefeed{query}").expect(400, "INVALID_PARAMETERS").error["detail"]
        assert isinstance(detail, str) and detail if has_text else detail == {}


# --- 5 authentication ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("method,name,actions", [("GET", "root.json", "pull"), ("GET", "timestamp.key", "push,pull"), ("POST", "timestamp.key", "*"), ("POST", "", "push,pull"), ("DELETE", "", "*")])
def test_5_the_challenge_names_the_gun_and_the_actions(registry, trust, begun, method, name, actions):
    answer = registry.wire.request(method, f"{trust.base}/tuf/{name}").expect(401, "UNAUTHORIZED")
    challenge = answer.challenge()
    assert challenge["realm"] == f"{registry.url}/token" and challenge["service"] == registry.host and "error" not in challenge
    kind, _, rest = challenge["scope"].partition(":")
    gun, _, asked = rest.rpartition(":")
    assert (kind, gun, sorted(asked.split(","))) == ("repository", trust.gun, sorted(actions.split(",")))
    assert answer.body.endswith(b"\n") and answer.header("Content-Type") == "application/json; charset=utf-8"
    detail = sorted(answer.error["detail"], key=lambda d: d["Action"])
    assert detail == [{"Type": "repository", "Class": "", "Name": trust.gun, "Action": a} for a in sorted(actions.split(","))]


def test_5_routes_of_the_registry_have_no_such_detail(registry, trust):
    assert "detail" not in registry.wire.request("GET", f"/v2/{trust.repo}/tags/list").expect(401).error


def test_5_too_few_rights_and_bad_tokens_are_401_and_say_which(registry, house, trust, begun):
    weak = {"Authorization": f"Bearer {registry.token(house.reader, f'repository:{trust.gun}:push,pull')}"}
    body, content_type = multipart([])
    for method, name in (("POST", ""), ("DELETE", ""), ("POST", "timestamp.key"), ("GET", "timestamp.key")):
        answer = registry.wire.request(method, f"{trust.base}/tuf/{name}", {**weak, "Content-Type": content_type}, body if method == "POST" else None).expect(401)
        assert answer.challenge()["error"] == "insufficient_scope", (method, name)
        assert {d["Name"] for d in answer.error["detail"]} == {trust.gun}
    registry.wire.request("GET", f"{trust.base}/tuf/root.json", weak).expect(200)
    for token in ("", "x", "a.b.c", weak["Authorization"][7:-4]):
        answer = registry.wire.request("GET", f"{trust.base}/tuf/root.json", {"Authorization": f"Bearer {token}"}).expect(401)
        assert answer.challenge()["error"] == "invalid_token"


def test_5_strangers_get_a_token_and_read_what_is_public(registry, opened):
    trust = Trust(registry, opened, "open-trust/anybody")
    Collection(trust).begin()
    bearer = {"Authorization": f"Bearer {registry.token(None, f'repository:{trust.gun}:pull')}"}
    registry.wire.request("GET", f"{trust.base}/tuf/root.json", bearer).expect(200)
    registry.wire.request("GET", f"{trust.base}/tuf/timestamp.key", bearer).expect(401)
    body, content_type = multipart([])
    registry.wire.request("POST", f"{trust.base}/tuf/", {**bearer, "Content-Type": content_type}, body).expect(401)


# --- 7 reading ----------------------------------------------------------------------------------------------------------

def test_7_caching_headers_of_a_public_namespace(registry, opened):
    trust = Trust(registry, opened, "open-trust/cached")
    Collection(trust).begin()
    digest = hashlib.sha256(trust.get("root.json").body).hexdigest()
    for name, wanted in ((f"root.{digest}.json", "public, max-age=2592000, s-maxage=2592000"), ("1.root.json", "public, max-age=2592000, s-maxage=2592000"),
                         ("root.json", "public, max-age=300, s-maxage=300, must-revalidate"), ("timestamp.json", "public, max-age=300, s-maxage=300, must-revalidate")):
        answer = trust.get(name).expect(200)
        assert answer.header("Cache-Control") == wanted and answer.header("ETag") is None and answer.header("Content-Encoding") is None
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.header("Last-Modified"))


def test_7_caching_headers_of_a_private_namespace(trust, begun):
    digest = hashlib.sha256(trust.get("root.json").body).hexdigest()
    assert trust.get(f"root.{digest}.json").header("Cache-Control").startswith("public, max-age=2592000")
    for name in ("1.root.json", "root.json", "timestamp.json"):
        assert trust.get(name).header("Cache-Control") == "private, no-cache"


def test_7_keys_changes_and_refusals_carry_no_caching_headers(trust, begun):
    answers = [trust.get("timestamp.key").expect(200), trust.client("GET", f"{trust.base}/changefeed?records=1").expect(200), trust.get("9.root.json").expect(404),
               trust.publish(("evil", b"")).expect(400)]
    for answer in answers:
        assert not any("public" in value or "max-age" in value for value in answer.header_all("Cache-Control")), answer
        assert all(answer.header(name) is None for name in ("ETag", "Last-Modified"))


def test_7_all_versions_of_a_root_stay(trust, begun):
    roots = [trust.get("root.json").body]
    for version in range(2, 6):
        roots.append(begun.root(version))
        trust.publish(("root", roots[-1])).expect(200)
    for version, content in enumerate(roots, 1):
        assert trust.get(f"{version}.root.json").expect(200).body == content
        assert trust.get(f"root.{hashlib.sha256(content).hexdigest()}.json").expect(200).body == content
    assert trust.get("root.json").body == roots[-1]


# --- 8 server keys ------------------------------------------------------------------------------------------------------

def public(answer):
    return answer.expect(200).json["keyval"]["public"]


def post(trust, role):
    return trust.client("POST", f"{trust.base}/tuf/{role}.key")


def test_8_a_snapshot_key_that_the_client_holds_leaves_a_pending_one(trust):
    made = Collection(trust, client_snapshot=True)
    root, targets = made.root(), made.targets()
    trust.publish(("root", root), ("targets", targets), ("snapshot", made.snapshot(2, root=root, targets=targets))).expect(200)
    pending = public(trust.get("snapshot.key"))
    assert pending == public(trust.get("snapshot.key")) == public(post(trust, "snapshot"))
    made.snapshot_key = Key.of_server(trust, "snapshot")
    trust.publish(("root", made.root(2)), ("targets", made.targets(3))).expect(200)  # the server holds it from now on
    assert public(trust.get("snapshot.key")) == pending != public(post(trust, "snapshot"))


@pytest.mark.parametrize("role", ["timestamp", "snapshot"])
def test_8_a_posted_key_is_pending_until_a_root_names_it(trust, begun, role):
    current, posted = public(trust.get(f"{role}.key")), public(post(trust, role))
    assert posted != current and public(post(trust, role)) == posted
    setattr(begun, f"{role}_key", Key("ecdsa", posted))
    assert public(trust.get(f"{role}.key")) == current
    trust.publish(("root", begun.root(2))).expect(200)
    assert public(trust.get(f"{role}.key")) == posted
    assert {s["keyid"] for s in trust.get(f"{role}.json").json["signatures"]} == {Key("ecdsa", posted).id}
    assert public(post(trust, role)) not in (current, posted)


def test_8_the_keys_of_a_wiped_repository_are_not_handed_out_again(trust, begun):
    used = public(trust.get("timestamp.key"))
    trust.client("DELETE", f"{trust.base}/tuf/").expect(200)
    fresh = public(trust.get("timestamp.key"))
    assert fresh != used
    Collection(trust).begin()


# --- 9 publishing -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/mixed", "Multipart/Form-Data"])
def test_9_any_multipart_type_with_a_boundary_is_taken(trust, begun, kind):
    body, content_type = multipart([("targets", begun.targets(3))])
    trust.client("POST", f"{trust.base}/tuf/", {"Content-Type": content_type.replace("multipart/form-data", kind)}, body).expect(200)


def test_9_no_parts_as_the_client_sends_it_makes_no_new_version(trust, begun):
    """23 row 16"""
    before = [trust.version(role) for role in ("root", "targets", "snapshot", "timestamp")]
    for body in (b"\r\n--b--\r\n", b"--b--\r\n", b"--b--"):
        trust.client("POST", f"{trust.base}/tuf/", {"Content-Type": "multipart/form-data; boundary=b"}, body).expect(200)
    assert before == [trust.version(role) for role in ("root", "targets", "snapshot", "timestamp")]


def test_9_a_role_twice_is_refused_also_by_its_two_spellings(trust, begun):
    trust.refused(("targets", begun.targets(3)), ("targets.json", begun.targets(3)), name="ErrValidation")


def test_9_a_timestamp_part_is_never_stored(trust, begun):
    for junk in (b"", b"x", b'{"signed":{"version":99}}'):
        trust.publish(("timestamp", junk)).expect(200)
    assert trust.version("timestamp") < 99


@pytest.mark.parametrize("first", [1, 2])
def test_9_first_versions_are_one_or_two(registry, house, trust, first):
    made = Collection(trust)
    trust.publish(("root", made.root(first)), ("targets", made.targets(first))).expect(200)
    assert trust.version("root") == first and trust.get(f"{first}.root.json").status == 200


def test_9_a_root_alone_and_a_root_with_a_new_delegation(trust, begun):
    key = Key.bare()
    trust.publish(("root", begun.root(2))).expect(200)
    trust.publish(("root", begun.root(3)), ("targets", begun.targets(3, delegations=[("targets/a", [key])])), ("targets/a", begun.targets(2, by=[key]))).expect(200)
    assert trust.version("targets/a") == 2


# --- 12 changefeed ------------------------------------------------------------------------------------------------------

def test_12_the_changefeed_in_both_directions(trust, begun):
    for version in range(3, 8):
        trust.publish(("targets", begun.targets(version))).expect(200)

    def feed(query):
        body = trust.client("GET", f"{trust.base}/changefeed?{query}").expect(200).json
        assert body["count"] == len(body["records"])
        return body["records"]
    every = feed("records=100")
    assert [r["Version"] for r in every] == [1, 2, 3, 4, 5, 6] and every == feed("records=0")
    ids = [r["ID"] for r in every]
    assert ids == sorted(ids, key=int) and all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", r["CreatedAt"]) for r in every)
    assert feed("records=2") == every[:2] and feed(f"records=2&change_id={ids[1]}") == every[2:4] and feed(f"records=9&change_id={ids[5]}") == []
    assert feed("records=-2") == every[4:] and feed("records=-2&change_id=-1") == every[4:] and feed("records=2&change_id=-1") == every[4:]
    assert feed(f"records=-2&change_id={ids[3]}") == every[1:3] and feed(f"records=-9&change_id={ids[0]}") == []
    for most in ("records=2147483647", "records=-2147483648", "records=1000&change_id=-9223372036854775807"):
        assert feed(most) == every
    assert feed("records=1&change_id=9223372036854775807") == []
    assert feed("records=-1&change_id=9223372036854775807") == every[5:]
    for beyond in ("records=2147483648", "records=-2147483649", "records=1&change_id=9223372036854775808", "records=1&change_id=-9223372036854775810"):
        trust.client("GET", f"{trust.base}/changefeed?{beyond}").expect(400, "INVALID_PARAMETERS")
    for record, version in zip(every, range(1, 7)):
        assert record["SHA256"] == hashlib.sha256(trust.get(f"{version}.timestamp.json").expect(200).body).hexdigest()
    trust.client("DELETE", f"{trust.base}/tuf/").expect(200)
    assert feed("records=100")[:-1] == every  # records survive, the deletion is one more


def test_12_the_changefeed_of_all_holds_that_of_each(registry, trust, begun):
    own = trust.client("GET", f"{trust.base}/changefeed?records=100").json["records"]
    last = registry.client(registry.admin)("GET", "/v2/_trust/changefeed?records=-1000").expect(200).json["records"]
    assert [r for r in last if r["GUN"] == trust.gun] == own


# --- 13, 23: health, metrics, what ends by itself ------------------------------------------------------------------------

def test_13_health_and_metrics_need_nobody(registry):
    assert registry.wire.request("GET", "/_notary_server/health").expect(200).json == {}
    assert registry.wire.request("HEAD", "/_notary_server/health").status == 404
    assert b"bondstore_" in registry.wire.request("GET", "/metrics").expect(200).body


def test_23_all_repositories_are_read_at_once_by_a_server_that_has_just_started(tmp_path):
    """Row 1: the reference ended by itself."""
    server = Server(tmp_path).init().start()
    try:
        server.make_namespace("ns")
        owner = server.make_member("ns", "owner@ns.example", "owner")
        trusts = [Trust(server, server.client(owner), f"ns/app-{i}") for i in range(8)]
        stored = [Collection(trust).begin() for trust in trusts]
        server.restart()
        bearer = {"Authorization": "Bearer " + server.token(owner, *(f"repository:{trust.gun}:pull" for trust in trusts))}

        def read(i):
            root, targets = stored[i % 8]
            get = lambda name: server.wire.request("GET", f"{trusts[i % 8].base}/tuf/{name}", bearer).expect(200)  # noqa: E731
            assert get("timestamp.json").json["signed"]["_type"] == "Timestamp"
            assert get("root.json").body == root
            assert get("targets.json").body == targets
            assert get(f"targets.{hashlib.sha256(targets).hexdigest()}.json").body == targets
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(read, range(32)))
        assert server.wire.request("GET", "/readyz").status == 200
    finally:
        server.end()


def test_23_what_has_ended_is_served_and_can_be_replaced(tmp_path):
    """Rows 4 and 5: a root, its certificate, targets and a snapshot of the client that have ended do not end the repository."""
    server = Server(tmp_path).init().start()
    try:
        server.make_namespace("ns")
        client = server.client(server.make_member("ns", "owner@ns.example", "owner"))
        certificate, snapshot, root, ancestor = (Trust(server, client, f"ns/{name}") for name in ("certificate", "snapshot", "root", "ancestor"))
        old = Key.certified(certificate.gun, days=(-1, 30))
        ended = Collection(certificate, root=old)
        ended.begin()
        own = Collection(snapshot, client_snapshot=True)
        docs = {"root": own.root(), "targets": own.targets()}
        meta = {role: {"hashes": hashes, "length": len(docs[role])} for role, hashes in ((r, hashes_of(d)) for r, d in docs.items())}
        short = document({"_type": "Snapshot", "expires": later(30), "version": 2, "meta": meta}, own.snapshot_key)
        snapshot.publish(*docs.items(), ("snapshot", short)).expect(200)
        soon = Collection(root)
        part = {**soon.root_part(), "expires": later(30)}
        root.publish(("root", document(part, soon.root_key)), ("targets", soon.targets())).expect(200)
        delegate, above = Key.bare(), Collection(ancestor)
        listing = {**above.targets_part(2, delegations=[("targets/releases", [delegate])]), "expires": later(30)}
        ancestor.publish(("root", above.root()), ("targets", document(listing, above.targets_key))).expect(200)
        server.stop()
        server.start(**faketime(60)[0])
        client.forget()
        for trust in (certificate, snapshot, root, ancestor):
            for role in ("timestamp", "snapshot", "root", "targets"):
                trust.get(f"{role}.json").expect(200)
        certificate.refused(("root", ended.root(2)), name="ErrBadRoot")  # a new root needs a certificate that is good
        new = Key.certified(certificate.gun, private=old.private, days=(-1, 3650))
        ended.root_key = new
        certificate.publish(("root", ended.root(2, by=[old, new]))).expect(200)
        certificate.publish(("targets", ended.targets(3))).expect(200)
        snapshot.publish(("snapshot", own.snapshot(3, **docs))).expect(200)
        assert snapshot.version("timestamp") > 1
        root.refused(("root", document({**part, "version": 2}, soon.root_key)), name="ErrBadRoot")  # what has ended is not uploaded again
        root.publish(("root", soon.root(2))).expect(200)
        ended_again = document({**listing, "version": 3}, above.targets_key)
        ancestor.refused(("targets", ended_again), name="ErrBadTargets")
        ancestor.publish(("targets/releases", above.targets(1, {"v1": tag()}, by=[delegate]))).expect(200)  # 27.16: an ancestor is tolerated
    finally:
        server.end()
