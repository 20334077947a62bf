"""Every case of tests/vectors/tuf, by name, asked of a running server as a deployer asks. The keys of the cases are nobody's, so
a root of theirs names no timestamp key of this server and nothing of them can be published here: each case is written into the
stopped server's database (`cur` is stored, `prev` was accepted before), and the server is started at the hour of the cases.
What a running server cannot be asked: U13 with a key that the server holds (its private half is nowhere; the renewal is in
test_clock.py), and a manifest of another length under the same digest (U07 has another length in the signature)."""
import base64
import hashlib
import json
import re
import shutil
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support.images import OCI_INDEX, OCI_MANIFEST, Image
from support.server import Server
from support.tuf import canonical
from test_clock import faketime_at

VECTORS = Path(__file__).parents[1] / "vectors"
FILE = json.loads((VECTORS / "tuf" / "cases.json").read_text())
NOW = datetime.strptime(FILE["now"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
NOW_US = int(NOW.timestamp() * 1_000_000)
HOUR_US = 3_600_000_000
REPO = "ns/app"
KEPT = ("index.db", "checkpoint/trust")  # of a server that was stopped in peace
CASES = {case["id"]: case for case in FILE["cases"]}
OLDER = "sha256:e8992104c7aeb09cb63749a0cc0713dcba822e6927e9ad294defaa958fcf5373"  # what targets of U46 lists
# What a case says in words, and those conditions under which it says something else.
IN_WORDS = {"U13-expired-timestamp": "deny:expired_timestamp", "U50-full-rollback": "deny:rollback_suspected",
            "U72-sha512-only-target": "deny:bad_trust_data"}
CONDITIONS = [("U01-valid-targets", {"level": "off"}, "allow"),
              ("U02-releases-beats-targets", {"tags": ["prod-*"]}, "deny:not_covered"),
              ("U05-docker-signer-layout", {"signers": {"threshold": 1, "of": ["alice"]}}, "allow"),
              ("U05-docker-signer-layout", {"signers": {"threshold": 2, "of": ["alice", "bob"]}}, "deny:signer_policy"),
              ("U46-revoked-in-releases-reappears-from-targets", {"fallback": "docker"}, "allow"),  # where the tag has gone back too
              ("U46-revoked-in-releases-reappears-from-targets", {"fallback": "never"}, "deny:unsigned"),
              ("U72-sha512-only-target", {"accept_sha512_only": True}, "allow")]


def expected(case):
    """"allow" or "deny:REASON", without a condition."""
    said = IN_WORDS.get(case["id"]) or re.match(r"[\w:]+", case["gate"]).group()
    assert re.fullmatch(r"allow|deny:\w+", said), f"{case['id']}: a condition that IN_WORDS does not know: {case['gate']}"
    return said


ROWS = [pytest.param(case, {}, expected(case), id=name) for name, case in CASES.items()] + [
    pytest.param({**CASES[name], **({"registry_digest_of_tag": OLDER} if policy.get("fallback") == "docker" else {})}, policy, said,
                 id=f"{name}-{'-'.join(policy)}-{said.partition(':')[2] or said}") for name, policy, said in CONDITIONS]
DIGESTS = {case["registry_digest_of_tag"] for case in CASES.values()} | {OLDER}


@dataclass
class Document:
    role: str
    bytes: bytes

    def __post_init__(self):
        signed = json.loads(self.bytes)["signed"]
        self.signed, self.version = signed, signed["version"]
        self.sha256, self.signed_sha256 = hashlib.sha256(self.bytes).digest(), hashlib.sha256(canonical(signed)).digest()


def documents(folder):
    """(the roots, oldest first; the other documents); a root.json beside an equal N.root.json is one."""
    roots, others = {}, []
    for path in sorted(folder.glob("*.json")):
        made = Document(re.sub(r"^\d+\.", "", path.name.removesuffix(".json")).replace("__", "/"), path.read_bytes())
        if made.role == "root":
            roots[made.version] = made
        else:
            others.append(made)
    return [roots[v] for v in sorted(roots)], others


def spki(key):
    """The sha256 of a listed key's public half, of a certificate's where there is one."""
    public = base64.b64decode(key["keyval"]["public"])
    if key["keytype"].endswith("-x509"):
        public = x509.load_pem_x509_certificate(public).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).digest()


class Store:
    """The rows of one repository's trust data."""

    def __init__(self, db):
        self.db = db
        (self.repo,), = db.execute("SELECT id FROM repository")

    def run(self, sql, *arguments):
        self.db.execute(sql, (self.repo, *arguments))

    def accept(self, docs, now_us):
        """What publishing leaves behind: of each role the highest version, the first of equal ones; and what it listed."""
        for doc in docs:
            self.run("INSERT INTO trust_role (repository_id, role, incarnation, version, signed_sha256) VALUES (?1, ?2, 1, ?3, ?4) "
                     "ON CONFLICT (repository_id, role) DO UPDATE SET version = excluded.version, signed_sha256 = excluded.signed_sha256 "
                     "WHERE excluded.version > version", doc.role, doc.version, doc.signed_sha256)
            if doc.role.startswith("targets"):
                self.list_targets(doc, now_us)

    def list_targets(self, doc, now_us):
        listed = doc.signed["targets"]
        self.run("UPDATE role_target SET until_us = ?2, why = 2, last_version = ?3 WHERE repository_id = ?1 AND role = ?4 AND until_us = 0 "
                 "AND tag NOT IN (SELECT value FROM json_each(?5))", now_us, doc.version - 1, doc.role, json.dumps(list(listed)))
        for tag, target in listed.items():
            sha256, sha512 = (base64.b64decode(target.get("hashes", {}).get(name, "")) for name in ("sha256", "sha512"))
            self.run("INSERT INTO role_target (repository_id, role, incarnation, tag, sha256, sha512, length, since_us, since_version, last_version, "
                     "signers) VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9) ON CONFLICT DO NOTHING", doc.role, tag,
                     b"\1" + sha256 if sha256 else None, b"\2" + sha512 if sha512 else None, target["length"], now_us, doc.version, b"")

    def store(self, docs, superseded_us=0):
        for doc in docs:
            self.run("INSERT INTO trust_doc (repository_id, role, incarnation, version, sha256, signed_sha256, accepted_us, superseded_us, content) "
                     "VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8)", doc.role, doc.version, doc.sha256, doc.signed_sha256, NOW_US - 2 * HOUR_US,
                     superseded_us, doc.bytes)

    def pin(self, root):
        for key in {spki(root.signed["keys"][ident]) for ident in root.signed["roles"]["root"]["keyids"]}:
            self.run("INSERT INTO trust_pin (repository_id, spki, added_us, added_by) VALUES (?1, ?2, ?3, 'test')", key, NOW_US - 2 * HOUR_US)

    def take(self, case):
        """`cur` is what is stored, `prev` was accepted before; the first root of all is the pinned one."""
        folder = VECTORS / "tuf" / case["id"]
        roots, others = documents(folder / "cur")
        old_roots, old_others = documents(folder / "prev")
        self.accept(old_roots + old_others, NOW_US - 2 * HOUR_US)
        self.accept(roots + others, NOW_US - HOUR_US)
        self.store(roots[-1:] + others)
        self.store([r for r in old_roots if r.version < roots[0].version] + roots[:-1], NOW_US - HOUR_US)
        self.pin((old_roots or roots)[0])


def vector_image(digest):
    """An image of tests/vectors/images/app, whole."""
    blobs, children = {}, {}
    read = lambda d: (VECTORS / "images/app/blobs/sha256" / d.removeprefix("sha256:")).read_bytes()  # noqa: E731

    def take(manifest):
        for child in manifest.get("manifests", []):
            children[child["digest"]] = read(child["digest"]), child["mediaType"]
            take(json.loads(read(child["digest"])))
        for blob in [manifest["config"], *manifest["layers"]] if "layers" in manifest else []:
            blobs[blob["digest"]] = read(blob["digest"])
    manifest = json.loads(read(digest))
    take(manifest)
    return Image(manifest=read(digest), media_type=OCI_INDEX if "manifests" in manifest else OCI_MANIFEST, blobs=blobs, children=children)


class World:
    """A server whose database is made anew for each case: ns/app with both images of the cases, and no trust data."""

    def __init__(self, folder):
        self.server, self.kept = Server(folder).init(), folder / "kept"
        self.config = self.server.config.read_text()
        self.start()
        self.server.make_namespace("ns")
        self.deployer = self.server.client(self.server.make_deployer("ns", "k8s"), basic=True)
        self.pusher = self.server.client(self.server.make_robot("ns", "ci", "pull,push"), basic=True)
        self.images = {digest: vector_image(digest) for digest in DIGESTS}
        for digest, made in self.images.items():
            assert self.pusher.push(REPO, made) == digest
        self.server.stop()
        self.kept.mkdir()
        for name in KEPT:
            shutil.copy2(self.server.data / name, self.kept / Path(name).name)

    def start(self):
        self.server.start(**faketime_at(NOW))

    def begin(self, case):
        self.server.stop()
        host = case["gun"].removesuffix(f"/{REPO}")
        assert case["gun"] == f"{host}/{REPO}"
        self.server.config.write_text(f'canonical_host: "{host}"\n' + self.config)
        for name in KEPT:
            shutil.copy2(self.kept / Path(name).name, self.server.data / name)
        with sqlite3.connect(self.server.data / "index.db") as db:
            Store(db).take(case)
        db.close()
        self.start()
        made = self.images[case["registry_digest_of_tag"]]
        self.pusher.push_manifest(REPO, case["tag"], made.manifest, made.media_type).expect(201)
        return self


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("vectors"))
    yield made
    made.server.end()


