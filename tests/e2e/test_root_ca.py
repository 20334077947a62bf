"""Root keys under a CA that a policy names (allow_root_ca; gate.md 8, 11.1), with the real notary client and certificates by openssl:
who may begin a repository, who may go on with it, and what the people who are refused are told."""
import json
import zlib

import pytest

from support.process import run
from test_roots import Place

LEAF = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
CA = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"


class Issuer:
    """A CA, or what it issued: a key and a certificate in files. `chain` is what a root key carries: itself, and what is between."""

    def __init__(self, folder, name, subject, by=None, extensions=CA):
        self.key, self.cert, self.chain = (folder / f"{name}.{end}" for end in ("key", "crt", "pem"))
        request, text = folder / f"{name}.csr", folder / f"{name}.ext"
        text.write_text(extensions)
        run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256", "-subj", subject,
             "-keyout", self.key, "-out", request])
        signer = ["-CA", by.cert, "-CAkey", by.key, "-CAcreateserial"] if by else ["-signkey", self.key]
        run(["openssl", "x509", "-req", "-in", request, *signer, "-sha256", "-days", "365", "-extfile", text, "-out", self.cert])
        self.chain.write_text(self.cert.read_text() + (by.chain.read_text() if by and by.between else ""))
        self.between = by is not None

    def root_key(self):
        """As notary reads a root key: under its pass phrase, with its role."""
        out = self.key.with_suffix(".root")
        run(["openssl", "ec", "-in", self.key, "-aes256", "-passout", "pass:phrase-of-root", "-out", out])
        out.write_text(out.read_text().replace("-----BEGIN EC PRIVATE KEY-----\n", "-----BEGIN EC PRIVATE KEY-----\nrole: root\n"))
        return out


@pytest.fixture
def place(registry, request, tmp_path):
    return Place(registry, f"ca-{zlib.crc32(request.node.name.encode()):08x}", tmp_path)


@pytest.fixture
def ca(tmp_path):
    return Issuer(tmp_path, "ca", "/O=Team/CN=Team CA")


def leaf(place, by, name, repo="*", extensions=LEAF):
    gun = place.registry.gun(place.repo(repo)).replace("/", "\\/")  # to openssl a slash begins the next part of a name
    return Issuer(place.folder, name, f"/CN={gun}", by, extensions)


def init(place, account, issued, repo, code=0):
    client = place.notary(account, f"{issued.cert.stem}-{repo}")
    done = client("init", "-p", place.registry.gun(place.repo(repo)), "--rootkey", issued.root_key(), "--rootcert", issued.chain, code=code)
    return client, done.text


def test_certificates_of_the_ca_begin_repositories_and_no_others_do(place, registry, ca, tmp_path):
    registry.bond("policy", "set", place.ns, "--allow-root-ca", ca.cert)
    shown = json.loads(registry.bond("policy", "get", place.ns).out)["policy"]
    assert shown["allow_root_ca"] == [ca.cert.read_text()] and shown["level"] == "deploy"
    told = place.notary(place.owner, "own")("init", "-p", registry.gun(place.repo("app")), code="fail").text
    assert "The root metadata is invalid" in told and "CN=Team CA" in told and "notary init --rootcert" in told, told
    place.root(place.repo("app")).expect(404, "METADATA_NOT_FOUND")
    init(place, place.maintainer, leaf(place, ca, "good"), "app")
    place.root(place.repo("app")).expect(200)
    twin = Issuer(tmp_path, "twin", "/O=Team/CN=Team CA")  # anybody can make one of that name
    told = init(place, place.owner, leaf(place, twin, "stranger"), "api", code="fail")[1]
    assert "allow_root_ca" in told, told
    told = init(place, place.owner, leaf(place, ca, "elsewhere", "other"), "api", code="fail")[1]
    place.root(place.repo("api")).expect(404, "METADATA_NOT_FOUND")
    assert place.accepted() == []  # the CA is the list


