"""`bondstore init` and `serve`: what they make, and one sentence for each reason not to start."""
import os
import socket
import sqlite3
import ssl
import stat
import subprocess
import time
import warnings

import pytest

from support.process import environment, run
from support.server import ADMIN, PASSWORD, Account, Server, free_port, sanitizer_environment


@pytest.fixture
def made(tmp_path):
    """A data folder that nobody serves yet."""
    server = Server(tmp_path).init()
    yield server
    server.end()


def refused(server, *needles, config=None, **env):
    """`serve` must end with 1 and say why in one sentence on stderr."""
    result = run([server.bondstore, "serve", config or server.config], code=1, timeout=30,
                 env=environment(**{**sanitizer_environment(), **env}))
    assert "Sanitizer" not in result.text and "runtime error" not in result.text, result.text
    said = [line for line in result.err.splitlines() if any(n.lower() in line.lower() for n in needles)]
    assert said, f"none of {needles} in: {result.err}"
    assert len(said[-1]) <= 500, said[-1]
    return said[-1]


def init(folder, *args, stdin=None, code=0):
    server = Server(folder)
    return server, run([server.bondstore, "init", server.data, "--admin", ADMIN, *args], code=code, stdin=stdin,
                       env=environment(**sanitizer_environment()))


def test_init_makes_the_documented_files_and_keeps_secrets_private(made):
    for name in ("bondstore.yaml", "tls/ca.crt", "tls/server.crt", "tls/server.key", "index.db"):
        assert (made.data / name).is_file(), name
    assert stat.S_IMODE((made.data / "secrets").stat().st_mode) == 0o700
    for secret in [made.data / "tls" / "server.key", *(p for p in (made.data / "secrets").iterdir())]:
        assert stat.S_IMODE(secret.stat().st_mode) & 0o077 == 0, secret
    assert PASSWORD.encode() not in (made.data / "index.db").read_bytes()


def test_init_prints_a_generated_password_once_that_signs_in(tmp_path):
    server, result = init(tmp_path, "--public-url", f"https://localhost:{free_port()}")
    words = [w.strip(".,:;'\"") for w in result.out.split()]
    server.port = int(server.config.read_text().split("public_url: https://localhost:")[1].split()[0])
    server.host, server.url = f"localhost:{server.port}", f"https://localhost:{server.port}"
    server.start()
    try:
        guesses = [w for w in dict.fromkeys(words) if len(w) >= 15 and "/" not in w and "@" not in w]
        assert guesses, result.out
        assert any(server.token_answer(Account(ADMIN, g)).status == 200 for g in guesses[:5]), result.out
        assert not any(g in server.log_text() for g in guesses)
    finally:
        server.end()


def test_the_certificate_names_the_host_and_loopback(made):
    made.start()
    for name in ("localhost", "127.0.0.1"):
        context = ssl.create_default_context(cafile=str(made.ca))
        with socket.create_connection(("127.0.0.1", made.port), timeout=10) as s:
            with context.wrap_socket(s, server_hostname=name) as tls:
                assert tls.version() in ("TLSv1.2", "TLSv1.3")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(str(made.ca))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", made.port), timeout=10) as s, pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(s, server_hostname="localhost")


def test_ready_is_200_and_sigterm_ends_with_0_within_ten_seconds(made):
    made.start()
    for path in ("/readyz", "/healthz"):
        made.wire.request("GET", path).expect(200)
        assert made.wire.request("HEAD", path).expect(200).body == b""
    assert made.stop() < 10


def test_the_server_starts_again_on_the_same_data(made):
    made.start().make_namespace("kept")
    made.restart()
    assert "kept" in made.bond("namespaces", "list").out


def test_init_takes_http_for_a_loopback_host_only(tmp_path):
    port = free_port()
    server, _ = init(tmp_path, "--public-url", f"http://127.0.0.1:{port}", "--password-stdin", stdin=PASSWORD + "\n")
    assert not (server.data / "tls").exists()
    server.plain_port, server.port = port, port
    with subprocess.Popen([server.bondstore, "serve", server.config], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, env=environment(**sanitizer_environment())) as process:
        try:
            for _ in range(100):
                try:
                    answer = server.plain.request("GET", "/v2/")
                    break
                except OSError:
                    assert process.poll() is None
                    time.sleep(0.1)
            assert answer.expect(401).challenge()["realm"] == f"http://127.0.0.1:{port}/token"
        finally:
            process.terminate()
            assert process.wait(15) == 0
    other, result = init(tmp_path / "b", "--public-url", "http://registry.example:5000", "--password-stdin", stdin=PASSWORD + "\n",
                         code="fail")
    assert "http" in result.err and not other.config.exists()


@pytest.mark.parametrize("url", ["localhost:5443", "ftp://localhost:5443", "https://", "https://localhost:99999", "https://local host:1",
                                 "https://localhost:5443/path", "https://user@localhost:5443"])
