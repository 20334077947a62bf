#!/usr/bin/python3
"""gate.py [BUILD_FOLDER] [--tags N] [--rounds N] [--seconds S] [--json FILE] [--only WORD]… [--quick]

What the gate costs: a manifest GET by tag, of a robot that the gate does not concern and of a deployer whose every request it
decides, asked in turn, A B A B …, medians. In a repository with one signed tag, and in one with many (10⁴), without publishes
and with one each second that changes one tag. The ratio is how many times as many answers the robot got; "cpu" is the server's
processor time per answer, a publish's included; p99 is that of the load generator on the same machine. --quick: small and short.
"""
import pathlib
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True

import contest  # noqa: E402
from contest import Row, load  # noqa: E402
from support import tuf  # noqa: E402
from support.images import sha256  # noqa: E402
from support.process import run  # noqa: E402
from support.server import build_folder  # noqa: E402
from trust import Collection  # noqa: E402

ONE, MANY, HOUSE = "s000/r000000", "s000/many", "s000"
PERIOD = 1.0  # seconds between two publishes


class Field:
    """A store with both repositories, signed, and who asks."""

    def __init__(self, top, tags):
        self.who = contest.Bondstore(top)
        server = self.who.server
        server.init()
        run([build_folder() / "tests" / "perf_populate", server.data, "--repositories", 100, "--tags", 100, "--tags-in-one", tags])
        with open(server.config, "a") as config:
            config.write("\nlimits:\n  publishes: 0\n")
        self.who.begin().wait("/readyz")
        self.robot = self.asks(server.make_robot(HOUSE, "ci", "pull,push"))
        self.deployer = self.asks(server.make_deployer(HOUSE, "deployer"))
        owner = server.make_member(HOUSE, "owner@example.org", "owner", signer=True)
        self.who.gun = server.gun
        self.who.rights = lambda gun: [("Authorization", f"Bearer {server.token(owner, f'repository:{gun}:push,pull')}")]
        keys = {role: tuf.Key.bare() for role in ("root", "targets")}
        names = {ONE: ["t00000000"], MANY: [f"t{i:08}" for i in range(tags)]}
        self.signed = {repo: Collection(self.who, repo, keys) for repo in names}
        for repo, collection in self.signed.items():
            collection.tags = dict(zip(names[repo], self.targets(repo, names[repo])))
            collection.publish(collection.first())
        self.names = names

    def asks(self, account):
        return self.who.as_other(account, *(f"repository:{repo}:pull" for repo in (ONE, MANY)))

    def targets(self, repo, names):
        def some(part):
            connection = self.robot.connect()
            for name in part:
                status, _, manifest = self.robot.ask("GET", f"/v2/{repo}/manifests/{name}", connection=connection)
                assert status == 200, (name, status)
                yield tuf.tag(sha256(manifest)[7:], len(manifest))
            connection.close()
        return list(some(names))

    def stop(self):
        self.who.stop()


class Publisher:
    """Publishes documents that were signed before, one each second, on a thread of its own."""

    def __init__(self, collection, count):
        self.collection, self.parts = collection, [collection.change() for _ in range(count)]
        self.took, self.over, self.fault = [], threading.Event(), None

    def work(self):
        connection = self.collection.who.connect("https")
        try:
            while not self.over.wait(PERIOD) and self.parts:
                began = time.monotonic()
                self.collection.publish(self.parts.pop(0), connection)
                self.took.append(time.monotonic() - began)
        except Exception as fault:  # told by during(), not by a thread
            self.fault = fault
        connection.close()

    def during(self, function):
        self.over.clear()
        thread = threading.Thread(target=self.work)
        thread.start()
        try:
            return function()
        finally:
            self.over.set()
            thread.join()
            assert self.fault is None, self.fault


def rows(f, rounds, seconds, connections):
    def row(key, text, repo, around=lambda function: function()):
        targets = [f"/v2/{repo}/manifests/{name}" for name in f.names[repo][::max(1, len(f.names[repo]) // 200)]]
        runs = {name: (lambda who=who: around(lambda: load(who, targets, seconds, connections=connections)))
                for name, who in (("ungated", f.robot), ("gated", f.deployer))}
        return Row(key, text, "answers/s", runs)

    many = len(f.names[MANY])
    publisher = Publisher(f.signed[MANY], int(2 * rounds * (seconds / PERIOD + 1)))
    yield row("gate-one", "one signed tag", ONE)
    yield row("gate-many", f"{many} signed tags", MANY)
    yield row("gate-publish", f"{many} signed tags, a publish each second", MANY, publisher.during)
    if publisher.took:
        print(f"publishes: {len(publisher.took)}, median {sorted(publisher.took)[len(publisher.took) // 2] * 1000:.0f} ms")


def main():
    options = contest.options(__doc__, tags=10000)
    if options.quick:
        options.rounds, options.seconds, options.tags = 1, 2, 30
    results = []
    with tempfile.TemporaryDirectory() as top:
        f = None
        try:
            f = Field(pathlib.Path(top), options.tags)
            for each in rows(f, options.rounds, options.seconds, 8 if options.quick else 64):
                results += contest.measure([each], options.rounds, options.only, contest.tell)
        finally:
            if f:
                f.stop()
    contest.finish({"rounds": options.rounds, "seconds": options.seconds, "rows": results}, options.json)


if __name__ == "__main__":
    main()
