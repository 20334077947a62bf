"""One canonical host and its aliases (gate.md 11.4): one repository, several names; signatures are bound to the first."""
import json
import re
import shutil

import pytest

from support.images import image
from support.notary import Notary
from support.process import environment, run
from support.server import Server
from support.wire import multipart, query


def set_names(server, canonical, *aliases):
    text = re.sub(r"^(canonical_host|aliases):.*\n", "", server.config.read_text(), flags=re.M)
    server.config.write_text(f"canonical_host: {canonical}\naliases: {json.dumps(aliases)}\n{text}")


class Other:
    """The same server under its second name, as a client is configured for it."""

    def __init__(self, server):
        self.server, self.host, self.ca = server, f"127.0.0.1:{server.port}", server.ca
        self.url = f"https://{self.host}"

    def gun(self, repo):
        return f"{self.host}/{repo}"


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """A server with an alias, one signed image, its owner, the owner's notary."""
    server = Server(tmp_path_factory.mktemp("alias")).init()
    set_names(server, server.host, f"127.0.0.1:{server.port}")
    server.start()
    server.make_namespace("ns")
    owner = server.make_member("ns", "owner@ns.example", "owner")
    keeper = Notary(server, owner, tmp_path_factory.mktemp("alias-keeper"))
    made = image("named")
    server.client(owner).push("ns/app", made, "v1")
    keeper.init("ns/app")
    keeper.sign("ns/app", "v1", made)
    yield server, owner, keeper, made
    server.end()


def test_reading_under_an_alias_gives_the_same_bytes(named):
    server, owner, _, _ = named
    client = server.client(owner)
    names = ["root.json", "1.root.json", "timestamp.json", "snapshot.json", "targets.json", "timestamp.key", "snapshot.key"]
    for name in names:
        here, there = (client("GET", f"/v2/{host}/ns/app/_trust/tuf/{name}").expect(200) for host in (server.host, Other(server).host))
        assert here.body == there.body, name
    here, there = (client("GET", f"/v2/{host}/ns/app/_trust/changefeed?records=9").expect(200) for host in (server.host, Other(server).host))
    assert here.body == there.body and all(r["GUN"] == server.gun("ns/app") for r in there.json["records"])


def test_a_token_asked_for_under_an_alias_is_good_under_both_names_and_for_no_other_host(named):
    server, owner, _, _ = named
    paths = [f"/v2/{host}/ns/app/_trust/tuf/root.json" for host in (server.host, Other(server).host)]
    for asked in (server.host, Other(server).host):
        bearer = {"Authorization": f"Bearer {server.token(owner, f'repository:{asked}/ns/app:pull')}"}
        for path in paths:
            server.wire.request("GET", path, bearer).expect(200)
        server.wire.request("GET", "/v2/ns/app/manifests/v1", bearer).expect(401)  # rights on trust data are no rights on images
    bearer = {"Authorization": f"Bearer {server.token(owner, 'repository:elsewhere.example/ns/app:pull')}"}
    for path in paths:
        server.wire.request("GET", path, bearer).expect(401)
    challenge = server.wire.request("GET", paths[1]).expect(401).challenge()
    assert challenge["scope"] == f"repository:{Other(server).host}/ns/app:pull"


def test_publishing_under_an_alias_is_refused_with_the_canonical_name(named):
    """attacks P-26"""
    server, owner, _, _ = named
    before = server.client(owner)("GET", f"/v2/{server.host}/ns/app/_trust/tuf/timestamp.json").body
    body, content_type = multipart([])
    path = f"/v2/{Other(server).host}/ns/app/_trust/tuf/"
    server.wire.request("POST", path, {"Content-Type": content_type}, body).expect(401)  # a stranger is asked who he is first
    detail = server.client(owner)("POST", path, {"Content-Type": content_type}, body).expect(400, "INVALID_UPDATE").error["detail"]
    assert detail["Name"] == "ErrValidation" and server.gun("ns/app") in detail["Error"]["Msg"]
    assert server.client(owner)("GET", f"/v2/{server.host}/ns/app/_trust/tuf/timestamp.json").body == before


