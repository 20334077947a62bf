"""A server on a clock that can be moved, its repositories, and the comparison of all that it answers with the checker."""
import glob
import http.client
import json
import random
import re
import socket
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

import tuf
from checker import DEFAULTS, Book, Checker, Registry
from metadata import Documents, parsed
from support.server import ACCEPT, Server, at, eventually
from support.wire import Answer, multipart

MARGIN = timedelta(minutes=2)
REASON = re.compile(r"\((\w+)\)$")


class Door:
    """Requests of one account over one connection that stays open (the plain listener)."""

    def __init__(self, server, account, basic=True):
        self.server, self.account, self.basic = server, account, basic
        self.connection, self.tokens = None, {}

    def forget(self):
        self.tokens.clear()
        self.close()

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def authorization(self, scope):
        if self.basic:
            return self.account.basic
        if scope not in self.tokens:
            self.tokens[scope] = self.server.token(self.account, scope)
        return f"Bearer {self.tokens[scope]}"

    def __call__(self, method, target, headers=(), body=None, scope=None):
        answer = self.attempt(method, target, headers, body, scope)
        if answer.status == 401 and b"older than the wipe" in answer.body and self.tokens.pop(scope, None):
            answer = self.attempt(method, target, headers, body, scope)  # as every client does: it asks for a new token
        return answer

    def attempt(self, method, target, headers, body, scope):
        headers = [*headers, ("Authorization", self.authorization(scope))]
        try:
            return self.once(method, target, headers, body)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.close()  # it was closed while idle
            return self.once(method, target, headers, body)

    def once(self, method, target, headers, body):
        if not self.connection:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.server.plain_port, timeout=120)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        c = self.connection
        c.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers:
            c.putheader(name, value)
        if body is not None or method in ("POST", "PUT"):
            c.putheader("Content-Length", str(len(body or b"")))
        c.endheaders(body)
        r = c.getresponse()
        return Answer(method, target, r.status, r.reason, r.getheaders(), r.read())


@dataclass
class Difference:
    repo: str
    what: str
    wanted: object
    got: object

    def __str__(self):
        return f"{self.repo} {self.what}: wanted {self.wanted}, got {self.got}"


@dataclass
class Place:
    """One repository: what was put there, the checker's memory of it, and who signs."""
    repo: str
    gun: str
    book: Book
    policy: dict = field(default_factory=lambda: dict(DEFAULTS))
    registry: Registry = field(default_factory=Registry)
    put: dict = field(default_factory=dict)      # digest -> (bytes, type) of every manifest that was ever pushed
    blobs: set = field(default_factory=set)      # of every blob
    stale: bool = True                           # something may have gone: ask again what is there
    cache: dict = field(default_factory=dict)    # documents by role and hash
    author: object = None

    @property
    def ns(self):
        return self.repo.split("/")[0]


