"""A registry as a few dictionaries: what one repository must show after each request, and how to ask whether it does."""
import copy
import json
import random
from dataclasses import dataclass, field

from support.images import OCI_EMPTY, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, compact, sha256
from support.server import ACCEPT, at

# Seconds: for so long a blob that no manifest names is kept at least (limits.unreferenced), and a session that nobody
# uses (limits.upload_idle).
KEPT = 24 * 3600


@dataclass(frozen=True)
class Manifest:
    content: bytes
    media_type: str
    parts: tuple = ()  # digests of blobs
    subject: str = ""
    children: tuple = ()  # digests of manifests

    @property
    def digest(self):
        return sha256(self.content)


@dataclass
class Session:
    content: bytes
    received: int
    started: float


@dataclass
class State:
    """Of one repository."""
    blobs: dict = field(default_factory=dict)      # digest -> kept until (server's seconds), for those that nothing names
    manifests: dict = field(default_factory=dict)  # digest -> Manifest
    tags: dict = field(default_factory=dict)       # tag -> digest
    sessions: dict = field(default_factory=dict)   # place -> Session

    def named(self):
        return {part for m in self.manifests.values() for part in m.parts}

    def add_blob(self, digest, now):
        self.blobs[digest] = now + KEPT

    def put(self, manifest, tags):
        self.manifests[manifest.digest] = manifest
        self.tags.update(dict.fromkeys(tags, manifest.digest))

    def delete(self, digest, now):
        gone = self.manifests.pop(digest)
        self.tags = {tag: to for tag, to in self.tags.items() if to != digest}
        for part in set(gone.parts) - self.named():
            self.add_blob(part, now)


class Pool:
    """Contents that everybody pushes, so that they meet: from a seed."""

    def __init__(self, seed, size=36):
        dice = random.Random(seed)
        self.contents = [dice.randbytes(dice.choice((1, 40, 700, 5000, 40000, 70000, 300000))) for _ in range(size)]
        self.contents.append(b"{}")
        self.by_digest = {sha256(c): c for c in self.contents}