def test_the_stock_client_prints_the_canonical_name(named, tmp_path):
    server, owner, _, _ = named
    other = Notary(Other(server), owner, tmp_path / "other")
    shown = other("init", "-p", Other(server).gun("ns/new"), code="fail")
    assert "An error occurred during validation:" in shown.text and server.gun("ns/new") in shown.text


def begin_wild(server, owner, tmp_path, repo):
    """The notary of who began the repository with a certificate for every name."""
    key, cert = tmp_path / "root.key", tmp_path / "root.crt"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256", "-days", "3650",
         "-subj", "/CN=*", "-addext", "basicConstraints=critical,CA:false", "-keyout", tmp_path / "plain.key", "-out", cert])
    run(["openssl", "ec", "-in", tmp_path / "plain.key", "-aes256", "-passout", "pass:phrase-of-root", "-out", key])
    text = key.read_text().replace("-----BEGIN EC PRIVATE KEY-----\n", "-----BEGIN EC PRIVATE KEY-----\nrole: root\n")
    key.write_text(text)
    holder = Notary(server, owner, tmp_path / "wild")
    shutil.rmtree(holder.folder, ignore_errors=True)
    holder("init", "-p", server.gun(repo), "--rootkey", key, "--rootcert", cert)
    return holder


def test_a_wildcard_certificate_is_good_under_every_name(named, tmp_path):
    server, owner, _, made = named
    begin_wild(server, owner, tmp_path, "ns/wild").sign("ns/wild", "v1", made)
    for seen in (server, Other(server)):
        assert set(Notary(seen, owner, tmp_path / f"reader-{seen.host[:3]}").list("ns/wild")) == {"v1"}


def test_a_wipe_prints_what_the_clients_of_every_name_forget_and_nothing_of_other_repositories(named, tmp_path):
    """gate 11.3, 11.4"""
    server, owner, _, made = named
    home, readers = tmp_path / "home", []
    for seen in (server, Other(server)):
        readers += [Notary(seen, owner, home / folder) for folder in (".docker/trust", ".notary")]
    for repo in ("ns/team", "ns/team/worker"):
        begin_wild(server, owner, tmp_path, repo).sign(repo, "v1", made)
        for reader in readers:
            (reader.folder / "private").mkdir(parents=True, exist_ok=True)
            assert set(reader.list(repo)) == {"v1"}
    below = {path: path.read_bytes() for path in home.rglob("worker/metadata/*.json")}
    assert len(below) == 4 * len(readers)
    told = server.bond("trust", "wipe", "ns/team", "--confirm", "ns/team").text
    begin_wild(server, owner, tmp_path, "ns/team").sign("ns/team", "v2", made)
    for reader in readers:
        reader.list("ns/team", code="fail")  # it holds the old root against the new one
    for command in (line.strip() for line in told.splitlines() if line.startswith("  rm -rf ")):
        run(["sh", "-c", command], env=environment(HOME=str(home)))
    assert below == {path: path.read_bytes() for path in home.rglob("worker/metadata/*.json")}
    for reader in readers:
        assert set(reader.list("ns/team")) == {"v2"}


