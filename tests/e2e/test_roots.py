"""Root keys with the real clients and over plain HTTP (attacks K-01 to K-07): which a namespace accepts, which are revoked, and
what a wipe asks of clients that remember."""
import json
import re
import shutil
import zlib

import pytest

from support.images import image
from support.notary import Notary
from support.process import run
from test_gate import refused

KEY = re.compile(r"sha256:[0-9a-f]{64}")


class Place:
    """A namespace of the test's own, with its people; each person's notary has a root key of its own."""

    def __init__(self, registry, ns, folder):
        self.registry, self.ns, self.folder = registry, ns, folder
        registry.make_namespace(ns)
        self.owner = registry.make_member(ns, f"owner@{ns}.example", "owner")
        self.maintainer = registry.make_member(ns, f"maintainer@{ns}.example", "maintainer")
        self.deployer = registry.client(registry.make_deployer(ns, "k8s"))
        self.images = {}

    def repo(self, name):
        return f"{self.ns}/{name}"

    def notary(self, account, folder):
        return Notary(self.registry, account, self.folder / folder)

    def share(self, whose, account, folder):
        """A client that holds the keys of another and no documents."""
        client = self.notary(account, folder)
        client.folder.mkdir()
        shutil.copytree(whose.folder / "private", client.folder / "private")
        return client

    def signed(self, client, name):
        repo = self.repo(name)
        self.images[name] = image(repo)
        self.registry.client(self.owner).push(repo, self.images[name], "v1")
        client.init(repo)
        client.sign(repo, "v1", self.images[name])
        self.deployer.get(repo, "v1").expect(200)
        return repo

    def root(self, repo):
        return self.registry.client(self.owner)("GET", f"/v2/{self.registry.gun(repo)}/_trust/tuf/root.json")

    def root_keys(self, repo):
        """As `bond trust status` names them."""
        told = json.loads(self.registry.bond("trust", "status", repo, "--json").out)
        return told["repositories"][0]["root_keys"]

    def accepted(self):
        return json.loads(self.registry.bond("trust", "roots", "list", self.ns, "--json").out)["roots"]


@pytest.fixture
def place(registry, request, tmp_path):
    return Place(registry, f"roots-{zlib.crc32(request.node.name.encode()):08x}", tmp_path)


def test_k01_the_same_root_key_with_another_certificate_is_the_same_key(place):
    first = place.notary(place.owner, "x")
    place.signed(first, "app")
    same = place.share(first, place.maintainer, "same")
    same.init(place.repo("api"))
    ids = [set(place.root(place.repo(n)).expect(200).json["signed"]["roles"]["root"]["keyids"]) for n in ("app", "api")]
    assert ids[0].isdisjoint(ids[1])  # another certificate, so another TUF key id
    assert place.root_keys(place.repo("app")) == place.root_keys(place.repo("api"))
    assert [k["key"] for k in place.accepted()] == place.root_keys(place.repo("app"))


def test_k02_a_strangers_root_is_refused_with_the_command_that_lets_it_in(place, registry):
    place.signed(place.notary(place.owner, "x"), "app")
    mine = place.notary(place.maintainer, "y")
    gun = registry.gun(place.repo("api"))
    told = mine("init", "-p", gun, code="fail").text
    assert "The root metadata is invalid" in told and f"bond trust roots add {place.ns} sha256:" in told, told
    place.root(place.repo("api")).expect(404, "METADATA_NOT_FOUND")  # nothing was stored
    key = KEY.search(told).group()
    assert key not in [k["key"] for k in place.accepted()]
    session = registry.session(place.maintainer)
    registry.bond_remote("trust", "roots", "add", place.ns, key, token=session, code=5)  # he does not let himself in
    registry.bond_remote("trust", "roots", "add", place.ns, key, token=registry.session(place.owner))
    mine("publish", gun)
    place.root(place.repo("api")).expect(200)
    assert [k["key"] for k in place.accepted() if k["added_by"] == f"owner@{place.ns}.example"][-1] == key


def test_k02_an_owners_own_root_enters_the_set(place):
    place.signed(place.notary(place.owner, "x"), "app")
    place.signed(place.notary(place.owner, "y"), "api")  # docker makes one for each of his machines
    keys = [k["key"] for k in place.accepted()]
    assert sorted(keys) == sorted(place.root_keys(place.repo("app")) + place.root_keys(place.repo("api"))) and len(keys) == 2


def test_k02_allow_roots_bind_everybody(place, registry):
    first = place.notary(place.owner, "x")
    place.signed(first, "app")
    key, = place.root_keys(place.repo("app"))
    registry.bond("policy", "set", place.ns, "--file", "-", stdin=json.dumps({"allow_roots": [key]}))
    told = place.notary(place.owner, "y")("init", "-p", registry.gun(place.repo("api")), code="fail").text
    assert "allow_roots" in told, told
    place.share(first, place.maintainer, "same").init(place.repo("api"))


