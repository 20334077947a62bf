#!/usr/bin/python3
"""compare.py BUILD_FOLDER [--rounds N] [--seconds S] [--json FILE] [--only WORD]

Measures this server beside docker-registry (Debian's package) on loopback over plain HTTP, in one run, A B A B …, and
prints medians, their ratio, and server CPU per operation from /proc. Look at ratios: machines are shared and noisy.
Bondstore runs with bearer tokens on; the peer runs without any sign-in. Needs wrk and docker-registry. (No HEAD rows:
wrk waits for the body that a HEAD has not.)
"""
import argparse
import base64
import concurrent.futures
import hashlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

TICK = os.sysconf("SC_CLK_TCK")
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
BIG = 256 << 20
IMAGES = 40


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """One server process and what is known of it."""

    def __init__(self, name, folder, port, argv):
        self.name, self.folder, self.port, self.argv, self.process = name, folder, port, argv, None
        self.headers = {}

    def start(self):
        begin = time.monotonic()
        self.process = subprocess.Popen(self.argv, stdout=open(self.folder / "log", "ab"), stderr=subprocess.STDOUT)
        while True:
            try:
                status, _, _ = self.ask("GET", "/v2/", plain=True)
                if status in (200, 401):
                    return time.monotonic() - begin
            except OSError:
                pass
            if self.process.poll() is not None:
                sys.exit(f"{self.name} did not start, see {self.folder}/log")
            time.sleep(0.001)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
            self.process = None

    def ask(self, method, target, body=None, headers=None, plain=False, connection=None):
        own = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        own.request(method, target, body, {**({} if plain else self.headers), **(headers or {})})
        answer = own.getresponse()
        data = answer.read()
        if connection is None:
            own.close()
        return answer.status, answer, data

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory_mib(self, which="VmRSS"):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(which + ":"):
                return int(line.split()[1]) / 1024
        return 0.0

    # --- content ---

    def push_blob(self, repo, data, connection=None):
        _, answer, _ = self.ask("POST", f"/v2/{repo}/blobs/uploads/", b"", connection=connection)
        where = urllib.parse.urlsplit(answer.headers["Location"])
        query = f"{where.query}&" if where.query else ""
        target = f"{where.path}?{query}digest={urllib.parse.quote(digest(data))}"
        status, _, text = self.ask("PUT", target, data, {"Content-Type": "application/octet-stream"}, connection=connection)
        assert status == 201, (self.name, status, text[:300])

    def push_image(self, repo, tag, seed, connection=None):
        config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, "seed": seed}).encode()
        layers = [f"layer {i} of {seed}".encode() * 50 for i in range(2)]
        for data in (config, *layers):
            self.push_blob(repo, data, connection)
        entry = lambda kind, data: {"mediaType": kind, "digest": digest(data), "size": len(data)}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": entry(OCI_CONFIG, config),
                               "layers": [entry(OCI_LAYER, data) for data in layers]}).encode()
        status, _, text = self.ask("PUT", f"/v2/{repo}/manifests/{tag}", manifest, {"Content-Type": OCI_MANIFEST}, connection=connection)
        assert status == 201, (self.name, status, text[:300])
        return digest(manifest), digest(layers[0])


class Bondstore(Server):
    def __init__(self, build, folder):
        port = free_port()
        done = subprocess.run([build / "bondstore", "init", folder / "data", "--public-url", f"http://127.0.0.1:{port}", "--admin",
                               "admin@example.org"], check=True, capture_output=True, text=True)
        self.user = done.stdout.split()
        super().__init__("bondstore", folder, port, [build / "bondstore", "serve", folder / "data" / "bondstore.yaml"])

    def sign_in(self, *repositories):
        scopes = "&".join(f"scope=repository:{r}:pull,push,delete" for r in repositories)
        basic = base64.b64encode(":".join(self.user).encode()).decode()
        _, _, data = self.ask("GET", f"/token?service=127.0.0.1:{self.port}&{scopes}", headers={"Authorization": f"Basic {basic}"}, plain=True)
        self.headers = {"Authorization": f"Bearer {json.loads(data)['token']}"}


class Peer(Server):
    def __init__(self, folder):
        port = free_port()
        (folder / "config.yml").write_text(
            "version: 0.1\nlog: { level: error }\n"
            f"storage: {{ delete: {{ enabled: true }}, filesystem: {{ rootdirectory: {folder}/data }}, cache: {{ blobdescriptor: inmemory }} }}\n"
            f"http: {{ addr: 127.0.0.1:{port}, secret: x }}\n")
        super().__init__("docker-registry", folder, port, ["docker-registry", "serve", folder / "config.yml"])

    def sign_in(self, *repositories):
        pass


# --- what is measured: each gives (value, operations) ---

def wrk(server, method, target, connections, seconds):
    script = server.folder / "wrk.lua"
    lines = [f'wrk.method = "{method}"'] + [f'wrk.headers["{k}"] = "{v}"' for k, v in {**server.headers, "Accept": OCI_MANIFEST}.items()]
    script.write_text("\n".join(lines) + "\ndone = function(s, l, r) io.write(string.format('RESULT %d %d %d %d\\n',"
                      " s.requests, s.duration, s.errors.status + s.errors.connect + s.errors.read + s.errors.timeout, l:percentile(99))) end\n")
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script, f"http://127.0.0.1:{server.port}{target}"],
                          check=True, capture_output=True, text=True)
    requests, micros, errors, _ = next(map(int, line.split()[1:]) for line in done.stdout.splitlines() if line.startswith("RESULT"))
    assert errors == 0, (server.name, target, done.stdout)
    return requests * 1e6 / micros, requests