def test_init_refuses_an_odd_public_url_and_makes_nothing(tmp_path, url):
    server, result = init(tmp_path, "--public-url", url, "--password-stdin", stdin=PASSWORD + "\n", code="fail")
    assert result.err.strip() and not server.config.exists()


@pytest.mark.parametrize("password", ["", "short", "fourteen chars"[:14]])
def test_init_refuses_a_password_below_fifteen_characters(tmp_path, password):
    _, result = init(tmp_path, "--public-url", "https://localhost:5443", "--password-stdin", stdin=password + "\n", code="fail")
    assert "15" in result.err


def test_init_refuses_a_folder_in_use_and_leaves_it_alone(made):
    before = {p: p.read_bytes() for p in made.data.rglob("*") if p.is_file()}
    result = run([made.bondstore, "init", made.data, "--public-url", made.url, "--admin", "other@example.org", "--password-stdin"],
                 stdin=PASSWORD + "\n", code="fail", env=environment(**sanitizer_environment()))
    assert str(made.data) in result.err
    assert before == {p: p.read_bytes() for p in made.data.rglob("*") if p.is_file()}


def test_a_taken_port_is_said_with_its_address(made):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("0.0.0.0", made.port))
        s.listen()
        assert "in use" in refused(made, str(made.port))


def test_a_folder_served_by_another_server_is_said(made):
    made.start()
    other = made.folder / "other.yaml"
    text = made.config.read_text().replace(str(made.port), str(free_port())).replace(str(made.plain_port), str(free_port()))
    other.write_text(text.replace("data: .", f"data: {made.data}").replace("tls/", f"{made.data}/tls/"))
    said = refused(made, "another server", "in use", "already", config=other)
    assert str(made.data) in said
    made.alive()
    made.bond("namespaces", "list")  # the control socket of the running server was left alone


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"])
def test_an_unreadable_certificate_is_said_with_its_file(made, content):
    file = made.data / "tls" / "server.crt"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    refused(made, "server.crt")


def test_a_key_that_does_not_fit_the_certificate_is_said(made):
    run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", made.data / "tls" / "server.key"])
    os.chmod(made.data / "tls" / "server.key", 0o600)
    refused(made, "server.key", "server.crt")


def test_a_database_of_a_newer_version_is_said_and_left_alone(made):
    with sqlite3.connect(made.data / "index.db") as db:
        db.execute("PRAGMA user_version = 9999")
    db.close()
    refused(made, "newer version")
    with sqlite3.connect(made.data / "index.db") as db:
        assert db.execute("PRAGMA user_version").fetchone() == (9999,)
    db.close()


def test_a_database_that_is_none_is_said(made):
    for name in ("index.db", "index.db-wal", "index.db-shm"):
        (made.data / name).unlink(missing_ok=True)
    (made.data / "index.db").write_bytes(b"this is not a database, and longer than a page header " * 100)
    refused(made, "database", "index.db")


@pytest.mark.parametrize("line", ["no_such_key: 1", "limits: {no_such_limit: 1}", "data: [1, 2]", "listen: maybe", "\tx: y", "public_url: ftp://x"])
def test_a_wrong_line_of_the_configuration_is_said_with_file_and_line(made, line):
    kept = [l for l in made.config.read_text().splitlines() if not l.startswith(line.split(":")[0] + ":")]
    if line.startswith("listen"):
        kept = [l for l in kept if not l.startswith(" ")]
    made.config.write_text("\n".join([*kept, line]) + "\n")
    assert "bondstore.yaml" in refused(made, "bondstore.yaml")


def test_a_missing_configuration_is_said(made):
    refused(made, "nowhere.yaml", config=made.data / "nowhere.yaml")


def test_a_setting_of_the_environment_is_checked_like_the_file(made):
    refused(made, "BONDSTORE_LOG_LEVEL", "log.level", BONDSTORE_LOG_LEVEL="shouting")


@pytest.mark.parametrize("name", ["secrets/sealing.key", "secrets/token.key", "tls/server.key"])
def test_a_secret_that_everybody_may_read_is_refused(made, name):
    made.start().stop()  # the first start makes what init did not
    os.chmod(made.data / name, 0o644)
    refused(made, name.split("/")[1])


def test_usage_errors_end_with_2_or_more_and_a_hint(made):
    for args in ([], ["nonsense"], ["serve"], ["init"], ["serve", "a", "b"]):
        result = run([made.bondstore, *args], code="fail", env=environment(**sanitizer_environment()))
        assert result.err.strip() and "Sanitizer" not in result.err, args
    assert run([made.bondstore, "--version"], env=environment(**sanitizer_environment())).out.strip()
    assert "serve" in run([made.bondstore, "--help"], env=environment(**sanitizer_environment())).text
