"""Moving in from a Notary v1 server: dumps of a real one (tests/e2e/fixtures/notary, the README there says how they were
made) are imported, and the client of that time goes on with its old cache, as if nothing had happened."""
import base64
import hashlib
import json
import re
import shutil
import tarfile
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key, load_pem_private_key

from support.notary_v1 import ALIAS, HOST, PHRASE, PHRASES, Client, MariaDB, NotaryV1, PostgreSQL, make_repositories
from support.process import environment, run
from support.server import ADMIN, Server, sanitizer_environment
from support.tuf import Key, document, meta_of
from support.wire import multipart
from test_clock import faketime
from test_root_ca import Issuer

FIXTURES = Path(__file__).parent / "fixtures" / "notary"
FORMS = [("mysql", "default"), ("mysql", "hex"), ("postgres", "copy"), ("postgres", "inserts")]
TAGS = {"held": {"v2": "targets"}, "own": {"v1": "targets"}, "rotated": {"v1": "targets", "v2": "targets"},
        "delegated": {"v1": "targets/releases", "v2": "targets/releases"}, "reborn": {"v9": "targets"}}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notary-v1")
    for kind in ("mysql", "postgres"):
        with tarfile.open(FIXTURES / f"{kind}.tar.xz") as tar:
            tar.extractall(folder / kind)
    return folder


class House:
    """A Bondstore that goes by the old registry's name."""

    def __init__(self, folder, unpacked, kind):
        self.folder, self.dumps = folder, unpacked / kind / "dumps"
        self.server = Server(folder).init()
        self.server.config.write_text(f'canonical_host: "{HOST}"\n' + self.server.config.read_text())
        (folder / "phrase").write_text(PHRASE + "\n")
        self.trust = folder / "trust"
        if (unpacked / kind / "trust").exists():
            shutil.copytree(unpacked / kind / "trust", self.trust)

    def move_in(self, form, *more, server_dump=None, signer_dump=None, phrase=None, owner=ADMIN, code=0):
        """The report; {gun's last part: its entry} under "by"."""
        args = [self.server.bondstore, "import", "notary", self.server.data, "--json",
                "--server-dump", server_dump or self.dumps / f"{form}-server.sql",
                "--signer-dump", signer_dump or self.dumps / f"{form}-signer.sql",
                "--passphrase-file", phrase or f"{ALIAS}={self.folder / 'phrase'}",
                *(["--owner", owner] if owner else []), *more]
        done = run(args, code=code, env=environment(**sanitizer_environment()))
        if not done.out.startswith("{"):
            return done
        report = json.loads(done.out)
        report["by"] = {g["gun"].rpartition("/")[2]: g for g in report["guns"] if g["gun"].startswith(HOST)}
        return report

    def client(self, folder=None):
        auth = self.server.admin.basic.removeprefix("Basic ")

        class Signed(Client):
            def __call__(self, *args, code=0, env=None):
                return super().__call__(*args, code=code, env={**(env or {}), "NOTARY_AUTH": auth})
        return Signed(folder or self.trust, self.server.url, self.server.ca)

    def get(self, repo, name):
        return self.server.client(self.server.admin)("GET", f"/v2/{HOST}/team/{repo}/_trust/tuf/{name}")

    def fsck(self):
        out = run([self.server.bondstore, "fsck", self.server.config], env=environment(**sanitizer_environment())).out
        return {name: int(count) for name, count in re.findall(r"^(\w+) (\d+)$", out, re.M)}

    def check_nothing_kept(self):
        counts = self.fsck()
        assert (counts["documents"], counts["repositories"], counts["namespaces"]) == (0, 0, 0), counts


@pytest.fixture
def house(tmp_path, unpacked):
    made = House(tmp_path, unpacked, "postgres")
    yield made
    made.server.end()


