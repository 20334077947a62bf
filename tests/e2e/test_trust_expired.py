"""Trust data that has run out, and the commands that docs/gate.md gives to who must bring it back: read from there, and run by the
real clients. They cannot be given a false clock, so the server had one, of the past, when the documents were published; now both know
what day it is."""
import re
import shlex
import shutil
import sqlite3
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from support.engine import Docker
from support.images import image
from support.notary import PHRASES, Notary
from support.server import Server
from support.trust import Trust
from support.tuf import Collection, Key, document, later, meta_of, tag
from test_clock import faketime
from test_gate import refused

PAST, ENDED, FAR = -60, -20, 3650  # days from now
PAGE = (Path(__file__).parents[2] / "docs" / "gate.md").read_text()
REMEMBERED, ANEW = (block.splitlines() for block in re.findall(r"^```sh\n(.*?)```", PAGE.partition("### What has run out")[2].partition("\n## ")[0], re.M | re.S))


class Repository:
    """One that was signed in the past, and who holds its keys: in the folder that docker has, which notary is given too."""

    def __init__(self, world, name):
        self.world, self.repo, self.gun = world, f"ns/{name}", world.server.gun(f"ns/{name}")
        self.docker_folder = world.folder / name
        self.keeper = Notary(world.server, world.owner.account, self.docker_folder / "trust")
        self.trust = Trust(world.server, world.owner, self.repo)
        self.image = image(f"signed in {name}")
        world.owner.push(self.repo, self.image, "v1")
        self.entry = tag(self.image.hex, self.image.size)

    def give(self, key, role):
        path = self.world.folder / "given.pem"
        path.write_bytes(key.private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
        self.keeper("key", "import", path, "--role", role, *(["-g", self.gun] if role == "targets" else []))

    def begin(self, root=FAR, certificate=FAR, targets=FAR, snapshot=None):
        """A first publish; each thing ends so many days from now. snapshot: its key is the client's."""
        root_key = Key.certified(self.gun, days=(PAST - 1, certificate))
        self.keys = keys = Collection(self.trust, client_snapshot=snapshot is not None, root=root_key)
        parts = {"root": document({**keys.root_part(), "expires": later(root)}, root_key),
                 "targets": document({**keys.targets_part(2, {"v1": self.entry}), "expires": later(targets)}, keys.targets_key)}
        if snapshot is not None:
            part = {"_type": "Snapshot", "expires": later(snapshot), "version": 1, "meta": {role: meta_of(content) for role, content in parts.items()}}
            parts["snapshot"] = document(part, keys.snapshot_key)
            self.give(keys.snapshot_key, "targets")
        self.trust.publish(*parts.items()).expect(200)
        self.give(root_key, "root")
        self.give(keys.targets_key, "targets")

    def remember(self):
        """What the client of that time has in its cache."""
        folder = self.keeper.folder / "tuf" / self.gun / "metadata"
        folder.mkdir(parents=True)
        for role in ("root", "targets", "snapshot", "timestamp"):
            (folder / f"{role}.json").write_bytes(self.trust.get(f"{role}.json").expect(200).body)

    def obey(self, line, docker=None):
        """A line of the page, as its reader runs it."""
        words = shlex.split(line.replace("demo/app", self.repo).replace("HOST", self.world.server.host))
        settings = dict(words.pop(0).split("=") for word in list(words) if re.match("[A-Z_]+=", word))
        if words[0] == "bond":
            self.world.server.bond(*words[1:])
        elif words[0] == "notary":
            self.keeper(*words[1:])
        elif words[0] == "docker":
            docker(*words[1:], **settings)
        else:
            assert words[:2] == ["rm", "-rf"] and words[2].startswith("~/.docker/trust/tuf/"), line
            shutil.rmtree(self.docker_folder / words[2].removeprefix("~/.docker/"))


# --- what runs out ---------------------------------------------------------------------------------------------------

def root(r):
    r.begin(root=ENDED)


def targets(r):
    r.begin(targets=ENDED)


def snapshot(r):
    r.begin(snapshot=ENDED)


def certificate(r):
    r.begin(certificate=ENDED)


def rotated_root(r):
    r.begin(root=ENDED)
    r.trust.publish(("root", document({**r.keys.root_part(2), "expires": later(ENDED)}, r.keys.root_key))).expect(200)


def timestamp(r):
    r.begin()


def releases(r):
    r.begin()
    key = Key.certified("alice", days=(PAST - 1, FAR))
    part = {**r.keys.targets_part(1, {"v1": r.entry}), "expires": later(ENDED)}
    r.trust.publish(("targets", r.keys.targets(3, {}, [("targets/releases", [key])])), ("targets/releases", document(part, key))).expect(200)
    r.give(key, "user")


REASONS = {root: "expired_root", targets: "expired_targets", snapshot: "expired_snapshot", certificate: "expired_root",
           rotated_root: "expired_root", timestamp: "expired_timestamp", releases: "expired_role"}
# What the clients answer to the command that renews the thing before its end.
RENEWALS = {root: "key rotate {gun} root", targets: "witness -p {gun} targets", snapshot: "key rotate {gun} snapshot -r", certificate: "key rotate {gun} root"}


class World:
    def __init__(self, folder):
        self.folder = folder
        self.server = Server(folder).init()
        self.server.start(**faketime(PAST)[0])
        self.server.make_namespace("ns")
        self.owner = self.server.client(self.server.make_member("ns", "owner@ns.example", "owner"))
        self.deployer = self.server.client(self.server.make_deployer("ns", "k8s"), basic=True)
        self.made = {make: Repository(self, make.__name__) for make in REASONS}
        for make, r in self.made.items():
            make(r)
            self.deployer.get(r.repo, "v1").expect(200)
            r.remember()
        self.server.stop()
        with sqlite3.connect(self.server.data / "index.db") as db:
            assert db.execute("DELETE FROM trust_key WHERE role = 'timestamp' AND repository_id = (SELECT id FROM repository WHERE name IN "
                              "('timestamp', 'ns/timestamp'))").rowcount == 1
        db.close()
        self.owner.forget()
        self.server.start()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("expired"))
    yield made
    made.server.end()


