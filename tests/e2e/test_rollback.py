"""A restored database, a lost checkpoint, a clock turned back (gate 4.2, attacks O-01, O-02, O-04, O-05): the files are really
copied back, the clock is really set (libfaketime)."""
import json
import os
import shutil
import sqlite3

import pytest

from support.images import image
from support.notary import Notary
from support.process import run
from support.server import Server
from test_clock import faketime
from test_gate import refused

SUSPECT = "rollback_suspected"
INDEX = ("index.db", "index.db-wal", "index.db-shm")


class Store:
    """Two signed repositories; a backup of the database from before the second signature of each."""

    def __init__(self, folder):
        self.server = Server(folder).init().start()
        self.folder = folder
        self.server.make_namespace("ns")
        self.owner_account = self.server.make_member("ns", "owner@ns.example", "owner")
        self.owner = self.server.client(self.owner_account)
        self.dep = self.server.client(self.server.make_deployer("ns", "k8s"), basic=True)
        self.keeper = Notary(self.server, self.owner_account, folder / "keeper")
        self.images = {}
        for name in ("app", "api"):
            self.images[name] = image(f"first {name}")
            self.owner.push(f"ns/{name}", self.images[name], "v1")
            self.keeper.init(f"ns/{name}")
            self.keeper.sign(f"ns/{name}", "v1", self.images[name])

    @property
    def checkpoint(self):
        return self.server.data / "checkpoint" / "trust"

    def sign_again(self, name, text="second"):
        made = image(f"{text} {name}")
        self.owner.push(f"ns/{name}", made, "v1")
        self.keeper.sign(f"ns/{name}", "v1", made)
        return made

    def save(self, name="backup"):
        """The database as an operator would copy it: of a stopped server."""
        self.server.stop()
        (self.folder / name).mkdir()
        for file in INDEX:
            if (self.server.data / file).exists():
                shutil.copy2(self.server.data / file, self.folder / name / file)
        self.server.start()

    def copy_back(self, name="backup"):
        for file in INDEX:
            (self.server.data / file).unlink(missing_ok=True)
            if (self.folder / name / file).exists():
                shutil.copy2(self.folder / name / file, self.server.data / file)

    def restore(self, kill=False, **env):
        self.server.kill() if kill else self.server.stop()
        self.copy_back()
        self.owner.forget(), self.dep.forget()
        self.server.start(**env)

    def suspects(self, name="app"):
        return refused(self.dep.get(f"ns/{name}", "v1"), SUSPECT).message

    def serves(self, name="app"):
        return self.dep.get(f"ns/{name}", "v1").expect(200).body == self.images[name].manifest


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path)
    yield made
    made.server.end()


def check_operational(store, trouble=None):
    """What monitoring sees; whoever pulls is served either way, so a balancer is not to turn away."""
    wire = store.server.wire
    health, metrics = wire.request("GET", "/_notary_server/health"), wire.request("GET", "/metrics").expect(200).body.decode()
    if trouble:
        assert list(health.expect(503).json) == ["Trust operational"] and trouble in health.json["Trust operational"], health.body
    else:
        assert health.expect(200).json == {}
    assert f"\nbondstore_trust_operational {0 if trouble else 1}\n" in metrics
    assert wire.request("GET", "/readyz").status == 200


def version(store, name, role="timestamp"):
    gun = store.server.gun(f"ns/{name}")
    return store.owner("GET", f"/v2/{gun}/_trust/tuf/{role}.json").expect(200).json["signed"]["version"]


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_o01_a_restored_database_is_refused_where_it_is_older_and_served_elsewhere(store, kill):
    store.save()
    store.sign_again("app")
    store.restore(kill)
    told = store.suspects()
    assert "but version" in told and "bond trust acknowledge ns/app" in told, told
    assert store.serves("api")
    digest = store.images["app"].digest
    refused(store.dep.get("ns/app", digest), SUSPECT)
    refused(store.dep("GET", f"/v2/ns/app/blobs/{next(iter(store.images['app'].blobs))}"), SUSPECT)
    store.owner.get("ns/app", "v1").expect(200)  # whoever is not gated goes on
    store.server.restart()  # and it stays so
    store.owner.forget(), store.dep.forget()
    store.suspects()
    assert store.serves("api")


