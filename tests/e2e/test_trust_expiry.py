"""What ends and the server may not renew (gate 4.1): told ahead of time, with who must act and a command that works; and
the server's own keys, listed and rotated."""
import json
import shlex
from datetime import datetime, timedelta, timezone

import pytest

from support.images import image
from support.notary import Notary
from support.server import Server, eventually
from support.wire import multipart
from test_clock import faketime
from test_notary import key_pair

DAY = timedelta(days=1)
WHO = {"root": "the holder of the root key", "root_certificate": "the holder of the root key",
       "targets": "the holder of the targets key", "snapshot": "the holder of the root key"}


def listed(server, repo, within="4000d"):
    """{(kind, role): entry} of one repository."""
    out = server.bond("trust", "expiring", repo, "--within", within, "--json").out
    return {(e["kind"], e["role"]): e for e in json.loads(out)["expiring"]}


def end(entry):
    return datetime.fromisoformat(entry["expires"][:19] + "+00:00")


def obey(keeper, command):
    """Runs a command that the product printed, as its reader would, who says yes to a new root key: only server, folder and
    CA are the test's own."""
    words = shlex.split(command)
    assert words[0] == "notary" and words[1] == "-s" and words[2] == keeper.server.url, command
    assert words[3:7] == ["--tlscacert", "ca.crt", "-d", "~/.docker/trust"], command
    return keeper(*words[7:], stdin="yes\n")


def test_what_a_person_must_renew_is_listed_with_who_and_when(registry, notary, repo):
    owner, now = notary("owner"), datetime.now(timezone.utc)
    owner.init(repo)
    found = listed(registry, repo)
    assert set(found) == {("root", "root"), ("root_certificate", "root"), ("targets", "targets")}
    for (kind, _), years in {("root", "root"): 10, ("root_certificate", "root"): 10, ("targets", "targets"): 3}.items():
        entry = found[kind, "root" if years == 10 else "targets"]
        assert abs(end(entry) - (now + timedelta(days=365 * years))) < 4 * DAY  # leap days of certificates
        assert entry["who"] == WHO[kind] and entry["expired"] is False and entry["repository"] == repo
    assert listed(registry, repo, within="1000d") == {}
    assert registry.bond("trust", "expiring", repo, "-q").out == "", "nothing ends within the policy's 14 days"


def test_a_snapshot_whose_key_the_client_holds_is_listed_until_the_server_holds_it(registry, notary, repo):
    owner = notary("owner")
    owner.init(repo, snapshot_on_server=False)
    entry = listed(registry, repo)["snapshot", "snapshot"]
    assert entry["who"] == WHO["snapshot"]
    obey(owner, entry["command"])
    assert ("snapshot", "snapshot") not in listed(registry, repo)


def test_the_commands_renew_what_they_are_for(registry, notary, house, repo):
    owner = notary("owner")
    gun = owner.init(repo)
    owner.sign(repo, "v1", image("signed"))
    client, before = registry.client(house.owner), listed(registry, repo)

    def version(role):
        return client("GET", f"/v2/{gun}/_trust/tuf/{role}.json").expect(200).json["signed"]["version"]
    versions = {role: version(role) for role in ("root", "targets")}
    obey(owner, before["targets", "targets"]["command"])
    assert version("targets") == versions["targets"] + 1
    assert end(listed(registry, repo)["targets", "targets"]) >= end(before["targets", "targets"])
    obey(owner, before["root_certificate", "root"]["command"])
    assert version("root") == versions["root"] + 1
    after = listed(registry, repo)
    assert end(after["root", "root"]) >= end(before["root", "root"])
    assert owner.list(repo)["v1"][0] == image("signed").hex


def test_delegations_are_listed_with_their_signers_and_leave_with_their_role(registry, notary, house, repo, tmp_path):
    owner = notary("owner")
    gun = owner.init(repo)
    key, cert = key_pair(tmp_path, "alice")
    owner("delegation", "add", "-p", gun, "targets/alice", cert, "--all-paths")
    alice = notary("signer")
    alice("key", "import", key, "--role", "user")
    alice.sign(repo, "v1", image("by alice"), role="targets/alice")
    entry = listed(registry, repo)["delegation", "targets/alice"]
    assert entry["who"] == "a signer of targets/alice"
    client = registry.client(house.owner)

    def version():
        return client("GET", f"/v2/{gun}/_trust/tuf/targets/alice.json").expect(200).json["signed"]["version"]
    was = version()
    obey(alice, entry["command"])
    assert version() == was + 1
    owner("delegation", "remove", "-p", "-y", gun, "targets/alice")
    assert ("delegation", "targets/alice") not in listed(registry, repo)


def test_a_wiped_repository_is_not_listed(registry, notary, repo):
    notary("owner").init(repo)
    registry.bond("trust", "wipe", repo, "--confirm", repo)
    assert listed(registry, repo) == {}