class World:
    def __init__(self, folder, names, faults=None, **settings):
        """faults: makes of the server what lets its file system calls fail (tests/crash/faults.py)."""
        self.server = Server(folder).init()
        self.faults = faults(self.server) if faults else None
        self.clock, self.settings = folder / "clock", settings
        self.offset, self.asked, self.open = 0, 0, 0
        self.revoked = set()  # keys of root, in hex
        self.dice = random.Random(1)  # of what does not change a history: whether HEAD or GET is asked
        self.set_clock()
        self.start()
        self.owners, self.deployers, self.robots, self.places = {}, {}, {}, {}
        for ns in sorted({n.split("/")[0] for n in names}):
            self.server.make_namespace(ns)
            self.owners[ns] = Door(self.server, self.server.make_member(ns, f"owner@{ns}.example", "owner"), basic=False)
            self.robots[ns] = Door(self.server, self.server.make_robot(ns, "ci", "pull,push"))
            self.deployers[ns] = Door(self.server, self.server.make_deployer(ns, "k8s"))
        for name in names:
            self.add_place(name)
        self.master = tuf.Key()  # of root, where one key is all that is needed

    def add_place(self, name):
        gun = self.server.gun(name)
        self.places[name] = Place(name, gun, Book(gun))
        return self.places[name]

    # --- clock and life ----------------------------------------------------------------------------------------------
    def set_clock(self):
        """Takes effect when the server looks at the file again, each second."""
        self.clock.write_text(f"+{self.offset}" if self.offset >= 0 else str(self.offset))
        if self.server.process:
            eventually(lambda: abs(self.served_time() - self.now) < timedelta(seconds=20), what="the new time")

    def served_time(self):
        return parsedate_to_datetime(self.server.plain.request("GET", "/healthz").header("Date"))

    @property
    def now(self):
        return datetime.now(timezone.utc) + timedelta(seconds=self.offset)

    def start(self):
        preload = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        assert preload, "libfaketime is not installed; scripts/test installs it"
        shim = self.faults.environment() if self.faults else {}
        libraries = ":".join([*filter(None, [shim.pop("LD_PRELOAD", None)]), preload[0]])
        self.server.start(**shim, LD_PRELOAD=libraries, FAKETIME_TIMESTAMP_FILE=str(self.clock), FAKETIME_CACHE_DURATION="1",
                          FAKETIME_DONT_FAKE_MONOTONIC="1", **self.settings)

    def again(self, kill):
        self.server.kill() if kill else self.server.stop()
        self.start()
        self.forget()

    def forget(self):
        for door in (*self.owners.values(), *self.deployers.values(), *self.robots.values()):
            door.forget()
        for place in self.places.values():
            place.stale = True

    def later(self, delta):
        """Moves the clock, and on until no moment is near at which something changes by itself."""
        self.offset += int(delta.total_seconds())
        while delta > timedelta(0) and any(self.checker(p).near(MARGIN) for p in self.places.values()):
            self.offset += 600
        self.set_clock()
        self.forget()

    # --- what people do ----------------------------------------------------------------------------------------------
    def owner(self, place, method, target, headers=(), body=None):
        trust = "/_trust/" in target
        scope = f"repository:{place.gun}:push,pull,*" if trust else f"repository:{place.repo}:pull,push,delete"
        return self.owners[place.ns](method, target, headers, body, scope)

    def push(self, place, image, reference=None):
        robot = self.robots[place.ns]
        for digest, content in image.blobs.items():
            if robot("HEAD", f"/v2/{place.repo}/blobs/{digest}").status != 200:
                where = robot("POST", f"/v2/{place.repo}/blobs/uploads/").expect(202).header("Location")
                robot("PUT", at(where, digest=digest), [("Content-Type", "application/octet-stream")], content).expect(201)
        for digest, (content, kind) in [*image.children.items(), (reference or image.digest, (image.manifest, image.media_type))]:
            robot("PUT", f"/v2/{place.repo}/manifests/{digest}", [("Content-Type", kind)], content).expect(201)
        place.put.update({**image.children, image.digest: (image.manifest, image.media_type)})
        place.blobs |= set(image.blobs)
        place.registry.contents.update(image.blobs)
        place.stale = True

    def set_policy(self, place, policy):
        place.policy = {**DEFAULTS, **policy}
        self.server.bond("policy", "set", place.repo, "--file", "-", stdin=json.dumps(policy))

    def revoke(self, key):
        """For the whole server, and for ever."""
        self.server.bond("trust", "keys", "revoke", f"sha256:{key}", "--reason", "lost")
        self.revoked.add(key)

    def delete(self, place, forget_pins):
        """The repository with everything in it; the name, and the policy for it, are there for another when all of it is gone."""
        self.server.bond("images", "rm", place.repo, "--confirm", place.repo, *(["--forget-pins"] if forget_pins else []))
        start = f"/v2/{place.repo}/blobs/uploads/"
        robot = self.robots[place.ns]
        begun = eventually(lambda: (a := robot("POST", start)).status != 503 and a, what="the end of the deletion").expect(202)
        robot("DELETE", begun.header("Location")).expect(204)
        place.registry.pointed.clear()
        place.stale = True

    def publish(self, place, parts):
        body, kind = multipart(parts)
        return self.owner(place, "POST", f"/v2/{place.gun}/_trust/tuf/", [("Content-Type", kind)], body)

    # --- what can be seen --------------------------------------------------------------------------------------------
    def read_document(self, place, name):
        answer = self.owner(place, "GET", f"/v2/{place.gun}/_trust/tuf/{name}")
        return None if answer.status == 404 else answer.expect(200).body

    def read_by_meta(self, place, role, meta):
        import base64
        name = f"{role}.{base64.b64decode(meta['hashes']['sha256']).hex()}.json"
        if name not in place.cache:
            place.cache[name] = self.read_document(place, name)
        return place.cache[name]

    def read_documents(self, place):
        timestamp = self.read_document(place, "timestamp.json")
        if timestamp is None:
            place.cache.clear()
            return None
        snapshot = self.read_by_meta(place, "snapshot", parsed(timestamp)["signed"]["meta"]["snapshot"])
        meta = parsed(snapshot)["signed"]["meta"]
        newest = self.read_by_meta(place, "root", meta["root"])
        roots, version = [newest], parsed(newest)["signed"]["version"]
        while version > 1:
            version -= 1
            key = (parsed(newest)["signed"]["version"], meta["root"]["hashes"]["sha256"], version)
            if key not in place.cache:
                place.cache[key] = self.read_document(place, f"{version}.root.json")
            if place.cache[key] is None:
                break
            roots.insert(0, place.cache[key])
        held = json.loads(self.owner(place, "GET", f"/v2/{place.gun}/_trust/tuf/snapshot.key").expect(200).body)
        return Documents(roots, timestamp, snapshot, self.read_by_meta(place, "targets", meta["targets"]),
                         {r: self.read_by_meta(place, r, m) for r, m in meta.items() if r.startswith("targets/")}, {key_of(held)})

    def read_registry(self, place):
        robot, registry = self.robots[place.ns], place.registry
        listed = robot("GET", f"/v2/{place.repo}/tags/list?n=1000")
        names = (listed.expect(200).json["tags"] or []) if listed.status != 404 else []
        digests = {t: robot("HEAD", f"/v2/{place.repo}/manifests/{t}", ACCEPT).expect(200).header("Docker-Content-Digest") for t in names}
        registry.note_tags(digests)
        if not place.stale and set(digests.values()) <= set(registry.manifests):
            return
        there = lambda kind, d: robot("HEAD", f"/v2/{place.repo}/{kind}/{d}", ACCEPT).status == 200
        registry.manifests = {d: m for d, m in place.put.items() if there("manifests", d)}
        registry.blobs = {d for d in place.blobs if there("blobs", d)}
        place.stale = False

    def see(self, place):
        self.read_registry(place)
        place.book.see(self.read_documents(place), self.now, place.policy, self.revoked)

    def checker(self, place):
        return Checker(place.book, place.registry, place.policy, self.now)

    # --- asking and comparing ----------------------------------------------------------------------------------------
    def ask(self, place, kind, reference):
        method = "GET" if kind == "manifests" and self.dice.random() < 0.3 else "HEAD"
        return self.deployers[place.ns](method, f"/v2/{place.repo}/{kind}/{reference}", ACCEPT)

    def questions(self, place):
        tags = set(place.registry.tags) | place.book.names(place.book.state) | set(place.registry.pointed) | {"never"}
        yield from (("tag", t) for t in sorted(tags))
        yield from (("manifest", d) for d in sorted(place.put))
        yield from (("blob", d) for d in sorted(place.blobs | set(place.put)))

    def compare(self, place, questions=None):
        """Every question asked; the answers that are not among those that are right."""
        checker, wrong = self.checker(place), []
        for kind, reference in questions or list(self.questions(place)):
            answer = self.ask(place, "blobs" if kind == "blob" else "manifests", reference)
            wanted = checker.tag(reference) if kind == "tag" else [(s, r, reference if s == 200 else None)
                                                                   for s, r in (checker.blob if kind == "blob" else checker.manifest)(reference)]
            self.asked += 1
            self.open += len({s for s, _, _ in wanted}) > 1
            if not any(fits(answer, w) for w in wanted):
                wrong.append((kind, reference, wanted, answer))
        return wrong + self.compare_list(place, checker)

    def compare_list(self, place, checker):
        """The list of tags has those that are given out and no other."""
        answer = self.deployers[place.ns]("GET", f"/v2/{place.repo}/tags/list?n=1000")
        listed = set((answer.json["tags"] or [])) if answer.status == 200 else set()
        if place.policy["tags_list"] == "all" or place.policy["level"] in ("off", "warn"):
            wanted = set(place.registry.tags)
            return [] if listed <= wanted else [("tags", "list", sorted(wanted), sorted(listed))]
        surely = {t for t in place.registry.tags if all(s == 200 for s, _, _ in checker.tag(t))}
        perhaps = {t for t in place.registry.pointed if any(s == 200 for s, _, _ in checker.tag(t))} | surely
        self.asked += 1
        return [] if surely <= listed <= perhaps else [("tags", "list", sorted(surely), sorted(listed))]

    def explained(self, place, kind, reference):
        """What the server says of its own decision."""
        if kind not in ("tag", "manifest"):
            return ""
        mark = ":" if kind == "tag" else "@"
        answer = self.deployers[place.ns]("GET", f"/api/v1/deploy/verify?image={place.repo}{mark}{reference}&explain=1")
        return "\n     server: " + answer.body.decode()

    def check(self, place):
        """Looks, asks, compares. When an answer is not right, what can be seen is looked at again: only if nothing there has changed
        by itself (collection, renewal) it is a difference."""
        if self.dice.random() < 0.5:  # sometimes the gate is the first to be asked
            self.ask(place, "manifests", "v1")
        self.see(place)
        wrong = self.compare(place)
        for _ in range(3):
            if not wrong:
                return []
            before = (dict(place.registry.tags), set(place.registry.manifests), set(place.registry.blobs), place.book.docs)
            place.stale = True
            self.see(place)
            if before[:3] == (place.registry.tags, set(place.registry.manifests), place.registry.blobs) and \
                    (before[3] is place.book.docs or before[3] is not None and before[3].same(place.book.docs)):
                break
            wrong = self.compare(place)
        checker = self.checker(place)
        return [Difference(place.repo, f"{kind} {ref}", wanted, told(answer) + checker.why(place.registry.tags.get(ref, ref)) + self.explained(place, kind, ref))
                for kind, ref, wanted, answer in wrong]


def told(answer):
    """An answer in a line."""
    return f"{answer.status} {answer.reason} {answer.body[:300]} " if isinstance(answer, Answer) else f"{answer} "


def key_of(entry):
    from metadata import key_id
    return key_id(entry["keytype"], entry["keyval"]["public"])


def fits(answer, wanted):
    status, reason, digest = wanted
    if answer.status != status:
        return False
    if status == 200:
        served = answer.header("Docker-Content-Digest")
        warned = bool(answer.header_all("Warning"))
        return (digest is None or served == digest) and (warned if reason in ("would_deny", "served_signed") else True)
    return not reason or reason == reason_of(answer, reason)


def reason_of(answer, wanted):
    """From the body, or of a HEAD from the phrase; a 404 has no phrase of its own."""
    if answer.body:
        detail = answer.error.get("detail")
        return detail.get("reason") if isinstance(detail, dict) else None
    found = REASON.search(answer.reason)
    return found.group(1) if found else (wanted if answer.status == 404 else None)
