"""Deployers ask while a signer publishes and a developer pushes: each answer is one that the state before or the state after gives
(gate 10.4). BONDSTORE_RACE_CHANGES makes it longer."""
import os
import threading
import time

import pytest

import tuf
from author import Author
from support.images import image, index
from world import Door, World, reason_of

CHANGES = int(os.environ.get("BONDSTORE_RACE_CHANGES", "24"))
READERS = 4


class Log:
    """What happened when: states follow one another, each change takes a while, and so does each question."""

    def __init__(self, first):
        self.states, self.changes = [first], []

    def change(self, after, act):
        begun = time.monotonic()
        self.changes.append([begun, float("inf")])  # before anybody can see it
        self.states.append(after)
        act()
        self.changes[-1][1] = time.monotonic()

    def possible(self, begun, ended):
        """The states that a question asked in this time may have met."""
        first = sum(1 for _, end in self.changes if end <= begun)
        last = sum(1 for start, _ in self.changes if start < ended)
        return self.states[first:last + 1]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("races"), ["ns/first"], BONDSTORE_MAINTENANCE_INTERVAL="1s")
    yield made
    made.server.end()


class Scene:
    """A repository with three images of two platforms that share a layer; `A` is what v1 points to, `S` what it is signed as."""

    def __init__(self, world, name, policy):
        self.world, self.place = world, world.add_place(name)
        self.author = self.place.author = Author(world, self.place, world.master)
        self.author.begin().expect(200)
        world.set_policy(self.place, policy)
        self.images = [index([image(f"{name} {i}"), image(f"{name} {i} arm", arch="arm64")]) for i in range(3)]
        for made in self.images:
            world.push(self.place, made)
        self.log = Log((None, None))
        self.answers, self.faults = [], []

    def push(self, i):
        made = self.images[i]
        self.log.change((i, self.log.states[-1][1]), lambda: self.world.robots["ns"](
            "PUT", f"/v2/{self.place.repo}/manifests/v1", [("Content-Type", made.media_type)], made.manifest).expect(201))

    def sign(self, i):
        plan = self.author.plan.copy()
        if i is None:
            plan.roles["targets"].entries.pop("v1", None)
        else:
            plan.roles["targets"].entries["v1"] = tuf.target(self.images[i].size, self.images[i].hex)
        self.log.change((self.log.states[-1][0], i), lambda: self.author.publish(plan, {"targets"}).expect(200))

    def questions(self):
        """(path, state → the answer that is right: status, reason, digest)"""
        def by_tag(state):
            a, s = state
            if s is None:
                return (403, "unsigned", None) if a is not None else (404, None, None)
            if a is None:
                return 404, None, None
            return (200, None, self.images[a].digest) if a == s else (403, "digest_mismatch", None)

        def by_digest(i, reason):
            return lambda state: (200, None, None) if state[1] == i else (403, reason, None)
        yield "manifests/v1", by_tag
        for i, made in enumerate(self.images):
            yield f"manifests/{made.digest}", by_digest(i, "unsigned_digest")
            for child in made.children:
                yield f"manifests/{child}", by_digest(i, "unsigned_digest")
            for blob in made.blobs:
                yield f"blobs/{blob}", by_digest(i, "blob_not_reachable")

    def read(self, over, seed):
        door = Door(self.world.server, self.world.deployers["ns"].account)
        questions, i = list(self.questions()), seed
        try:
            while not over.is_set():
                path, right = questions[i % len(questions)] if i % 3 else questions[0]
                begun = time.monotonic()
                answer = door("HEAD" if i % 2 else "GET", f"/v2/{self.place.repo}/{path}", [("Accept", "*/*")])
                self.answers.append((path, right, begun, time.monotonic(), answer))
                i += 1
        except Exception as fault:  # told by the test, not by a thread
            self.faults.append(fault)
        finally:
            door.close()

    def run(self, change):
        over = threading.Event()
        readers = [threading.Thread(target=self.read, args=(over, i)) for i in range(READERS)]
        for reader in readers:
            reader.start()
        try:
            for n in range(CHANGES):
                change(n)
                asked = len(self.answers)
                while len(self.answers) < asked + 2 * READERS and not self.faults:  # each state is looked at
                    time.sleep(0.001)
        finally:
            over.set()
            for reader in readers:
                reader.join()
        assert not self.faults, self.faults
        return self.judge()

    def judge(self):
        seen = set()
        for path, right, begun, ended, answer in self.answers:
            wanted = {right(state) for state in self.log.possible(begun, ended)}
            digest = answer.header("Docker-Content-Digest") if path == "manifests/v1" and answer.status == 200 else None
            got = (answer.status, reason_of(answer, None) if answer.status == 403 else None, digest)
            assert got in wanted, f"{path}: {wanted} wanted, {got} came: {answer}"
            seen.add(got[:2])
        return seen