def test_a_ca_in_between_is_named_itself_for_the_stock_client(place, registry, ca, tmp_path):
    middle = Issuer(tmp_path, "middle", "/CN=Middle CA", ca)
    both = tmp_path / "both.pem"
    registry.bond("policy", "set", place.ns, "--allow-root-ca", ca.cert)
    below = leaf(place, middle, "below")
    told = init(place, place.maintainer, below, "app", code="fail")[1]
    assert "unable to get local issuer certificate" in told, told  # it sends the first certificate of its file, and no other
    both.write_text("what openssl prints is left out\n" + middle.cert.read_text() + ca.cert.read_text() + middle.key.read_text())
    registry.bond("policy", "set", place.ns, "--allow-root-ca", both)
    shown = json.loads(registry.bond("policy", "get", place.ns).out)["policy"]["allow_root_ca"]
    assert shown == [middle.cert.read_text(), ca.cert.read_text()]  # and the key stayed where it was
    place.notary(place.maintainer, "below-app")("publish", registry.gun(place.repo("app")))
    place.root(place.repo("app")).expect(200)


def test_what_is_signed_goes_on_and_the_next_root_is_under_the_ca(place, registry, ca):
    """A policy that names a CA afterwards: plan says whom it concerns, nothing that is given out changes, rotations are held to it."""
    mine = place.notary(place.owner, "own")
    repo = place.signed(mine, "app")
    key, = place.root_keys(repo)
    plan = registry.bond("policy", "plan", place.ns, "--allow-root-ca", ca.cert, "--json", code=6)
    told = json.loads(plan.out)
    assert told["refused"] == [] and [r["repository"] for r in told["roots"]] == [repo] and told["roots"][0]["root_keys"] == [key]
    assert repo in registry.bond("policy", "plan", place.ns, "--allow-root-ca", ca.cert, code=6).err
    registry.bond("policy", "set", place.ns, "--allow-root-ca", ca.cert)
    registry.bond("policy", "plan", place.ns, "--allow-root-ca", ca.cert)
    place.deployer.get(repo, "v1").expect(200)
    mine.sign(repo, "v2", place.images["app"])
    gun = registry.gun(repo)
    told = mine("key", "rotate", gun, "root", code="fail", stdin="yes\n").text
    assert "allow_root_ca" in told, told
    registry.bond("policy", "set", place.ns, "--allow-root-ca", "none")
    assert json.loads(registry.bond("policy", "get", place.ns).out)["policy"]["allow_root_ca"] == []
    mine("publish", gun)


def test_a_client_with_the_same_pin_agrees(place, registry, ca):
    """The stock client's own CA pin takes what the server took, and refuses what another CA began."""
    registry.bond("policy", "set", place.ns, "--allow-root-ca", ca.cert)
    client, _ = init(place, place.owner, leaf(place, ca, "good"), "app")
    reader = place.notary(place.owner, "reader")
    reader.folder.mkdir()
    (reader.folder / "config.json").write_text(json.dumps({"trust_pinning": {"disable_tofu": True, "ca": {registry.gun(place.ns): str(ca.cert)}}}))
    reader("list", registry.gun(place.repo("app")))


@pytest.mark.parametrize("what", ["leaf", "key", "nothing", "cut"])
def test_what_is_no_ca_is_no_policy(place, registry, ca, what):
    files = {"leaf": leaf(place, ca, "good").cert, "key": ca.key, "nothing": place.folder / "none.pem", "cut": place.folder / "cut.pem"}
    files["cut"].write_text(ca.cert.read_text() + ca.cert.read_text()[:200])
    told = registry.bond("policy", "set", place.ns, "--allow-root-ca", files[what], code="fail").text
    assert {"leaf": "allow_root_ca", "key": "holds no certificate", "nothing": "cannot read", "cut": "ends within a certificate"}[what] in told, told
    registry.bond("policy", "set", place.ns, "--allow-root-ca", ca.cert, "--file", "-", stdin="{}", code=2)
