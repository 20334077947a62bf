"""A Bondstore of one's own: made by `bondstore init`, served by `bondstore serve`, ended by its process id."""
import json
import os
import random
import re
import signal
import socket
import subprocess
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from support.process import environment, run
from support.wire import Wire, basic, query

ADMIN = "admin@example.org"
PASSWORD = "seventeen green lanterns"
ALARMS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer",
          "AddressSanitizer:DEADLYSIGNAL")


def build_folder():
    folder = os.environ.get("BONDSTORE_BUILD")
    assert folder, "BONDSTORE_BUILD names the build folder that holds bondstore and bond"
    folder = Path(folder).resolve()
    for name in ("bondstore", "bond"):
        assert os.access(folder / name, os.X_OK), f"{folder}/{name} is missing: build it first"
    return folder


def free_port():
    """Below the ports that the kernel gives to outgoing connections, so that none of them takes it before the server."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("0.0.0.0", port))
            except OSError:
                continue
            return port


def eventually(question, wait=20.0, pause=0.05, what="it"):
    """Asks until the answer is true; the last answer is returned."""
    end = time.monotonic() + wait
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < end, f"{what} did not happen within {wait:.0f} s"
        time.sleep(pause)


@dataclass(frozen=True)
class Account:
    """Somebody who can sign in. kind: user | robot | deployer."""
    user: str
    secret: str
    kind: str = "user"

    @property
    def basic(self):
        return basic(self.user, self.secret)


def sanitizer_environment():
    return {"ASAN_OPTIONS": "detect_leaks=1:verify_asan_link_order=0:handle_abort=0",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1", "TSAN_OPTIONS": "halt_on_error=0:exitcode=66"}


class Server:
    def __init__(self, folder, name="data"):
        self.build = build_folder()
        self.bondstore, self.bond_program = self.build / "bondstore", self.build / "bond"
        self.folder = Path(folder)
        self.data = self.folder / name
        self.config = self.data / "bondstore.yaml"
        self.log = self.folder / f"{name}.log"
        self.port, self.plain_port = free_port(), free_port()
        self.host = f"localhost:{self.port}"
        self.url = f"https://{self.host}"
        self.admin = Account(ADMIN, PASSWORD)
        self.process = None
        self.trusted_ca = None
        self._clients = {}

    # --- life ---------------------------------------------------------------------------------------------------
    def init(self, plain=True):
        run([self.bondstore, "init", self.data, "--public-url", self.url, "--admin", ADMIN, "--password-stdin"],
            stdin=PASSWORD + "\n", env=environment(**sanitizer_environment()))
        if plain:
            self.add_plain_listener()
        return self

    def add_plain_listener(self):
        """The second, plain listener of the documented example: loopback only."""
        text = self.config.read_text()
        found = re.search(r"^listen:[^\n]*\n([ ]*)- ", text, re.M)
        assert found, f"no listen: list in {text}"
        at = found.end() - len(found.group(1)) - 2
        self.config.write_text(f"{text[:at]}{found.group(1)}- address: 127.0.0.1:{self.plain_port}\n{text[at:]}")

    def start(self, wait=True, prefix=(), **env):
        assert self.process is None, "it runs already"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*map(str, prefix), str(self.bondstore), "serve", str(self.config)], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=environment(**{**sanitizer_environment(), **env}), cwd="/", start_new_session=True)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, wait=30.0):
        def asked():
            assert self.process.poll() is None, f"the server ended with {self.process.returncode}: {self.log_text()[-3000:]}"
            try:
                return self.wire.request("GET", "/readyz").status == 200
            except OSError:
                return False
        eventually(asked, wait, what="readiness")

    def stop(self, within=10.0):
        """SIGTERM; the server has `within` seconds (architecture 3). A sanitizer's word or another exit status fails."""
        if self.process is None:
            return 0.0
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(within + 20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = None
        took = time.monotonic() - began
        self.process = None
        self.assert_no_alarm()
        assert status == 0, f"exit status {status} after SIGTERM: {self.log_text()[-3000:]}"
        assert took <= within + 1, f"SIGTERM took {took:.1f} s"
        return took

    def kill(self):
        """kill -9: nothing is said to the server."""
        self.process.kill()
        self.process.wait()
        self.process = None
        self.assert_no_alarm()

    def restart(self):
        self.stop()
        return self.start()

    def end(self):
        """For fixtures: stop what still runs."""
        if self.process is not None and self.process.poll() is not None:
            status, self.process = self.process.returncode, None
            self.assert_no_alarm()
            raise AssertionError(f"the server ended by itself with {status}: {self.log_text()[-3000:]}")
        self.stop()

    def log_text(self):
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def assert_no_alarm(self):
        text = self.log_text()
        for alarm in ALARMS:
            at = text.find(alarm)
            assert at < 0, f"{alarm} in {self.log}:\n{text[max(0, at - 200):at + 6000]}"

    def alive(self):
        assert self.process is not None and self.process.poll() is None, f"the server is gone: {self.log_text()[-3000:]}"
        self.wire.request("GET", "/healthz").expect(200)

    # --- doors --------------------------------------------------------------------------------------------------
    @property
    def ca(self):
        return self.trusted_ca or self.data / "tls" / "ca.crt"

    @property
    def socket_path(self):
        return self.data / "run" / "control.sock"

    @property
    def wire(self):
        return Wire("localhost", self.port, self.ca)

    @property
    def plain(self):
        return Wire("127.0.0.1", self.plain_port)

    def ref(self, name):
        """The name that docker is given: HOST/ns/app:tag."""
        return f"{self.host}/{name}"

    def gun(self, repo):
        return f"{self.host}/{repo}"

    def bond(self, *args, code=0, stdin=None, **env):
        """The administrator on the server's own machine."""
        return run([self.bond_program, *args, "--socket", self.socket_path], code=code, stdin=stdin,
                   env=environment(**{**self.bond_environment(), **env}))

    def bond_remote(self, *args, token=None, code=0, stdin=None, **env):
        """bond over HTTPS."""
        return run([self.bond_program, *args], code=code, stdin=stdin,
                   env=environment(**{**self.bond_environment(), "BOND_HOST": self.host, "BOND_CA_FILE": self.ca,
                                      "BOND_TOKEN": token, **env}))

    def bond_environment(self):
        home = self.folder / "bond-home"
        home.mkdir(exist_ok=True)
        return {"HOME": home, "XDG_CONFIG_HOME": home / "config", "XDG_STATE_HOME": home / "state",
                "BOND_CONFIG_DIR": home / "config", **sanitizer_environment()}

    def client(self, account=None, **options):
        """A client that signs in as its account; kept, so that its tokens are used again."""
        key = (account, tuple(sorted(options.items())))
        if key not in self._clients:
            self._clients[key] = Client(self, account, **options)
        return self._clients[key]

    def token_answer(self, who=None, scope=(), **parameters):
        """GET /token as the classic clients do it; `who` is an Account or nobody."""
        parameters.setdefault("service", self.host)
        scopes = [scope] if isinstance(scope, str) else list(scope)
        headers = {"Authorization": who.basic} if who else {}
        return self.wire.request("GET", "/token?" + query(scope=scopes, **parameters), headers)

    def token(self, who=None, *scope, **parameters):
        return self.token_answer(who, scope, **parameters).expect(200).json["token"]

    def session(self, account):
        """A session token of /api/v1/sessions."""
        body = json.dumps({"email": account.user, "password": account.secret}).encode()
        return self.wire.request("POST", "/api/v1/sessions", {"Content-Type": "application/json"}, body).expect((200, 201)).json["token"]

    def counter(self, name, **labels):
        """Sum of the samples of a metric that carry these labels."""
        text = self.wire.request("GET", "/metrics").expect(200).body.decode()
        total = 0.0
        for line in text.splitlines():
            sample = re.fullmatch(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([0-9.eE+-]+|NaN)", line)
            if not sample or sample.group(1) != name:
                continue
            got = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', sample.group(2) or ""))
            if all(got.get(k) == v for k, v in labels.items()):
                total += float(sample.group(3))
        return total

    # --- what an administrator makes -----------------------------------------------------------------------------
    def make_namespace(self, name, visibility=None):
        self.bond("namespaces", "create", name, *(["--visibility", visibility] if visibility else []))
        return name

    def make_user(self, email, admin=False):
        self.bond("users", "create", email, *(["--admin"] if admin else []), "--password-stdin", stdin=PASSWORD + "\n")
        return Account(email, PASSWORD)

    def make_member(self, namespace, email, role, signer=False):
        account = self.make_user(email)
        self.bond("members", "set", namespace, email, role, *(["--signer"] if signer else []))
        return account

    def make_robot(self, namespace, name, actions):
        user, secret = self.bond("robots", "create", namespace, name, "--actions", actions).out.split()
        return Account(user, secret, "robot")

    def make_deployer(self, namespace, name):
        user, secret = self.bond("deployers", "create", namespace, name).out.split()
        return Account(user, secret, "deployer")


class Client:
    """Requests of one account. Follows the Bearer challenge as clients do and keeps the tokens.
    basic: sends the secret itself. plain: uses the plain listener."""

    def __init__(self, server, account, basic=False, plain=False):
        self.server, self.account, self.basic, self.plain = server, account, basic, plain
        self.tokens = {}

    @property
    def wire(self):
        return self.server.plain if self.plain else self.server.wire

    def __call__(self, method, target, headers=(), body=None, chunked=False, sink=None):
        headers = list(headers.items() if isinstance(headers, dict) else headers)
        if self.account and self.basic:
            return self.wire.request(method, target, headers + [("Authorization", self.account.basic)], body, chunked, sink)
        once = sink is not None or not isinstance(body, (bytes, bytearray, type(None)))  # cannot be asked for a second time
        key = self.scope_key(method, target)
        if once and key not in self.tokens:
            self.fetch(key, self.wire.request(method, target).challenge())
        known = key in self.tokens
        answer = self.wire.request(method, target, headers + self.bearer(key), body, chunked, sink)
        wiped = b"older than the wipe" in answer.body and not once  # as every client does: it asks for a new token
        if answer.status != 401 or (known and not wiped) or not answer.header_all("WWW-Authenticate"):
            return answer
        self.fetch(key, answer.challenge())
        return self.wire.request(method, target, headers + self.bearer(key), body, chunked, sink)

    def bearer(self, key):
        return [("Authorization", f"Bearer {self.tokens[key]}")] if key in self.tokens else []

    def fetch(self, key, challenge):
        assert challenge["realm"] == f"{self.server.url}/token", challenge
        source = [f"repository:{key[2]}:pull"] if key[2] else []  # the source of a mount, as docker asks for it
        self.tokens[key] = self.server.token(self.account, *challenge.get("scope", "").split(), *source)

    @staticmethod
    def scope_key(method, target):
        """What one token is good for: (repository, kind of access, source of a mount)."""
        path, _, text = target.partition("?")
        kind = {"GET": "read", "HEAD": "read", "DELETE": "delete"}.get(method, "write")
        upload = re.fullmatch(r"(/v2/.+)/blobs/uploads/[^/]*", path)
        if "/_trust/" in path:
            if path.endswith(".key"):
                kind = "rotate" if method == "POST" else "write"
            return path.rpartition("/_trust/")[0], kind, ""
        if upload:
            return upload.group(1), "write", urllib.parse.parse_qs(text).get("from", [""])[0]
        found = re.fullmatch(r"(/v2/.+)/(manifests|blobs|referrers|tags)/[^/]*", path)
        return found.group(1) if found else path, kind, ""

    def forget(self):
        self.tokens.clear()

    # --- the few requests that every registry test needs -----------------------------------------------------------
    def push_blob(self, repo, content, digest):
        here = self("POST", f"/v2/{repo}/blobs/uploads/").expect(202).header("Location")
        return self("PUT", at(here, digest=digest), {"Content-Type": "application/octet-stream"}, content).expect(201)

    def push_manifest(self, repo, reference, manifest, media_type):
        return self("PUT", f"/v2/{repo}/manifests/{reference}", {"Content-Type": media_type}, manifest)

    def push(self, repo, image, tag=None):
        """All blobs and manifests of an image (support/images.py), then the tag. Returns its digest."""
        for digest, content in image.blobs.items():
            if self("HEAD", f"/v2/{repo}/blobs/{digest}").status != 200:
                self.push_blob(repo, content, digest)
        for digest, (content, media_type) in image.children.items():
            self.push_manifest(repo, digest, content, media_type).expect(201)
        self.push_manifest(repo, tag or image.digest, image.manifest, image.media_type).expect(201)
        return image.digest

    def get(self, repo, reference, method="GET", headers=()):
        return self(method, f"/v2/{repo}/manifests/{reference}", list(ACCEPT) + list(headers))


ACCEPT = tuple(("Accept", t) for t in (
    "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.docker.distribution.manifest.v2+json"))


def at(location, **parameters):
    """A Location as clients use it: absolute or a path, its own query kept."""
    parts = urllib.parse.urlsplit(location)
    text = "&".join(t for t in (parts.query, query(**parameters)) if t)
    return parts.path + (f"?{text}" if text else "")
