"""A life of a small registry, told by its client: what was asked, what was acknowledged, and what must be there after."""
import contextlib
import http.client
import os
import signal
import sqlite3
import time

from support.images import index, sha256
from support.process import environment, run
from support.server import at, eventually, sanitizer_environment
from support.wire import multipart

from faults import Faults
from ledger import ABSENT, Ledger
from template import APP, OTHER

CUT = (OSError, http.client.HTTPException)
LATER = 2 * 86400  # seconds: uploads without news, and blobs that nothing names, are due
STRAY = "nothing needs it"


class Died(Exception):
    """The server is gone."""


class Life:
    """One run of the scenario against a copy of the template.
    retry      how often the client tries again what failed
    immortal   when the server dies the store is checked, the server is started again, and life goes on
    plan       rules for some of its runs: {number of the run: [rule, ...]}
    watch      is called with this life after each acknowledgement"""

    def __init__(self, template, folder, record=False, retry=0, immortal=False, plan=(), watch=None, server=None):
        self.template, self.retry, self.immortal, self.watch = template, retry, immortal, watch
        self.server = server or template.copy(folder)
        self.faults = Faults(self.server, record)
        self.ledger = Ledger()
        self.token, self.clock = template.token, None
        self.runs, self.plan = 0, dict(plan)
        self.refusals = []  # answers of 500 and above
        self.sessions = {}  # location -> bytes that were acknowledged

    # --- requests -----------------------------------------------------------------------------------------------
    def ask(self, method, path, body=None, **headers):
        try:
            return self.server.plain.request(
                method, path, {"Authorization": f"Bearer {self.token}", **headers}, body)
        except CUT as cut:
            if self.is_dead():
                raise Died from cut
            return None

    def is_dead(self):
        """A cut connection comes a moment before the process is gone."""
        try:
            self.server.process.wait(0.5)
            return True
        except Exception:  # noqa: BLE001 - it lives
            return False

    def step(self, changes, *requests):
        """Requests that together make `changes`, the last one with the acknowledgement; each gives an answer that is
        wanted or None. Tried again from the first on."""
        self.ledger.asking(changes)
        for _ in range(self.retry + 1):
            if self.surviving(lambda: all(request() for request in requests)):
                self.confirm(changes)
                return
        assert self.retry, f"refused without a fault: {self.refusals[-1:]}"
        raise AssertionError(f"still refused after {self.retry} repetitions: {self.refusals[-1]}")

    def confirm(self, changes):
        self.ledger.confirm(changes)
        if self.watch:
            self.watch(self)

    def surviving(self, work):
        """What work() says; None when the server died of it and life goes on."""
        try:
            return work()
        except Died:
            if not self.immortal:
                raise
            self.refusals.append(None)
            self.rise()
            return None

    def rise(self):
        """From the dead: the store is as it must be, and is served again."""
        while True:
            self.bury()
            self.fsck()
            self.faults.drop_hits()
            try:
                self.start_once()
                self.check_content()
                self.check_sessions()
                return
            except Died:
                continue

    def wants(self, status, method, path, body=None, **headers):
        """A request for `step`."""
        wanted = status if isinstance(status, tuple) else (status,)

        def request():
            answer = self.ask(method, path() if callable(path) else path, body() if callable(body) else body, **headers)
            if answer is not None and answer.status in wanted:
                return answer
            if answer is None or answer.status >= 500:
                self.refusals.append(answer)
                if answer is not None and method != "HEAD":
                    assert answer.message, answer
                return None
            # a repetition may meet what its first try did, or a session that the failure ended
            assert self.retry and self.faults.hits(), answer
            self.refusals.append(answer)
            return None
        return request

    # --- steps --------------------------------------------------------------------------------------------------
    def begin(self, repo=APP):
        """POST; the location goes into the list that comes back."""
        place = []

        def request():
            answer = self.wants(202, "POST", f"/v2/{repo}/blobs/uploads/")()
            if answer:
                place[:] = [at(answer.header("Location"))]
            return answer
        return place, request

    def upload_chunked(self, content, repo=APP, pieces=3):
        digest = sha256(content)
        place, post = self.begin(repo)
        size = -(-len(content) // pieces)
        cuts = [(i, content[i:i + size]) for i in range(0, len(content), size)]
        patches = [self.wants(202, "PATCH", lambda: place[0], piece, **{"Content-Range": f"{i}-{i + len(piece) - 1}"})
                   for i, piece in cuts[:-1]]
        last_at, last = cuts[-1]
        self.step({("blob", repo, digest): content}, post, *patches,
                  self.wants(201, "PUT", lambda: at(place[0], digest=digest), last,
                             **{"Content-Range": f"{last_at}-{last_at + len(last) - 1}"}))
        return digest

    def upload_whole(self, content, repo=APP):
        digest = sha256(content)
        place, post = self.begin(repo)
        self.step({("blob", repo, digest): content}, post, self.wants(201, "PUT", lambda: at(place[0], digest=digest), content))
        return digest

    def upload_single(self, content, repo=APP):
        digest = sha256(content)
        self.step({("blob", repo, digest): content}, self.wants(201, "POST", f"/v2/{repo}/blobs/uploads/?digest={digest}", content))
        return digest

    def mount(self, digest, content, source, repo):
        """A mount that fails may also become an upload (202); this client asks again."""
        self.step({("blob", repo, digest): content}, self.wants(201, "POST", f"/v2/{repo}/blobs/uploads/?mount={digest}&from={source}"))

    def put_manifest(self, made, reference, repo=APP):
        changes = {("manifest", repo, made.digest): made.manifest}
        if reference != made.digest:
            changes[("tag", repo, reference)] = made.digest
        self.step(changes, self.wants(201, "PUT", f"/v2/{repo}/manifests/{reference}", made.manifest, **{"Content-Type": made.media_type}))

    def delete(self, kind, name, repo=APP, also=()):
        where = {"blob": "blobs", "manifest": "manifests", "tag": "manifests"}[kind]
        self.step({(kind, repo, name): ABSENT, **{key: ABSENT for key in also}},
                  self.wants((202, 404) if self.refusals else 202, "DELETE", f"/v2/{repo}/{where}/{name}"))

    def cancel_upload(self):
        place, post = self.begin()
        self.step({}, post, self.wants(202, "PATCH", lambda: place[0], b"never mind"),
                  self.wants((204, 404) if self.refusals else 204, "DELETE", lambda: place[0]))

    def leave_session(self, content):
        place, post = self.begin()
        self.step({}, post, self.wants(202, "PATCH", lambda: place[0], content))
        self.sessions[place[0]] = content
        return place[0]

    def finish_session(self, location, rest, repo=APP):
        """Goes on with a session; a failure ends some, then the bytes are sent anew."""
        content = self.sessions.pop(location) + rest
        digest = sha256(content)
        key = ("blob", repo, digest)
        self.ledger.asking({key: content})
        if self.surviving(self.wants(201, "PUT", at(location, digest=digest), rest)):
            self.confirm({key: content})
        else:
            assert self.retry, self.refusals
            self.upload_whole(content, repo)

    def publish(self, documents, repo=APP):
        body, content_type = multipart(list(documents.items()))
        send = self.wants(200, "POST", f"/v2/{self.server.gun(repo)}/_trust/tuf/", body, **{"Content-Type": content_type})

        def request():
            # a death between the commit and the answer: versions never come twice, what is there is the answer
            return send() or (self.runs > 1 and all(self.seen("trust", repo, role) == text for role, text in documents.items()))
        self.step({("trust", repo, role): text for role, text in documents.items()}, request)

    # --- the life ------------------------------------------------------------------------------------------------
    def start(self):
        """Returns when it serves. A fault may end a start: with a sentence and no crash."""
        while True:
            try:
                return self.start_once()
            except Died:
                if not self.immortal and not self.retry:
                    raise
                self.bury()
                self.faults.drop_hits()
                self.fsck()

    def start_once(self):
        self.runs += 1
        if self.plan:
            self.faults.set(*self.plan.get(self.runs, []))
        self.server.start(wait=False, **self.faults.environment(self.clock))

        def asked():
            if self.server.process.poll() is not None:
                raise Died
            try:
                return self.server.plain.request("GET", "/readyz").status == 200
            except CUT:
                return False
        eventually(asked, 60, 0.005, "readiness")

    def stop(self):
        """SIGTERM ends it in order, whatever fails meanwhile; only a kill comes first."""
        self.server.process.terminate()
        if self.bury() == -signal.SIGKILL:
            if not self.immortal:
                raise Died
            self.fsck()
        self.faults.drop_hits()

    def abandon(self):
        """kill -9, if it runs."""
        if self.server.process is not None:
            self.server.process.kill()
            self.server.process.wait()
            self.server.process = None
        self.server.assert_no_alarm()

    def bury(self):
        """The process has ended: killed by us, or in order, or with a sentence because a start failed."""
        if self.server.process is None:
            return None
        status = self.server.process.wait(30)
        self.server.process = None
        self.server.assert_no_alarm()
        assert status in (0, 1, -signal.SIGKILL), f"exit status {status}: {self.server.log_text()[-3000:]}"
        return status

    def first_day(self):
        one, two, three = self.template.images
        self.layers = [os.urandom(n) for n in (300000, 1000, 40000, 150000, 90000)]
        big, small, middle, *others = self.layers
        big_digest = self.upload_chunked(big)
        self.upload_single(small)
        self.mount(big_digest, big, APP, OTHER)
        self.upload_single(middle, OTHER)
        for made in (one, two, three):
            for i, content in enumerate(made.blobs.values()):
                (self.upload_whole, self.upload_single)[i % 2](content)
        for content in others:
            self.upload_whole(content, OTHER)
        self.put_manifest(one, "v1")
        self.settle()
        self.put_manifest(two, two.digest)
        both = index([one, two])
        self.put_manifest(both, "multi")
        self.put_manifest(two, "v1")
        self.put_manifest(three, "v3")
        self.publish(self.template.published[0])
        self.publish(self.template.published[1])
        self.delete("tag", "v3")
        self.delete("manifest", three.digest)
        self.delete("manifest", both.digest, also=[("tag", APP, "multi")])
        self.delete("blob", sha256(small))
        self.upload_whole(small)  # what was deleted may come again
        self.cancel_upload()
        self.leave_session(b"nobody comes back to this")
        self.open_session = self.leave_session(big[:200000])

    def settle(self):
        """Blobs may get their files some time after they were acknowledged; when that fails, later than a life waits."""
        before = len(self.faults.hits())

        def settled():
            if self.server.process.poll() is not None:
                raise Died
            present = {path.name for path in self.blob_files()}
            return len(self.faults.hits()) > before or all(
                key[2].split(":")[1] in present for key, value in self.ledger.known.items() if key[0] == "blob" and value is not ABSENT)
        while not self.surviving(lambda: eventually(settled, 60, 0.02, "a file for each blob")):
            pass

    def second_day(self):
        """After a graceful restart."""
        self.finish_session(self.open_session, b"the rest")
        self.put_manifest(self.template.images[0], "v2")

    def later(self):
        """At the next start the clock is ahead: blobs that nothing names may go from then on, and sessions without news."""
        self.clock = (self.clock or 0) + LATER
        self.token = None
        held = [made for made in self.template.images if self.ledger.must_hold(("manifest", APP, made.digest))]
        named = {digest for made in held for digest in made.blobs}
        for key, value in self.ledger.known.items():
            if key[0] == "blob" and key[2] not in named and value is not ABSENT:
                self.ledger.unsure[key] = {value, ABSENT}
        self.sessions.clear()
        if self.watch:
            self.watch(self)

    def sign_in(self):
        """The clock has moved beyond the life of the first token."""
        def tried():
            try:
                self.token = self.template.new_token(self.server)
                return True
            except CUT as cut:
                if self.is_dead():
                    raise Died from cut
            except AssertionError:
                assert self.retry
            return False
        while not self.surviving(lambda: eventually(tried, what="a token")):
            pass

    def third_day(self):
        """The collector has been there; what it took may come again."""
        self.sign_in()
        while not self.surviving(lambda: eventually(self.has_collected, 60, 0.02, "the end of collection")):
            pass
        self.upload_chunked(self.layers[0])
        self.put_manifest(self.template.images[1], "v4")

    def has_collected(self):
        """What it could not remove it puts off for longer than a life lasts: then tidiness is asked afterwards, and everything
        else must have had its turn."""
        return self.is_tidy() or (any(call.run == self.runs for call in self.faults.hits()) and not self.is_due())

    def is_due(self):
        """Is something still to be collected at this hour of the server's?"""
        now_us = (time.time() + (self.clock or 0)) * 10**6
        with contextlib.closing(sqlite3.connect(f"file:{self.server.data}/index.db?mode=ro", uri=True)) as index:
            return index.execute("SELECT EXISTS (SELECT 1 FROM condemned WHERE not_before_us <= ?)", (int(now_us),)).fetchone() != (0,)

    def is_tidy(self):
        """No upload is left, and no blob file but those that manifests name."""
        if self.server.process.poll() is not None:
            raise Died
        return not list((self.server.data / "uploads").iterdir()) and len(self.blob_files()) <= self.blobs_named()

    def blob_files(self):
        return [path for path in (self.server.data / "blobs").rglob("*") if path.is_file()]

    def blobs_named(self):
        held = {key for key in self.ledger.keys() if key[0] == "manifest" and self.ledger.allowed(key) != {ABSENT}}
        images = [made for made in self.template.images if ("manifest", APP, made.digest) in held]
        return len({digest for made in images for digest in made.blobs})

    def live(self):
        """The whole scenario. Raises Died when a fault ended the server."""
        self.start()
        self.first_day()
        self.stop()
        self.start()
        self.second_day()
        self.stop()
        self.later()
        self.start()
        self.third_day()
        self.stop()

    # --- afterwards ----------------------------------------------------------------------------------------------
    def fsck(self, strays=False):
        """Clean. strays: files that nothing needs may be left."""
        result = run([self.server.bondstore, "fsck", "--bytes", self.server.config], code=None,
                     env=environment(**sanitizer_environment()))
        if result.code == 1 and strays:
            findings = [line for line in result.out.splitlines() if ": " in line]
            assert findings and all(STRAY in line for line in findings), result
        else:
            assert result.code == 0, result

    def check_content(self):
        """The running server has everything that it acknowledged, and nothing half."""
        if self.token is None:
            self.sign_in()
        for key in self.ledger.keys():
            seen = self.seen(*key)
            allowed = self.ledger.allowed(key)
            assert seen in allowed, (key, "seen: absent" if seen is ABSENT else "seen: something else or torn",
                                     "acknowledged" if len(allowed) == 1 else "either")

    def seen(self, kind, repo, name):
        if kind == "trust":
            answer = self.ask("GET", f"/v2/{self.server.gun(repo)}/_trust/tuf/{name}.json")
        elif kind == "blob":
            answer = self.ask("GET", f"/v2/{repo}/blobs/{name}")
        else:
            answer = self.ask("GET", f"/v2/{repo}/manifests/{name}", Accept="*/*")
        if answer.expect((200, 404)).status == 404:
            return ABSENT
        return answer.header("Docker-Content-Digest") if kind == "tag" else answer.body

    def check_sessions(self):
        """Sessions outlive kill -9 with all that was acknowledged."""
        for location, content in self.sessions.items():
            answer = self.ask("GET", location).expect(204)
            assert answer.header("Range") == f"0-{len(content) - 1}", answer

    def check_checkpoint(self):
        """A crash is no restored backup: nothing is suspected (gate.md 4.2)."""
        status = self.server.bond("trust", "status").out
        assert "rollback_suspected" not in status, status

    def push_again(self):
        """What was on its way is sent again, as its client would: whatever lies there must not get into it."""
        for key in [key for key, values in self.ledger.unsure.items() if key[0] == "blob" and values != {ABSENT}]:
            content = max(self.ledger.allowed(key), key=lambda value: value is not ABSENT)
            self.upload_single(content, key[1])
            assert self.seen(*key) == content, key

    def check_left(self, strays=False):
        """The store as it was left: it is consistent, opens, and has what it acknowledged. The server runs afterwards."""
        self.faults.clear()
        self.plan = {}
        self.retry, self.immortal, self.watch = 0, False, None
        self.refusals.clear()
        self.fsck(strays)
        try:
            self.start()
        except Died:
            raise AssertionError(f"it does not start again: {self.server.log_text()[-2000:]}") from None
        self.check_content()
        self.check_sessions()
        self.check_checkpoint()
        self.push_again()

    def check(self):
        """The same, and it works, and becomes tidy."""
        self.check_left()
        self.put_manifest(index([], annotations={"after": "all"}), "after")
        self.upload_whole(b"after all")
        self.stop()
        self.later()
        self.start()
        eventually(self.is_tidy, 60, 0.02, "the end of collection")
        self.check_content()
        self.stop()
        self.fsck()
