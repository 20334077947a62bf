"""Keys and documents of Notary v1, written by hand: whoever has these keys signs what he likes."""
import base64
import datetime
import functools
import hashlib
import json

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

TYPES = {"root": "Root", "targets": "Targets", "snapshot": "Snapshot", "timestamp": "Timestamp"}


def canonical(value):
    """The bytes that are signed. Names and values of these documents hold no control characters."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def when(moment):
    return moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def meta_of(content):
    return {"length": len(content), "hashes": {"sha256": base64.b64encode(hashlib.sha256(content).digest()).decode(),
                                               "sha512": base64.b64encode(hashlib.sha512(content).digest()).decode()}}


@functools.lru_cache(None)
def one_rsa_key():
    return rsa.generate_private_key(65537, 2048)


class Key:
    """A key pair as a role's key. kind: ecdsa | rsa | ed25519; with a certificate it is KIND-x509."""

    def __init__(self, kind="ecdsa", secret=None, certificate=None):
        self.kind, self.certificate = kind, certificate
        self.secret = secret or {"ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()), "rsa": one_rsa_key,
                                 "ed25519": ed25519.Ed25519PrivateKey.generate}[kind]()

    @property
    def public(self):
        if self.certificate:
            return self.certificate
        if self.kind == "ed25519":
            return self.secret.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return self.spki

    @property
    def spki(self):
        return self.secret.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    @property
    def spki_hex(self):
        return hashlib.sha256(self.spki).hexdigest()

    @functools.cached_property
    def entry(self):
        kind = self.kind + ("-x509" if self.certificate else "")
        return {"keytype": kind, "keyval": {"private": None, "public": base64.b64encode(self.public).decode()}}

    @functools.cached_property
    def id(self):
        return hashlib.sha256(canonical(self.entry)).hexdigest()

    def certified(self, name, begins, ends):
        """The same pair with a certificate of its own: another key id."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(self.secret.public_key())
                .serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)
                .add_extension(x509.BasicConstraints(False, None), True)
                .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)
                .sign(self.secret, hashes.SHA256()))
        return Key(self.kind, self.secret, made.public_bytes(serialization.Encoding.PEM))

    def sign(self, content):
        if self.kind == "ecdsa":
            r, s = utils.decode_dss_signature(self.secret.sign(content, ec.ECDSA(hashes.SHA256())))
            method, value = "ecdsa", r.to_bytes(32, "big") + s.to_bytes(32, "big")
        elif self.kind == "rsa":
            method, value = "rsapss", self.secret.sign(content, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        else:
            method, value = "eddsa", self.secret.sign(content)
        return {"keyid": self.id, "method": method, "sig": base64.b64encode(value).decode()}


def document(signed, keys):
    content = canonical(signed)
    return b'{"signed":' + content + b',"signatures":' + canonical([k.sign(content) for k in keys]) + b"}"


def target(size, digest=None, sha512=None):
    """digest: sha256 in hex; sha512: the same, or nothing."""
    known = {"sha256": digest, "sha512": sha512}
    return {"length": size, "hashes": {n: base64.b64encode(bytes.fromhex(h)).decode() for n, h in known.items() if h}}


def key_set(keys, threshold):
    return {"keyids": [k.id for k in keys], "threshold": threshold}


def targets_document(version, expires, entries, delegations, keys):
    """entries: {name: target()}; delegations: [(name, keys, threshold, paths)]"""
    roles = [{"name": n, "paths": list(p), **key_set(k, t)} for n, k, t, p in delegations]
    listed = {key.id: key.entry for _, k, _, _ in delegations for key in k}
    return document({"_type": "Targets", "version": version, "expires": when(expires), "targets": entries,
                     "delegations": {"keys": listed, "roles": roles}}, keys)


def snapshot_document(version, expires, meta, keys):
    return document({"_type": "Snapshot", "version": version, "expires": when(expires), "meta": meta}, keys)


def root_document(version, expires, roles, signers):
    """roles: {name: ([(id, entry)], threshold)}"""
    listed = {i: e for keys, _ in roles.values() for i, e in keys}
    return document({"_type": "Root", "version": version, "expires": when(expires), "consistent_snapshot": False, "keys": listed,
                     "roles": {n: {"keyids": [i for i, _ in keys], "threshold": t} for n, (keys, t) in roles.items()}}, signers)
