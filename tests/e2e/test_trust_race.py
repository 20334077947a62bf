"""Many at once on the trust API: publishing, and reading at the moment at which something expires (notary-api 10, 21)."""
import base64
import concurrent.futures
import threading

import pytest

from support.server import Server
from support.trust import Trust
from support.tuf import Collection, Key, tag
from test_clock import faketime

MANY = 8


def at_once(work, items):
    """Calls work(item) for all, each in its own thread, begun together."""
    gate = threading.Barrier(len(items))

    def begin(item):
        gate.wait()
        return work(item)
    with concurrent.futures.ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(begin, items))


@pytest.fixture
def trust(registry, house, repo):
    return Trust(registry, house["owner"], repo)


def test_delegates_who_publish_different_roles_at_once_all_succeed(trust):
    made, keys = Collection(trust), {f"targets/d{i}": Key.bare() for i in range(MANY)}
    made.begin(delegations=[(role, [key]) for role, key in keys.items()])
    before = trust.version("snapshot")
    documents = {role: made.targets(1, {"v1": tag()}, by=[key]) for role, key in keys.items()}
    for answer in at_once(lambda role: trust.publish((role, documents[role])), list(keys)):
        answer.expect(200)
    assert trust.version("snapshot") == before + MANY
    for role, document in documents.items():
        assert trust.get(f"{role}.json").body == document


def test_of_those_who_publish_one_version_at_once_one_succeeds_and_the_others_are_told(trust):
    made = Collection(trust)
    made.begin()
    documents = [made.targets(3, {f"v{i}": tag()}) for i in range(MANY)]
    answers = at_once(lambda document: trust.publish(("targets", document)), documents)
    won = [document for document, answer in zip(documents, answers) if answer.status == 200]
    assert len(won) == 1 and trust.get("targets.json").body == won[0]
    for answer in answers:
        if answer.status != 200:
            assert "publish again" in answer.expect(400, "VERSION").error["detail"]["Error"]["Msg"]


def test_of_first_publishes_at_once_one_succeeds(registry, house, trust):
    made = [Collection(trust) for _ in range(4)]
    answers = at_once(lambda c: trust.publish(("root", c.root()), ("targets", c.targets())), made)
    assert sorted(a.status for a in answers) == [200, 400, 400, 400]
    winner = made[[a.status for a in answers].index(200)]
    trust.publish(("targets", winner.targets(3))).expect(200)


def test_a_repository_that_is_read_while_it_is_published_is_always_whole(trust):
    made = Collection(trust)
    made.begin()
    done = threading.Event()

    def read(_):
        seen = 0
        while not done.is_set() or seen == 0:
            stamp = trust.get("timestamp.json").expect(200).json["signed"]["meta"]["snapshot"]["hashes"]["sha256"]
            snapshot = trust.get(f"snapshot.{hexed(stamp)}.json").expect(200).json["signed"]["meta"]
            for role in ("root", "targets"):
                trust.get(f"{role}.{hexed(snapshot[role]['hashes']['sha256'])}.json").expect(200)
            seen += 1

    def publish(_):
        try:
            for version in range(3, 13):
                trust.publish(("targets", made.targets(version))).expect(200)
        finally:
            done.set()
    at_once(lambda work: work(None), [read, read, read, publish])


def hexed(text):
    return base64.b64decode(text).hex()


def test_readers_at_the_moment_of_expiry_are_all_answered_and_it_is_renewed_once(tmp_path):
    server = Server(tmp_path).init()
    server.config.write_text(server.config.read_text() + "trust: { snapshot_life: 2d }\nmaintenance: { interval: 24h }\n")
    server.start()
    try:
        server.make_namespace("ns")
        owner = server.make_member("ns", "owner@ns.example", "owner")
        repos = [Trust(server, server.client(owner), f"ns/app-{i}") for i in range(3)]
        for trust in repos:
            Collection(trust).begin()
        old = [[trust.get(f"{role}.json").body for role in ("timestamp", "snapshot")] for trust in repos]
        server.stop()
        environment, now = faketime(20)
        server.start(**environment)
        for trust, before in zip(repos, old):
            trust.client.forget()
            trust.client.fetch(trust.client.scope_key("GET", f"{trust.base}/tuf/timestamp.json"),
                               server.wire.request("GET", f"{trust.base}/tuf/timestamp.json").challenge())
            names = ["timestamp.json", "snapshot.json"] * (MANY // 2)
            answers = at_once(lambda name: trust.get(name).expect(200).json["signed"], names)
            assert {a["version"] for a in answers} == {2}
            assert all(a["expires"] > now.strftime("%Y-%m-%dT%H:%M:%SZ") for a in answers)
            feed = trust.client("GET", f"{trust.base}/changefeed?records=10").expect(200).json["records"]
            assert [r["Version"] for r in feed] == [1, 2]
            assert trust.get("targets.json").status == 200 and trust.get("1.timestamp.json").body == before[0]
    finally:
        server.end()