def check_clients_go_on(house):
    """The client of the old server, its cache and keys as they were."""
    client = house.client()
    for repo, tags in TAGS.items():
        cached = house.trust / "tuf" / HOST / "team" / repo / "metadata"
        for path in cached.rglob("*.json"):  # what this client saw last, which need not be the newest
            role, body = str(path.relative_to(cached))[:-len(".json")], path.read_bytes()
            assert house.get(repo, f"{role}.{hashlib.sha256(body).hexdigest()}.json").expect(200).body == body
        assert client.list(f"{HOST}/team/{repo}") == tags
        fresh = house.client(house.folder / f"fresh-{repo}")
        assert fresh.list(f"{HOST}/team/{repo}") == tags
    house.get("gone", "root.json").expect(404)
    (house.folder / "content").write_text("signed here\n")
    for repo in ("held", "own", "rotated", "reborn"):
        client("add", "-p", f"{HOST}/team/{repo}", "here", house.folder / "content")
    client("add", "-p", f"{HOST}/team/delegated", "here", house.folder / "content", "--roles", "targets/releases")
    for key in (("held", "timestamp", "-r"), ("held", "snapshot", "-r"), ("own", "snapshot", "-r"), ("rotated", "root"),
                ("reborn", "targets")):
        client("key", "rotate", f"{HOST}/team/{key[0]}", *key[1:])
    for repo, tags in TAGS.items():
        want = {**tags, "here": "targets/releases" if repo == "delegated" else "targets"}
        assert client.list(f"{HOST}/team/{repo}") == want
        assert house.client(house.folder / f"later-{repo}").list(f"{HOST}/team/{repo}") == want


@pytest.mark.parametrize("kind,form", FORMS)
def test_clients_of_the_old_server_notice_nothing(tmp_path, unpacked, kind, form):
    house = House(tmp_path, unpacked, kind)
    report = house.move_in(form)
    assert {n: g["outcome"] for n, g in report["by"].items()} == {**{n: "imported" for n in TAGS}, "gone": "deleted"}
    assert [g["outcome"] for g in report["guns"] if not g["gun"].startswith(HOST)] == ["elsewhere"]
    assert (report["imported"], report["refused"], report["elsewhere"]) == (5, 0, 1)
    assert all(not g["warnings"] for g in report["by"].values())
    again = house.move_in(form)
    assert (again["unchanged"], again["imported"], again["changes"]) == (5, 0, 0)
    assert house.fsck()["findings"] == 0 and house.fsck()["documents"] == 75
    house.server.start()
    try:
        for version in (1, 2, 3):  # every root for ever
            signed = json.loads(house.get("rotated", f"{version}.root.json").body)["signed"]
            assert signed["version"] == version
        check_clients_go_on(house)
    finally:
        house.server.end()


def test_a_timestamp_that_ran_out_on_the_way_is_renewed_with_the_key_of_the_old_signer(house):
    house.move_in("copy")
    house.server.start(**faketime(200)[0])
    cached = json.loads((house.trust / "tuf" / HOST / "team" / "held" / "metadata" / "timestamp.json").read_bytes())
    served = json.loads(house.get("held", "timestamp.json").body)
    assert served["signed"]["version"] > cached["signed"]["version"]
    assert [s["keyid"] for s in served["signatures"]] == [s["keyid"] for s in cached["signatures"]]
    assert house.client().list(f"{HOST}/team/held") == TAGS["held"]


def test_a_later_dump_brings_what_is_newer_and_an_earlier_one_takes_nothing_back(house):
    house.move_in("copy")
    later = house.move_in("later")
    assert {n: g["outcome"] for n, g in later["by"].items() if n != "gone"} == {n: "imported" if n == "held" else "unchanged" for n in TAGS}
    assert later["by"]["held"]["documents"] == 3 and later["changes"] == 1  # targets, snapshot, timestamp
    earlier = house.move_in("copy", code=1)
    assert earlier["by"]["held"]["outcome"] == "refused" and "published here since" in earlier["by"]["held"]["why"]
    assert earlier["unchanged"] == 4
    house.server.start()
    assert house.client().list(f"{HOST}/team/held") == {**TAGS["held"], "v3": "targets"}


def test_both_servers_renewed_the_timestamp_and_the_old_one_published(house):
    house.move_in("copy")
    house.server.start(**faketime(200)[0])
    renewed = json.loads(house.get("held", "timestamp.json").body)["signed"]["version"]
    house.server.stop()
    later = house.move_in("later")
    assert later["by"]["held"]["outcome"] == "imported"
    house.server.start(**faketime(201)[0])
    house.server._clients.clear()  # their tokens are of another day
    assert house.get("held", "timestamp.json").expect(200).json["signed"]["version"] > renewed
    assert house.client().list(f"{HOST}/team/held") == {**TAGS["held"], "v3": "targets"}