def test_o01_nothing_is_published_wiped_or_renewed_on_a_suspect_store_until_it_is_acknowledged(store):
    store.save()
    newer = store.sign_again("app")
    assert store.keeper.list("ns/app")["v1"][0] == newer.hex
    store.restore()
    before = version(store, "app")
    made = image("third")
    store.owner.push("ns/app", made, "v2")
    fresh = Notary(store.server, store.owner_account, store.folder / "keeper2")
    shutil.copytree(store.folder / "keeper" / "private", store.folder / "keeper2" / "private")
    said = fresh.sign("ns/app", "v2", made, code="fail")  # a client that knows nothing newer
    assert "set back" in said.text, said.text
    store.server.bond("trust", "wipe", "ns/app", "--confirm", "ns/app", code=7)
    answer = store.owner("DELETE", f"/v2/{store.server.gun('ns/app')}/_trust/tuf/").expect(400, "INVALID_UPDATE")
    detail = answer.error["detail"]
    assert (detail["Name"], detail["reason"]) == ("ErrValidation", SUSPECT) and "set back" in detail["Error"]["Msg"]
    assert version(store, "app") == before
    assert SUSPECT in store.server.bond("trust", "status", "ns").out
    told = store.server.bond("trust", "acknowledge", "ns/app", "--reason", "the disk was replaced").text
    assert store.serves()
    assert "lower than current version" in store.keeper("list", store.server.gun("ns/app"), code="fail").text
    for command in (line.strip() for line in told.splitlines() if line.startswith("  rm -rf ")):
        run(["sh", "-c", command.replace("~/.notary", str(store.keeper.folder)).replace("~/.docker", str(store.folder / "nobody"))])
    assert store.keeper.list("ns/app")["v1"][0] == store.images["app"].hex
    fresh.sign("ns/app", "v2", made)
    assert store.dep.get("ns/app", "v2").expect(200).body == made.manifest
    store.server.restart()
    store.owner.forget(), store.dep.forget()
    assert store.serves() and store.serves("api")


def test_o01_a_renewal_alone_is_remembered_too_and_a_suspect_store_is_not_renewed(store):
    """Forty days: the timestamp has expired, and its renewal in the deciding request is as good as a publish."""
    store.save()
    store.server.stop()
    store.server.start(**faketime(40)[0])
    store.dep.forget()
    assert store.serves()  # O-05: re-signed inside the request
    newer = version(store, "app")
    store.restore(**faketime(40)[0])
    store.suspects()
    assert version(store, "app") < newer


def test_o02_a_deleted_checkpoint_is_no_first_run(store):
    store.server.stop()
    store.checkpoint.unlink()
    store.server.start()
    assert "missing" in store.suspects() and store.suspects("api")
    store.server.bond("trust", "acknowledge", "ns/app", code=7)  # one repository does not say what the others were
    store.server.restart()
    store.suspects()
    assert not store.checkpoint.exists()
    check_operational(store, "missing")
    store.server.bond("trust", "acknowledge", "--all")
    check_operational(store)
    assert store.serves() and store.serves("api")
    store.sign_again("app")
    store.server.restart()
    store.dep.forget()
    assert store.serves("api")


@pytest.mark.parametrize("harm", ["empty", "cut in the first record", "a bit in the middle", "a record taken out", "another instance",
                                  "a link", "a folder"])