@pytest.mark.parametrize("case,policy,said", ROWS)
def test_vector(world, case, policy, said):
    deployer = world.begin(case).deployer
    if policy:
        world.server.bond("policy", "set", REPO, "--file", "-", stdin=json.dumps(policy))
    got, head = (deployer.get(REPO, case["tag"], method) for method in ("GET", "HEAD"))
    effect, _, reason = said.partition(":")
    if effect == "allow":
        assert got.expect(200).body == world.images[case["registry_digest_of_tag"]].manifest
        assert got.header("Docker-Content-Digest") == case["registry_digest_of_tag"]
    else:
        assert got.expect(403, "DENIED").error["detail"]["reason"] == reason, got.message
        assert got.reason.endswith(f"({reason})") and got.message.startswith("content trust: ")
    assert (head.status, head.reason, head.body) == (got.status, got.reason, b"")
    verdict = deployer("GET", f"/api/v1/deploy/verify?image={REPO}:{case['tag']}").expect(200).json
    assert verdict["allowed"] == (effect == "allow") and (verdict["reason"] == reason or effect == "allow")


def test_without_documents_the_repository_of_the_vectors_is_unsigned(world):
    """What decides is in the rows that test_vector writes, and nothing that the server had before."""
    case = CASES["U01-valid-targets"]
    world.begin(case)
    world.server.stop()
    with sqlite3.connect(world.server.data / "index.db") as db:
        db.execute("DELETE FROM trust_doc"), db.execute("DELETE FROM trust_role"), db.execute("DELETE FROM role_target"), db.execute("DELETE FROM trust_pin")
    db.close()
    world.start()
    assert world.deployer.get(REPO, case["tag"]).expect(403, "DENIED").error["detail"]["reason"] == "unsigned"