def test_what_was_published_or_wiped_here_is_not_touched(house):
    house.move_in("copy")
    house.server.start()
    (house.folder / "content").write_text("signed here\n")
    house.client()("add", "-p", f"{HOST}/team/own", "here", house.folder / "content")
    house.server.bond("trust", "wipe", "team/reborn", "--confirm", "team/reborn")
    before = house.get("own", "timestamp.json").body
    house.server.stop()
    report = house.move_in("later", code=1)
    assert "published here since" in report["by"]["own"]["why"]
    assert "was wiped here" in report["by"]["reborn"]["why"]
    house.server.start()
    assert house.get("own", "timestamp.json").body == before
    house.get("reborn", "root.json").expect(404)


def test_a_dry_run_keeps_nothing(house):
    report = house.move_in("copy", "--dry-run")
    assert report["imported"] == 5 and report["dry_run"]
    house.check_nothing_kept()


def test_a_wrong_pass_phrase_takes_nothing_and_says_why(house):
    (house.folder / "phrase").write_text("another\n")
    report = house.move_in("copy", code=1)
    assert report["refused"] == 5
    assert "the pass phrase does not open it" in report["by"]["held"]["why"]
    house.check_nothing_kept()
    report = house.move_in("copy", phrase=f"else={house.folder / 'phrase'}", code=1)
    assert f"no pass phrase was given for the alias {ALIAS}" in report["by"]["held"]["why"]


def test_namespaces_are_made_only_for_an_owner(house):
    report = house.move_in("copy", owner=None, code=1)
    assert report["refused"] == 5 and "--owner" in report["by"]["held"]["why"]
    assert "there is no user" in house.move_in("copy", owner="nobody@example.org", code=1).err
    house.check_nothing_kept()


def edited(house, change):
    text = (house.dumps / "copy-server.sql").read_text()
    changed = change(text)
    assert changed != text
    path = house.folder / "edited.sql"
    path.write_text(changed)
    return path


def rows_of(text):
    """(repository, role, version): the fields of its COPY row."""
    rows = {}
    for line in text.split("\n"):
        fields = line.split("\t")
        if len(fields) == 9 and fields[4].startswith(f"{HOST}/team/"):
            rows[fields[4].rpartition("/")[2], fields[5], int(fields[6])] = fields
    return rows


def content(fields):
    return bytes.fromhex(fields[7].removeprefix("\\\\x"))


def newest(text, repo, role):
    return max(v for r, o, v in rows_of(text) if (r, o) == (repo, role))


def alter(text, repo, role, back, old, new, hash_too):
    """Another content for a document, `back` versions before the newest; with or without the hash beside it."""
    fields = rows_of(text)[repo, role, newest(text, repo, role) - back]
    row, data = "\t".join(fields), content(fields)
    assert old in data
    data = data.replace(old, new, 1)
    fields[7] = "\\\\x" + data.hex()
    if hash_too:
        fields[8] = hashlib.sha256(data).hexdigest()
    return text.replace(row, "\t".join(fields))


def without(text, repo, role, *versions):
    for version in versions or [newest(text, repo, role)]:
        text = text.replace("\t".join(rows_of(text)[repo, role, version]) + "\n", "")
    return text


def graft(text, role, source, target):
    """The newest document of another repository in the place of one's own."""
    rows = rows_of(text)
    fields = rows[target, role, newest(text, target, role)]
    row, other = "\t".join(fields), rows[source, role, newest(text, source, role)]
    assert fields[6] == other[6]
    return text.replace(row, "\t".join(fields[:7] + other[7:]))


BAD = [
    ("held", "the dump is damaged", lambda t: alter(t, "held", "targets", 0, b'"v2"', b'"vX"', False)),
    ("held", "the dump is damaged", lambda t: alter(t, "held", "targets", 1, b'"v2"', b'"vX"', False)),
    ("held", "does not verify", lambda t: alter(t, "held", "targets", 0, b'"v2"', b'"vX"', True)),
    ("held", "does not verify", lambda t: alter(t, "held", "snapshot", 0, b'"sig":"', b'"sig":"AAAA', True)),
    ("rotated", "does not verify", lambda t: alter(t, "rotated", "root", 2, b'"expires":"203', b'"expires":"213', True)),
    ("rotated", "does not verify", lambda t: without(t, "rotated", "root", 2)),
    ("rotated", "does not verify", lambda t: without(t, "rotated", "root", 1, 2)),
    ("rotated", "does not verify", lambda t: without(t, "rotated", "root")),
    ("own", "no root", lambda t: without(t, "own", "root", 1)),
    ("own", "does not verify", lambda t: without(t, "own", "targets")),
    ("own", "does not verify", lambda t: without(t, "own", "timestamp")),
    ("own", "says that it is version", lambda t: t.replace(f"{HOST}/team/own\ttargets\t2\t", f"{HOST}/team/own\ttargets\t7\t")),
    ("own", "there is no such role", lambda t: t.replace(f"{HOST}/team/own\ttargets\t2\t", f"{HOST}/team/own\ttargets/../x\t2\t")),
    ("own", "its timestamp key", lambda t: graft(t, "root", "reborn", "own")),
    ("own", "does not verify", lambda t: graft(t, "targets", "reborn", "own")),
]


