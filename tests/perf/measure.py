#!/usr/bin/python3
"""measure.py [BUILD_FOLDER] [--rounds N] [--seconds S] [--json FILE] [--only WORD]… [--quick]

Measures this server beside docker-registry (Debian's package), nginx serving the same files, and a server on the same HTTP
library that answers a constant: all on loopback in one run, A B A B …, medians. Look at the ratios (how many times faster
bondstore is than the server in that line) and at the server's processor time per operation: machines are shared and noisy.
Bondstore runs as shipped, with bearer tokens on and a log line for each request; the others ask for no sign-in and log
nothing. "cpu" is per answer, per image or, in rows of MB/s, per GiB. --quick: small and short, to see that every row works.

Needs docker-registry, nginx-light and notary.
"""
import os
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True

import contest  # noqa: E402
from contest import Measured, Row, SmallImage, load, push, sha256  # noqa: E402
from support.notary import Notary  # noqa: E402
from support.wire import basic  # noqa: E402

HOUSE, APP = "perf", "perf/app"


class Sizes:
    def __init__(self, quick):
        self.large = 4 << 20 if quick else 256 << 20
        self.upload = 1 << 20 if quick else 64 << 20
        self.images = 8 if quick else 240
        self.tags = 20 if quick else 500
        self.repositories = 10 if quick else 200
        self.page = 10 if quick else 100
        self.connections = 8 if quick else 64
        self.idle = 16 if quick else 256