def is_served(r, content=None):
    got = r.world.deployer.get(r.repo, "v1").expect(200)
    assert content is None or got.body == content
    return r.keeper.list(r.repo)["v1"][0] == got.header("Docker-Content-Digest")[7:]


@pytest.mark.parametrize("make", RENEWALS)
def test_the_client_renews_nothing_that_has_run_out(world, make, tmp_path):
    """Why the page gives other commands than for the time before the end. In a copy of the folder: a rotation that fails leaves a new
    root key behind, and docker begins with whichever it finds."""
    r = world.made[make]
    shutil.copytree(r.keeper.folder, tmp_path / "trust")
    tried = Notary(world.server, world.owner.account, tmp_path / "trust")
    refused(world.deployer.get(r.repo, "v1"), REASONS[make])
    told = tried(*RENEWALS[make].format(gun=r.gun).split(), stdin="yes\n", code="fail").text
    root_keys = ["role: root" in path.read_text() for path in (tmp_path / "trust" / "private").glob("*.key")].count(True)
    assert root_keys == (2 if make in (root, certificate) else 1)
    assert "expired at" in told or make is certificate and "unable to retrieve valid leaf certificates" in told
    refused(world.deployer.get(r.repo, "v1"), REASONS[make])


@pytest.mark.parametrize("make", [root, targets, snapshot])
def test_what_the_client_remembers_is_published_again(world, make):
    r = world.made[make]
    hint = refused(world.deployer.get(r.repo, "v1"), REASONS[make]).error["detail"]["hint"]
    assert "bond trust wipe --keep-pin" in hint and "notary publish" in hint and f"the holder of the {make.__name__} key" in hint
    before = r.trust.get("root.json").json["signed"]
    attention = world.server.bond("trust", "expiring", r.repo, "--json").out
    assert f"bond trust wipe {r.repo} --confirm {r.repo} --keep-pin && notary" in attention and f"publish {r.gun}" in attention
    for line in REMEMBERED:
        r.obey(line)
    assert world.deployer.get(r.repo, "v1").expect(200).body == r.image.manifest
    assert r.trust.get("root.json").json["signed"]["version"] == before["version"] + (make is root)
    shutil.rmtree(r.keeper.folder / "tuf")  # as the page says of whoever verified here before
    assert is_served(r, r.image.manifest)
    if make is snapshot:
        r.keeper("key", "rotate", r.gun, "snapshot", "-r")  # from now on the server renews it
        assert is_served(r, r.image.manifest)


def test_a_signer_renews_his_own_role_as_before(world):
    r = world.made[releases]
    assert "a holder of a key of targets/releases must sign again" in refused(world.deployer.get(r.repo, "v1"), "expired_role").error["detail"]["hint"]
    line, = re.findall(r"^\| `expired_role` .*`(notary [^`]+)` \|$", PAGE, re.M)
    r.obey(line)
    assert is_served(r, r.image.manifest)


@pytest.mark.parametrize("make", [certificate, rotated_root, timestamp])
def test_what_cannot_be_published_again_is_begun_anew_with_the_same_root_key(world, engine, make):
    r = world.made[make]
    engine.trust_ca(world.server.host, world.server.ca)
    docker = Docker(engine, world.server, world.owner.account, r.docker_folder)
    docker.login()
    docker.load(r.image, f"{r.repo}:v1")
    phrases = {"DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE": PHRASES["NOTARY_ROOT_PASSPHRASE"]}
    docker("trust", "sign", "--local", f"{r.gun}:v1", code="fail", **phrases)
    refused(world.deployer.get(r.repo, "v1"), REASONS[make])
    r.obey(REMEMBERED[0])
    r.keeper("publish", r.gun, code="fail")
    for line in ANEW:
        r.obey(line, lambda *args, **more: docker(*args, **phrases, **more))
    assert is_served(r)
    assert docker.pull(f"{r.repo}:v1", trust=True)
    keys = r.trust.get("root.json").json["signed"]["keys"]
    assert r.keys.root_key.id not in keys, "a certificate of its own, and the same key below it"