@pytest.mark.parametrize("repo,why,change", BAD, ids=[f"{i}-{b[0]}" for i, b in enumerate(BAD)])
def test_a_repository_that_does_not_verify_is_refused_alone(house, repo, why, change):
    report = house.move_in("copy", server_dump=edited(house, change), code=1)
    assert report["by"][repo]["outcome"] == "refused" and why in report["by"][repo]["why"], report["by"][repo]
    assert report["by"]["delegated"]["outcome"] == "imported" and report["imported"] + report["refused"] == 5
    house.server.start()
    house.get(repo, "root.json").expect(404)
    house.get("delegated", "root.json").expect(200)


def test_a_repository_under_the_name_of_another_is_refused(house):
    """Root certificates name the repository that they were made for."""
    paths = {}
    for part in ("server", "signer"):
        paths[f"{part}_dump"] = house.folder / f"{part}.sql"
        text = (house.dumps / f"copy-{part}.sql").read_text()
        paths[f"{part}_dump"].write_text(text.replace(f"{HOST}/team/own\t", f"{HOST}/team/stolen\t"))
    report = house.move_in("copy", code=1, **paths)
    assert report["refused"] == 1 and "certificates for this repository" in report["by"]["stolen"]["why"], report


def test_an_alias_does_not_make_certificates_of_another_name_good(house):
    text = house.server.config.read_text().replace(HOST, "new.example", 1)
    house.server.config.write_text(f'aliases: ["{HOST}"]\n' + text)
    report = house.move_in("copy", code=1)
    assert report["refused"] == 5 and "certificates for this repository" in report["by"]["held"]["why"]


def test_an_old_document_that_was_never_signed_is_kept_as_a_document_and_not_as_history(house):
    report = house.move_in("copy", server_dump=edited(house, lambda t: alter(t, "held", "targets", 1, b'"v1"', b'"vX"', True)))
    assert report["refused"] == 0 and "not signed by the keys of their time" in report["by"]["held"]["warnings"][0]


def test_every_document_is_served_byte_for_byte(house):
    """Of what the format lets a client ask by version: all roots; the newest of the others; everything by its hash."""
    rows = rows_of((house.dumps / "copy-server.sql").read_text())
    house.move_in("copy")
    house.server.start()
    asked = 0
    for (repo, role, version), fields in rows.items():
        body = content(fields)
        assert house.get(repo, f"{role}.{hashlib.sha256(body).hexdigest()}.json").expect(200).body == body
        if role == "root":
            assert house.get(repo, f"{version}.root.json").expect(200).body == body
        asked += 1
    assert asked == 75


def root_key(house, repo):
    """sha256:HEX of the public half of the key of the repository's newest root."""
    text = (house.dumps / "copy-server.sql").read_text()
    signed = json.loads(content(rows_of(text)[repo, "root", newest(text, repo, "root")]))["signed"]
    name, = signed["roles"]["root"]["keyids"]
    pem = base64.b64decode(signed["keys"][name]["keyval"]["public"])
    public = x509.load_pem_x509_certificate(pem).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{hashlib.sha256(public).hexdigest()}"


