"""What the measurements share: the servers that are compared, load on them, and what they use of the machine."""
import argparse
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from support.images import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, compact, sha256  # noqa: E402
from support.process import program  # noqa: E402
from support.server import Server, build_folder, free_port  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
GIB = 1 << 30
UNCHECKED = ssl._create_unverified_context()


def options(text, rounds=3, seconds=3, **numbers):
    """What all measurements are asked with; `numbers` are further options and their defaults."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", help="default: the environment's BONDSTORE_BUILD")
    for name, default in {"rounds": rounds, "seconds": seconds, **numbers}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--only", action="append", help="rows whose key holds this word; repeatable")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    if given.build:
        os.environ["BONDSTORE_BUILD"] = given.build
    return given


@dataclass
class Measured:
    """One measurement: the value in its row's unit, and what the server paid for an operation."""
    value: float
    cpu_us: float = 0.0
    p99_us: float = 0.0
    bad: int = 0


class Ended(Exception):
    """A server ended by itself while it was measured, and was started again."""


class Contestant:
    """A server that listens on loopback, plain and (when it can) with TLS."""

    def __init__(self, name, http, https=None, headers=()):
        self.name, self.ports, self.headers, self.processes = name, {"http": http, "https": https}, list(headers), []

    def start(self, *argv, cwd="/", log=None):
        with open(log or os.devnull, "ab") as out:
            self.processes.append(subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd))
        return self

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []

    def has_ended(self, within=2):
        """Whether one of its processes ended; whoever lost a connection may know it a little earlier than the system says so."""
        until = time.monotonic() + within
        while all(p.poll() is None for p in self.processes):
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True

    def revive(self):
        """Starts again what ended by itself. Of ours that is a defect, never a row."""
        raise AssertionError(f"{self.name} ended by itself")

    @contextlib.contextmanager
    def surviving(self):
        """What fails in it because the server ended becomes Ended."""
        try:
            yield
        except (OSError, http.client.HTTPException, subprocess.CalledProcessError) as e:
            if not self.has_ended():
                raise
            self.revive()
            raise Ended(self.name) from e

    def pids(self):
        """Its processes and their children (workers)."""
        found = []
        for process in self.processes:
            children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            found += [process.pid, *map(int, children)]
        return found

    def cpu(self):
        """Seconds of processor time so far, user and system."""
        total = 0
        for pid in self.pids():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICK

    def memory(self, which="VmRSS"):
        """MiB."""
        total = 0
        for pid in self.pids():
            lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith(which + ":"))
        return total / 1024

    def forget_peak(self):
        """VmHWM counts from here: filling hashes passwords, which takes 64 MiB for a moment."""
        for pid in self.pids():
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")

    def url(self, scheme="http"):
        return f"{scheme}://127.0.0.1:{self.ports[scheme]}"

    def connect(self, scheme="http"):
        if scheme == "https":
            return http.client.HTTPSConnection("127.0.0.1", self.ports[scheme], timeout=60, context=UNCHECKED)
        return http.client.HTTPConnection("127.0.0.1", self.ports[scheme], timeout=60)

    def ask(self, method, target, body=None, headers=(), connection=None, scheme="http"):
        """(status, headers, body)"""
        own = connection or self.connect(scheme)
        own.request(method, target, body, {**dict(self.headers), **dict(headers)})
        answer = own.getresponse()
        data = answer.read()
        if connection is None:
            own.close()
        return answer.status, answer.headers, data

    def wait(self, target="/", scheme="http", pause=0.02):
        """Until it answers; seconds."""
        began = time.monotonic()
        while True:
            try:
                status, _, _ = self.ask("GET", target, scheme=scheme)
                if status < 500:
                    return time.monotonic() - began
            except (OSError, http.client.HTTPException):
                pass
            assert all(p.poll() is None for p in self.processes), f"{self.name} ended by itself"
            assert time.monotonic() - began < 60, f"{self.name} does not answer"
            time.sleep(pause)

    # --- content ---

    def push_blob(self, repo, data, digest=None, connection=None):
        digest = digest or sha256(data)
        status, headers, text = self.ask("POST", f"/v2/{repo}/blobs/uploads/", b"", connection=connection)
        assert status == 202, (self.name, status, text[:300])
        where = headers["Location"]
        where = where if where.startswith("/") else "/" + where.split("/", 3)[3]
        target = f"{where}{'&' if '?' in where else '?'}digest={digest}"
        status, _, text = self.ask("PUT", target, data, {"Content-Type": "application/octet-stream"}, connection)
        assert status == 201, (self.name, status, text[:300])
        return digest

    def push_manifest(self, repo, tag, manifest, connection=None):
        status, _, text = self.ask("PUT", f"/v2/{repo}/manifests/{tag}", manifest, {"Content-Type": OCI_MANIFEST}, connection)
        assert status == 201, (self.name, status, text[:300])
        return sha256(manifest)

    def push_image(self, repo, tag, made, connection=None):
        for data in made.blobs:
            self.push_blob(repo, data, connection=connection)
        return self.push_manifest(repo, tag, made.manifest, connection)


