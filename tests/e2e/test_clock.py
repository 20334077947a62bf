"""The gate as time goes by: the server runs on a set clock (libfaketime), nobody else does (gate 4.1). One store grows
older from test to test."""
import glob
import hashlib
from datetime import datetime, timedelta, timezone

import pytest

from support.images import image
from support.notary import Notary
from support.server import Server
from support.trust import Trust
from support.tuf import Collection
from test_gate import refused


def faketime_at(when):
    """Environment of a server whose clock starts at `when`."""
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    assert found, "libfaketime is not installed; scripts/test installs it"
    return {"LD_PRELOAD": found[0], "FAKETIME": when.strftime("@%Y-%m-%d %H:%M:%S"), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def faketime(days):
    """Environment of a server whose clock starts `days` from now."""
    when = datetime.now(timezone.utc) + timedelta(days=days)
    return faketime_at(when), when


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A stopped server with one signed image, the clients of the owner who signed and of a deployer."""
    server = Server(tmp_path_factory.mktemp("clock")).init().start()
    server.make_namespace("ns")
    owner = server.make_member("ns", "owner@ns.example", "owner")
    deployer = server.make_deployer("ns", "k8s")
    made = image("signed")
    server.client(owner).push("ns/app", made, "v1")
    keeper = Notary(server, owner, tmp_path_factory.mktemp("keeper"))
    keeper.init("ns/app")
    keeper.sign("ns/app", "v1", made)
    server.stop()
    return server, server.client(owner), server.client(deployer, basic=True), made


@pytest.fixture
def signed(store):
    yield store
    store[1].forget()
    store[0].end()


def expiry(client, role):
    text = client("GET", f"/v2/{client.server.gun('ns/app')}/_trust/tuf/{role}.json").expect(200).json["signed"]["expires"]
    return datetime.fromisoformat(text[:19] + "+00:00")


def test_an_access_token_ends_with_its_hour(signed):
    server, owner, _, _ = signed
    server.start()
    bearer = {"Authorization": f"Bearer {server.token(owner.account, 'repository:ns/app:pull')}"}
    server.wire.request("GET", "/v2/ns/app/manifests/v1", bearer).expect(200)
    server.stop()
    server.start(**faketime(1)[0])
    answer = server.wire.request("GET", "/v2/ns/app/manifests/v1", bearer).expect(401)
    assert answer.challenge()["error"] == "invalid_token"


def test_a_timestamp_that_expired_with_nobody_looking_is_renewed_in_the_deciding_request(signed):
    server, owner, deployer, made = signed
    env, now = faketime(40)
    server.start(**env)
    assert deployer.get("ns/app", "v1").expect(200).body == made.manifest
    assert now < expiry(owner, "timestamp") <= now + timedelta(days=14, minutes=5)


def test_the_day_before_it_is_still_served(signed):
    server, _, deployer, _ = signed
    server.start(**faketime(3 * 365 - 5)[0])
    deployer.get("ns/app", "v1").expect(200)


@pytest.mark.parametrize("days,reason", [(3 * 365 + 10, "expired_targets"), (10 * 365 + 10, "expired_root")])
def test_what_only_a_person_can_renew_ends_the_deploys_and_says_who(signed, days, reason):
    server, owner, deployer, _ = signed
    server.start(**faketime(days)[0])
    assert "expired" in refused(deployer.get("ns/app", "v1"), reason).message
    owner.get("ns/app", "v1").expect(200)


def test_what_was_signed_after_a_wipe_is_read_though_the_clock_went_back(own_server):
    """The new life is younger than the wipe, whatever the dates say; the old one stays gone."""
    own_server.make_namespace("ns")
    trust = Trust(own_server, own_server.client(own_server.admin), "ns/app")
    named = lambda content, role: f"{role}.{hashlib.sha256(content).hexdigest()}.json"
    Collection(trust).begin()
    old = trust.get("targets.json").body
    trust.client("DELETE", f"{trust.base}/tuf/").expect(200)
    own_server.stop()
    own_server.start(**faketime(-2 / 1440)[0])
    trust.client.forget()
    second = Collection(trust)
    second.begin()
    trust.publish(("targets", second.targets(3))).expect(200)
    for role in ("root", "targets", "snapshot"):
        trust.get(named(trust.get(f"{role}.json").body, role)).expect(200)
    trust.get(named(old, "targets")).expect(404)
