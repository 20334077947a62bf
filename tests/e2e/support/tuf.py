"""Documents of Notary v1, signed with keys made here: for what no real client can be made to send (notary-api 14 to 17)."""
import base64
import datetime
import hashlib
import json

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

SERVER_ROLES = ("timestamp", "snapshot")


def canonical(value):
    """notary-api 14: what is signed, and what key ids hash."""
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda m: m[0].encode())
        return b"{" + b",".join(canonical(k) + b":" + canonical(v) for k, v in members) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(canonical, value)) + b"]"
    if isinstance(value, str):
        return b'"' + value.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'
    return json.dumps(value).encode()


def text64(content):
    return base64.b64encode(content).decode()


def later(days):
    return (datetime.datetime.utcnow() + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def hashes_of(content):
    return {"sha256": text64(hashlib.sha256(content).digest()), "sha512": text64(hashlib.sha512(content).digest())}


def meta_of(document):
    return {"hashes": hashes_of(document), "length": len(document)}


def tag(hex_or_content=b"manifest", length=10):
    """A target as docker writes it."""
    content = hex_or_content if isinstance(hex_or_content, bytes) else bytes.fromhex(hex_or_content)
    digest = content if len(content) == 32 else hashlib.sha256(content).digest()
    return {"hashes": {"sha256": text64(digest)}, "length": length}


class Key:
    """object: as documents list it; id: the hash of that."""

    def __init__(self, keytype, public, private=None, listed_as=None):
        self.private = private
        self.object = {"keytype": keytype, "keyval": {"private": None, "public": public}}
        self.id = listed_as or hashlib.sha256(canonical(self.object)).hexdigest()

    @classmethod
    def bare(cls, private=None):
        private = private or ec.generate_private_key(ec.SECP256R1())
        der = private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return cls("ecdsa", text64(der), private)

    @classmethod
    def certified(cls, name, private=None, days=(-1, 3650), hash=None):
        """A root key: a certificate whose common name is the GUN."""
        private = private or ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name, _validate=False)])
        cert = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(private.public_key())
                .serial_number(x509.random_serial_number()).not_valid_before(now + datetime.timedelta(days=days[0]))
                .not_valid_after(now + datetime.timedelta(days=days[1])).sign(private, hash or hashes.SHA256()))
        return cls("ecdsa-x509", text64(cert.public_bytes(serialization.Encoding.PEM)), private)

    @classmethod
    def of_server(cls, trust, role):
        found = trust.get(f"{role}.key").expect(200).json
        return cls(found["keytype"], found["keyval"]["public"])

    @property
    def public_bytes(self):
        return self.private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    def signature(self, content, method="ecdsa"):
        r, s = decode_dss_signature(self.private.sign(content, ec.ECDSA(hashes.SHA256())))
        return {"keyid": self.id, "method": method, "sig": text64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))}


def document(part, *keys, signatures=None):
    """The bytes of a document; `signatures` in place of those by the keys."""
    content = canonical(part)
    listed = [k.signature(content) for k in keys] if signatures is None else signatures
    return b'{"signed":' + content + b',"signatures":' + json.dumps(listed, separators=(",", ":")).encode() + b"}"


def listed(*keys, threshold=1):
    return {"keyids": [k.id for k in keys], "threshold": threshold}


class Collection:
    """The keys of one repository and the documents they sign. The server holds the timestamp key, and the snapshot key
    unless client_snapshot."""

    def __init__(self, trust, client_snapshot=False, root=None):
        self.trust = trust
        self.root_key, self.targets_key = root or Key.certified(trust.gun), Key.bare()
        self.timestamp_key = Key.of_server(trust, "timestamp")
        self.snapshot_key = Key.bare() if client_snapshot else Key.of_server(trust, "snapshot")

    def root_part(self, version=1, **roles):
        """`roles`: (keys, threshold) of a role in place of the usual."""
        keys = {"root": ([self.root_key], 1), "targets": ([self.targets_key], 1), "snapshot": ([self.snapshot_key], 1),
                "timestamp": ([self.timestamp_key], 1), **roles}
        return {"_type": "Root", "consistent_snapshot": False, "expires": later(3650), "version": version,
                "keys": {k.id: k.object for ks, _ in keys.values() for k in ks},
                "roles": {role: listed(*ks, threshold=t) for role, (ks, t) in keys.items()}}

    def root(self, version=1, by=None, **roles):
        return document(self.root_part(version, **roles), *(by or [self.root_key]))

    def targets_part(self, version=2, tags=None, delegations=()):
        """`delegations`: (name, keys) or (name, keys, threshold)."""
        return {"_type": "Targets", "expires": later(1000), "version": version, "targets": tags or {},
                "delegations": {"keys": {k.id: k.object for d in delegations for k in d[1]},
                                "roles": [{"name": d[0], "paths": [""], **listed(*d[1], threshold=(d[2:] or (1,))[0])} for d in delegations]}}

    def targets(self, version=2, tags=None, delegations=(), by=None):
        return document(self.targets_part(version, tags, delegations), *(by or [self.targets_key]))

    def snapshot(self, version=2, by=None, **documents):
        """`documents`: role (`__` for `/`) and what it lists for it: the document, or a ready entry."""
        meta = {role.replace("__", "/"): d if isinstance(d, dict) else meta_of(d) for role, d in documents.items()}
        part = {"_type": "Snapshot", "expires": later(1000), "version": version, "meta": meta}
        return document(part, *(by or [self.snapshot_key]))

    def begin(self, **options):
        """A first publish: root 1, targets 2. Returns both documents."""
        root, targets = self.root(), self.targets(**options)
        self.trust.publish(("root", root), ("targets", targets)).expect(200)
        return root, targets