class SmallImage:
    """A config and two layers of about a kilobyte."""

    def __init__(self, seed):
        config = compact({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, "seed": seed})
        self.layers = [f"layer {i} of {seed}".encode() * 50 for i in range(2)]
        self.blobs = [config, *self.layers]
        entry = lambda kind, data: {"mediaType": kind, "digest": sha256(data), "size": len(data)}  # noqa: E731
        self.manifest = compact({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": entry(OCI_CONFIG, config),
                                 "layers": [entry(OCI_LAYER, data) for data in self.layers]})


# --- the four servers ---

class Bondstore(Contestant):
    """This server, bearer tokens on, TLS and plain listener, everything else as shipped."""

    def __init__(self, folder, data=None):
        self.server = Server(folder)
        if data:
            self.server.data, self.server.config = data, data / "bondstore.yaml"
        super().__init__("bondstore", self.server.plain_port, self.server.port)

    def begin(self):
        self.server.start(wait=False)
        self.processes = [self.server.process]
        return self

    def stop(self):
        self.server.end()
        self.processes = []

    def sign_in(self, who, *scopes):
        self.headers = [("Authorization", f"Bearer {self.server.token(who, *scopes)}")]

    def as_other(self, who, *scopes):
        """The same server, asked by somebody else."""
        other = Contestant(self.name, self.ports["http"], self.ports["https"])
        other.headers = [("Authorization", f"Bearer {self.server.token(who, *scopes)}")]
        other.processes = self.processes
        return other


def registry(folder, certificate):
    """Debian's docker-registry, without sign-in, blob descriptors cached in memory; with TLS it is a second process."""
    folder.mkdir()
    one = Contestant("docker-registry", free_port(), free_port())
    for scheme, tls in (("http", ""), ("https", f", tls: {{ certificate: {certificate[0]}, key: {certificate[1]} }}")):
        (folder / f"{scheme}.yml").write_text(
            "version: 0.1\nlog: { level: error }\n"
            f"storage: {{ delete: {{ enabled: true }}, filesystem: {{ rootdirectory: {folder}/data }}, cache: {{ blobdescriptor: inmemory }} }}\n"
            f"http: {{ addr: 127.0.0.1:{one.ports[scheme]}, secret: x{tls} }}\n")
        one.start(program("docker-registry"), "serve", folder / f"{scheme}.yml", log=folder / "log")
        one.wait("/v2/", scheme)
    return one


def nginx(folder, certificate, content):
    """nginx serving files; content: {name: bytes}."""
    (folder / "www").mkdir(parents=True)
    for name, data in content.items():
        (folder / "www" / name).write_bytes(data)
    one = Contestant("nginx", free_port(), free_port())
    (folder / "nginx.conf").write_text(f"""
        user root; daemon off; worker_processes {os.cpu_count()}; pid {folder}/pid; error_log {folder}/log;
        events {{ worker_connections 4096; }}
        http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; root {folder}/www;
            server {{ listen 127.0.0.1:{one.ports['http']}; }}
            server {{ listen 127.0.0.1:{one.ports['https']} ssl; ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]}; }} }}
        """)
    one.start(shutil.which("nginx") or program("nginx", "/usr/sbin/nginx"), "-p", folder, "-c", folder / "nginx.conf", log=folder / "log")
    one.wait("/")
    return one


def ceiling(folder, certificate, content):
    """A server on the same HTTP library that answers a constant; with TLS it is a second process."""
    folder.mkdir()
    (folder / "answer").write_bytes(content)
    one = Contestant("constant answer", free_port(), free_port())
    tool = build_folder() / "tests" / "perf_constant"
    one.start(tool, one.ports["http"], folder / "answer", log=folder / "log")
    one.start(tool, one.ports["https"], folder / "answer", *certificate, log=folder / "log")
    for scheme in one.ports:
        one.wait("/", scheme)
    return one


# --- load ---

def load(who, targets, seconds, *, connections=64, method="GET", scheme="http", length=None, headers=(), requests=None, large=False):
    """A closed loop on one server. large: MB/s and processor time per GiB instead of answers per second and per answer."""
    targets = [targets] if isinstance(targets, str) else list(targets)
    options = ["--connections", connections, "--seconds", seconds, "--method", method]
    for name, value in [*who.headers, ("Accept", OCI_MANIFEST), *headers]:
        options += ["--header", f"{name}: {value}"]
    options += ["--length", length] if length is not None else []
    options += ["--requests", requests] if requests else []
    before = who.cpu()
    done = subprocess.run([str(a) for a in (build_folder() / "tests" / "perf_load", *options, who.url(scheme), *targets)],
                          stdout=subprocess.PIPE, check=True)
    used = who.cpu() - before
    got = json.loads(done.stdout)
    operations = got["bytes"] / GIB if large else got["requests"]
    value = got["bytes"] / 1e6 / got["seconds"] if large else got["requests"] / got["seconds"]
    return Measured(value, used * 1e6 / max(operations, 1e-9), got["p99_us"], got["bad"])


