#!/usr/bin/python3
"""large.py [BUILD_FOLDER] [--repositories N] [--tags M] [--rounds N] [--seconds S] [--json FILE] [--only WORD]… [--quick]

Does what a request costs grow with what is stored? Measures one server on a small store (10³ repositories, 10⁴ tags) and
one on a large store (10⁵ repositories, 10⁶ tags, both made by perf_populate) beside each other, A B A B …, medians; the ratio
is how many times faster the small one is, and should stay near 1. Start is from exec to the first 200 of /readyz. --quick:
two very small stores, to see that every row works.
"""
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import contest  # noqa: E402
from contest import Measured, Row, SmallImage, load, timed  # noqa: E402
from support.process import run  # noqa: E402
from support.server import build_folder  # noqa: E402

PAGE = 100
MANY = "s000/many"
PUSHED = [f"s00{i}/pushed" for i in range(3)]


class Store:
    """One server on a populated folder."""

    def __init__(self, name, top, repositories, tags, many):
        self.name, self.repositories, self.many, self.round = name, repositories, many, 0
        self.folder = top / name
        self.folder.mkdir(exist_ok=True)
        self.who = contest.Bondstore(self.folder)
        self.who.name = name
        self.who.server.init()
        tool = build_folder() / "tests" / "perf_populate"
        self.made = run([tool, self.who.server.data, "--repositories", repositories, "--tags", tags, "--tags-in-one", many], timeout=7200).out
        self.sync()

    def sync(self):
        subprocess.run(["sync"], check=True)

    def repository(self, i):
        return f"s{i * 100 // self.repositories:03}/r{i:06}"

    def begin(self):
        self.who.begin().wait("/readyz")
        server = self.who.server
        self.admin = server.admin
        self.reads = self.as_admin(f"repository:{MANY}:pull", *(f"repository:{name}:pull" for name in self.samples()))
        self.lists = self.as_admin("registry:catalog:*")
        self.pushes = self.as_admin(*(f"repository:{name}:pull,push,delete" for name in PUSHED))
        self.reader = self.who.as_other(server.make_member("s050", "reader@example.org", "reader"), "registry:catalog:*")
        session = server.session(self.admin)
        self.api = contest.Contestant(self.name, *self.who.ports.values(), [("Authorization", f"Bearer {session}")])
        self.api.processes = self.who.processes
        return self

    def as_admin(self, *scopes):
        other = self.who.as_other(self.admin, *scopes)
        other.name = self.name
        return other

    def samples(self):
        picked = random.Random(1)
        return [self.repository(picked.randrange(self.repositories)) for _ in range(4)]

    # --- what is measured ---

    def manifests(self):
        picked = random.Random(2)
        return [f"/v2/{name}/manifests/t{0:08}" for name in self.samples()] + [
            f"/v2/{MANY}/manifests/t{picked.randrange(self.many):08}" for _ in range(200)]

    def tags(self, part):
        """part: 0 the first page, 0.5 one in the middle, 1 the last one."""
        at = max(0, int(self.many * part) - PAGE)
        return f"/v2/{MANY}/tags/list?n={PAGE}" + (f"&last=t{at - 1:08}" if at else "")

    def catalog(self, part):
        at = max(0, int(self.repositories * part) - PAGE)
        return f"/v2/_catalog?n={PAGE}" + (f"&last={self.repository(at - 1)}" if at else "")

    def push(self, count):
        self.round += 1
        seeds = [f"{self.name} {self.round} {i} {os.urandom(8).hex()}" for i in range(count)]

        def work():
            connection = self.pushes.connect()
            for i, seed in enumerate(seeds):
                self.pushed.append((PUSHED[i % 3], self.pushes.push_image(PUSHED[i % 3], f"r{self.round}-{i}", SmallImage(seed), connection)))
            connection.close()

        self.pushed = []
        return timed(self.pushes, work, count)

    def delete(self, count):
        self.push(count)

        def work():
            connection = self.pushes.connect()
            for name, digest in self.pushed:
                status, _, text = self.pushes.ask("DELETE", f"/v2/{name}/manifests/{digest}", connection=connection)
                assert status == 202, (status, text[:300])
            connection.close()

        return timed(self.pushes, work, len(self.pushed))

    # --- with the server stopped ---

    def command(self, *words):
        """Milliseconds."""
        began = os.times().elapsed
        done = subprocess.run([self.who.server.bondstore, *words, self.who.server.config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0, done.stdout.decode()[-1000:]
        return Measured((os.times().elapsed - began) * 1000)

    def start(self, rounds):
        server = self.who.server
        return Measured(contest.start_time([server.bondstore, "serve", server.config], self.who.ports["http"], "/readyz", rounds))


def serving_rows(stores, seconds, pushes):
    def row(key, text, who, target, **more):
        return Row(key, text, "answers/s", {s.name: (lambda s=s: load(who(s), target(s), seconds, connections=4, **more)) for s in stores})

    rows = [row("manifest-get-tag", "manifest GET by tag, 204 tags in turn", lambda s: s.reads, lambda s: s.manifests())]
    for word, part in (("first", 0), ("middle", 0.5), ("last", 1)):
        rows.append(row(f"tags-list-{word}", f"tags/list of {MANY}, {word} page", lambda s: s.reads, lambda s, p=part: s.tags(p)))
    for word, part in (("first", 0), ("middle", 0.5), ("last", 1)):
        rows.append(row(f"catalog-{word}", f"catalog of an administrator, {word} page", lambda s: s.lists, lambda s, p=part: s.catalog(p)))
    rows += [
        row("catalog-member", "catalog of a member of one namespace", lambda s: s.reader, lambda s: s.catalog(0)),
        row("namespaces", "list of 100 namespaces", lambda s: s.api, lambda s: "/api/v1/namespaces?n=100"),
        Row("push", "small image pushed", "images/s", {s.name: (lambda s=s: s.push(pushes)) for s in stores}),
        Row("delete", "manifest deleted", "deletes/s", {s.name: (lambda s=s: s.delete(pushes)) for s in stores}),
    ]
    return rows


def stopped_rows(stores, rounds):
    return [
        Row("start", "start, until the first answer", "ms", {s.name: (lambda s=s: s.start(rounds)) for s in stores}),
        Row("gc", "bondstore gc with little due", "ms", {s.name: (lambda s=s: s.command("gc")) for s in stores}),
        Row("fsck", "bondstore fsck (reads everything)", "ms", {s.name: (lambda s=s: s.command("fsck")) for s in stores}),
    ]


def main():
    options = contest.options(__doc__, seconds=2, repositories=100000, tags=1000000)
    small, large = ((100, 300, 300), (200, 600, 600)) if options.quick else (
        (1000, 9000, 1000), (options.repositories, options.tags * 9 // 10, options.tags // 10))
    rounds, seconds, pushes = (1, 1, 3) if options.quick else (options.rounds, options.seconds, 60)
    with tempfile.TemporaryDirectory() as top:
        stores = []
        try:
            for name, sizes in (("small", small), ("large", large)):
                stores.append(Store(name, pathlib.Path(top), *sizes))
                print(f"{name}: " + re.sub(r"\s+", " ", stores[-1].made), flush=True)
            for store in stores:
                store.begin()
            rows = contest.measure(serving_rows(stores, seconds, pushes), rounds, options.only, contest.tell)
            rows += contest.measure([Row("memory", "memory after that", "MiB", {s.name: (lambda s=s: Measured(s.who.memory())) for s in stores})],
                                    1, options.only, contest.tell)
            for store in stores:
                store.who.stop()
            rows += contest.measure(stopped_rows(stores, rounds), 1, options.only, contest.tell)
        finally:
            for store in stores:
                if store.who.processes:
                    store.who.stop()
    contest.finish({"made": {s.name: s.made for s in stores}, "rows": rows}, options.json)


if __name__ == "__main__":
    main()
