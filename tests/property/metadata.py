"""Served trust metadata judged: bytes in, the state of each role out. The reader of documents that the property needs, written
from the text of the rules and with another cryptographic library than the server's."""
import base64
import functools
import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

ROLE_NAME = re.compile(r"[-a-z0-9_]+")
TYPE = {"root": "Root", "timestamp": "Timestamp", "snapshot": "Snapshot"}


def canonical(value):
    """Members by name, no white space, only the quote and the backslash escaped."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{canonical(k)}:{canonical(value[k])}" for k in sorted(value, key=str.encode)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return {None: "null", True: "true", False: "false"}.get(value) if value is None or isinstance(value, bool) else str(int(value))


def moment(text):
    return datetime.strptime(re.sub(r"\.\d+", "", text), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)


@functools.lru_cache(None)
def key_id(kind, public):
    return hashlib.sha256(canonical({"keytype": kind, "keyval": {"private": None, "public": public}}).encode()).hexdigest()


@functools.lru_cache(None)
def certificate(public):
    return x509.load_pem_x509_certificate(base64.b64decode(public))


@functools.lru_cache(None)
def public_key(kind, public):
    if kind.endswith("-x509"):
        return certificate(public).public_key()
    raw = base64.b64decode(public)
    return ed25519.Ed25519PublicKey.from_public_bytes(raw) if kind == "ed25519" else serialization.load_der_public_key(raw)


@functools.lru_cache(None)
def spki(kind, public):
    der = public_key(kind, public).public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


@functools.lru_cache(1 << 16)
def verifies(kind, public, method, signature, content):
    key, value = public_key(kind, public), base64.b64decode(signature)
    try:
        if method == "ecdsa" and isinstance(key, ec.EllipticCurvePublicKey):
            half = (key.curve.key_size + 7) // 8
            if len(value) != 2 * half:
                return False
            der = utils.encode_dss_signature(int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big"))
            key.verify(der, content, ec.ECDSA(hashes.SHA256()))
        elif method == "rsapss" and isinstance(key, rsa.RSAPublicKey):
            key.verify(value, content, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        elif method == "eddsa" and isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(value, content)
        else:
            return False
    except InvalidSignature:
        return False
    return True


@functools.lru_cache(1 << 14)
def parsed(content):
    return json.loads(content)


@functools.lru_cache(1 << 14)
def signed_bytes(content):
    return canonical(parsed(content)["signed"]).encode()


def signers(content, keys, ids):
    """SPKIs of the keys among `ids` that signed. keys: {id: entry}."""
    good, seen = set(), set()
    for signature in parsed(content)["signatures"]:
        name = signature["keyid"]
        if name in seen or name not in ids or name not in keys:
            continue
        seen.add(name)
        kind, public = keys[name]["keytype"], keys[name]["keyval"]["public"]
        if key_id(kind, public) == name and verifies(kind, public, signature["method"], signature["sig"], signed_bytes(content)):
            good.add(spki(kind, public))
    return good


def matches(content, meta):
    known = {n: base64.b64encode(hashlib.new(n, content).digest()).decode() for n in ("sha256", "sha512")}
    stated = {n: v for n, v in meta["hashes"].items() if n in known}
    return len(content) == meta["length"] and bool(stated) and all(known[n] == v for n, v in stated.items())


class Broken(Exception):
    """The whole repository is refused, for one reason."""


@dataclass
class Role:
    """One role of the tree of targets. state: valid, absent, or the reason for which its tags are refused."""
    name: str
    paths: list
    ids: list
    threshold: int
    keys: dict
    state: str = "absent"
    version: int = 0
    content: bytes = b""
    entries: dict = field(default_factory=dict)
    signed_by: set = field(default_factory=set)
    expires: datetime = None

    def covers(self, tag):
        return any(tag.startswith(p) for p in self.paths)

    def lists(self, tag):
        return tag in self.entries and self.covers(tag)


@dataclass
class Documents:
    """What the server serves of one collection at one moment. delegations: {role: bytes}."""
    roots: list
    timestamp: bytes
    snapshot: bytes
    targets: bytes
    delegations: dict
    held: set  # ids of keys that the server says are its own

    def same(self, other):
        return other is not None and (self.roots, self.targets, self.delegations) == (other.roots, other.targets, other.delegations)


@dataclass
class State:
    """reason: why all of it is refused, or None."""
    reason: str = None
    roles: dict = field(default_factory=dict)
    root_version: int = 0
    critical: list = field(default_factory=list)  # moments at which something here expires


def count(content, role, root):
    listed = root["roles"][role]
    return signers(content, root["keys"], listed["keyids"]), listed["threshold"]


def reach(good, threshold):
    if len(good) < threshold:
        raise Broken("threshold" if good else "bad_trust_data")


def root_signers(content, by, gun):
    """Signatures of keys with a certificate of this collection."""
    keys = {}
    for name in by["roles"]["root"]["keyids"]:
        entry = by["keys"][name]
        if entry["keytype"].endswith("-x509"):
            subject = certificate(entry["keyval"]["public"]).subject.rfc4514_string()
            common = subject.removeprefix("CN=").replace("\\", "")
            if common == gun or common.endswith("*") and gun.startswith(common.rstrip("*")):
                keys[name] = entry
    return signers(content, keys, list(keys))


def judge_roots(docs, gun, now, revoked, state):
    chain = [parsed(c)["signed"] for c in docs.roots]
    reach(root_signers(docs.roots[0], chain[0], gun), chain[0]["roles"]["root"]["threshold"])
    for before, after, content in zip(chain, chain[1:], docs.roots[1:]):
        for by in (before, after):
            if after["version"] != before["version"] + 1 or len(root_signers(content, by, gun)) < by["roles"]["root"]["threshold"]:
                raise Broken("root_changed")
    root = chain[-1]
    state.root_version, needed = root["version"], root["roles"]["root"]["threshold"]
    if len(root_signers(docs.roots[-1], root, gun) - revoked) < needed:
        raise Broken("root_key_revoked")
    ends = [certificate(root["keys"][i]["keyval"]["public"]).not_valid_after.replace(tzinfo=timezone.utc)
            for i in root["roles"]["root"]["keyids"]]
    state.critical += [moment(root["expires"]), *ends]
    if moment(root["expires"]) <= now or len([e for e in ends if e > now]) < needed:
        raise Broken("expired_root")
    return root


def judge_base(docs, root, now, state):
    """Timestamp, snapshot and targets; the last one is returned as a role."""
    reach(*count(docs.timestamp, "timestamp", root))
    if not matches(docs.snapshot, parsed(docs.timestamp)["signed"]["meta"]["snapshot"]):
        raise Broken("bad_trust_data")
    reach(*count(docs.snapshot, "snapshot", root))
    snapshot = parsed(docs.snapshot)["signed"]
    if not set(root["roles"]["snapshot"]["keyids"]) & docs.held:
        state.critical.append(moment(snapshot["expires"]))
        if moment(snapshot["expires"]) <= now:
            raise Broken("expired_snapshot")
    if not matches(docs.roots[-1], snapshot["meta"]["root"]) or not matches(docs.targets, snapshot["meta"]["targets"]):
        raise Broken("bad_trust_data")
    good, threshold = count(docs.targets, "targets", root)
    reach(good, threshold)
    signed = parsed(docs.targets)["signed"]
    state.critical.append(moment(signed["expires"]))
    listed = root["roles"]["targets"]
    role = Role("targets", [""], listed["keyids"], threshold, root["keys"])
    fill(role, docs.targets, good)
    if role.expires <= now:
        raise Broken("expired_targets")
    role.state = "valid"
    return role, snapshot["meta"]


def fill(role, content, good):
    signed = parsed(content)["signed"]
    role.content, role.version, role.entries, role.signed_by = content, signed["version"], signed["targets"], good
    role.expires = moment(signed["expires"])


def judge_delegation(role, docs, meta, now, state):
    """A role that the tree delegates; fills its state."""
    content = docs.delegations.get(role.name)
    if role.name not in meta:
        return
    if content is None or not matches(content, meta[role.name]):
        role.state = "bad_trust_data"
        return
    good = signers(content, role.keys, role.ids)
    fill(role, content, good)
    state.critical.append(role.expires)
    if len(good) < role.threshold:
        role.state = "threshold" if good else "bad_trust_data"
    elif role.expires <= now:
        role.state = "expired_role"
    else:
        role.state = "valid"


def children(role):
    """The roles that a valid role delegates, with paths kept inside its own."""
    listed = parsed(role.content)["signed"].get("delegations", {"roles": [], "keys": {}})
    for child in listed["roles"]:
        paths = [p for p in child.get("paths", []) if role.covers(p)]
        yield Role(child["name"], paths, child["keyids"], child["threshold"], listed["keys"])


def judge(docs, gun, now, revoked=frozenset()):
    """The state of a collection at `now`; docs None: there is none."""
    state = State()
    if docs is None:
        return state
    try:
        root = judge_roots(docs, gun, now, revoked, state)
        targets, meta = judge_base(docs, root, now, state)
    except Broken as broken:
        state.reason = str(broken)
        return state
    state.roles["targets"], waiting = targets, [targets]
    while waiting:
        for child in children(waiting.pop(0)):
            judge_delegation(child, docs, meta, now, state)
            state.roles[child.name] = child
            if child.state == "valid":
                waiting.append(child)
    return state