def test_each_answer_is_of_the_state_before_or_after_while_tags_move_and_are_signed(world):
    """docker's way: the tag moves, then it is signed; a third of the time the signature comes first."""
    scene = Scene(world, "ns/moving", {"grace": "0"})

    def change(n):
        i = (n // 2) % 3
        (scene.push if (n % 2 == 0) != (n % 6 >= 4) else scene.sign)(i)
    assert {(200, None), (403, "digest_mismatch")} <= scene.run(change)


def test_a_withdrawal_holds_for_every_request_that_begins_after_it(world):
    scene = Scene(world, "ns/withdrawn", {"grace": "0"})
    scene.push(0)

    def change(n):
        scene.sign(None if n % 2 else 0)
    assert {(200, None), (403, "unsigned"), (403, "unsigned_digest"), (403, "blob_not_reachable")} <= scene.run(change)


def test_a_digest_that_was_given_out_is_pulled_to_its_end_while_the_tag_goes_on(world):
    """HEAD of the tag, then everything by digest: within grace a pull that has begun comes to its end, whatever is released meanwhile."""
    scene = Scene(world, "ns/pulling", {"grace": "30d"})
    scene.push(0)
    scene.sign(0)
    over, pulled, faults = threading.Event(), [], []

    def pull():
        door = Door(world.server, world.deployers["ns"].account)
        try:
            while not over.is_set():
                head = door("HEAD", f"/v2/{scene.place.repo}/manifests/v1", [("Accept", "*/*")])
                if head.status == 403:
                    continue
                made = next(i for i in scene.images if i.digest == head.expect(200).header("Docker-Content-Digest"))
                for kind, digests in (("manifests", [made.digest, *made.children]), ("blobs", made.blobs)):
                    for digest in digests:
                        door("GET", f"/v2/{scene.place.repo}/{kind}/{digest}", [("Accept", "*/*")]).expect(200)
                pulled.append(made.digest)
        except BaseException as fault:
            faults.append(fault)
        finally:
            door.close()
    threads = [threading.Thread(target=pull) for _ in range(READERS)]
    for thread in threads:
        thread.start()
    try:
        for n in range(CHANGES // 2):
            scene.push(n % 3)
            scene.sign(n % 3)
            done = len(pulled)
            while len(pulled) < done + 1 and not faults:
                time.sleep(0.001)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not faults, faults
    assert len(set(pulled)) == 3


def test_what_the_verify_api_pins_can_be_pulled_by_digest_after_the_tag_has_moved(world):
    scene = Scene(world, "ns/pinned", {})
    door = world.deployers["ns"]
    for n in range(3):
        scene.push(n)
        scene.sign(n)
        said = door("GET", f"/api/v1/deploy/verify?image={scene.place.repo}:v1").expect(200).json
        assert said["allowed"] and said["pinned"].endswith("@" + scene.images[n].digest)
        scene.push((n + 1) % 3)
        assert door("GET", f"/v2/{scene.place.repo}/manifests/v1", [("Accept", "*/*")]).status == 403
        door("GET", f"/v2/{scene.place.repo}/manifests/{said['pinned'].rpartition('@')[2]}", [("Accept", "*/*")]).expect(200)
