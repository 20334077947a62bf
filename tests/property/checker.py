"""What the gate has to answer, from the text of its rules alone: this reads served trust metadata and the registry's content, and
remembers what it saw. Nothing here knows how the server does it.

An answer is a set of (status, reason); reason "" is any. Where the rules leave something open the set has several members."""
import base64
import fnmatch
import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from metadata import State, judge, signers

RELEASES = "targets/releases"
ARTIFACT_TAG = re.compile(r"sha256-([0-9a-f]{64})(\.sig|\.att|\.sbom)?")
DEFAULTS = {"level": "deploy", "on_mismatch": "refuse", "fallback": "not_after_revoke", "grace": "30d",
            "signers": {"threshold": 0, "of": []}, "tags": ["*"], "digest_tags": ["*"], "tags_list": "released",
            "accept_sha512_only": False}
# What engines run: docker goes by prefix and not by case, and takes what old registries called any file.
IMAGE_PART = re.compile(r"|application/vnd\.(oci\.image|docker).*", re.IGNORECASE)
ANY_FILE = re.compile(r"(application/(octet-stream|json)|text/html).*", re.IGNORECASE)
COSIGN_LAYERS = {"application/vnd.dev.cosign.simplesigning.v1+json", "application/vnd.dsse.envelope.v1+json"}
INDEXES = {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
DEPTH = 4
RULES = (None, "not_after_revoke", "docker", "never")


def covered(patterns, tag):
    return any(fnmatch.fnmatchcase(tag, p) for p in patterns)


def duration(text):
    return None if text == "forever" else timedelta(days=float(text.rstrip("d")))


def hash_of(entry, name="sha256"):
    value = entry["hashes"].get(name)
    return value and f"{name}:{base64.b64decode(value).hex()}"


def same(one, other):
    """Two entries say the same of a tag: digest and length."""
    digest = lambda entry: hash_of(entry) or hash_of(entry, "sha512")
    return (digest(one), one["length"]) == (digest(other), other["length"])


@dataclass
class Found:
    """What the roles say of a tag. kind: entry | none | refused (by `reason`)."""
    kind: str
    reason: str = ""
    role: object = None
    entry: dict = None


@dataclass
class Left:
    """`digest` was what `tag` was signed as until `end`; then another was signed under it, or none (withdrawn)."""
    tag: str
    entry: dict
    end: datetime  # when it was last released
    seen: datetime  # when its successor was seen
    state: State
    role: object
    withdrawn: bool
    policy: dict
    states: list  # all in which it was signed so
    behind: bool  # replaced while another role decided that was broken
    by: dict = None  # the entry in its place, when that says the same but for a further hash


@dataclass
class Registry:
    """One repository as somebody who is not gated sees it. manifests: digest -> (bytes, type)."""
    tags: dict = field(default_factory=dict)
    manifests: dict = field(default_factory=dict)
    blobs: set = field(default_factory=set)
    contents: dict = field(default_factory=dict)  # of blobs, there or not: digest -> bytes
    pointed: dict = field(default_factory=dict)  # tag -> digests that it has pointed to

    def note_tags(self, tags):
        self.tags = tags
        for tag, digest in tags.items():
            self.pointed.setdefault(tag, set()).add(digest)


class Book:
    """The memory of one collection: fed with each thing that is served, it knows what was withdrawn and what was replaced."""

    def __init__(self, gun):
        self.gun, self.docs, self.state, self.timeless, self.sequence = gun, None, State(), State(), 0
        # by the rules as they were (None), and as if one rule of fallback had always been: what a new rule says of the past is left open
        self.lasts = {rule: {} for rule in RULES}  # tag -> (entry, role, state, policy, end, states) that decided
        self.lefts = {rule: {} for rule in RULES}  # (tag, digest, further hash) -> the last Left
        self.withdrawn = {}  # tag -> sequence at which releases ceased to list it
        self.since = {}      # tag -> (entry, sequence): how long `targets` says this
        self.noted = None
        self.cut = None      # since when nothing is released, a key of root being revoked
        self.once = set()    # tags that releases has ever listed

    def see(self, docs, now, policy, revoked=frozenset()):
        """The documents and the policy of this moment."""
        new = docs is not self.docs and not (docs is not None and docs.same(self.docs))
        self.docs, before = docs, self.timeless
        self.state = judge(docs, self.gun, now, revoked)
        # what was there counts whether or not it has expired, or a key of root was revoked, meanwhile
        self.timeless = judge(docs, self.gun, datetime.min.replace(tzinfo=now.tzinfo))
        if self.state.reason == "root_key_revoked":
            self.cut = self.cut or now
        if new:
            self.sequence += 1
            self.note_roles(before, self.timeless)
        for rule in RULES:
            self.note_entries(now, {**policy, "fallback": rule} if rule else policy, self.lasts[rule], self.lefts[rule])
        self.noted = docs
        if self.state.reason != "root_key_revoked":
            self.cut = None

    def note_roles(self, before, after):
        listed = [set(s.roles[RELEASES].entries) if RELEASES in s.roles else set() for s in (before, after)]
        for tag in listed[0] - listed[1]:
            self.withdrawn[tag] = self.sequence
        self.once |= listed[1]
        entries = after.roles["targets"].entries if "targets" in after.roles else {}
        self.since = {tag: self.since[tag] if tag in self.since and same(self.since[tag][0], entry) else (entry, self.sequence)
                      for tag, entry in entries.items()}

    def note_entries(self, now, policy, lasts, lefts):
        """Which digest each tag is signed as, expired or not; what it was before goes to `left`."""
        timeless = self.timeless
        found = {tag: self.lookup(tag, policy, timeless) for tag in self.names(timeless) | set(lasts)}
        current = {tag: f for tag, f in found.items() if f.kind == "entry"}
        for tag, (entry, role, state, then, end, states) in list(lasts.items()):
            successor = current.get(tag)
            if successor and same(successor.entry, entry):
                if hash_of(successor.entry, "sha512") != hash_of(entry, "sha512"):
                    self.leave(lefts, Left(tag, entry, min(end, self.cut or now), now, state, role, False, then, states, False, successor.entry))
                continue
            behind = not successor and found[tag].reason in ("threshold", "bad_trust_data")
            still = timeless.roles[role.name].entries.get(tag) if role.name in timeless.roles else None
            if behind and (still is None or same(still, entry)):
                continue  # what decides does not verify now; nobody has replaced or withdrawn it
            self.leave(lefts, Left(tag, entry, min(end, self.cut or now), now, state, role, successor is None and not behind, then, states, behind))
            del lasts[tag]
        for tag, f in current.items():
            end = min([f.role.expires, *self.ends(timeless)])
            states = lasts[tag][5] if tag in lasts else []
            lasts[tag] = (f.entry, f.role, timeless, policy, end, states if self.docs is self.noted else [*states, timeless])

    @staticmethod
    def leave(lefts, left):
        """The last word about a digest under a tag counts: whether it was withdrawn, with whatever further hash."""
        digest = hash_of(left.entry)
        for key in [k for k, l in lefts.items() if k[:2] == (left.tag, digest) and (left.withdrawn or l.withdrawn)]:
            del lefts[key]
        lefts[left.tag, digest, hash_of(left.entry, "sha512")] = left

    @staticmethod
    def ends(state):
        return [state.roles["targets"].expires] if "targets" in state.roles else []

    @staticmethod
    def names(state):
        return {tag for role in state.roles.values() for tag in role.entries}

    # --- which role decides ------------------------------------------------------------------------------------------
    def lookup(self, tag, policy, state=None):
        state = state or self.state
        roles = state.roles
        releases, targets = roles.get(RELEASES), roles.get("targets")
        if releases and releases.state not in ("valid", "absent") and releases.covers(tag):
            return Found("refused", releases.state)
        if releases and releases.state == "valid":
            if releases.lists(tag):
                return Found("entry", "", releases, releases.entries[tag])
            if any(n.startswith(RELEASES + "/") and r.state == "valid" and r.lists(tag) for n, r in roles.items()):
                return Found("none", "nested")
        if targets and targets.lists(tag):
            if policy["fallback"] == "not_after_revoke" and self.is_revoked(tag):
                return Found("refused", "revoked")
            if policy["fallback"] == "never" and releases:
                return Found("none", "stale")
            return Found("entry", "", targets, targets.entries[tag])
        return Found("none")

    def is_revoked(self, tag):
        """The entry in `targets` is not younger than the withdrawal."""
        return tag in self.once and tag in self.withdrawn and self.since[tag][1] <= self.withdrawn[tag]

    # --- who has to have signed --------------------------------------------------------------------------------------
    def signer_policy(self, tag, entry, policy, state=None):
        needed, members = policy["signers"]["threshold"], policy["signers"]["of"]
        if needed == 0:
            return True
        roles = [r for r in (state or self.state).roles.values() if r.state == "valid" and r.lists(tag) and same(r.entries[tag], entry)]
        keys = []
        for member in members:
            if member.startswith("key:"):
                keys.append({member[4:]} & set().union(*(r.signed_by for r in roles)))
            else:
                keys.append(set().union(*(r.signed_by for r in roles if r.name == f"targets/{member}")))
        return distinct(keys) >= needed


def distinct(sets):
    """How many of the sets can be given a member that no other has."""
    owner = {}

    def place(i, tried):
        for key in sets[i] - tried:
            tried.add(key)
            if key not in owner or place(owner[key], tried):
                owner[key] = i
                return True
        return False
    return sum(place(i, set()) for i in range(len(sets)))


class Checker:
    """The answers for one repository at one moment."""

    def __init__(self, book, registry, policy, now):
        self.book, self.registry, self.now = book, registry, now
        self.policy = {**DEFAULTS, **policy}
        self.must, self.may = self.reach()

    # --- digests -----------------------------------------------------------------------------------------------------
    def size_fits(self, digest, entry):
        """It is here, with the length that was signed."""
        return digest in self.registry.manifests and len(self.registry.manifests[digest][0]) == entry["length"]

    def further_hash_fits(self, digest, entry):
        stated = hash_of(entry, "sha512")
        return stated is None or stated == "sha512:" + hashlib.sha512(self.registry.manifests[digest][0]).hexdigest()

    def is_what_was_signed(self, digest, entry):
        """By digest as by tag (5.3): the length, and each further hash that was stated."""
        return self.size_fits(digest, entry) and self.further_hash_fits(digest, entry)

    def released(self, patterns):
        """(a): digests that some tag is signed as, of the tags that all of the patterns cover."""
        found = set()
        if self.book.docs is None or self.book.state.reason:
            return found
        for tag in self.book.names(self.book.state):
            f = self.book.lookup(tag, self.policy)
            if f.kind != "entry" or not all(covered(p, tag) for p in patterns) or not self.book.signer_policy(tag, f.entry, self.policy):
                continue
            digest = hash_of(f.entry)
            if digest and self.is_what_was_signed(digest, f.entry):
                found.add(digest)
        return found

    def in_grace(self):
        """(b): (surely, perhaps). Whether a digest was replaced when the same was signed again, with a further hash that it does not
        have, is left open."""
        then, now = (self.in_grace_by(self.book.lefts[rule]) for rule in (None, self.policy["fallback"]))
        return then[0] & now[0], then[1] | now[1]

    def in_grace_by(self, lefts):
        surely, perhaps, withdrawn = set(), set(), set()
        grace = duration(self.policy["grace"])
        if self.book.docs is None or self.book.state.reason or grace == timedelta(0):
            return surely, perhaps
        for (tag, digest, _), left in lefts.items():
            if digest is None or not self.is_what_was_signed(digest, left.entry):
                continue
            if left.by and self.is_what_was_signed(digest, left.by):
                continue  # it went on being released
            if left.withdrawn:
                withdrawn.add(digest)
                continue
            if not self.verifies_now(left) or grace is not None and left.seen + grace <= self.now:
                continue
            perhaps.add(digest)
            then, now = [self.was_released(left, p) for p in (left.policy, self.policy)]
            if not then and not now:
                perhaps.discard(digest)
            elif then and now and not left.behind and not left.by and not self.strict(left) and (grace is None or left.end + grace > self.now) and self.speaks_now(left, tag):
                surely.add(digest)
        return surely - withdrawn, perhaps

    def strict(self, left):
        """Whether `targets` released it under a rule by which it would not beside releases is left open."""
        return self.policy["fallback"] == "never" and left.role.name == "targets" and RELEASES in self.book.state.roles

    def was_released(self, left, policy):
        return covered(policy["digest_tags"], left.tag) and covered(policy["tags"], left.tag) and \
            any(self.book.signer_policy(left.tag, left.entry, policy, s) for s in left.states)

    def speaks_now(self, left, tag):
        """A role that has run out, or has a defect, since: 6 (b) asks for its keys, and says nothing of its date. Left open."""
        role = self.book.state.roles[left.role.name]
        return role.state == "valid" and role.covers(tag)

    def verifies_now(self, left):
        """The file that released it, under the keys that its parent lists now."""
        role = self.book.state.roles.get(left.role.name)
        return role is not None and len(signers(left.role.content, role.keys, role.ids)) >= role.threshold

    def reach(self):
        """All digests that are allowed: (surely, perhaps and surely)."""
        narrow, wide = (self.released([self.policy[n] for n in names]) for names in (("tags", "digest_tags"), ("digest_tags",)))
        surely, perhaps = self.in_grace()
        return [self.with_artifacts(self.walk(roots)) for roots in (narrow | surely, wide | surely | perhaps)]

    def why(self, digest):
        """For a person: by which rule a digest is allowed, and what is remembered of it; and of what it hangs on."""
        tagged = [f"sha256:{m.group(1)}" for t, d in self.registry.tags.items() if d == digest and (m := ARTIFACT_TAG.fullmatch(t))]
        above = [d for d in self.registry.manifests if any(m["digest"] == digest for m in self.parse(d).get("manifests", []))]
        return self.why_one(digest) + "".join(f"\n     {name} {d[:15]}: {self.why_one(d)}" for name, ds in (
            ("subject", [self.parse(digest).get("subject", {}).get("digest")]), ("subject by tag", tagged), ("in index", above)) for d in ds if d)

    def why_one(self, digest):
        surely, perhaps = self.in_grace()
        left = [f"{k[0]} left {l.seen:%m-%d %H:%M} (released until {l.end:%m-%d %H:%M}) by {l.role.name} {l.role.version}, "
                f"{'withdrawn' if l.withdrawn else 'replaced'}, fits={self.size_fits(digest, l.entry)} verifies={self.verifies_now(l)} "
                f"then={self.was_released(l, l.policy)} now={self.was_released(l, self.policy)}" for k, l in self.book.lefts[None].items() if k[1] == digest]
        roles = {n: (r.state, r.version, sorted(t for t, e in r.entries.items() if hash_of(e) == digest)) for n, r in self.book.state.roles.items()}
        return (f"released={digest in self.released([])} grace={digest in surely}/{digest in perhaps} reached={digest in self.must}/{digest in self.may} "
                f"now={self.now:%m-%d %H:%M} reason={self.book.state.reason} policy={ {k: v for k, v in self.policy.items() if v != DEFAULTS.get(k)} } {roles} {left}")

    def walk(self, roots):
        """(c): the members of indexes."""
        found, level = set(roots), set(roots)
        for _ in range(DEPTH):
            level = {m["digest"] for d in level for m in self.parse(d).get("manifests", []) if self.is_index(d)} - found
            found |= level
        return found

    def parse(self, digest):
        content = self.registry.manifests.get(digest)
        return json.loads(content[0]) if content else {}

    def is_index(self, digest):
        return digest in self.registry.manifests and self.registry.manifests[digest][1] in INDEXES

    def with_artifacts(self, allowed):
        """(d): what is not runnable and belongs to something allowed."""
        found = set(allowed)
        for digest in self.registry.manifests:
            subject = self.parse(digest).get("subject", {}).get("digest")
            if subject in allowed and self.is_artifact(digest):
                found.add(digest)
        for tag, digest in self.registry.tags.items():
            match = ARTIFACT_TAG.fullmatch(tag)
            if match and f"sha256:{match.group(1)}" in allowed:
                if self.is_artifact(digest) or self.is_index(digest) and not match.group(2):
                    found.add(digest)
        return found

    def is_artifact(self, digest):
        manifest = self.parse(digest)
        if self.is_index(digest) or "config" not in manifest:
            return False
        layers = [layer["mediaType"] for layer in manifest.get("layers", [])]
        if any(IMAGE_PART.fullmatch(t) for t in layers):
            return False
        config = manifest["config"]["mediaType"]
        if not IMAGE_PART.fullmatch(config) and not ANY_FILE.fullmatch(config):
            return True
        return bool(layers) and all(t in COSIGN_LAYERS for t in layers) and all(self.is_document(l["digest"]) for l in manifest["layers"])

    def is_document(self, digest):
        try:
            return isinstance(json.loads(self.registry.contents[digest]), dict) and digest in self.registry.blobs
        except ValueError:
            return False

    # --- answers -----------------------------------------------------------------------------------------------------
    def softened(self, answer, there):
        """Level `warn`: what is there is served, with a warning."""
        if self.policy["level"] == "warn" and there:
            return {(200, "would_deny") if s == 403 else (s, r) for s, r in answer}
        return answer

    def manifest(self, digest):
        there = digest in self.registry.manifests
        if not there:
            return {(404, ""), (403, "")} if self.book.state.reason else {(404, "")}
        if self.policy["level"] == "off":
            return {(200, "")}
        reasons = {self.book.state.reason} if self.book.state.reason else {"unsigned_digest", *self.defects()}
        denied = {(403, r) for r in reasons}
        if digest in self.must:
            return {(200, "")}
        return self.softened(denied | ({(200, "")} if digest in self.may else set()), there)

    def defects(self):
        """Of the roles that release: they come before `unsigned` where a digest is asked for."""
        releases = self.book.state.roles.get(RELEASES)
        return {releases.state} if releases and releases.state not in ("valid", "absent") else set()

    def blob(self, digest):
        if digest in self.registry.manifests or digest not in self.registry.blobs:
            return {(404, "")}
        if self.policy["level"] == "off" or digest in self.blobs_of(self.must):
            return {(200, "")}
        denied = {(403, "blob_not_reachable"), *((403, r) for r in {self.book.state.reason, *self.defects()} if r)}
        return self.softened(denied | ({(200, "")} if digest in self.blobs_of(self.may) else set()), True)

    def blobs_of(self, manifests):
        found = set()
        for digest in manifests:
            parsed = self.parse(digest)
            found |= {d["digest"] for d in [*parsed.get("layers", []), *([parsed["config"]] if "config" in parsed else [])]}
        return found

    def tag(self, tag):
        """[(status, reason, digest that is served)]"""
        there = self.registry.tags.get(tag)
        if self.policy["level"] == "off":
            return [(200, "", there)] if there else [(404, "", None)]
        answers = self.enforced(tag, there)
        if self.policy["level"] == "warn" and there:
            return [(200, "would_deny", there) if s == 403 else (s, r, d) for s, r, d in answers]
        return answers

    def enforced(self, tag, there):
        match = ARTIFACT_TAG.fullmatch(tag)
        if match:
            return self.artifact_tag(there)
        if not covered(self.policy["tags"], tag):
            return [(403, "not_covered", None), *([(404, "", None)] if self.is_empty() else [])]
        if self.book.docs is not None and self.book.state.reason:
            return [(403, self.book.state.reason, None)]
        found = self.book.lookup(tag, self.policy)
        if found.kind == "refused":
            return [(403, found.reason, None)]
        if found.kind == "none":
            return [(403, "unsigned", None)] if there else [(404, "", None)]
        if found.kind == "perhaps revoked":
            return [(403, "revoked", None), *self.decided(tag, there, found.entry)]
        return self.decided(tag, there, found.entry)

    def decided(self, tag, there, entry):
        if not hash_of(entry) and not self.policy["accept_sha512_only"]:
            return self.compared(tag, there, entry)  # a defect of the data comes before who signed
        if not self.book.signer_policy(tag, entry, self.policy):
            return [(403, "signer_policy", None)]
        return self.compared(tag, there, entry)

    def is_empty(self):
        """Whether a repository that holds nothing, or nothing any more, is one is left open; of none the answer is 404 before all else."""
        return not self.registry.manifests and not self.registry.blobs and self.book.docs is None

    def artifact_tag(self, there):
        if not there:
            return [(404, "", None), (403, self.book.state.reason or "-", None)]
        if there in self.must:
            return [(200, "", there)]
        return [(403, "", None), *([(200, "", there)] if there in self.may else [])]

    def compared(self, tag, there, entry):
        """The table of what is signed against what the registry has."""
        digest = hash_of(entry)
        if digest is None:
            return self.compared_sha512(there, entry)
        stored = digest in self.registry.manifests
        if there == digest:
            if not self.size_fits(digest, entry):
                return [(403, "length_mismatch", None)]
            return [(200, "", there)] if self.further_hash_fits(digest, entry) else [(403, "digest_mismatch", None)]
        mode = self.policy["on_mismatch"]
        serves = mode == "serve_signed" or mode == "hold" and digest in self.registry.pointed.get(tag, ())
        if serves and stored:
            if not self.size_fits(digest, entry):
                return [(403, "length_mismatch", None)]
            return [(200, "served_signed", digest)] if self.further_hash_fits(digest, entry) else [(403, "digest_mismatch", None)]
        return [(403, "digest_mismatch", None)] if there else [(404, "signed_not_pushed", None)]

    def compared_sha512(self, there, entry):
        if not self.policy["accept_sha512_only"]:
            return [(403, "bad_trust_data", None), *([] if there else [(404, "signed_not_pushed", None)])]
        if not there:
            return [(404, "signed_not_pushed", None)]
        if not self.further_hash_fits(there, entry):
            return [(403, "digest_mismatch", None)]
        return [(200, "", there)] if self.size_fits(there, entry) else [(403, "length_mismatch", None)]

    def near(self, margin):
        """Something changes by itself within `margin` of now: no moment to ask at."""
        ends = list(self.book.state.critical)
        grace = duration(self.policy["grace"])
        if grace is not None:
            ends += [m + grace for left in self.book.lefts[None].values() for m in (left.end, left.seen)]
        return any(abs(e - self.now) <= margin for e in ends)
