#!/usr/bin/python3
"""attack.py [BUILD_FOLDER] [--seconds S] [--only WORD] [--connections N] [--json FILE] [--quick]

What a normal client notices while others attack: it asks for one manifest again and again, over a connection that it
keeps and over a new one each time, and its delays are written down, with the server's memory. Nobody else should be on
the machine; look at the rows beside the first one, not at the numbers as such. Run as root: the crowds need descriptors,
and addresses 127.0.0.2 and on.

--quick: small and short, and judged, but not by time: the whole crowd came, each question of the client was answered and
its kept connection was left alone, and when the crowd is gone the server holds nothing of it.
"""
import argparse
import contextlib
import http.client
import json
import os
import pathlib
import resource
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from support.attackers import Crowd, descriptors, resident  # noqa: E402
from support.images import OCI_CONFIG, OCI_MANIFEST, compact, sha256  # noqa: E402
from support.server import Server, eventually  # noqa: E402
from support.wire import basic  # noqa: E402

REPO, BIG = "house/app", 64 << 20
QUICK = {"seconds": 0.2, "connections": 1000, "big": 8 << 20}  # below three quarters of limits.connections: nobody is closed
QUESTIONS_MIN = 10
DESCRIPTORS_SPARE = 16  # kept by the client, and files that are being read
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
HELLO = bytes.fromhex("16030100f8010000f40303") + bytes(32)  # of a TLS client; the rest never comes


def post(*lines):
    return "".join(["POST /token HTTP/1.1\r\nHost: localhost\r\n", *(f"{line}\r\n" for line in lines), "\r\n"]).encode()