def test_a_checkpoint_that_cannot_be_believed_stops_gated_pulls_and_publishing(store, tmp_path, harm):
    store.server.stop()
    whole = store.checkpoint.read_bytes().rstrip(b"\0")  # zeros lie ahead of the next record
    records = whole.split(b"record ")[1:]
    assert len(records) > 3, whole
    if harm == "empty":
        store.checkpoint.write_bytes(b"")
    elif harm == "cut in the first record":
        store.checkpoint.write_bytes(whole[:60])
    elif harm == "a bit in the middle":
        at = whole.index(b"record ", len(whole) // 2) - 5
        store.checkpoint.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
    elif harm == "a record taken out":
        store.checkpoint.write_bytes(b"".join(b"record " + r for r in records[:1] + records[2:]))
    elif harm == "another instance":
        other = Server(tmp_path / "other" if (tmp_path / "other").mkdir() is None else None).init().start()
        other.stop()
        shutil.copy2(other.data / "checkpoint" / "trust", store.checkpoint)
    elif harm == "a link":  # of somebody who wants it written elsewhere
        store.checkpoint.rename(tmp_path / "moved")
        store.checkpoint.symlink_to(tmp_path / "moved")
    else:
        store.checkpoint.unlink()
        store.checkpoint.mkdir()
    store.server.start()
    store.dep.forget(), store.owner.forget()
    store.suspects()
    store.suspects("api")
    made = image("during")
    store.owner.push("ns/app", made, "v2")
    assert store.keeper.sign("ns/app", "v2", made, code="fail")
    if harm == "a folder":
        store.checkpoint.rmdir()
    store.server.bond("trust", "acknowledge", "--all")
    assert store.serves()
    store.keeper.sign("ns/app", "v2", made)
    store.server.restart()
    store.dep.forget()
    assert store.dep.get("ns/app", "v2").expect(200).body == made.manifest


def test_a_torn_last_record_is_what_a_crash_leaves_and_no_alarm(store):
    store.sign_again("app")
    store.server.kill()
    whole = store.checkpoint.read_bytes().rstrip(b"\0")  # zeros lie ahead of the next record
    store.checkpoint.write_bytes(whole[:whole.rindex(b"record ") + 100])
    store.server.start()
    store.owner.forget(), store.dep.forget()
    store.dep.get("ns/app", "v1").expect(200)
    made = image("after the crash")
    store.owner.push("ns/app", made, "v2")
    store.keeper.sign("ns/app", "v2", made)
    store.server.restart()
    store.dep.forget()
    store.dep.get("ns/app", "v2").expect(200)


def test_a_checkpoint_removed_under_the_running_server_is_written_anew(store):
    store.checkpoint.unlink()
    store.sign_again("app")
    assert store.checkpoint.exists()
    store.server.restart()
    store.dep.forget()
    store.dep.get("ns/app", "v1").expect(200)


def test_only_an_administrator_acknowledges_and_it_is_audited(store):
    session = store.server.session(store.owner_account)
    for wanted in (["--all"], ["ns/app"]):
        store.server.bond_remote("trust", "acknowledge", *wanted, token=session, code=5)
    store.server.bond("trust", "acknowledge", code=2)
    store.server.bond("trust", "acknowledge", "ns/app", "--all", code=2)
    store.server.bond("trust", "acknowledge", "ns/never", code="fail")
    store.server.bond("trust", "acknowledge", "ns/app", "--reason", "looked at the store")
    with sqlite3.connect(f"file:{store.server.data}/index.db?mode=ro", uri=True) as index:
        rows = index.execute("SELECT object, state_after FROM audit WHERE action = 'trust.acknowledge'").fetchall()
    assert rows == [("ns/app", '{"reason":"looked at the store"}')]


def test_o04_a_clock_set_back_is_refused_and_recovers_when_it_is_right(store):
    store.server.stop()
    store.server.start(**faketime(-365)[0])
    store.dep.forget()
    assert "clock" in store.suspects() and "clock" in store.suspects("api")
    store.server.stop()
    store.server.start()
    store.dep.forget()
    assert store.serves() and store.serves("api")


def test_o04_a_clock_set_ahead_refuses_what_expired_and_recovers_when_it_is_right(store):
    store.server.stop()
    store.server.start(BONDSTORE_MAINTENANCE_INTERVAL="1s", **faketime(3 * 365 + 10)[0])
    store.dep.forget()
    refused(store.dep.get("ns/app", "v1"), "expired_targets")
    store.server.stop()
    store.server.start()
    store.dep.forget()
    assert store.serves()


def test_a_clock_that_is_right_after_all_is_acknowledged(store):
    store.server.stop()
    store.server.start(**faketime(-15 / 1440)[0])
    store.dep.forget()
    store.suspects()
    store.server.bond("trust", "acknowledge", "--all", "--reason", "it was ahead")
    assert store.serves()


@pytest.fixture
def small_volume(tmp_path):
    """A volume of its own for the checkpoint."""
    place = tmp_path / "volume"
    place.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "size=640k", "tmpfs", place])
    yield place
    run(["umount", "-l", place])


