"""`bond` in the administrator's hands: over the control socket and over HTTPS; output and exit statuses (cli C)."""
import json
import os
import re
import socket
import socketserver
import stat
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from support.images import image
from support.process import environment, run
from support.server import ADMIN, PASSWORD, Account, build_folder

SECRET = re.compile(r"bst_(rob|dep|ses|pat)_[0-9A-Za-z]{36}")


def test_the_control_socket_is_private(registry):
    assert stat.S_IMODE(registry.socket_path.stat().st_mode) == 0o600


class FirstPageOnly(BaseHTTPRequestHandler):
    """A server of before a list had pages: whatever is asked for, it is the same."""
    asked = 0

    def do_GET(self):
        FirstPageOnly.asked += 1
        body = json.dumps({"repositories": [{"repository": "ns/app", "state": "ok"}]}).encode() if self.asked < 9 else b""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def test_a_server_that_answers_the_same_page_again_has_no_more(registry, tmp_path):
    path = tmp_path / "old.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), FirstPageOnly) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        told = run([registry.bond_program, "--socket", path, "trust", "status", "ns", "--json"], env=environment(**registry.bond_environment()))
        server.shutdown()
    assert [r["repository"] for r in json.loads(told.out)["repositories"]] == ["ns/app"] and FirstPageOnly.asked == 2


def test_another_user_of_the_machine_gets_nowhere_through_the_socket(registry):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setuid(65534)
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(5)
                s.connect(str(registry.socket_path))
        except OSError:
            status = 0
        os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


def test_namespaces_are_created_and_listed_also_as_environments(registry):
    registry.bond("namespaces", "create", "hall", "--visibility", "internal")
    listed = json.loads(registry.bond("namespaces", "list", "--json").out)
    rows = {n["name"]: n for n in (listed["namespaces"] if isinstance(listed, dict) else listed)}
    assert rows["hall"]["visibility"] == "internal"
    assert registry.bond("environments", "list", "-q").out.split() == registry.bond("namespaces", "list", "-q").out.split()
    assert "hall" in registry.bond("namespaces", "list", "-q").out.split()


def test_creating_a_namespace_twice_is_a_conflict(registry):
    registry.bond("namespaces", "create", "twice")
    assert "twice" in registry.bond("namespaces", "create", "twice", code=7).err


@pytest.mark.parametrize("name", ["UPPER", "a/b", "-x", "x..y", "", "a" * 300, "_trust", "sp ace", "é"])
def test_a_namespace_name_outside_the_grammar_is_refused(registry, name):
    result = registry.bond("namespaces", "create", "--", name, code="fail")
    assert result.code in (1, 2) and result.err.strip()


def test_our_own_host_is_no_namespace_name(registry):
    registry.bond("namespaces", "create", "localhost", code=None)
    registry.bond("namespaces", "create", registry.host, code="fail")


@pytest.mark.parametrize("noun,extra", [("robots", ["--actions", "pull,push"]), ("deployers", [])])
def test_create_prints_user_and_secret_on_one_line_and_json_the_same(registry, house, noun, extra):
    out = registry.bond(noun, "create", house.ns, f"plain-{noun}", *extra).out
    user, secret = out.split()
    assert out == f"{user} {secret}\n" and user == f"{house.ns}.plain-{noun}" and SECRET.fullmatch(secret)
    document = json.loads(registry.bond(noun, "create", house.ns, f"json-{noun}", *extra, "--json").out)
    assert set(document) >= {"user", "secret"} and SECRET.fullmatch(document["secret"])
    for account in (Account(user, secret), Account(document["user"], document["secret"])):
        registry.token_answer(account).expect(200)
    assert secret not in registry.bond(noun, "list", house.ns, "--json").text
    assert secret not in registry.log_text()


def test_a_generated_password_is_printed_once_and_signs_in(registry):
    user, secret = registry.bond("users", "create", "generated@example.org").out.split()
    assert user == "generated@example.org" and len(secret) >= 15
    registry.token_answer(Account(user, secret)).expect(200)
    registry.bond("users", "create", "generated@example.org", code=7)


@pytest.mark.parametrize("password", ["short", "12345678901234", "", "generated2generated2"[:14]])
def test_a_password_below_fifteen_characters_is_refused(registry, password):
    result = registry.bond("users", "create", "weak@example.org", "--password-stdin", stdin=password + "\n", code="fail")
    assert result.err.strip()
    assert "weak@example.org" not in registry.bond("users", "list").out


@pytest.mark.parametrize("email", ["nobody", "@example.org", "a@", "a b@example.org", "a@b@c", "x" * 300 + "@example.org", "a:b@example.org", "a\nb@example.org"])
def test_an_address_that_is_none_is_refused(registry, email):
    result = registry.bond("users", "create", "--password-stdin", "--", email, stdin=PASSWORD + "\n", code="fail")
    assert result.err.strip()


@pytest.mark.parametrize("actions", ["fly", "", "pull,fly", "pull;push", "*"])
def test_unknown_robot_actions_are_refused(registry, house, actions):
    registry.bond("robots", "create", house.ns, "odd", "--actions", actions, code="fail")
    assert f"{house.ns}.odd" not in registry.bond("robots", "list", house.ns).out