def test_the_last_key_of_a_set_stays(place, registry):
    first = place.notary(place.owner, "x")
    repo = place.signed(first, "app")
    key, = place.root_keys(repo)
    other = "sha256:" + "ab" * 32
    told = registry.bond("trust", "roots", "rm", place.ns, key, code=7).text
    assert "last root key" in told, told
    registry.bond("trust", "roots", "rm", place.ns, other, code=3)
    registry.bond("trust", "roots", "add", place.ns, other)
    registry.bond("trust", "roots", "rm", place.ns, key)
    assert [k["key"] for k in place.accepted()] == [other]
    first.sign(repo, "v2", place.images["app"])  # what is in force is judged by its chain
    assert place.notary(place.maintainer, "y")("init", "-p", registry.gun(place.repo("api")), code="fail")
    for word in ("sha256:00", "ab" * 31, "sha256:" + "AB" * 32):
        registry.bond("trust", "roots", "add", place.ns, word, code=2)
        client = registry.client(place.owner)
        session = {"Authorization": f"Bearer {registry.session(place.owner)}", "Content-Type": "application/json"}
        client.wire.request("POST", f"/api/v1/namespaces/{place.ns}/roots", session,
                            json.dumps({"key": word}).encode()).expect(400)


def test_k03_a_wipe_that_keeps_the_pin_takes_the_same_key_and_counts_a_further_life(place, registry):
    first = place.notary(place.owner, "x")
    repo = place.signed(first, "app")
    wiped = json.loads(registry.bond("trust", "wipe", repo, "--confirm", repo, "--keep-pin", "--json").out)["wiped"]
    assert [(w["repository"], w["incarnation"], w["keep_pin"]) for w in wiped] == [(repo, 2, True)]
    place.notary(place.owner, "y")("init", "-p", registry.gun(repo), code="fail")  # even an owner
    again = place.share(first, place.owner, "again")
    again.init(repo)
    again.sign(repo, "v1", place.images["app"])
    place.deployer.get(repo, "v1").expect(200)
    assert place.root(repo).expect(200).json["signed"]["version"] <= 2  # versions restart


def test_k04_after_a_wipe_a_key_outside_the_set_has_to_be_added_first(place, registry):
    repo = place.signed(place.notary(place.owner, "x"), "app")
    registry.bond("trust", "wipe", repo, "--confirm", repo, "--reason", "the laptop is gone")
    assert "wiped" in refused(place.deployer.get(repo, "v1"), "unsigned").message
    mine = place.notary(place.maintainer, "y")
    told = mine("init", "-p", registry.gun(repo), code="fail").text
    registry.bond("trust", "roots", "add", place.ns, KEY.search(told).group())
    mine("publish", registry.gun(repo))
    mine.sign(repo, "v1", place.images["app"])
    place.deployer.get(repo, "v1").expect(200)


def test_k05_a_revoked_root_key_stops_what_needs_it_and_nothing_else(own_server, tmp_path):
    place = Place(own_server, "ns", tmp_path)
    stolen = place.notary(place.owner, "x")
    needs, rotated = place.signed(stolen, "needs"), place.signed(stolen, "rotated")
    other = place.signed(place.notary(place.owner, "z"), "other")
    key, = place.root_keys(needs)
    thief = place.share(stolen, place.owner, "thief")  # before another root key is beside it
    stolen("key", "rotate", own_server.gun(rotated), "root", stdin="yes\n")
    assert place.root_keys(rotated) != [key]
    own_server.bond("trust", "keys", "revoke", key, code=2)  # without a reason nothing happens
    place.deployer.get(needs, "v1").expect(200)
    told = own_server.bond("trust", "keys", "revoke", key, "--reason", "stolen with a laptop")
    assert needs in told.out.split() and rotated not in told.out and other not in told.out, told.text
    for _ in range(2):  # and after a restart
        refused(place.deployer.get(needs, "v1"), "root_key_revoked")
        refused(place.deployer.get(needs, place.images["needs"].digest), "root_key_revoked")
        for repo in (rotated, other):
            place.deployer.get(repo, "v1").expect(200)
        own_server.restart()
        place.deployer.forget()
    row, = json.loads(own_server.bond("trust", "keys", "revoked", "--json").out)["keys"]
    assert (row["key"], row["reason"]) == (key, "stolen with a laptop")
    assert [k["revoked"] for k in place.accepted() if k["key"] == key] == [True]
    # whoever has it can neither go on nor begin
    assert "revoked" in stolen.sign(needs, "v2", place.images["needs"], code="fail").text
    assert "revoked" in thief("init", "-p", own_server.gun("ns/fresh"), code="fail").text
    assert "revoked" in own_server.bond("trust", "roots", "add", "ns", key, code=7).text
    # the way out
    own_server.bond("trust", "wipe", needs, "--confirm", needs)
    fresh = place.notary(place.owner, "fresh")
    fresh.init(needs)
    fresh.sign(needs, "v1", place.images["needs"])
    place.deployer.get(needs, "v1").expect(200)