def test_the_list_is_for_those_who_may_read(registry, notary, house, repo):
    notary("owner").init(repo)
    target = f"/api/v1/trust/expiring?scope={repo}&within=4000d"

    def asked(who, target=target):
        session = registry.session(getattr(house, who))
        return registry.wire.request("GET", target, {"Authorization": f"Bearer {session}"})
    assert len(asked("owner").expect(200).json["expiring"]) == 3
    assert len(asked("reader").expect(200).json["expiring"]) == 3
    asked("stranger").expect(404)
    registry.wire.request("GET", target).expect(401)
    asked("owner", "/api/v1/trust/expiring").expect(400)  # all repositories: administrators
    for last in ("nonsense", "%ZZ"):
        asked("owner", f"{target}&last={last}").expect(400)
    asked("owner", target.replace("4000d", "soon")).expect(400)
    rows = asked("owner").json["expiring"]
    for i, row in enumerate(rows):
        assert asked("owner", f"{target}&last={row['place']}").json["expiring"] == rows[i + 1:], "pages follow each other"


def test_the_list_of_a_namespace_and_of_all_goes_on_page_by_page(registry, notary, house, repo):
    """More than one page of 100 would take minutes; the places are what pages go on from."""
    notary("owner").init(repo)
    session = registry.session(registry.admin)

    def page(**query):
        words = "&".join(f"{k}={v}" for k, v in query.items())
        return registry.wire.request("GET", f"/api/v1/trust/expiring?within=4000d&{words}",
                                     {"Authorization": f"Bearer {session}"}).expect(200).json["expiring"]
    for scope in ({"scope": house.ns}, {}):
        rows = page(**scope)
        assert {"targets", "root"} <= {r["kind"] for r in rows if r["repository"] == repo} or len(rows) == 100
        assert [r["expires"] for r in rows] == sorted(r["expires"] for r in rows)
        assert page(last=rows[0]["place"], **scope)[:5] == rows[1:6]


def test_the_status_of_a_namespace_and_of_all_goes_on_page_by_page(registry, notary, house, repo):
    """More than one page of 1,000 would take minutes; the names are what pages go on from."""
    repos = [f"{repo}-{i}" for i in range(3)]
    for name in repos:
        notary("owner").init(name)

    def page(who, code=200, **query):
        session = registry.session(who)
        words = "&".join(f"{k}={v}" for k, v in query.items())
        answer = registry.wire.request("GET", f"/api/v1/trust/status?{words}", {"Authorization": f"Bearer {session}"}).expect(code)
        return [r["repository"] for r in answer.json["repositories"]] if code == 200 else answer
    for who, scope in ((house.owner, {"scope": house.ns}), (registry.admin, {})):
        rows = page(who, **scope)
        assert [r for r in rows if r in repos] == repos
        assert page(who, last=repos[0], **scope) == rows[rows.index(repos[0]) + 1:]
        assert page(who, last=rows[-1], **scope) == []
    assert page(house.owner, scope=repos[0]) == repos[:1] and page(house.owner, scope=repos[0], last=repos[0]) == []
    page(registry.admin, code=404, last=f"{repo}-never")
    page(house.owner, code=400, last=repos[0])
    told = json.loads(registry.bond("trust", "status", house.ns, "--json").out)["repositories"]
    assert [r["repository"] for r in told] == page(house.owner, scope=house.ns)


