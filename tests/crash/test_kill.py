"""kill -9 again and again while everybody writes: whatever was acknowledged is there afterwards, the store is consistent."""
import http.client
import itertools
import os
import random
import threading
import time

import pytest

from support.images import image, index, sha256
from support.notary import Notary
from support.process import environment, run
from support.server import Server, at, eventually, sanitizer_environment

ROUNDS = int(os.environ.get("BONDSTORE_CRASH_ROUNDS", "6"))
CUT = (OSError, http.client.HTTPException)


class Ledger:
    """What the server has acknowledged, and what it may have done without our hearing of it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.blobs, self.manifests, self.tags, self.deleted, self.unsure_tags = {}, {}, {}, set(), {}

    def add(self, where, key, value):
        with self.lock:
            where[key] = value

    def total(self):
        with self.lock:
            return len(self.blobs) + len(self.manifests) + len(self.tags) + len(self.deleted)


@pytest.fixture
def world(tmp_path):
    server = Server(tmp_path).init().start()
    server.make_namespace("ns")
    owner = server.make_member("ns", "owner@ns.example", "owner")
    yield server, owner
    server.end()


def fsck(server):
    """The store as a kill left it: consistent."""
    if server.process is not None:
        server.kill()
    run([server.bondstore, "fsck", server.config], env=environment(**sanitizer_environment()))


def writers(server, owner, ledger, stop, numbers):
    """Threads that push blobs in every way, images under a moving tag, and delete."""
    token = server.token(owner, "repository:ns/app:pull,push,delete")
    bearer = {"Authorization": f"Bearer {token}"}
    wire = server.plain

    def send(method, path, body=None, status=201, **headers):
        answer = wire.request(method, path, {**bearer, **headers}, body)
        return answer if answer.status == status else None

    def push_blob(content):
        digest = sha256(content)
        way = random.randrange(3)
        if way == 0:
            done = send("POST", f"/v2/ns/app/blobs/uploads/?digest={digest}", content)
        else:
            place = send("POST", "/v2/ns/app/blobs/uploads/", status=202)
            if place is None:
                return False
            place = at(place.header("Location"))
            if way == 1:
                done = send("PUT", at(place, digest=digest), content)
            else:
                half = len(content) // 2
                if send("PATCH", place, content[:half], 202, **{"Content-Range": f"0-{half - 1}"}) is None:
                    return False
                done = send("PUT", at(place, digest=digest), content[half:], **{"Content-Range": f"{half}-{len(content) - 1}"})
        if done:
            ledger.add(ledger.blobs, digest, content)
        return bool(done)

    def blobs():
        push_blob(os.urandom(random.choice((10, 5000, 300000))))

    def images():
        number = next(numbers)
        made = image(f"crash {number}")
        for content in made.blobs.values():
            if not push_blob(content):
                return
        tag = f"t{number % 5}"
        with ledger.lock:
            ledger.unsure_tags.setdefault(tag, set()).add(made.digest)
        if send("PUT", f"/v2/ns/app/manifests/{tag}", made.manifest, **{"Content-Type": made.media_type}):
            ledger.add(ledger.manifests, made.digest, made.manifest)
            with ledger.lock:
                ledger.tags[tag] = made.digest
                ledger.unsure_tags[tag] = set()

    def deletions():
        made = index([], annotations={"number": str(next(numbers))})
        if send("PUT", f"/v2/ns/app/manifests/{made.digest}", made.manifest, **{"Content-Type": made.media_type}) and \
                send("DELETE", f"/v2/ns/app/manifests/{made.digest}", status=202):
            with ledger.lock:
                ledger.deleted.add(made.digest)

    def loop(work):
        while not stop.is_set():
            try:
                work()
            except CUT:
                return
    return [threading.Thread(target=loop, args=(work,)) for work in (blobs, blobs, images, deletions)]


def check(server, owner, ledger):
    client = server.client(owner, plain=True)
    for digest, content in ledger.blobs.items():
        assert client("GET", f"/v2/ns/app/blobs/{digest}").expect(200).body == content
    for digest, content in ledger.manifests.items():
        assert client.get("ns/app", digest).expect(200).body == content
    for tag, digest in ledger.tags.items():
        got = client.get("ns/app", tag).expect(200)
        assert got.header("Docker-Content-Digest") in {digest, *ledger.unsure_tags[tag]}, tag
        for layer in [got.json["config"], *got.json["layers"]]:
            client("HEAD", f"/v2/ns/app/blobs/{layer['digest']}").expect(200)
        ledger.tags[tag] = got.header("Docker-Content-Digest")
        ledger.unsure_tags[tag] = set()
    for digest in ledger.deleted:
        client.get("ns/app", digest).expect(404)


def test_everything_acknowledged_survives_kill_9_in_the_middle_of_writing(world):
    server, owner = world
    ledger, numbers = Ledger(), itertools.count(1)
    random.seed(7)
    for _ in range(ROUNDS):
        stop = threading.Event()
        threads = writers(server, owner, ledger, stop, numbers)
        before = ledger.total()
        for thread in threads:
            thread.start()
        eventually(lambda: ledger.total() >= before + 8, 30, what="eight acknowledged writes")
        time.sleep(random.random() * 0.4)
        server.kill()
        stop.set()
        for thread in threads:
            thread.join(60)
        fsck(server)
        server.start()
        check(server, owner, ledger)
    assert len(ledger.blobs) > ROUNDS and ledger.tags


def test_a_kill_right_after_each_201_loses_nothing(world):
    server, owner = world
    client = server.client(owner, plain=True)
    for number in range(ROUNDS):
        content = os.urandom(100000)
        client.push_blob("ns/app", content, sha256(content))
        server.kill()
        server.start()
        assert client("GET", f"/v2/ns/app/blobs/{sha256(content)}").expect(200).body == content
        made = image(f"at once {number}")
        client.push("ns/app", made, "v1")
        server.kill()
        server.start()
        assert client.get("ns/app", "v1").expect(200).body == made.manifest
    fsck(server)


def test_a_kill_right_after_a_publish_keeps_it_and_the_gate_decides_by_it(world, tmp_path):
    server, owner = world
    deployer = server.client(server.make_deployer("ns", "k8s"))
    keeper = Notary(server, owner, tmp_path / "keeper")
    made = image("signed")
    server.client(owner).push("ns/app", made, "v0")
    keeper.init("ns/app")
    for number in range(ROUNDS):
        server.client(owner).push("ns/app", made, f"v{number}")
        keeper.sign("ns/app", f"v{number}", made)
        server.kill()
        server.start()
        deployer.get("ns/app", f"v{number}").expect(200)
        assert len(keeper.list("ns/app")) == number + 1
    fsck(server)


def test_a_kill_in_the_middle_of_publishes_leaves_the_old_state_or_the_new(world, tmp_path):
    server, owner = world
    keeper = Notary(server, owner, tmp_path / "keeper")
    made = image("publish")
    keeper.init("ns/app")
    signed = set()
    for number in range(ROUNDS):
        results = {}

        def publish(tag=f"v{number}"):
            results[tag] = keeper.sign("ns/app", tag, made, code=None).code
        thread = threading.Thread(target=publish)
        thread.start()
        time.sleep(0.02 + random.random() * 0.15)
        server.kill()
        thread.join(60)
        server.start()
        keeper("publish", server.gun("ns/app"), code=None)  # what was staged and not sent
        signed |= {tag for tag, code in results.items() if code == 0}
        listed = set(Notary(server, owner, tmp_path / f"reader-{number}").list("ns/app"))
        assert signed <= listed, (signed, listed)
    fsck(server)


def test_accounts_and_policies_survive(world):
    server, _ = world
    robot = server.make_robot("ns", "ci", "pull")
    server.bond("policy", "set", "ns", "--level", "off")
    server.kill()
    server.start()
    server.token_answer(robot).expect(200)
    session = server.session(server.admin)
    answer = server.wire.request("GET", "/api/v1/policy?scope=ns", {"Authorization": f"Bearer {session}"}).expect(200)
    assert answer.json["policy"]["level"] == "off"
