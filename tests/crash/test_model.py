"""Random pushes, pulls and deletions by several clients in repositories that share what they hold, with kill -9 and a later
hour between; after each start everything is compared with a model. BONDSTORE_MODEL_SEED has a run again (as far as threads
let it), BONDSTORE_MODEL_ROUNDS makes it longer."""
import glob
import http.client
import json
import os
import random
import threading
import time

import pytest

from model import Pool, Repository
from support.process import environment, run
from support.server import Server, eventually, sanitizer_environment

ROUNDS = int(os.environ.get("BONDSTORE_MODEL_ROUNDS", "5"))
STEPS = 60  # acknowledged changes of a round, of all clients together, at least
CUT = (OSError, http.client.HTTPException)
QUOTA = 2 << 20  # bytes, of the namespace beta
NAMES = ("alpha/one", "alpha/two/deep", "beta/one", "beta/two")


class House:
    """A server that lives several times, later each time, and its repositories."""

    def __init__(self, folder, seed):
        self.dice = random.Random(seed)
        self.server = Server(folder).init()
        self.hours = 0
        pool = Pool(seed)
        self.repositories = [Repository(name, pool, seed, NAMES, name.startswith("beta/")) for name in NAMES]

    def found(self):
        self.server.start()
        self.server.make_namespace("alpha")
        self.server.make_namespace("beta", "public")
        self.server.bond("namespaces", "set", "beta", "--quota", f"{QUOTA >> 20}MiB")
        self.owners = {ns: self.server.make_member(ns, f"owner@{ns}.example", "owner") for ns in ("alpha", "beta")}
        self.server.stop()

    def start(self, hours):
        """Another life, `hours` later."""
        self.hours += hours
        preload = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        assert preload, "libfaketime is not installed; scripts/test installs it"
        self.server.start(LD_PRELOAD=preload[0], FAKETIME=f"+{self.hours}h", FAKETIME_DONT_FAKE_MONOTONIC="1",
                          BONDSTORE_MAINTENANCE_INTERVAL="1s")
        for repository in self.repositories:
            self.connect(repository)

    def connect(self, repository):
        owner = self.owners[repository.name.split("/")[0]]
        scopes = [f"repository:{n}:pull" for n in NAMES if n != repository.name]
        token = self.server.token(owner, f"repository:{repository.name}:pull,push,delete", *scopes)
        wire, bearer = self.server.plain, ("Authorization", f"Bearer {token}")

        def send(method, target, headers=(), body=None):
            headers = list(headers.items() if isinstance(headers, dict) else headers)
            return wire.request(method, target, [*headers, bearer], body)
        repository.send = send
        repository.now = time.time() + self.hours * 3600

    def acknowledged(self):
        return sum(r.acknowledged for r in self.repositories)

    def work(self, stop, failures):
        def loop(repository):
            while not stop.is_set():
                try:
                    repository.step()
                except CUT:
                    return
                except AssertionError as said:
                    failures.append(f"{repository.name}: {said}")
                    return
        return [threading.Thread(target=loop, args=(r,)) for r in self.repositories]

    def live(self):
        """Everybody works until the server dies in the middle of it."""
        stop, failures = threading.Event(), []
        threads = self.work(stop, failures)
        before = self.acknowledged()
        for thread in threads:
            thread.start()
        eventually(lambda: failures or self.acknowledged() >= before + STEPS, 120, what=f"{STEPS} acknowledged changes")
        time.sleep(self.dice.random() * 0.3)  # a moment that nobody chose
        self.server.kill()
        stop.set()
        for thread in threads:
            thread.join(60)
        assert not failures, failures
        run([self.server.bondstore, "fsck", self.server.config], env=environment(**sanitizer_environment()))

    def compare(self):
        told = json.loads(self.server.bond("namespaces", "inspect", "beta", "--json").out)
        assert told["used_bytes"] + told["reserved_bytes"] <= QUOTA, told
        for repository in self.repositories:
            repository.settle()

    def held(self):
        return {digest for r in self.repositories for digest in r.state.named()}

    def files(self):
        return {f"{p.parts[-3]}:{p.name}" for p in (self.server.data / "blobs").glob("*/*/*")}


@pytest.fixture
def house(tmp_path):
    seed = int(os.environ.get("BONDSTORE_MODEL_SEED", "1"))
    print(f"BONDSTORE_MODEL_SEED={seed}")
    house = House(tmp_path, seed)
    house.found()
    yield house
    house.server.end()


def test_the_registry_is_what_the_model_says_after_every_crash(house):
    for number in range(ROUNDS):
        house.start((0, 2, 25, 0, 30)[number % 5])
        house.compare()
        house.live()
    house.start(0)
    house.compare()
    house.server.stop()
    # a day without a push: what nothing names goes, and nothing else
    house.start(50)
    eventually(lambda: house.files() == house.held(), 60, what="collection of everything that nothing names")
    house.compare()
    assert not list((house.server.data / "uploads").iterdir())
    house.server.stop()
    run([house.server.bondstore, "fsck", house.server.config], env=environment(**sanitizer_environment()))
    for repository in house.repositories:
        print(f"{repository.name}: {repository.acknowledged} changes, {repository.refused} beyond the quota; {repository.done}")
