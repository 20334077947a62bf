#!/usr/bin/python3
"""trust.py [BUILD_FOLDER] [--rounds N] [--seconds S] [--json FILE] [--only WORD]… [--quick]

Measures this server's trust API beside a Notary v1 server: notary-server with notary-signer and MariaDB, all of them over TLS on
loopback in one run, A B A B …, medians. Look at the ratios. Documents are signed before a measurement begins; the servers sign
snapshot and timestamp. Bondstore asks for bearer tokens, the other asks for nothing. --quick: small and short.

Needs notary, mariadb-server and python3-cryptography.
"""
import concurrent.futures
import hashlib
import http.client
import itertools
import json
import os
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True

import contest  # noqa: E402
from contest import Measured, Row, load, timed  # noqa: E402
from support import notary_v1, tuf  # noqa: E402
from support.wire import multipart  # noqa: E402

HOUSE = "perf"
ZEROS = "0" * 64
BATCH = 50  # GUNs of one token, which carries 64


class Sizes:
    def __init__(self, quick):
        self.tags = 20 if quick else 1500
        self.publishes = 4 if quick else 200
        self.many = 10 if quick else 10000
        self.begun = 4 if quick else 200  # of these by the other server itself; the rest is written into its database
        self.round = 4 if quick else 40
        self.connections = 8 if quick else 64


class Answer:
    """What tuf.py asks of an answer."""

    def __init__(self, status, text):
        self.status, self.text = status, text

    def expect(self, status):
        assert self.status == status, (self.status, self.text[:300])
        return self

    @property
    def json(self):
        return json.loads(self.text)


class Collection:
    """One GUN at one server, its documents and its publishes. The server holds snapshot and timestamp."""

    def __init__(self, who, name, keys, connection=None, headers=None):
        self.who, self.gun, self.version, self.tags, self.connection = who, who.gun(name), 0, {}, connection
        self.base, self.headers = f"/v2/{self.gun}/_trust/tuf/", who.rights(self.gun) if headers is None else headers
        self.documents = tuf.Collection(self, root=tuf.Key.certified(self.gun, keys["root"].private))
        self.documents.targets_key = keys["targets"]

    def get(self, name):
        status, _, text = self.who.ask("GET", self.base + name, headers=self.headers, connection=self.connection, scheme="https")
        return Answer(status, text)

    def read(self, name):
        return self.get(name).expect(200).text

    def targets(self):
        self.version += 1
        return "targets", self.documents.targets(self.version, self.tags)

    def first(self):
        return [("root", self.documents.root()), self.targets()]

    def publish(self, parts, connection=None):
        body, kind = multipart(parts)
        request = "POST", self.base, body, {**dict(self.headers), "Content-Type": kind}, connection, "https"
        try:
            status, _, text = self.who.ask(*request)
        except http.client.RemoteDisconnected:  # a server may close a connection that was kept; a crash is another matter
            if self.who.has_ended():
                raise
            status, _, text = self.who.ask(*request)
        assert status == 200, (self.who.name, self.gun, status, text[:300])

    def fill(self, tags):
        self.tags = {f"v{i:05}": tuf.tag(f"{i:064x}", 1000 + i) for i in range(tags)}

    def change(self):
        """One more tag is signed."""
        self.tags[f"n{self.version:05}"] = tuf.tag(ZEROS, 999)
        return [self.targets()]


class Written(Collection):
    """One that the other server never began: its documents are written into its database, and list its keys for another
    collection. The server verifies what is uploaded; of what it stores, the root alone. So whoever signed the snapshot and the
    timestamp here does not matter to it."""

    def __init__(self, other, name, keys):
        self.other = other
        super().__init__(other.who, name, keys)

    def get(self, name):
        key = {"timestamp.key": self.other.documents.timestamp_key, "snapshot.key": self.other.documents.snapshot_key}.get(name)
        return Answer(200, json.dumps(key.object)) if key else super().get(name)

    def files(self):
        """(role, version, bytes)"""
        root, targets = (data for _, data in self.first())
        snapshot = self.documents.snapshot(1, [self.documents.targets_key], root=root, targets=targets)
        timestamp = tuf.document({"_type": "Timestamp", "expires": tuf.later(14), "version": 1, "meta": {"snapshot": tuf.meta_of(snapshot)}},
                                 self.documents.targets_key)
        return [("root", 1, root), ("targets", self.version, targets), ("snapshot", 1, snapshot), ("timestamp", 1, timestamp)]


