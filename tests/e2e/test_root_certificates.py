"""Root certificates that no root may hang on (attacks K-09, K-10): a root by a real key of each kind, sent over HTTP. The rest of
the repository is the notary client's, and good; a P-256 certificate for the repository's own name is what differs from it least."""
import base64
import hashlib
import json

import pytest

from support.process import run
from support.wire import multipart

EC = ["-newkey", "ec", "-pkeyopt"]


def canonical(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


def openssl(*args, stdin=None):
    return run(["openssl", *args], stdin=stdin)


def raw_signature(der):
    """r and s of an ECDSA-Sig-Value, each as long as a P-256 key."""
    at, out = 2, b""
    for _ in range(2):
        n = der[at + 1]
        out += der[at + 2:at + 2 + n].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + n
    return out


class Certificate:
    def __init__(self, folder, name, new_key, digest="-sha256"):
        self.folder = folder
        self.rsa = new_key[1].startswith("rsa")
        (folder / "config").write_text("[req]\ndistinguished_name = dn\nx509_extensions = leaf\n[dn]\n[leaf]\nbasicConstraints = CA:FALSE\n")
        openssl("req", "-x509", "-nodes", "-config", folder / "config", *new_key, digest, "-keyout", folder / "key", "-out", folder / "crt", "-days", "300",
                "-subj", f"/CN={name.replace('/', chr(92) + '/')}")
        self.key = {"keytype": "rsa-x509" if self.rsa else "ecdsa-x509",
                    "keyval": {"private": None, "public": base64.b64encode((folder / "crt").read_bytes()).decode()}}
        self.id = hashlib.sha256(canonical(self.key)).hexdigest()

    def sign(self, signed):
        (self.folder / "message").write_bytes(canonical(signed))
        pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"] if self.rsa else []
        openssl("dgst", "-sha256", "-sign", self.folder / "key", *pss, "-out", self.folder / "sig", self.folder / "message")
        made = (self.folder / "sig").read_bytes()
        return {"keyid": self.id, "method": "rsapss" if self.rsa else "ecdsa",
                "sig": base64.b64encode(made if self.rsa else raw_signature(made)).decode()}


@pytest.fixture
def publish(registry, house, notary, repo, tmp_path):
    """publish(name, key, …) → the answer to a first publish whose root is by such a certificate."""
    owner = notary("owner")
    gun = registry.gun(repo)
    owner("init", gun)
    made = {role: owner.cached(repo, role) for role in ("root", "targets")}

    def send(name, *args):
        certificate = Certificate(tmp_path, name.format(gun=gun, host=registry.host, ns=house.ns), *args)
        signed = json.loads(made["root"])["signed"]
        for old in signed["roles"]["root"]["keyids"]:
            del signed["keys"][old]
        signed["keys"][certificate.id] = certificate.key
        signed["roles"]["root"]["keyids"] = [certificate.id]
        client = registry.client(house.owner)
        # the server makes the snapshot: the client's lists another root
        signed["roles"]["snapshot"]["keyids"] = [key_of_server(registry, client, gun, signed)]
        root = canonical({"signed": signed, "signatures": [certificate.sign(signed)]})
        body, content_type = multipart([("root", root), ("targets", made["targets"])])
        answer = client("POST", f"/v2/{gun}/_trust/tuf/", {"Content-Type": content_type}, body)
        stored = client("GET", f"/v2/{gun}/_trust/tuf/root.json").status
        assert stored == (200 if answer.status == 200 else 404), answer
        return answer
    return send


def key_of_server(registry, client, gun, signed):
    key = client("GET", f"/v2/{gun}/_trust/tuf/snapshot.key").expect(200).json
    identity = hashlib.sha256(canonical(key)).hexdigest()
    signed["keys"][identity] = key
    return identity


@pytest.mark.parametrize("key", [(EC + ["ec_paramgen_curve:P-256"],), (["-newkey", "rsa:2048"],)], ids=["P-256", "RSA-2048"])
def test_a_good_certificate_begins_a_repository(publish, key):
    assert publish("{gun}", *key).expect(200).header("Warning") is None


@pytest.mark.parametrize("key", [(["-newkey", "rsa:1024"],), (EC + ["ec_paramgen_curve:P-256"], "-sha1"), (EC + ["ec_paramgen_curve:P-224"],),
                                 (EC + ["ec_paramgen_curve:brainpoolP256r1"],)], ids=["RSA-1024", "SHA-1", "P-224", "brainpool"])
def test_k10_a_weak_key_or_certificate_begins_nothing(publish, key):
    answer = publish("{gun}", *key).expect(400, "INVALID_UPDATE")
    assert answer.error["detail"]["Name"] == "ErrBadRoot", answer


@pytest.mark.parametrize("name", ["{host}/{ns}/another", "{gun}x", "elsewhere.example/{ns}/app", "*x"])
def test_k09_a_certificate_for_another_name_begins_nothing(publish, name):
    answer = publish(name, EC + ["ec_paramgen_curve:P-256"]).expect(400, "INVALID_UPDATE")
    assert answer.error["detail"]["Name"] == "ErrBadRoot", answer


def test_k09_a_prefix_that_ends_inside_a_name_is_told(publish):
    warning = publish("{host}/{ns}*", EC + ["ec_paramgen_curve:P-256"]).expect(200).header("Warning")
    assert "covers every name that begins so" in warning, warning


def test_k09_a_prefix_that_ends_in_a_slash_is_fine(publish):
    assert publish("{host}/{ns}/*", EC + ["ec_paramgen_curve:P-256"]).expect(200).header("Warning") is None