def big_get(server, made):
    begin, got = time.monotonic(), 0
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("GET", f"/v2/perf/app/blobs/{made['big']}", headers=server.headers)
    answer = connection.getresponse()
    view = memoryview(bytearray(1 << 20))
    while n := answer.readinto(view):
        got += n
    connection.close()
    assert got == BIG, (server.name, got)
    return BIG / 1e6 / (time.monotonic() - begin), BIG / (1 << 30)


def big_push(server, made):
    made["round"] += 1
    data = os.urandom(1 << 16) * (BIG >> 16)
    begin = time.monotonic()
    server.push_blob("perf/big", data)
    return BIG / 1e6 / (time.monotonic() - begin), BIG / (1 << 30)


def small_pushes(server, made):
    made["round"] += 1

    def one(i):
        server.push_image("perf/small", f"r{made['round']}-{i}", f"{server.name} {made['round']} {i} {time.time()}",
                          http.client.HTTPConnection("127.0.0.1", server.port, timeout=60))

    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(IMAGES)))
    return IMAGES / (time.monotonic() - begin), IMAGES


ROWS = [
    ("manifest GET by tag, 64 connections", "req/s", lambda s, m, t: wrk(s, "GET", "/v2/perf/app/manifests/v1", 64, t)),
    ("manifest GET by digest, 64 connections", "req/s", lambda s, m, t: wrk(s, "GET", f"/v2/perf/app/manifests/{m['manifest']}", 64, t)),
    ("small blob GET, 64 connections", "req/s", lambda s, m, t: wrk(s, "GET", f"/v2/perf/app/blobs/{m['layer']}", 64, t)),
    ("tags/list page of 100 of 500", "req/s", lambda s, m, t: wrk(s, "GET", "/v2/perf/tags/tags/list?n=100", 8, t)),
    ("large blob GET", "MB/s", lambda s, m, t: big_get(s, m)),
    ("large blob push, durable here", "MB/s", lambda s, m, t: big_push(s, m)),
    ("small images pushed, 8 at once, durable here", "images/s", lambda s, m, t: small_pushes(s, m)),
]


def prepare(server):
    server.sign_in("perf/app", "perf/tags", "perf/big", "perf/small")
    made = {"round": 0}
    made["manifest"], made["layer"] = server.push_image("perf/app", "v1", "the image")
    data = b"0123456789abcdef" * (BIG // 16)
    server.push_blob("perf/app", data)
    made["big"] = digest(data)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    server.push_image("perf/tags", "first", "tags", connection)
    _, answer, manifest = server.ask("GET", "/v2/perf/tags/manifests/first", headers={"Accept": OCI_MANIFEST}, connection=connection)
    for i in range(499):
        server.ask("PUT", f"/v2/perf/tags/manifests/t{i:04}", manifest, {"Content-Type": answer.headers["Content-Type"]}, connection=connection)
    return made


def measure(servers, made, options):
    rows = []
    for name, unit, run in ROWS:
        if options.only not in name:
            continue
        values, costs = {s.name: [] for s in servers}, {s.name: [] for s in servers}
        for _ in range(options.rounds):
            for s in servers:
                before = s.cpu()
                value, operations = run(s, made[s.name], options.seconds)
                values[s.name].append(value)
                costs[s.name].append((s.cpu() - before) / operations)
        a, b = (statistics.median(values[s.name]) for s in servers)
        ca, cb = (statistics.median(costs[s.name]) for s in servers)
        rows.append({"row": name, "unit": unit, "a": a, "b": b, "ratio": a / b, "cpu_a": ca, "cpu_b": cb})
        print(f"{name:46} {a:10.1f} {b:10.1f} {unit:9} {a / b:7.1f} ×   cpu per op {ca * 1e6:10.0f} {cb * 1e6:10.0f} us", flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--only", default="", help="rows whose name holds this word")
    options = parser.parse_args()
    for tool in ("wrk", "docker-registry"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is not installed: apt-get install {tool}")
    with tempfile.TemporaryDirectory() as top:
        folders = [pathlib.Path(top) / n for n in ("a", "b")]
        for folder in folders:
            folder.mkdir()
        servers = [Bondstore(options.build.resolve(), folders[0]), Peer(folders[1])]
        try:
            starts = [s.start() for s in servers]
            idle = [s.memory_mib() for s in servers]
            print(f"{'':46} {'bondstore':>10} {'registry':>10}")
            print(f"{'start, empty':46} {starts[0] * 1000:10.1f} {starts[1] * 1000:10.1f} ms")
            print(f"{'memory, idle':46} {idle[0]:10.1f} {idle[1]:10.1f} MiB")
            made = {s.name: prepare(s) for s in servers}
            rows = measure(servers, made, options)
            peak = [s.memory_mib("VmHWM") for s in servers]
            print(f"{'memory, peak':46} {peak[0]:10.1f} {peak[1]:10.1f} MiB")
        finally:
            for s in servers:
                s.stop()
    if options.json:
        options.json.write_text(json.dumps({"start_ms": [1000 * s for s in starts], "idle_mib": idle, "peak_mib": peak, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