class Ours(contest.Bondstore):
    def __init__(self, folder):
        super().__init__(folder)
        self.server.init()
        with open(self.server.config, "a") as config:
            config.write("\nlimits:\n  publishes: 0\n")  # how fast it is, not how it says stop
        self.begin().wait("/readyz")
        self.server.make_namespace(HOUSE)
        self.owner = self.server.make_member(HOUSE, "owner@example.org", "owner", signer=True)

    def gun(self, name):
        return self.server.gun(f"{HOUSE}/{name}")

    def rights(self, *guns):
        """Of one sign-in: each costs a password hash."""
        scopes = [f"repository:{gun}:push,pull" for gun in guns]
        return [("Authorization", f"Bearer {self.server.token(self.owner, *scopes)}")]


class Old(contest.Contestant):
    """notary-server, notary-signer and MariaDB."""

    def __init__(self, folder):
        self.real = notary_v1.NotaryV1(folder, notary_v1.MariaDB)
        super().__init__("notary v1", None, int(self.real.url.rsplit(":", 1)[1]))
        self.processes = self.real.processes

    def gun(self, name):
        return f"{notary_v1.HOST}/{HOUSE}/{name}"

    def rights(self, *_):
        return []

    def write(self, collections):
        """Into its table, as if they had been begun: that takes it a hundred times as long."""
        rows = [f"('{c.gun}','{role}',{version},0x{data.hex()},'{hashlib.sha256(data).hexdigest()}',now(),now())"
                for c in collections for role, version, data in c.files()]
        for i in range(0, len(rows), 400):
            self.real.database.feed("notaryserver", "INSERT INTO tuf_files (gun, role, version, data, sha256, created_at, updated_at) "
                                    "VALUES " + ",".join(rows[i:i + 400]))

    def revive(self):
        """It ends by a concurrent access to one of its maps, sooner or later."""
        self.real.revive()

    def stop(self):
        self.real.close()


class Field:
    def __init__(self, top, sizes):
        self.sizes, self.keys = sizes, {role: tuf.Key.bare() for role in ("root", "targets")}
        self.servers = []
        self.servers.append(Ours(top / "ours"))
        self.servers.append(Old(top / "old"))
        self.names = itertools.count()

    def collection(self, who, tags=1):
        made = Collection(who, f"c{next(self.names):06}", self.keys)
        made.fill(tags)
        made.publish(made.first())
        return made

    def stop(self):
        for who in self.servers:
            who.stop()


# --- the rows ---

def read_row(f, seconds, key, text, target):
    def run(who, c):
        other = contest.Contestant(who.name, None, who.ports["https"], c.headers)
        other.processes = who.processes
        name = target(c)

        def one():
            with who.surviving():
                return load(other, c.base + name, seconds, connections=f.sizes.connections, scheme="https", length=len(c.read(name)))

        return one

    return Row(key, f"{text}, {f.sizes.connections} connections", "answers/s", {w.name: run(w, f.read[w.name]) for w in f.servers})


def checksum(c):
    return f"targets.{hashlib.sha256(c.read('targets.json')).hexdigest()}.json"


def publish_round(f, collections):
    """Each collection is published f.sizes.round times, all collections at once, each one after another."""
    who = collections[0].who
    parts = {c: [c.change() for _ in range(f.sizes.round)] for c in collections}

    def one(c):
        connection = who.connect("https")
        for each in parts[c]:
            c.publish(each, connection)
        connection.close()

    def work():
        with concurrent.futures.ThreadPoolExecutor(len(collections)) as pool:
            list(pool.map(one, collections))

    with who.surviving():
        return timed(who, work, len(collections) * f.sizes.round)


def publish_row(f, key, text, count, tags):
    made = {w.name: [f.collection(w, tags) for _ in range(count)] for w in f.servers}
    return Row(key, text, "publishes/s", {name: (lambda cs=cs: publish_round(f, cs)) for name, cs in made.items()})


def rows_now(f, seconds, when):
    f.read = {w.name: f.collection(w, f.sizes.tags) for w in f.servers}
    return [
        read_row(f, seconds, f"read-timestamp{when}", f"timestamp read{when}", lambda c: "timestamp.json"),
        read_row(f, seconds, f"read-root{when}", f"root read{when}", lambda c: "root.json"),
        read_row(f, seconds, f"read-targets{when}", f"targets of {f.sizes.tags} tags by checksum{when}", checksum),
        publish_row(f, f"publish-one{when}", f"publishes on one GUN{when}", 1, 1),
        publish_row(f, f"publish-eight{when}", f"publishes on 8 GUNs at once{when}", 8, 1),
    ]