@pytest.mark.parametrize("outcome", ["refused", "imported"])
def test_a_root_key_that_was_revoked_brings_nothing_and_another_one_is_no_hindrance(house, outcome):
    lost = root_key(house, "held")
    assert {root_key(house, name) for name in TAGS} == {lost}, "one person's key began them all"
    house.server.start()
    house.server.bond("trust", "keys", "revoke", lost if outcome == "refused" else "sha256:" + "ab" * 32, "--reason", "lost")
    house.server.stop()
    report = house.move_in("copy", code=outcome == "refused")
    assert {report["by"][name]["outcome"] for name in TAGS} == {outcome} and report[outcome] == 5
    assert outcome == "imported" or all("revoked" in report["by"][name]["why"] for name in TAGS), report
    house.server.start()
    house.get("held", "root.json").expect(404 if outcome == "refused" else 200)


@pytest.mark.parametrize("member", ["allow_roots", "allow_root_ca"])
def test_a_root_key_that_is_not_allowed_brings_nothing(house, member, tmp_path):
    listed = "sha256:" + "ab" * 32 if member == "allow_roots" else Issuer(tmp_path, "ca", "/CN=Team CA").cert.read_text()
    house.server.start()
    house.server.bond("namespaces", "create", "team")
    house.server.bond("policy", "set", "team", "--file", "-", stdin=json.dumps({member: [listed]}))
    house.server.stop()
    report = house.move_in("copy", code=1)
    assert report["refused"] == 5 and all(member in g["why"] for n, g in report["by"].items() if n in TAGS)


def client_key(house, name):
    """A key of the client of that time, by its id."""
    pem = (house.trust / "private" / f"{name}.key").read_text()
    pem = re.sub(r"^\w+: .*\n", "", pem, flags=re.M)
    phrase = PHRASES["NOTARY_ROOT_PASSPHRASE" if "role: root" in (house.trust / "private" / f"{name}.key").read_text() else "NOTARY_TARGETS_PASSPHRASE"]
    return load_pem_private_key(pem.encode(), phrase.encode())


def signer_key(house, name):
    """A key of the signer of that time: its JWE in the dump (RFC 7516; PBES2-HS256+A128KW, A256GCM)."""
    row, = [line.split("\t") for line in (house.dumps / "copy-signer.sql").read_text().split("\n") if f"\t{name}\t" in line]
    parts = bytes.fromhex(row[10].removeprefix("\\\\x")).decode().split(".")
    head, wrapped, iv, sealed, mark = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts)
    told = json.loads(head)
    salt = told["alg"].encode() + b"\0" + base64.urlsafe_b64decode(told["p2s"] + "=" * (-len(told["p2s"]) % 4))
    outer = PBKDF2HMAC(SHA256(), 16, salt, told["p2c"]).derive(PHRASE.encode())
    der = AESGCM(keywrap.aes_key_unwrap(outer, wrapped)).decrypt(iv, sealed + mark, parts[0].encode())
    return load_der_private_key(der, None)


def drive_up(house, text, version):
    """The dump of a server that somebody brought to publish the targets of `held` as this version."""
    def replace(role, key_of, **changed):
        nonlocal text
        fields = rows_of(text)["held", role, newest(text, "held", role)]
        row, part = "\t".join(fields), {**json.loads(content(fields))["signed"], **changed}
        made = document(part, Key.bare(key_of(house, json.loads(content(fields))["signatures"][0]["keyid"])))
        fields[6:9] = [str(part["version"]), "\\\\x" + made.hex(), hashlib.sha256(made).hexdigest()]
        text = text.replace(row, "\t".join(fields))
        return made
    targets = replace("targets", client_key, version=version)
    listed = json.loads(content(rows_of(text)["held", "snapshot", newest(text, "held", "snapshot")]))["signed"]["meta"]
    snapshot = replace("snapshot", signer_key, meta={**listed, "targets": meta_of(targets)})
    replace("timestamp", signer_key, meta={"snapshot": meta_of(snapshot)})
    return text


