"""Superseded trust documents are collected, what is in grace and roots are not; what a namespace may hold of them; renewal
over years. Servers of the tests' own, on set clocks."""
import json

import pytest

from support.images import image
from support.notary import Notary
from support.process import environment, run
from support.server import Server, eventually, sanitizer_environment
from test_clock import faketime


class Store:
    def __init__(self, folder):
        self.server = Server(folder / "server")
        self.server.folder.mkdir()
        self.server.init().start()
        self.server.make_namespace("ns")
        self.owner = self.server.make_member("ns", "owner@ns.example", "owner")
        (folder / "keeper").mkdir()
        self.keeper = Notary(self.server, self.owner, folder / "keeper")
        self.client = self.server.client(self.owner)

    def document(self, repo, name):
        return self.client("GET", f"/v2/{self.server.gun(repo)}/_trust/tuf/{name}.json")

    def again(self, days, **env):
        self.server.stop()
        self.client.forget()
        self.server.start(**faketime(days)[0], BONDSTORE_MAINTENANCE_INTERVAL="1s", **env)

    def fsck(self):
        self.server.stop()
        run([self.server.bondstore, "fsck", self.server.config], env=environment(**sanitizer_environment()))


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path)
    yield made
    made.server.end()


def collected(store):
    return store.server.counter("bondstore_trust_documents_collected_total")


def test_what_newer_documents_took_the_place_of_is_collected_and_nothing_else(store):
    server, keeper = store.server, store.keeper
    for repo, grace in (("ns/app", "30d"), ("ns/kept", "forever")):
        server.bond("policy", "set", repo, "--file", "-", stdin=json.dumps({"grace": grace}))
        keeper.init(repo)
        keeper.sign(repo, "v1", image("first"))
        keeper.sign(repo, "v1", image("second"))
        store.client.push(repo, image("first"), "old")
        store.client.push(repo, image("second"), "v1")
    deployer = server.client(server.make_deployer("ns", "k8s"), basic=True)
    current = {role: store.document("ns/app", role).expect(200).json["signed"]["version"]
               for role in ("root", "targets", "snapshot", "timestamp")}
    past = {role: f"{current[role] - 1}.{role}" for role in ("targets", "snapshot", "timestamp")}
    for name in past.values():
        store.document("ns/app", name).expect(200)

    store.again(29, BONDSTORE_TRUST_KEEP_SUPERSEDED="24h")  # what released an image in grace is kept longer than that
    for role in ("snapshot", "timestamp"):
        eventually(lambda role=role: store.document("ns/app", past[role]).status == 404, what=f"collection of {role}")
    store.document("ns/app", past["targets"]).expect(200)
    deployer.get("ns/app", image("first").digest).expect(200)
    deployer.forget()

    store.again(31)
    eventually(lambda: store.document("ns/app", past["targets"]).status == 404, what="collection of targets")
    assert collected(store) > 0
    for name in ("1.root", "root", "targets", "snapshot", "timestamp", f"{current['targets']}.targets"):
        store.document("ns/app", name).expect(200)
    store.document("ns/kept", past["targets"]).expect(200)  # in grace for ever
    deployer.get("ns/kept", image("first").digest).expect(200)
    deployer.get("ns/kept", "v1").expect(200)
    deployer.get("ns/app", "v1").expect(200)
    assert keeper.list("ns/app")["v1"][0] == image("second").hex
    keeper.sign("ns/app", "v2", image("third"))  # publishing goes on
    store.fsck()


def test_the_limit_of_a_namespace_refuses_publishing_and_never_renewal(store):
    keeper = store.keeper
    keeper.init("ns/app")
    keeper.sign("ns/app", "v1", image("first"))
    store.again(0, BONDSTORE_TRUST_NAMESPACE_SIZE="1KiB")
    refused = keeper.sign("ns/app", "v2", image("second"), code="fail")
    assert "trust.namespace_size" in refused.text and "1KiB" in refused.text
    assert set(keeper.list("ns/app")) == {"v1"}
    before = expiry_of(store, "ns/app")
    store.again(20, BONDSTORE_TRUST_NAMESPACE_SIZE="1KiB")
    store.document("ns/app", "timestamp").expect(200)
    assert expiry_of(store, "ns/app") > before
    store.again(0)
    keeper.sign("ns/app", "v2", image("second"))
    store.fsck()


def expiry_of(store, repo, role="timestamp"):
    return store.document(repo, role).expect(200).json["signed"]["expires"]


def test_over_years_everything_the_server_signs_is_renewed_before_it_ends(store):
    """Half a life at a time, with nobody asking: targets end after three years, root after ten, the rest never."""
    keeper, server = store.keeper, store.server
    keeper.init("ns/app")
    keeper.sign("ns/app", "v1", image("first"))
    version = 0
    for days in (8, 560, 1000):
        store.again(days)
        eventually(lambda: server.counter("bondstore_trust_renewals_total") >= 1, what="renewal without a request")
        document = store.document("ns/app", "timestamp").expect(200).json["signed"]
        assert document["version"] > version
        version = document["version"]
        _, now = faketime(days)
        snapshot = store.document("ns/app", "snapshot").expect(200).json["signed"]["expires"]
        assert snapshot[:10] >= now.strftime("%Y-%m-%d"), "the snapshot lives too"
        if days == 560:  # past half of 1095 days
            assert snapshot[:4] > now.strftime("%Y"), snapshot
    assert keeper.list("ns/app")["v1"][0] == image("first").hex
    store.fsck()