def test_a_single_root_key_is_reported(registry, notary, repo):
    notary("owner").init(repo)
    row, = json.loads(registry.bond("trust", "status", repo, "--json").out)["repositories"]
    assert row["single_root_key"] is True
    assert f"{repo} hangs on a single root key" in registry.bond("trust", "status", repo).err
    assert "hang on a single root key" in registry.bond("trust", "status", repo.split("/")[0]).err
    assert registry.bond("trust", "status", repo, "-q").err == ""


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A stopped server whose repository was signed today, and documents for one more."""
    server = Server(tmp_path_factory.mktemp("expiry")).init().start()
    server.make_namespace("ns")
    owner = server.make_member("ns", "owner@ns.example", "owner")
    keeper = Notary(server, owner, tmp_path_factory.mktemp("keeper"))
    keeper.init("ns/app")
    keeper("init", server.gun("ns/late"))
    late = [(role, keeper.cached("ns/late", role)) for role in ("root", "targets", "snapshot")]
    server.stop()
    return server, server.client(owner), late


@pytest.fixture
def aged(old):
    yield old
    old[1].forget()
    old[0].end()


@pytest.mark.parametrize("days,roles", [(3 * 365 - 10, {"targets": 1}),
                                        (10 * 365 - 10, {"targets": 1, "root": 1, "root_certificate": 1})])
def test_from_two_weeks_before_it_is_told_everywhere(aged, days, roles):
    server = aged[0]
    server.start(**faketime(days)[0])
    row, = json.loads(server.bond("trust", "status", "ns/app", "--json").out)["repositories"]
    told = row["attention"]
    assert len(told) == len(roles)
    word_of_targets = "expired at" if days > 3 * 365 else "expires at"
    does = "an owner, then the holder of the targets key run: bond trust wipe ns/app --confirm ns/app --keep-pin && notary" if days > 3 * 365 else "witness -p"
    assert any(f"targets {word_of_targets}" in s and does in s for s in told)
    assert days < 9 * 365 or any("the root expires at" in s and "key rotate" in s for s in told)
    out = json.loads(server.bond("trust", "expiring", "--json").out)["expiring"]
    assert sorted(e["kind"] for e in out) == sorted(roles)
    for role in ("root", "root_certificate", "targets", "delegation", "snapshot"):
        eventually(lambda role=role: server.counter("bondstore_trust_expiring", role=role) == roles.get(role, 0),
                   what=f"the count of {role}")


def test_a_publish_is_answered_with_a_warning_of_what_ends(aged):
    server, owner, late = aged
    server.start(**faketime(3 * 365 - 10)[0])
    gun = server.gun("ns/late")
    body, content_type = multipart(late)
    answer = owner("POST", f"/v2/{gun}/_trust/tuf/", {"Content-Type": content_type}, body)
    text = " ".join(answer.expect(200).header_all("Warning"))
    assert "299 - " in text and "targets expires at" in text and f"witness -p {gun} targets" in text
    assert "the root expires" not in text


# --- the server's keys ---------------------------------------------------------------------------------------------


def keys(server, repo):
    return json.loads(server.bond("trust", "keys", "list", repo, "--json").out)["keys"]


def of(found, role, state):
    return [k["key_id"] for k in found if k["role"] == role and k["state"] == state]


@pytest.mark.parametrize("role", ["snapshot", "timestamp"])
def test_a_rotated_key_signs_from_the_root_on_that_names_it(registry, notary, house, repo, role):
    owner = notary("owner")
    gun = owner.init(repo)
    before = keys(registry, repo)
    old, = of(before, role, "active")
    made = json.loads(registry.bond("trust", "keys", "rotate", repo, role, "--json").out)
    assert made["state"] == "pending" and made["key_id"] != old
    again = json.loads(registry.bond("trust", "keys", "rotate", repo, role, "--json").out)
    assert again["key_id"] == made["key_id"], "one that was not used yet is not made twice"
    assert of(keys(registry, repo), role, "active") == [old]
    command, = made["commands"]
    obey(owner, command)
    after = keys(registry, repo)
    assert of(after, role, "active") == [made["key_id"]] and old in of(after, role, "retired")
    document = registry.client(house.owner)("GET", f"/v2/{gun}/_trust/tuf/{role}.json").expect(200).json
    assert [s["keyid"] for s in document["signatures"]] == [made["key_id"]]
    assert "key rotate" in registry.bond("trust", "keys", "rotate", repo, role).err


def test_keys_are_rotated_by_who_administers_trust_and_nobody_else(registry, notary, house, repo):
    notary("owner").init(repo)
    before = keys(registry, repo)

    def rotate(who, role="snapshot", scope=repo):
        session = registry.session(getattr(house, who))
        return registry.wire.request("POST", "/api/v1/trust/keys",
                                     {"Authorization": f"Bearer {session}", "Content-Type": "application/json"},
                                     json.dumps({"scope": scope, "role": role}).encode())
    rotate("developer").expect(403)
    rotate("reader").expect(403)
    rotate("stranger").expect(404)
    rotate("owner", role="targets").expect(400)
    rotate("owner", scope=house.ns).expect(400)
    rotate("owner", scope=f"{house.ns}/nothing-there").expect(404)
    assert keys(registry, repo) == before
    rotate("owner").expect(200)
    assert b"sealed" not in rotate("owner").body and b"private\":null" in rotate("owner").body.replace(b" ", b"")


def test_two_root_keys_are_named_by_one_rotation_and_either_is_enough(registry, notary, repo):
    owner = notary("owner")
    gun = owner.init(repo)
    owner.sign(repo, "v1", image("signed"))
    before = set((owner.folder / "private").glob("*.key"))
    for _ in range(2):
        owner("key", "generate", "ecdsa")
    one, two = set((owner.folder / "private").glob("*.key")) - before
    owner("key", "rotate", gun, "root", "-k", one, "-k", two, stdin="yes\n")
    row, = json.loads(registry.bond("trust", "status", repo, "--json").out)["repositories"]
    assert row["single_root_key"] is False and len(row["root_keys"]) == 2 and row["state"] == "ok"
    assert row["attention"] == []
    assert owner.list(repo)["v1"][0] == image("signed").hex
    owner.sign(repo, "v2", image("signed"))
    one.unlink()  # lost: the other one names new keys
    owner("key", "rotate", gun, "root", stdin="yes\n")
    assert owner.list(repo)["v2"][0] == image("signed").hex