class Repository:
    """One repository and the client that alone writes to it. `send` is set anew for each life of the server."""

    def __init__(self, name, pool, seed, others, limited):
        self.name, self.pool, self.others = name, pool, others
        self.limited = limited  # its namespace has a quota: whatever adds bytes may be refused
        self.dice = random.Random(f"{seed} {name}")
        self.state = State()
        self.cut = None  # the state that a request in flight leads to
        self.send = None
        self.now = 0
        self.acknowledged = self.refused = 0
        self.done = {}
        self.perhaps = set()  # blobs that the collector may have taken

    # --- one step: requests that belong together ---------------------------------------------------------------------
    def step(self):
        steps = [(self.push_image, 30), (self.push_index, 8), (self.push_artifact, 10), (self.push_blob, 10), (self.start, 8),
                 (self.go_on, 14), (self.cancel, 2), (self.move_tag, 8), (self.delete_tag, 4), (self.delete_manifest, 6),
                 (self.delete_blob, 3)]
        chosen = self.dice.choices([s for s, _ in steps], [w for _, w in steps])[0]
        chosen()
        self.done[chosen.__name__] = self.done.get(chosen.__name__, 0) + 1

    def change(self, change, method, target, body=None, headers=(), status=(201,)):
        """A request that changes the repository by `change(state)` when it is answered with one of `status`."""
        self.cut = copy.deepcopy(self.state)
        change(self.cut)
        answer = self.send(method, target, headers, body)
        if answer.status in status:
            self.state = self.cut
            self.acknowledged += 1
        self.cut = None
        return answer

    def expect(self, answer, *statuses):
        if answer.status == 403 and self.limited:
            assert answer.code == "DENIED" and "quota" in answer.message, answer
            self.refused += 1
            return answer
        return answer.expect(statuses)

    def path(self, rest):
        return f"/v2/{self.name}/{rest}"

    # --- blobs ---------------------------------------------------------------------------------------------------------
    def push_blob(self, digest=None):
        """In one of the ways that clients have; asked for first, as they do."""
        digest = digest or self.dice.choice(sorted(self.pool.by_digest))
        if self.dice.random() < 0.7 and self.send("HEAD", self.path(f"blobs/{digest}")).status == 200:
            assert digest in self.state.blobs or digest in self.perhaps, f"{self.name} has {digest}, which nobody pushed here"
            self.state.blobs.setdefault(digest, self.now + 3600)  # told of, so it stays that long
            return
        self.dice.choice((self.push_at_once, self.push_in_chunks, self.push_monolithic, self.mount))(digest)

    def added(self, digest):
        return lambda state: state.add_blob(digest, self.now)

    def push_at_once(self, digest):
        content = self.pool.by_digest[digest]
        self.expect(self.change(self.added(digest), "POST", self.path(f"blobs/uploads/?digest={digest}"), content), 201)

    def open_session(self):
        return at(self.send("POST", self.path("blobs/uploads/")).expect(202).header("Location"))

    def push_monolithic(self, digest):
        self.put_bytes(self.open_session(), digest, self.pool.by_digest[digest])

    def put_bytes(self, place, digest, content):
        """The end of a session that nobody goes on with."""
        answer = self.expect(self.change(self.added(digest), "PUT", at(place, digest=digest), content), 201)
        if answer.status == 403:
            self.send("DELETE", place).expect(204)

    def push_in_chunks(self, digest):
        content = self.pool.by_digest[digest]
        place, half = self.open_session(), len(content) // 2
        if half > 0:
            chunk = self.send("PATCH", place, {"Content-Range": f"0-{half - 1}"}, content[:half])
            if self.expect(chunk, 202).status == 403:
                self.send("DELETE", place).expect(204)
                return
        self.put_bytes(place, digest, content[half:])

    def mount(self, digest):
        """From a repository that others write to at the same time: it has the blob, or there is an upload."""
        source = self.dice.choice(["", f"&from={self.dice.choice(self.others)}"])
        answer = self.change(self.added(digest), "POST", self.path(f"blobs/uploads/?mount={digest}{source}"))
        if self.expect(answer, 201, 202).status == 202:
            self.put_bytes(at(answer.header("Location")), digest, self.pool.by_digest[digest])

    def delete_blob(self):
        loose = sorted(set(self.state.blobs) - self.state.named())
        if loose:
            digest = self.dice.choice(loose)
            answer = self.change(lambda s: s.blobs.pop(digest), "DELETE", self.path(f"blobs/{digest}"), status=(202,))
            if answer.status == 404:  # collected meanwhile
                assert self.state.blobs.pop(digest) <= self.now + 3600, f"{digest} was collected too early"

    # --- sessions that last --------------------------------------------------------------------------------------------
    def start(self):
        self.state.sessions[self.open_session()] = Session(self.dice.choice(self.pool.contents), 0, self.now)

    def go_on(self):
        if not self.state.sessions:
            return
        place = self.dice.choice(sorted(self.state.sessions))
        session = self.state.sessions[place]
        left = len(session.content) - session.received
        if left == 0 or self.dice.random() < 0.3:
            return self.finish(place, session)
        size = self.dice.randint(1, left)

        def more(state):
            state.sessions[place].received += size
        first = session.received
        answer = self.change(more, "PATCH", place, session.content[first:first + size], {"Content-Range": f"{first}-{first + size - 1}"}, (202,))
        return self.expect(answer, 202, 404)

    def finish(self, place, session):
        digest = sha256(session.content)

        def ended(state):
            state.sessions.pop(place)
            state.add_blob(digest, self.now)
        answer = self.change(ended, "PUT", at(place, digest=digest), session.content[session.received:])
        if self.expect(answer, 201, 404).status == 403:  # of the bytes any part may have arrived
            self.send("DELETE", place).expect(204)
            del self.state.sessions[place]

    def cancel(self):
        if self.state.sessions:
            place = self.dice.choice(sorted(self.state.sessions))
            self.change(lambda s: s.sessions.pop(place), "DELETE", place, status=(204,)).expect((204, 404))

    # --- manifests and tags ----------------------------------------------------------------------------------------------
    def put(self, manifest, tags=()):
        query = "&".join(f"tag={t}" for t in tags)
        target = self.path(f"manifests/{manifest.digest}" + (f"?{query}" if query else ""))
        return self.expect(self.change(lambda s: s.put(manifest, tags), "PUT", target, manifest.content, {"Content-Type": manifest.media_type}), 201)

    def any_tags(self):
        return self.dice.sample(["v1", "v2", "latest", "a-b", "a.b", "X"], self.dice.randint(0, 2))

    def any_manifest(self):
        return self.dice.choice(sorted(self.state.manifests)) if self.state.manifests else None

    def push_parts(self, digests):
        """True: all of them are here, and stay until their manifest comes."""
        for digest in digests:
            if digest not in self.state.named():
                self.push_blob(digest)
        return all(d in self.state.blobs for d in digests)

    def push_image(self, **more):
        config = sha256(b"{}")
        layers = self.dice.sample(sorted(self.pool.by_digest), self.dice.randint(0, 3))
        parts = tuple(dict.fromkeys([config, *layers]))
        if not self.push_parts(parts):
            return
        content = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": self.descriptor(config, OCI_EMPTY),
                   "layers": [self.descriptor(d, OCI_LAYER) for d in layers], **more}
        subject = more.get("subject", {}).get("digest", "")
        self.put(Manifest(compact(content), OCI_MANIFEST, parts, subject), self.any_tags())

    def descriptor(self, digest, media_type):
        return {"mediaType": media_type, "digest": digest, "size": len(self.pool.by_digest[digest])}

    def manifest_descriptor(self, digest):
        manifest = self.state.manifests[digest]
        return {"mediaType": manifest.media_type, "digest": digest, "size": len(manifest.content)}

    def push_index(self):
        children = self.dice.sample(sorted(self.state.manifests), min(len(self.state.manifests), self.dice.randint(0, 3)))
        content = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [self.manifest_descriptor(d) for d in children]}
        self.put(Manifest(compact(content), OCI_INDEX, children=tuple(children)), self.any_tags())

    def push_artifact(self):
        subject = self.any_manifest()
        if subject:
            self.push_image(subject=self.manifest_descriptor(subject), artifactType="application/x.sbom")

    def move_tag(self):
        digest = self.any_manifest()
        if digest and set(self.state.manifests[digest].children) <= set(self.state.manifests):
            self.put(self.state.manifests[digest], self.any_tags())
        elif digest:  # an index of what was deleted
            manifest = self.state.manifests[digest]
            answer = self.send("PUT", self.path(f"manifests/{digest}?tag=torn"), {"Content-Type": manifest.media_type}, manifest.content)
            answer.expect(404, "MANIFEST_BLOB_UNKNOWN")

    def delete_tag(self):
        if self.state.tags:
            tag = self.dice.choice(sorted(self.state.tags))
            self.change(lambda s: s.tags.pop(tag), "DELETE", self.path(f"manifests/{tag}"), status=(202,)).expect(202)

    def delete_manifest(self):
        digest = self.any_manifest()
        if digest:
            self.change(lambda s: s.delete(digest, self.now), "DELETE", self.path(f"manifests/{digest}"), status=(202,)).expect(202)

    # --- comparing ---------------------------------------------------------------------------------------------------------
    def settle(self):
        """After a crash: the state before the request that was cut, or the one after it; nothing else will do."""
        before, after, self.cut = self.state, self.cut, None
        if after is None:
            return self.require(before)
        self.look_at_sessions(before, after)
        told = []
        for state in (after, before):
            differences = list(self.differences(state))
            if not differences:
                self.state = state
                return self.forget_collected()
            told.append(differences)
        raise AssertionError(f"{self.name}: after the crash it is not as after the last request: {told[0]}, nor as before: {told[1]}")

    def require(self, state):
        differences = list(self.differences(state))
        assert not differences, f"{self.name}: {differences}"
        self.forget_collected()

    def look_at_sessions(self, before, after):
        """Of a body that was cut any part may have arrived."""
        for place, session in list(before.sessions.items()):
            later = after.sessions.get(place)
            answer = self.send("GET", place)
            if answer.status != 204 or later == session:
                continue
            there = self.received(answer)
            if len(there) > 1:  # nobody can go on with it
                self.send("DELETE", place).expect(204)
                del before.sessions[place]
                after.sessions.pop(place, None)
            elif session.received < max(there) <= (later.received if later else len(session.content)):
                session.received = max(there)

    @staticmethod
    def received(answer):
        """How many bytes a session may have by its Range: "0-0" is said of nothing and of one byte."""
        last = int(answer.header("Range").split("-")[1])
        return {last + 1} if last > 0 else {0, 1}

    def differences(self, state):
        yield from self.manifest_differences(state)
        yield from self.tag_differences(state)
        yield from self.blob_differences(state)
        yield from self.session_differences(state)
        yield from self.referrer_differences(state)

    def manifest_differences(self, state):
        for digest, manifest in state.manifests.items():
            answer = self.send("GET", self.path(f"manifests/{digest}"), ACCEPT)
            if answer.status != 200 or answer.body != manifest.content:
                yield f"manifest {digest}: {answer.status}"
        for digest in set(self.state.manifests) - set(state.manifests):
            if self.send("GET", self.path(f"manifests/{digest}"), ACCEPT).status != 404:
                yield f"manifest {digest} is still there"

    def tag_differences(self, state):
        listed, last, page = [], "", self.dice.randint(1, 4)
        while True:
            answer = self.send("GET", self.path(f"tags/list?n={page}&last={last}"))
            if answer.status == 404 and not state.manifests:
                break
            tags = answer.expect(200).json["tags"] or []
            listed += tags
            if answer.header("Link") is None:
                break
            last = tags[-1]
        if listed != sorted(state.tags):
            yield f"tags {listed}, not {sorted(state.tags)}"
        for tag, digest in state.tags.items():
            got = self.send("HEAD", self.path(f"manifests/{tag}"), ACCEPT).header("Docker-Content-Digest")
            if got != digest:
                yield f"tag {tag} is {got}, not {digest}"

    def blob_differences(self, state):
        named = state.named()
        for digest, until in state.blobs.items():
            if digest not in named and self.now + 60 >= until:
                continue  # the collector may have it
            answer = self.send("GET", self.path(f"blobs/{digest}"))
            if answer.status != 200 or answer.body != self.pool.by_digest[digest]:
                yield f"blob {digest}: {answer.status}, {'named' if digest in named else 'kept until %d, now %d' % (until, self.now)}"

        for digest in set(self.state.blobs) - set(state.blobs):
            if self.send("HEAD", self.path(f"blobs/{digest}")).status != 404:
                yield f"blob {digest} is still there"

    def session_differences(self, state):
        for place, session in state.sessions.items():
            answer = self.send("GET", place)
            if answer.status == 404 and self.now + 60 >= session.started + KEPT:
                continue  # it may have expired
            if answer.status != 204 or session.received not in self.received(answer):
                yield f"session {place}: {answer.status}, {answer.header('Range')}, not {session.received} bytes"

    def referrer_differences(self, state):
        for subject in state.manifests:
            listed = self.send("GET", self.path(f"referrers/{subject}")).expect(200).json["manifests"]
            want = {m.digest for m in state.manifests.values() if m.subject == subject}
            if {d["digest"] for d in listed} != want or len(listed) != len(want):
                yield f"referrers of {subject}: {json.dumps(listed)}"

    def forget_collected(self):
        """What may be collected is asked for, and sessions that may have expired: they are there or not."""
        named = self.state.named()
        for digest, until in list(self.state.blobs.items()):
            if digest not in named and self.now + 60 >= until:
                del self.state.blobs[digest]
                self.perhaps.add(digest)
        for place in list(self.state.sessions):
            if self.send("GET", place).status == 404:
                del self.state.sessions[place]