class Field:
    """The servers, filled with the same content."""

    def __init__(self, sizes):
        self.sizes, self.started = sizes, []

    def make(self, top):
        self.ours = contest.Bondstore(top)
        self.ours.server.init()
        self.ours.begin()
        self.started.append(self.ours)
        self.ours.wait("/readyz")
        tls = self.ours.server.data / "tls"
        certificate = (tls / "server.crt", tls / "server.key")
        self.image = SmallImage("the image")
        self.large = b"0123456789abcdef" * (self.sizes.large // 16)
        self.registry = contest.registry(top / "registry", certificate)
        self.nginx = contest.nginx(top / "nginx", certificate, {"large": self.large, "small": self.image.layers[0]})
        self.ceiling = contest.ceiling(top / "ceiling", certificate, self.image.manifest)
        self.started += [self.registry, self.nginx, self.ceiling]
        self.people(top)
        for who in (self.ours, self.registry):
            self.fill(who)
        self.sign()
        self.check()
        for who in (self.ours, self.registry):
            who.forget_peak()

    def people(self, top):
        server = self.ours.server
        server.make_namespace(HOUSE)
        self.robot = server.make_robot(HOUSE, "ci", "pull,push,delete")
        self.keeper = Notary(server, server.make_member(HOUSE, "keeper@example.org", "owner"), top / "notary")
        self.ours.sign_in(self.robot, *(f"repository:{name}:pull,push" for name in (APP, "perf/tags", "perf/push")))
        self.lister = self.ours.as_other(server.make_member(HOUSE, "lister@example.org", "reader"), "registry:catalog:*")
        self.deployer = self.ours.as_other(server.make_deployer(HOUSE, "deployer"), f"repository:{APP}:pull")

    def catalog(self):
        return [f"perf/c{i:04}" for i in range(self.sizes.repositories)]

    def fill(self, who):
        connection = who.connect()
        self.digest = who.push_image(APP, "v1", self.image, connection)
        who.push_image("perf/tags", "first", self.image, connection)
        for i in range(self.sizes.tags - 1):
            who.push_manifest("perf/tags", f"t{i:04}", self.image.manifest, connection)
        self.large_digest = who.push_blob(APP, self.large, connection=connection)
        for name in self.catalog():
            pusher = self.ours.as_other(self.robot, f"repository:{name}:pull,push") if who is self.ours else who
            pusher.push_image(name, "v1", self.image, connection)

    def sign(self):
        self.keeper.init(APP)
        signed = type("Signed", (), {"size": len(self.image.manifest), "hex": self.digest[7:]})
        self.keeper.sign(APP, "v1", signed)

    def check(self):
        """Everybody gives the right bytes, once, before anything is measured."""
        layer = self.image.layers[0]
        for who in (self.ours, self.registry, self.deployer):
            for scheme in ("http", "https"):
                for target, want in (("manifests/v1", self.image.manifest), (f"blobs/{sha256(layer)}", layer)):
                    status, _, got = who.ask("GET", f"/v2/{APP}/{target}", headers=[("Accept", contest.OCI_MANIFEST)], scheme=scheme)
                    assert (status, got) == (200, want), (who.name, target, status, got[:300])
        for who, target in ((self.ours, self.large_target()), (self.registry, self.large_target()), (self.nginx, "/large")):
            status, _, got = who.ask("GET", target)
            assert (status, sha256(got)) == (200, self.large_digest), (who.name, status)

    def large_target(self):
        return f"/v2/{APP}/blobs/{self.large_digest}"


# --- the rows ---

def small_rows(f, seconds):
    """Answers per second from the index and of small files."""
    manifest, layer = len(f.image.manifest), len(f.image.layers[0])
    n = f.sizes.connections
    tag, digest = f"/v2/{APP}/manifests/v1", f"/v2/{APP}/manifests/{f.digest}"
    blob = f"/v2/{APP}/blobs/{sha256(f.image.layers[0])}"

    def row(key, text, target, *, length=None, method="GET", scheme="http", others=(), **more):
        how = {"connections": n, "method": method, "scheme": scheme}
        runs = {who.name: (lambda who=who: load(who, target, seconds, length=length, **how)) for who in (f.ours, f.registry)}
        runs["constant answer"] = lambda: load(f.ceiling, "/", seconds, **how)
        runs.update({name: (lambda run=run: run(how)) for name, run in others})
        return Row(key, f"{text}, {n} connections", "answers/s", runs)

    gated = ("as a deployer", lambda how: load(f.deployer, tag, seconds, length=manifest, **how))
    gated_tls = ("as a deployer", lambda how: load(f.deployer, tag, seconds, length=manifest, **how))
    file = ("nginx", lambda how: load(f.nginx, "/small", seconds, length=layer, **how))
    return [
        row("manifest-get-tag", "manifest GET by tag", tag, length=manifest, others=[gated]),
        row("manifest-head-tag", "manifest HEAD by tag", tag, method="HEAD"),
        row("manifest-get-digest", "manifest GET by digest", digest, length=manifest),
        row("manifest-head-digest", "manifest HEAD by digest", digest, method="HEAD"),
        row("blob-head", "blob HEAD", blob, method="HEAD"),
        row("blob-get-small", "small blob GET", blob, length=layer, others=[file]),
        row("tls-manifest-get-tag", "manifest GET by tag, TLS", tag, length=manifest, scheme="https", others=[gated_tls]),
        row("tls-blob-get-small", "small blob GET, TLS", blob, length=layer, scheme="https", others=[file]),
    ]


def list_rows(f, seconds):
    tags = f"/v2/perf/tags/tags/list?n={f.sizes.page}"
    catalog = f"/v2/_catalog?n={f.sizes.page}"
    token = f"/token?service=localhost:{f.ours.ports['https']}&scope=repository:{APP}:pull"
    asks = contest.Contestant(f.ours.name, *f.ours.ports.values(), [("Authorization", basic(f.robot.user, f.robot.secret))])
    asks.processes = f.ours.processes
    how = {"connections": 8}
    return [
        Row("tags-list", f"tags/list, {f.sizes.page} of {f.sizes.tags}", "answers/s",
            {who.name: (lambda who=who: load(who, tags, seconds, **how)) for who in (f.ours, f.registry)}),
        Row("catalog", f"catalog, {f.sizes.page} of {f.sizes.repositories}", "answers/s",
            {who.name: (lambda who=who: load(who, catalog, seconds, **how)) for who in (f.lister, f.registry)}),
        Row("token", "token for a robot", "answers/s", {f.ours.name: lambda: load(asks, token, seconds, **how)}),
    ]


def large_rows(f, seconds):
    def row(key, text, scheme, streams):
        how = {"connections": streams, "scheme": scheme, "length": f.sizes.large, "large": True}
        runs = {who.name: (lambda who=who: load(who, f.large_target(), seconds, **how)) for who in (f.ours, f.registry)}
        runs["nginx"] = lambda: load(f.nginx, "/large", seconds, **how)
        return Row(key, text, "MB/s", runs)

    return [row("blob-get-large", "large blob GET", "http", 1), row("blob-get-streams", "large blob GET, 8 streams", "http", 8),
            row("tls-blob-get-large", "large blob GET, TLS", "https", 1)]


def push_rows(f):
    size, count = f.sizes.upload, f.sizes.images

    def row(key, text, unit, **what):
        return Row(key, text, unit, {who.name: (lambda who=who: push(who, "perf/push", **what)) for who in (f.ours, f.registry)})

    return [
        row("push-small", "small images pushed, 8 at once (durable here)", "images/s", clients=8, images=count),
        row("push-alone", "small images pushed, one after another (durable here)", "images/s", clients=1, images=count // 4),
        row("push-large", f"blob of {size >> 20} MiB pushed (durable here)", "MB/s", clients=1, blobs=1, size=size),
        row("push-streams", f"four blobs of {size >> 20} MiB pushed at once", "MB/s", clients=4, blobs=4, size=size),
    ]


# --- memory and start ---

def resource_rows(f, rounds):
    """Not A B A B: each is a state of the server, not a race."""
    one = lambda value: (lambda: Measured(value))  # noqa: E731
    tag = f"/v2/{APP}/manifests/v1"
    rows = []
    for scheme in ("http", "https"):
        rows.append(Row(f"memory-connection-{scheme}", f"memory of an idle connection, {scheme}", "KiB",
                        {w.name: one(contest.memory_of_connections(w, f.sizes.idle, tag, scheme)) for w in (f.ours, f.registry)}))
    for who in (f.ours, f.registry):
        who.stop()
    folder = f.ours.server.folder
    rows.append(Row("start", "start, until the first answer", "ms", {
        "bondstore": one(contest.start_time([f.ours.server.bondstore, "serve", f.ours.server.config], f.ours.ports["http"], "/readyz", rounds)),
        "docker-registry": one(contest.start_time([contest.program("docker-registry"), "serve", folder / "registry" / "http.yml"],
                                                  f.registry.ports["http"], "/v2/", rounds))}))
    return rows


def memory_row(f, key, text, which="VmRSS"):
    return Row(key, text, "MiB", {w.name: (lambda w=w: Measured(w.memory(which))) for w in (f.ours, f.registry)})


def main():
    options = contest.options(__doc__)
    rounds, seconds = (1, 1) if options.quick else (options.rounds, options.seconds)
    with tempfile.TemporaryDirectory() as top:
        f = Field(Sizes(options.quick))
        try:
            f.make(pathlib.Path(top))
            rows = []
            for made in ([memory_row(f, "memory-filled", "memory, after filling")], small_rows(f, seconds),
                         [memory_row(f, "memory-busy", f"memory, peak until now ({f.sizes.connections} busy connections)", "VmHWM")],
                         list_rows(f, seconds), large_rows(f, seconds), push_rows(f),
                         [memory_row(f, "memory-peak", "memory, peak of the run", "VmHWM")]):
                rows += contest.measure(made, rounds, options.only, contest.tell)
            rows += contest.measure(resource_rows(f, rounds), 1, options.only, contest.tell)
        finally:
            for who in f.started:
                who.stop()
    contest.finish({"rounds": rounds, "seconds": seconds, "rows": rows}, options.json)


if __name__ == "__main__":
    main()