def memory_rows(f):
    """What the servers hold after many publishes of a large repository, and how fast those were."""
    runs = {}
    for who in f.servers:
        c = f.collection(who, f.sizes.tags)
        parts = [c.change() for _ in range(f.sizes.publishes)]
        connection = who.connect("https")
        runs[who.name] = timed(who, lambda: [c.publish(p, connection) for p in parts], len(parts))  # noqa: B023
        connection.close()
    fixed = lambda value: lambda: value  # noqa: E731
    return [Row("publish-large", f"{f.sizes.publishes} publishes of {f.sizes.tags} tags", "publishes/s", {n: fixed(r) for n, r in runs.items()}),
            Row("memory", "memory after them", "MiB", {w.name: fixed(Measured(w.memory())) for w in f.servers}),
            Row("disk", "database after them", "MiB", {"bondstore": fixed(Measured(size_of(f.servers[0].server.data))),
                                                       "notary v1": fixed(Measured(size_of(f.servers[1].real.database.folder)))})]


def size_of(folder):
    return sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*") if path.is_file()) / (1 << 20)


def many_rows(f):
    """A store of many GUNs is made, by 8 publishers at once, the other server's for the most part by writing into its database;
    then one publish each on some of them."""
    made = {w.name: [] for w in f.servers}
    ours, old = f.servers

    def begin(who, rights, names):
        connection = who.connect("https")
        for name in names:
            c = Collection(who, name, f.keys, connection, rights)
            c.fill(1)
            c.publish(c.first(), connection)
            made[who.name].append(c)
        connection.close()

    def write(count):
        for _ in range(count):
            c = Written(made[old.name][0], f"m{next(f.names):06}", f.keys)
            c.fill(1)
            made[old.name].append(c)
        old.write(made[old.name][-count:])

    def work(who, count):
        names = [f"m{next(f.names):06}" for _ in range(count)]
        batches = [names[i:i + BATCH] for i in range(0, len(names), BATCH)]
        rights = [who.rights(*map(who.gun, batch)) for batch in batches]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            return timed(who, lambda: list(pool.map(lambda pair: begin(who, *pair), zip(rights, batches))), len(names))

    def spread(who):
        chosen = made[who.name][::max(1, len(made[who.name]) // f.sizes.publishes)]
        parts, connection = [(c, c.change()) for c in chosen], who.connect("https")
        run = timed(who, lambda: [c.publish(p, connection) for c, p in parts], len(parts))
        connection.close()
        return run

    begun = {ours.name: work(ours, f.sizes.many), old.name: work(old, f.sizes.begun)}
    write(f.sizes.many - f.sizes.begun)
    count, fixed = f.sizes.many, lambda runs: {name: (lambda r=r: r) for name, r in runs.items()}
    return [Row("many", f"{count} GUNs begun, notary v1 {f.sizes.begun} (with the client's signatures)", "GUNs/s", fixed(begun)),
            Row("many-publish", f"a publish each on {f.sizes.publishes} of {count} GUNs", "publishes/s",
                fixed({w.name: spread(w) for w in f.servers})),
            Row("many-memory", f"memory with {count} GUNs", "MiB", fixed({w.name: Measured(w.memory()) for w in f.servers}))]


def main():
    options = contest.options(__doc__)
    rounds, seconds = (1, 1) if options.quick else (options.rounds, options.seconds)

    def wanted(*keys):
        return not options.only or any(word in key for word in options.only for key in keys)

    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)  # the database has a user of its own
        f = None
        try:
            f = Field(pathlib.Path(top), Sizes(options.quick))
            rows = contest.measure(rows_now(f, seconds, ""), rounds, options.only, contest.tell)
            if wanted("publish-large", "memory", "disk"):  # what makes these rows is done before they are told
                rows += contest.measure(memory_rows(f), 1, options.only, contest.tell)
            if wanted("many"):  # it takes a quarter of an hour
                rows += contest.measure(many_rows(f), 1, [], contest.tell)
                rows += contest.measure(rows_now(f, seconds, ", many GUNs"), rounds, [], contest.tell)
        finally:
            if f:
                f.stop()
    contest.finish({"rounds": rounds, "seconds": seconds, "rows": rows}, options.json)


if __name__ == "__main__":
    main()