def fill(path):
    with open(path, "wb", 0) as f:
        try:
            while f.write(b"x" * 4096):
                pass
        except OSError:
            return


def test_on_a_full_volume_a_publish_fails_whole_deploys_go_on_and_it_works_when_there_is_room(small_volume, tmp_path, monkeypatch):
    start, checkpoint = Server.start, small_volume / "trust"
    monkeypatch.setattr(Server, "start", lambda self, **env: start(self, **{"BONDSTORE_TRUST_CHECKPOINT": str(checkpoint), **env}))
    folder = tmp_path / "server"
    folder.mkdir()
    store = Store(folder)
    try:
        assert checkpoint.exists() and not store.checkpoint.exists()
        store.server.stop()
        os.truncate(checkpoint, len(checkpoint.read_bytes().rstrip(b"\0")))  # without the room that the server took for it
        fill(small_volume / "filler")
        store.server.start()
        store.dep.forget(), store.owner.forget()
        before = version(store, "app")
        made = image("no room")
        store.owner.push("ns/app", made, "v2")
        store.keeper.sign("ns/app", "v2", made, code="fail")
        assert "disk is full" in store.server.log_text() or "No space" in store.server.log_text()
        assert version(store, "app") == before
        assert store.serves()
        check_operational(store, "cannot be written")
        (small_volume / "filler").unlink()
        store.keeper("publish", store.server.gun("ns/app"))
        check_operational(store)
        store.dep.get("ns/app", "v2").expect(200)
    finally:
        store.server.end()


def test_a_checkpoint_elsewhere_whose_volume_is_not_there_is_not_begun_anew(tmp_path, monkeypatch):
    place = tmp_path / "volume"
    place.mkdir()
    start = Server.start
    monkeypatch.setattr(Server, "start", lambda self, **env: start(self, **{"BONDSTORE_TRUST_CHECKPOINT": str(place / "trust"), **env}))
    folder = tmp_path / "server"
    folder.mkdir()
    store = Store(folder)
    try:
        store.server.stop()
        place.rename(tmp_path / "unmounted")
        store.server.start()
        store.suspects()
        store.server.bond("trust", "acknowledge", "--all", code="fail")
        store.suspects()
        store.server.stop()
        (tmp_path / "unmounted").rename(place)
        store.server.start()
        assert store.serves()
    finally:
        store.server.end()


def overridden(store, *more):
    made = image("overridden")
    store.owner.push("ns/app", made, "late")
    out = store.server.bond("override", "create", f"ns/app@{made.digest}", "--for", store.dep.account.user, "--duration", "2h",
                            "--reason", "r", "--ticket", "t", *more, "--json").out
    return str(json.loads(out)["id"])


def test_a_restored_database_brings_no_exception_back(store):
    glass = overridden(store)
    store.save()
    store.owner.forget(), store.dep.forget()
    store.dep.get("ns/app", "late").expect(200)
    store.server.bond("deny", "add", "ns", store.images["api"].digest, "--reason", "stolen")
    store.server.bond("override", "end", "ns", glass)
    store.restore()
    told = store.suspects("api")
    assert "the deny list and the overrides" in told and "bond trust acknowledge --all" in told, told
    refused(store.dep.get("ns/app", "late"), SUSPECT)
    store.server.bond("trust", "acknowledge", "ns/api", "--reason", "one is not enough")
    store.suspects("api")
    # nothing is changed on it before it is acknowledged, and it says how
    assert "bond trust acknowledge --all" in store.server.bond("override", "end", "ns", glass, code=7).err
    store.server.bond("trust", "acknowledge", "--all", "--reason", "looked at it")
    assert store.serves("api")
    store.server.bond("override", "end", "ns", glass)
    store.server.restart()
    store.owner.forget(), store.dep.forget()
    assert store.serves("api")
    refused(store.dep.get("ns/app", "late"), "unsigned")