def test_f03_a_role_that_moved_in_as_version_2147483647_is_reset_once_its_keys_changed(house):
    highest = 2**31 - 1
    report = house.move_in("copy", server_dump=edited(house, lambda text: drive_up(house, text, highest)))
    assert report["by"]["held"]["outcome"] == "imported", report
    house.server.start()
    admin = house.server.client(house.server.admin)
    old = house.get("held", "targets.json").expect(200).json["signed"]
    root = house.get("held", "root.json").expect(200).json["signed"]
    assert old["version"] == highest
    former, new = Key.bare(client_key(house, *root["roles"]["targets"]["keyids"])), Key.bare()
    name, = root["roles"]["root"]["keyids"]
    lost, = (path.stem for path in (house.trust / "private").glob("*.key") if "role: root" in path.read_text())
    owner = Key("ecdsa-x509", root["keys"][name]["keyval"]["public"], client_key(house, lost))
    assert owner.id == name
    keys = {i: k for i, k in root["keys"].items() if i != former.id}
    next_root = document({**root, "version": root["version"] + 1, "keys": {**keys, new.id: new.object},
                          "roles": {**root["roles"], "targets": {"keyids": [new.id], "threshold": 1}}}, owner)
    targets = {key: document({**old, "version": 1}, key) for key in (former, new)}

    def publish(*parts):
        body, kind = multipart(parts)
        return admin("POST", f"/v2/{HOST}/team/held/_trust/tuf/", {"Content-Type": kind}, body)
    publish(("root", next_root), ("targets", targets[new])).expect(400, "VERSION")
    house.server.bond("trust", "role", "reset", "team/held", "targets", "--reason", "driven up")
    publish(("targets", targets[former])).expect(400, "VERSION")  # the same keys: whoever drove it up may have them
    publish(("root", next_root), ("targets", targets[new])).expect(200)
    assert house.get("held", "targets.json").expect(200).json["signed"]["version"] == 1
    publish(("targets", document({**old, "version": 1, "targets": {}}, new))).expect(400, "VERSION")  # once
    assert house.client(house.folder / "fresh").list(f"{HOST}/team/held") == TAGS["held"]


def test_a_dump_that_is_cut_off_or_no_text_takes_nothing(house):
    path = edited(house, lambda t: t[:len(t) // 2])
    done = house.move_in("copy", server_dump=path, code=1)
    assert re.search(r"line \d+ of the dump", done.err) and "cut off" in done.err, done.err
    path = edited(house, lambda t: t[:t.rindex("\\.") - 1])  # a row that is whole, and no end of COPY
    assert "cut off" in house.move_in("copy", server_dump=path, code=1).err
    path.write_bytes(b"PGDMP\x01\x0e")
    assert "--format=plain" in house.move_in("copy", server_dump=path, code=1).err
    assert "no rows of tuf_files" in house.move_in("copy", server_dump=house.dumps / "copy-signer.sql", code=1).err
    house.check_nothing_kept()


def test_a_running_server_keeps_the_folder(house):
    house.server.start()
    done = house.move_in("copy", code=1)
    assert "another server is using the folder" in done.err, done.err


@pytest.mark.skipif(not shutil.which("mariadbd") or not Path("/usr/lib/postgresql/15/bin/initdb").exists(),
                    reason="mariadb-server or postgresql is not installed: the dumps of tests/e2e/fixtures stand for them")
@pytest.mark.parametrize("database,key_algorithm,method", [(MariaDB, "ed25519", "eddsa"), (PostgreSQL, "ecdsa", "ecdsa")])
def test_a_server_of_today_moves_in(tmp_path, unpacked, database, key_algorithm, method):
    """The whole story: real servers, dumps, import, the same client; the old server's keys go on signing."""
    folder = tmp_path / "old"
    for parent in (tmp_path.parent.parent, tmp_path.parent, tmp_path):
        parent.chmod(0o755)  # the database runs as another user
    house = House(tmp_path, unpacked, "none")
    old = NotaryV1(folder, database, key_algorithm)
    try:
        make_repositories(Client(house.trust, old.url, old.ca), folder)
        old.dump(folder, "now", *(["--single-transaction"] if database is MariaDB else []))
    finally:
        old.close()
    report = house.move_in("now", server_dump=folder / "now-server.sql", signer_dump=folder / "now-signer.sql")
    assert report["imported"] == 5 and report["refused"] == 0
    house.server.start()
    try:
        assert house.get("held", "timestamp.key").expect(200).json["keytype"] == key_algorithm
        before = json.loads(house.get("held", "timestamp.json").body)
        (house.folder / "content").write_text("signed here\n")
        house.client()("add", "-p", f"{HOST}/team/held", "first", house.folder / "content")
        after = json.loads(house.get("held", "timestamp.json").body)
        assert after["signed"]["version"] > before["signed"]["version"]
        assert [(s["keyid"], s["method"]) for s in after["signatures"]] == [(before["signatures"][0]["keyid"], method)]
        house.client()("remove", "-p", f"{HOST}/team/held", "first")
        check_clients_go_on(house)
    finally:
        house.server.end()