def test_a_revocation_is_for_administrators(place, registry):
    repo = place.signed(place.notary(place.owner, "x"), "app")
    key, = place.root_keys(repo)
    assert json.loads(registry.bond("trust", "status", repo, "--json").out)["repositories"][0]["single_root_key"]
    for who in (place.owner, place.maintainer):
        session = registry.session(who)
        registry.bond_remote("trust", "keys", "revoke", key, "--reason", "no", token=session, code=5)
        registry.bond_remote("trust", "keys", "revoked", token=session, code=5)
        registry.bond_remote("trust", "role", "reset", repo, "targets", token=session, code=5)
    place.deployer.get(repo, "v1").expect(200)


def test_a_role_is_reset_by_an_administrator_and_goes_on_until_its_keys_change(place, registry):
    keeper = place.notary(place.owner, "x")
    repo = place.signed(keeper, "app")
    for role in ("root", "targets/releases", "nonsense"):
        registry.bond("trust", "role", "reset", repo, role, code=2)
    registry.bond("trust", "role", "reset", place.repo("none"), "targets", code=3)
    registry.bond("trust", "role", "reset", repo, "targets", "--reason", "driven up")
    keeper.sign(repo, "v2", place.images["app"])
    keeper("key", "rotate", registry.gun(repo), "targets")
    place.deployer.get(repo, "v1").expect(200)
    assert keeper.list(repo)["v2"][0] == place.images["app"].hex


def test_k07_an_owner_changes_nothing_in_another_namespace(place, registry):
    other = f"{place.ns}-other"
    registry.make_namespace(other, visibility="internal")
    registry.make_namespace(f"{other}-hidden")
    session = registry.session(place.owner)
    key = "sha256:" + "cd" * 32
    for ns, code in ((other, 5), (f"{other}-hidden", 3)):
        registry.bond("trust", "roots", "add", ns, key)
        registry.bond_remote("trust", "roots", "list", ns, token=session, code=code)
        registry.bond_remote("trust", "roots", "add", ns, "sha256:" + "ef" * 32, token=session, code=code)
        registry.bond_remote("trust", "roots", "rm", ns, key, token=session, code=code)
        registry.bond_remote("trust", "wipe", ns, "--confirm", ns, token=session, code=code)
        assert [k["key"] for k in json.loads(registry.bond("trust", "roots", "list", ns, "--json").out)["roots"]] == [key]


def commands_of(answer, homes):
    """The printed commands, with the folders that they name for everybody put where this test has them."""
    lines = [line.strip() for line in answer.text.splitlines() if line.strip().startswith("rm -rf ")]
    assert len(lines) == 2, answer.text
    for home, folder in homes.items():
        lines = [line.replace(home, str(folder)) for line in lines]
    assert not any("~" in line for line in lines), lines
    return lines


def test_what_notary_remembers_is_told_and_cured_by_the_printed_command(place, registry):
    old = place.notary(place.owner, "old")
    repo = place.signed(old, "app")
    gun = registry.gun(repo)
    answer = registry.bond("trust", "wipe", repo, "--confirm", repo)
    fresh = place.notary(place.owner, "fresh")
    fresh.init(repo)
    fresh.sign(repo, "v1", place.images["app"])
    old("list", gun, code="fail")  # it holds the old root against the new one
    for command in commands_of(answer, {"~/.docker": place.folder / "nobody", "~/.notary": old.folder}):
        run(["sh", "-c", command])
    assert old.list(repo)["v1"][0] == place.images["app"].hex


def test_what_docker_remembers_is_told_and_cured_by_the_printed_command(registry, docker, place):
    owner, reader = docker(place.owner, name=f"owner-{place.ns}"), docker(place.maintainer, name=f"reader-{place.ns}")
    repo = place.repo("app")
    owner.push(f"{repo}:v1", image("first life"), trust=True)
    reader.pull(f"{repo}:v1", trust=True)
    answer = registry.bond("trust", "wipe", repo, "--confirm", repo)
    fresh = docker(place.owner, name=f"fresh-{place.ns}")
    digest = fresh.push(f"{repo}:v1", image("second life"), trust=True)
    reader.pull(f"{repo}:v1", trust=True, code="fail")
    for command in commands_of(answer, {"~/.docker": reader.folder, "~/.notary": place.folder / "nobody"}):
        run(["sh", "-c", command])
    assert digest in reader.pull(f"{repo}:v1", trust=True).out
    place.deployer.get(repo, "v1").expect(200)