def test_the_verify_api_takes_an_alias_and_names_the_host_for_a_foreign_one(named):
    server, owner, _, made = named
    session = {"Authorization": f"Bearer {server.session(owner)}"}

    def verify(name):
        return server.wire.request("GET", "/api/v1/deploy/verify?" + query(image=name), session)
    for host in (server.host, Other(server).host):
        answer = verify(f"{host}/ns/app:v1").expect(200).json
        assert answer["allowed"] is True and answer["image"] == f"{server.host}/ns/app:v1"
    for foreign in ("elsewhere.example/ns/app:v1", "elsewhere.example:5000/ns/app:v1", f"localhost:{server.port + 1}/ns/app", "localhost/ns/app:v1"):
        assert server.host in verify(foreign).expect(404, "NAME_UNKNOWN").message, foreign
    assert server.host not in verify("ns/nothing:v1").expect(404, "NAME_UNKNOWN").message
    batch = server.wire.request("POST", "/api/v1/deploy/verify", {**session, "Content-Type": "application/json"},
                                json.dumps({"images": ["elsewhere.example/ns/app:v1", f"{Other(server).host}/ns/app@{made.digest}"]}).encode())
    refused, allowed = batch.expect(200).json["results"]
    assert refused["allowed"] is False and server.host in refused["message"] and allowed["allowed"] is True


def test_rename_prints_the_commands_and_they_move_the_signatures(own_server, tmp_path):
    """bond trust rename: every printed command is run as it is printed; then the new name lists what the old one listed."""
    server, new = own_server, Other(own_server)
    server.make_namespace("ns")
    owner = server.make_member("ns", "owner@ns.example", "owner")
    folder = tmp_path / "home" / ".docker" / "trust"
    folder.mkdir(parents=True)
    keeper = Notary(server, owner, folder)
    made, released = image("moved"), image("released")
    keeper.init("ns/app")
    keeper.sign("ns/app", "v1", made)
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256", "-days", "400",
         "-subj", "/CN=releases", "-keyout", tmp_path / "releases.key", "-out", tmp_path / "releases.crt"])
    keeper("delegation", "add", "-p", server.gun("ns/app"), "targets/releases", tmp_path / "releases.crt", "--all-paths")
    keeper("key", "import", tmp_path / "releases.key", "--role", "user")
    keeper.sign("ns/app", "v2", released, role="targets/releases")

    for wrong in ((new.host, server.host), (server.host, server.host), (server.host, "NEW.example"), (server.host, "a b")):
        server.bond("trust", "rename", *wrong, code="fail")
    shown = server.bond("trust", "rename", server.host, new.host).out
    assert f"canonical_host: {new.host}" in shown and f'aliases: ["{server.host}"]' in shown
    (plan,) = json.loads(server.bond("trust", "rename", server.host, new.host, "--json").out)["repositories"]
    assert (plan["gun"], plan["new_gun"]) == (server.gun("ns/app"), new.gun("ns/app"))
    commands = [c for step in plan["steps"] for c in step["commands"]]
    assert all(c in shown.splitlines() for c in commands)

    bin_folder = tmp_path / "bin"  # what a key holder has: the CA beside him, his account, his pass phrases
    bin_folder.mkdir()
    (bin_folder / "bond").write_text(f'#!/bin/sh\nexec {server.bond_program} "$@" --socket {server.socket_path}\n')
    (bin_folder / "bond").chmod(0o755)
    (tmp_path / "ca.crt").write_bytes(server.ca.read_bytes())
    keeper_env = keeper.environment()
    env = {**keeper_env, **{k: str(v) for k, v in server.bond_environment().items()}, "HOME": str(tmp_path / "home"), "PATH": f"{bin_folder}:{keeper_env['PATH']}"}

    def sh(command):
        run(["bash", "-ec", command], cwd=tmp_path, env=env)
    sh(commands[0])
    set_names(server, new.host, server.host)
    server.restart()
    for command in commands[1:]:
        sh(command)
    assert Notary(new, owner, tmp_path / "reader").list("ns/app") == {
        "v1": (made.hex, made.size, "targets"), "v2": (released.hex, released.size, "targets/releases")}
    client = server.client(owner)
    client.forget()
    for role in ("root", "targets", "timestamp"):
        here, there = (client("GET", f"/v2/{host}/ns/app/_trust/tuf/{role}.json").expect(200).body for host in (new.host, server.host))
        assert here == there