def test_members_are_set_changed_and_told_in_the_list(registry, house):
    account = registry.make_user("member@example.org")
    for role in ("reader", "developer", "maintainer", "owner"):
        registry.bond("members", "set", house.ns, account.user, role)
    registry.bond("members", "set", house.ns, account.user, "developer", "--signer")
    listed = json.loads(registry.bond("members", "list", house.ns, "--json").out)
    rows = {m["user"]: m for m in (listed["members"] if isinstance(listed, dict) else listed)}
    assert rows[account.user]["role"] == "developer" and rows[account.user]["signer"] is True
    assert registry.bond("members", "set", house.ns, account.user, "emperor", code="fail").code in (1, 2)
    registry.bond("members", "set", house.ns, "unknown@example.org", "reader", code=3)
    registry.bond("members", "set", "no-such-namespace", account.user, "reader", code=3)


def test_a_maintainer_sets_readers_to_developers_and_an_owner_all(registry, house):
    target = registry.make_user("promoted@example.org")
    maintainer, owner = registry.session(house.maintainer), registry.session(house.owner)
    registry.bond_remote("members", "set", house.ns, target.user, "developer", token=maintainer)
    registry.bond_remote("members", "set", house.ns, target.user, "owner", token=maintainer, code=5)
    registry.bond_remote("members", "set", house.ns, target.user, "maintainer", token=owner)
    registry.bond_remote("members", "set", house.ns, target.user, "reader", token=registry.session(house.developer), code=5)


def test_only_an_administrator_makes_namespaces_and_users(registry, house):
    for who in ("owner", "reader"):
        session = registry.session(getattr(house, who))
        registry.bond_remote("namespaces", "create", "mine", token=session, code=5)
        registry.bond_remote("users", "create", "friend@example.org", token=session, code=5)
    registry.bond_remote("namespaces", "create", "by-https", token=registry.session(registry.admin))


def test_login_whoami_logout_over_https(registry, house, tmp_path):
    home = {"HOME": tmp_path, "XDG_STATE_HOME": tmp_path / "state", "XDG_CONFIG_HOME": tmp_path / "config", "BOND_CONFIG_DIR": tmp_path / "config"}
    registry.bond_remote("login", registry.host, "-u", house.owner.user, "--password-stdin", stdin="a wrong password here\n", code="fail", **home)
    registry.bond_remote("whoami", code=4, **home)
    registry.bond_remote("login", registry.host, "-u", house.owner.user, "--password-stdin", stdin=PASSWORD + "\n", **home)
    assert house.owner.user in registry.bond_remote("whoami", **home).out
    sessions = [p for p in tmp_path.rglob("*") if p.is_file() and SECRET.search(p.read_text("utf-8", "replace"))]
    assert sessions and all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in sessions)
    names = registry.bond_remote("namespaces", "list", "-q", **home).out.split()
    assert house.ns in names and "hall" not in names
    registry.bond_remote("logout", **home)
    registry.bond_remote("whoami", code=4, **home)


def test_https_is_verified(registry, tmp_path):
    session = registry.session(registry.admin)
    result = registry.bond_remote("whoami", token=session, code=1, BOND_CA_FILE=None)
    assert "certificate" in result.err.lower()


def test_images_and_tags_are_listed(registry, house, repo):
    registry.client(house.developer).push(repo, image("listed"), "v1")
    assert repo in registry.bond("images", "list").text
    assert "v1" in registry.bond("images", "tags", "list", repo).text


def test_a_page_of_images_reads_a_bounded_number_of_tags(own_server):
    """A thousand repositories of a thousand tags would be a million rows for one list, by any account. 10,000 on a page, and the last repository's."""
    own_server.stop()
    run([build_folder() / "tests" / "perf_populate", own_server.data, "--repositories", 30, "--tags", 12000], timeout=600)
    own_server.start()
    bearer = {"Authorization": f"Bearer {own_server.session(own_server.admin)}"}
    found, last = [], ""
    while page := own_server.wire.request("GET", f"/api/v1/images?last={last}", bearer).expect(200).json["images"]:
        assert sum(image["tags"] for image in page) < 10000 + 1000
        found, last = found + page, page[-1]["name"].replace("/", "%2F")
    tagged = [image for image in found if image["tags"] > 0]
    assert len({image["name"] for image in found}) == len(found) and len(tagged) == 30 and sum(image["tags"] for image in tagged) == 12000
    assert len(json.loads(own_server.bond("images", "list", "--json").out)["images"]) == len(found)


def test_usage_errors_are_2_and_an_unknown_server_1(registry):
    for args in ([], ["nonsense"], ["namespaces", "fly"], ["namespaces", "create"], ["policy", "set", "house"], ["trust", "wipe", "house"]):
        assert registry.bond(*args, code=2).err.strip(), args
    assert registry.bond_remote("whoami", token="x", code="fail", BOND_HOST="localhost:1").code == 1


def test_data_goes_to_stdout_and_all_else_to_stderr(registry):
    result = registry.bond("namespaces", "create", "twice-again")
    assert "error" not in result.text.lower()
    failed = registry.bond("namespaces", "create", "twice-again", code=7)
    assert failed.out == "" and failed.err.strip()


def test_help_and_version(registry):
    assert "namespaces" in registry.bond("--help").text
    assert re.search(r"\d+\.\d+", registry.bond("version").out)


def test_whoami_knows_its_kinds(registry, house):
    def asked(**kw):
        return registry.wire.request("GET", "/api/v1/whoami", kw).expect(200).json
    assert asked(Authorization=f"Bearer {registry.session(registry.admin)}") == {"user": ADMIN, "kind": "user", "admin": True}
    assert asked(Authorization=house.robot.basic) == {"user": house.robot.user, "kind": "robot", "admin": False}
    assert asked(Authorization=house.deployer.basic) == {"user": house.deployer.user, "kind": "deployer", "admin": False}
    answer = registry.wire.request("GET", "/api/v1/whoami").expect(401)
    assert not any(v.lower().startswith("basic") for v in answer.header_all("WWW-Authenticate"))