def push(who, repository, *, clients, images=0, blobs=0, size=1024):
    """New images, or new blobs of `size` bytes, pushed by `clients` at once: images per second and processor time per image,
    or MB/s and processor time per GiB. The client is a program of its own: one in Python takes longer for a request than the
    server does, so that its own speed was measured."""
    options = ["--clients", clients, "--images", images, "--blobs", blobs, "--size", size]
    for name, value in who.headers:
        options += ["--header", f"{name}: {value}"]
    before = who.cpu()
    done = subprocess.run([str(a) for a in (build_folder() / "tests" / "perf_push", *options, who.url(), repository)],
                          stdout=subprocess.PIPE)
    used = who.cpu() - before
    assert done.returncode in (0, 1) and done.stdout, (who.name, done.returncode)
    got = json.loads(done.stdout)
    operations = images or blobs * size / GIB
    value = (images or blobs * size / 1e6) / got["seconds"]
    return Measured(value, used * 1e6 / operations, bad=got["bad"])


def timed(who, work, operations):
    """Runs `work`; operations per second."""
    before, began = who.cpu(), time.monotonic()
    work()
    took = time.monotonic() - began
    return Measured(operations / took, (who.cpu() - before) * 1e6 / operations)


def memory_of_connections(who, count, target, scheme="http"):
    """KiB that each open, idle connection holds after one answer."""
    open_ones = [who.connect(scheme) for _ in range(count)]
    before = who.memory()
    for connection in open_ones:
        status, _, text = who.ask("GET", target, headers=[("Accept", OCI_MANIFEST)], connection=connection)
        assert status == 200, (who.name, status, text[:300])
    grown = who.memory() - before
    for connection in open_ones:
        connection.close()
    return grown * 1024 / count


def start_time(argv, port, target, rounds, cwd="/"):
    """Milliseconds from exec to the first 200, the median of `rounds`."""
    took = []
    for _ in range(rounds):
        began = time.monotonic()
        process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, cwd=cwd)
        try:
            while not answers(port, target):
                assert process.poll() is None, f"{argv[0]} ended by itself"
                assert time.monotonic() - began < 60, f"{argv[0]} does not answer"
                time.sleep(0.0005)
            took.append((time.monotonic() - began) * 1000)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    return statistics.median(took)


def answers(port, target):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
            s.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            return s.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


# --- rows ---

@dataclass
class Row:
    key: str
    text: str
    unit: str
    runs: dict  # name of the contestant: function() -> Measured; the first one is ours


def middle(numbers):
    """The median, 0 when every round was cut short."""
    numbers = list(numbers)
    return statistics.median(numbers) if numbers else 0.0


def measure(rows, rounds, only, told):
    """A B A B …: each contestant once, then each again. `told` is given each finished row. A round in which a server ended by
    itself gives no figure, and is counted."""
    results = []
    for row in rows:
        if only and not any(word in row.key for word in only):
            continue
        every, ended = {name: [] for name in row.runs}, dict.fromkeys(row.runs, 0)
        for _ in range(rounds):
            for name, run in row.runs.items():
                try:
                    every[name].append(run())
                except Ended:
                    ended[name] += 1
        result = {"row": row.key, "text": row.text, "unit": row.unit, "by": {}}
        ours = None
        for name, got in every.items():
            value = middle(m.value for m in got)
            ours = value if ours is None else ours
            result["by"][name] = {"value": value, "ratio": ours / value if value else None, "cpu_us": middle(m.cpu_us for m in got),
                                  "p99_us": middle(m.p99_us for m in got), "bad": sum(m.bad for m in got), "ended": ended[name]}
        results.append(result)
        told(result)
    return results


def tell(result):
    for i, (name, got) in enumerate(result["by"].items()):
        ratio = "" if i == 0 or got["ratio"] is None else f"{got['ratio']:8.2f} ×"
        cpu = f"  cpu {got['cpu_us']:10.1f} us" if got["cpu_us"] else ""
        p99 = f"  p99 {got['p99_us'] / 1000:7.2f} ms" if got["p99_us"] else ""
        bad = f"  BAD {got['bad']}" if got["bad"] else ""
        ended = f"  ENDED BY ITSELF {got['ended']} times" if got["ended"] else ""
        print(f"{result['text'] if i == 0 else '':52} {name:18} {got['value']:11.1f} {result['unit']:9} {ratio:10}{cpu}{p99}{bad}{ended}", flush=True)


def finish(results, path):
    """Writes the JSON; exit status 1 when there were wrong answers."""
    if path:
        path.write_text(json.dumps(results, indent=1))
    bad = [r["text"] for r in results["rows"] if any(got["bad"] for got in r["by"].values())]
    if bad:
        sys.exit("wrong answers: " + ", ".join(bad))