# name: (listener, share of --connections, how the crowd behaves). What the server closes comes back after five seconds; in
# the rows "again and again" at once, as fast as the attacker can.
ATTACKS = {
    "nobody": ("plain", 0, {}),
    "idle connections": ("plain", 1, {}),
    "idle connections after a request": ("plain", 1, {"first": GET}),
    "request lines that never end": ("plain", 1, {"first": b"GET /v2/", "drip": b"a"}),
    "heads that never end": ("plain", 1, {"first": GET[:-2], "drip": b"X: y\r\n"}),
    "bodies that never end": ("plain", 1, {"first": post("Content-Length: 16000"), "drip": b"a"}),
    "bodies that never come": ("plain", 1, {"first": post("Content-Length: 16000")}),
    "readers that do not read": ("plain", 1, {"first": "blob", "reads": False}),
    "connections, again and again": ("plain", 0.01, {"first": GET.replace(b"Host", b"Connection: close\r\nHost"), "back": 0.0}),
    "malformed requests, again and again": ("plain", 0.01, {"first": post("Content-Length: 1", "Content-Length: 2"), "back": 0.0}),
    "wrong passwords, again and again": ("plain", 0.01, {"first": b"GET /token?service=x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                                                         b"Authorization: " + basic("admin@example.org", "wrong").encode() + b"\r\n\r\n", "back": 0.0}),
    "nobody (TLS)": ("tls", 0, {}),
    "TLS that never begins": ("tls", 1, {}),
    "TLS handshakes that never end": ("tls", 1, {"first": HELLO, "drip": b"\0"}),
    "garbage instead of TLS, again and again": ("tls", 0.01, {"first": b"\x80" * 500, "back": 0.0}),
}


class Target:
    """The server, with one small and one large thing to pull."""

    def __init__(self, build, folder, big):
        os.environ["BONDSTORE_BUILD"] = str(build)
        self.server = Server(folder).init().start()
        self.server.make_namespace("house")
        pusher = self.server.client(self.server.make_robot("house", "ci", "pull,push"))
        config = b"{}"
        self.big = sha256(bytes(big))
        for content in (config, bytes(big)):
            pusher.push_blob(REPO, content, sha256(content))
        manifest = compact({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": {"mediaType": OCI_CONFIG, "digest": sha256(config), "size": len(config)},
                            "layers": [{"mediaType": "application/x-big", "digest": self.big, "size": big}]})
        pusher.push_manifest(REPO, "v1", manifest, OCI_MANIFEST).expect(201)
        self.bearer = {"Authorization": f"Bearer {self.server.token(self.server.make_robot('house', 'reader', 'pull'), f'repository:{REPO}:pull')}"}

    def port(self, listener):
        return self.server.plain_port if listener == "plain" else self.server.port


class Client:
    """The normal client."""

    def __init__(self, target, listener):
        self.target, self.listener, self.kept, self.again = target, listener, None, 0
        self.context = ssl.create_default_context(cafile=str(target.server.ca)) if listener == "tls" else None

    def connect(self):
        port = self.target.port(self.listener)
        return http.client.HTTPSConnection("localhost", port, timeout=60, context=self.context) if self.context else http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, connection):
        began = time.monotonic()
        connection.request("GET", f"/v2/{REPO}/manifests/v1", headers=self.target.bearer)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        return time.monotonic() - began

    def ask_kept(self):
        """As clients do it: when the kept connection was closed, once more over a new one."""
        began = time.monotonic()
        try:
            self.kept = self.kept or self.connect()
            self.ask(self.kept)
        except (http.client.HTTPException, OSError):
            self.again += 1
            self.kept = self.connect()
            self.ask(self.kept)
        return time.monotonic() - began

    def ask_anew(self):
        with contextlib.closing(self.connect()) as connection:
            return self.ask(connection)

    def watch(self, seconds):
        kept, anew, failed = [], [], 0
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(kept) < QUESTIONS_MIN:
            kept.append(self.ask_kept())
            try:
                anew.append(self.ask_anew())
            except (http.client.HTTPException, OSError):
                failed += 1
            time.sleep(0.002)
        return kept, anew, failed


def milliseconds(delays, share):
    return round(1000 * statistics.quantiles(delays, n=1000)[int(share * 1000) - 1], 1) if len(delays) > 1 else None


def measure(target, name, connections, seconds):
    listener, share, _ = ATTACKS[name]
    count = int(connections * share)
    pid = target.server.process.pid
    client = Client(target, listener)
    command = [sys.executable, __file__, "--crowd", name, str(target.port(listener)), str(count), target.big, target.bearer["Authorization"]]
    attacker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        opened = int(attacker.stdout.readline())
        kept, anew, failed = client.watch(seconds)
        row = {"attack": name, "connections": count, "opened": opened, "requests": len(kept) + len(anew), "failed": failed, "reconnected": client.again,
               "kept_p50_ms": milliseconds(kept, .5), "kept_p99_ms": milliseconds(kept, .99), "anew_p50_ms": milliseconds(anew, .5), "anew_p99_ms": milliseconds(anew, .99),
               "worst_ms": round(1000 * max(kept + anew), 1),
               "descriptors": descriptors(pid), "rss_mib": round(resident(pid) / (1 << 20), 1)}
    finally:
        attacker.communicate("", timeout=60)
    return row


def judge(row, pid, before):
    """The answers of a quick run."""
    assert row["opened"] >= row["connections"], f"only {row['opened']} of the crowd came in"
    assert row["failed"] == 0 and row["reconnected"] == 0, "a question of the normal client was not answered, or its connection closed"
    eventually(lambda: descriptors(pid) <= before + DESCRIPTORS_SPARE, wait=60, what="the end of what the server held for the crowd")


def crowd_process(name, port, count, big, bearer):
    """Runs in a process of its own, until its input ends."""
    _, _, how = ATTACKS[name]
    if how.get("first") == "blob":
        how = {**how, "first": f"GET /v2/{REPO}/blobs/{big} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\n\r\n".encode()}
    with Crowd(int(port), int(count), **{"back": 5.0, **how}) if int(count) else contextlib.nullcontext() as crowd:
        patience = time.monotonic() + 60
        while crowd and crowd.opened < int(count) and time.monotonic() < patience:
            time.sleep(0.05)
        print(crowd.opened if crowd else 0, flush=True)
        sys.stdin.read()


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if sys.argv[1:2] == ["--crowd"]:
        return crowd_process(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", type=pathlib.Path, default=os.environ.get("BONDSTORE_BUILD", "build"))
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--connections", type=int, default=10000)
    parser.add_argument("--only", default="")
    parser.add_argument("--json")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    seconds, connections, big = QUICK.values() if args.quick else (args.seconds, args.connections, BIG)
    folder = tempfile.mkdtemp(prefix="bondstore-attack-")
    rows = []
    target = Target(args.build.resolve(), folder, big)
    pid = target.server.process.pid
    before = descriptors(pid)
    try:
        for name in ATTACKS:
            if args.only in name:
                rows.append(measure(target, name, connections, seconds))
                print("  ".join(f"{k}={v}" for k, v in rows[-1].items()), flush=True)
                if args.quick:
                    judge(rows[-1], pid, before)
    finally:
        target.server.end()
        shutil.rmtree(folder)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
