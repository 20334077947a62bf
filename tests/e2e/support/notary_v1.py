"""A real Notary v1: notary-server, notary-signer and the database under them, MariaDB or PostgreSQL, on loopback ports
and in a folder of their own. `python3 notary_v1.py FOLDER` makes the dumps and the client's trust folder that
tests/e2e/fixtures/notary holds (see the README there)."""
import contextlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

HOST = "old.example:5000"
ALIAS, PHRASE = "oldkeys1", "passphrase of the old signer"
PHRASES = {f"NOTARY_{k}_PASSPHRASE": f"phrase-of-{k.lower()}" for k in ("ROOT", "TARGETS", "SNAPSHOT", "DELEGATION")}
POSTGRES = "/usr/lib/postgresql/15/bin"

COMMON = """id {serial}, created_at {time} NULL DEFAULT NULL, updated_at {time} NULL DEFAULT NULL,
 deleted_at {time} NULL DEFAULT NULL"""
TABLES = {
    "notaryserver": ["CREATE TABLE tuf_files (" + COMMON + """, gun varchar(255) NOT NULL, role varchar(255) NOT NULL,
 version int NOT NULL, data {blob} NOT NULL, sha256 char(64) DEFAULT NULL, UNIQUE (gun, role, version))""",
                     """CREATE TABLE changefeed (id {serial}, created_at {time} DEFAULT CURRENT_TIMESTAMP,
 gun varchar(255) NOT NULL, version int NOT NULL, sha256 char(64) DEFAULT NULL,
 category varchar(20) NOT NULL DEFAULT 'update')"""],
    "notarysigner": ["CREATE TABLE private_keys (" + COMMON + """, key_id varchar(255) NOT NULL UNIQUE,
 encryption_alg varchar(255) NOT NULL, keywrap_alg varchar(255) NOT NULL, algorithm varchar(50) NOT NULL,
 passphrase_alias varchar(50) NOT NULL, public {blob} NOT NULL, private {blob} NOT NULL, gun varchar(255) NOT NULL,
 role varchar(255) NOT NULL, last_used {time} NULL DEFAULT NULL)"""],
}
TYPES = {"mysql": {"serial": "int NOT NULL AUTO_INCREMENT PRIMARY KEY", "time": "timestamp", "blob": "longblob"},
         "postgres": {"serial": "serial PRIMARY KEY", "time": "timestamp", "blob": "bytea"}}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(args, code=0, **more):
    done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    assert code is None or done.returncode == code, f"{args}: {done.returncode}\n{done.stdout!r}\n{done.stderr!r}"
    return done.stdout


def wait_for(port, process, what):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        assert process.poll() is None, f"{what} ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise AssertionError(f"{what} does not listen")


def as_user(name):
    who = pwd.getpwnam(name)
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}


class MariaDB:
    kind = "mysql"

    def __init__(self, folder):
        self.folder, self.port = folder / "mysql", free_port()
        self.socket = folder / "my.sock"
        run(["mysql_install_db", "--no-defaults", f"--datadir={self.folder}", "--user=root", "--auth-root-authentication-method=normal"])
        os.chmod(folder, 0o777)
        self.process = subprocess.Popen(
            ["mariadbd", "--no-defaults", f"--datadir={self.folder}", f"--socket={self.socket}", "--user=root",
             f"--port={self.port}", "--bind-address=127.0.0.1", f"--log-error={folder}/mysql.log"])
        wait_for(self.port, self.process, "mariadbd")
        for name, tables in TABLES.items():
            self.sql("mysql", f"CREATE DATABASE {name}; CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 'db';"
                              f"GRANT ALL ON {name}.* TO {name}@'127.0.0.1'")
            self.sql(name, "; ".join(t.format(**TYPES["mysql"]) for t in tables))

    def sql(self, database, text):
        return run(["mariadb", "--no-defaults", "-S", self.socket, "-u", "root", "-N", database, "-e", text]).decode()

    def feed(self, database, text):
        """SQL of any length."""
        run(["mariadb", "--no-defaults", "-S", self.socket, "-u", "root", database], input=text.encode())

    def url(self, name):
        return f"{name}:db@tcp(127.0.0.1:{self.port})/{name}?parseTime=True"

    def dump(self, name, path, *options):
        path.write_bytes(run(["mariadb-dump", "--no-defaults", "-S", self.socket, "-u", "root", *options, name]))


class PostgreSQL:
    kind = "postgres"

    def __init__(self, folder):
        self.folder, self.port = folder / "pg", free_port()
        self.folder.mkdir()
        shutil.chown(self.folder, "postgres", "postgres")
        run([f"{POSTGRES}/initdb", "-A", "trust", "-D", self.folder], **as_user("postgres"))
        self.process = subprocess.Popen([f"{POSTGRES}/postgres", "-D", self.folder, "-p", str(self.port), "-h", "127.0.0.1",
                                         "-c", "unix_socket_directories="], **as_user("postgres"),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.port, self.process, "postgres")
        time.sleep(1)
        for name, tables in TABLES.items():
            self.sql("postgres", f"CREATE DATABASE {name}")
            self.sql(name, "; ".join(t.format(**TYPES["postgres"]) for t in tables))

    def sql(self, database, text):
        return run(["psql", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", "-At", database, "-c", text]).decode()

    def url(self, name):
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}?sslmode=disable"

    def dump(self, name, path, *options):
        path.write_bytes(run(["pg_dump", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", *options, name]))


class NotaryV1:
    def __init__(self, folder, database, key_algorithm="ecdsa"):
        folder.mkdir(parents=True, exist_ok=True)
        os.chmod(folder, 0o777)
        self.folder, self.processes, self.programs = folder, [], {}
        self.database = database(folder)
        self.processes.append(self.database.process)
        self.certificates()
        signer_port, http_port = free_port(), free_port()
        tls = {"tls_cert_file": f"{folder}/tls.crt", "tls_key_file": f"{folder}/tls.key"}
        self.start("notary-signer", signer_port, {
            "server": {"grpc_addr": f"127.0.0.1:{signer_port}", "client_ca_file": f"{folder}/ca.crt", **tls},
            "logging": {"level": "error"},
            "storage": {"backend": self.database.kind, "db_url": self.database.url("notarysigner"), "default_alias": ALIAS}})
        self.start("notary-server", http_port, {
            "server": {"http_addr": f"127.0.0.1:{http_port}", **tls},
            "trust_service": {"type": "remote", "hostname": "localhost", "port": str(signer_port), "key_algorithm": key_algorithm,
                              "tls_ca_file": f"{folder}/ca.crt", "tls_client_cert": f"{folder}/tls.crt",
                              "tls_client_key": f"{folder}/tls.key"},
            "logging": {"level": "error"},
            "storage": {"backend": self.database.kind, "db_url": self.database.url("notaryserver")}})
        self.url, self.ca = f"https://localhost:{http_port}", folder / "ca.crt"

    def certificates(self):
        f = self.folder
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
             "-subj", "/CN=test CA", "-keyout", f / "ca.key", "-out", f / "ca.crt"])
        run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
             "-keyout", f / "tls.key", "-out", f / "tls.csr"])
        (f / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        run(["openssl", "x509", "-req", "-in", f / "tls.csr", "-CA", f / "ca.crt", "-CAkey", f / "ca.key", "-days", "3650",
             "-CAcreateserial", "-extfile", f / "ext", "-out", f / "tls.crt"])

    def start(self, program, port, config):
        (self.folder / f"{program}.json").write_text(json.dumps(config))
        self.processes.append(self.launch(program, port))

    def launch(self, program, port):
        with open(self.folder / f"{program}.log", "ab") as log:
            process = subprocess.Popen([program, "-config", str(self.folder / f"{program}.json")], stdout=log, stderr=log,
                                       env={**os.environ, f"NOTARY_SIGNER_{ALIAS.upper()}": PHRASE})
        wait_for(port, process, program)
        self.programs[process.pid] = program, port
        return process

    def revive(self):
        """Starts again which of its programs ended by themselves."""
        for i, process in enumerate(self.processes):
            if process.poll() is not None:
                self.processes[i] = self.launch(*self.programs[process.pid])

    def close(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait(60)

    def dump(self, folder, name, *options):
        folder.mkdir(parents=True, exist_ok=True)
        self.database.dump("notaryserver", folder / f"{name}-server.sql", *options)
        self.database.dump("notarysigner", folder / f"{name}-signer.sql", *options)


class Client:
    """One person's notary client and trust folder, at whichever server it is pointed."""

    def __init__(self, folder, url, ca):
        self.folder, self.url, self.ca = folder, url, ca

    def __call__(self, *args, code=0, env=None):
        return run(["notary", "-d", self.folder, "-s", self.url, "--tlscacert", self.ca, *args], code,
                   env={**os.environ, **PHRASES, **(env or {})}).decode()

    def list(self, gun):
        rows = [line.split() for line in self("list", gun).splitlines()]
        return {r[0]: r[3] for r in rows if len(r) == 4 and len(r[1]) == 64}


def make_repositories(client, folder):
    """Everything that a Notary v1 server may hold. Names under team/ and their meaning: see each line."""
    content = folder / "content"
    content.write_text("what is signed\n")

    def add(gun, tag, *more):
        client("add", "-p", gun, tag, content, *more)

    for name in ("held", "own", "rotated", "delegated", "gone", "reborn"):
        client("init", "-p", f"{HOST}/team/{name}")
    for name in ("held", "rotated", "delegated", "gone", "reborn"):
        client("key", "rotate", f"{HOST}/team/{name}", "snapshot", "-r")
    add(f"{HOST}/team/held", "v1")                     # snapshot key on the server, three publishes, one withdrawal
    add(f"{HOST}/team/held", "v2")
    client("remove", "-p", f"{HOST}/team/held", "v1")
    add(f"{HOST}/team/own", "v1")                      # the client holds the snapshot key
    add(f"{HOST}/team/rotated", "v1")                  # root, targets and timestamp keys rotated
    client("key", "rotate", f"{HOST}/team/rotated", "root")
    client("key", "rotate", f"{HOST}/team/rotated", "targets")
    client("key", "rotate", f"{HOST}/team/rotated", "timestamp", "-r")
    add(f"{HOST}/team/rotated", "v2")
    run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder / "d.key"])
    run(["openssl", "req", "-x509", "-new", "-key", folder / "d.key", "-subj", "/CN=alice", "-days", "3650", "-out", folder / "d.crt"])
    gun = f"{HOST}/team/delegated"                     # two delegations, one of them removed again
    client("delegation", "add", "-p", gun, "targets/releases", folder / "d.crt", "--all-paths")
    client("delegation", "add", "-p", gun, "targets/bob", folder / "d.crt", "--all-paths")
    client("key", "import", folder / "d.key", "--role", "alice", "-g", gun)
    add(gun, "v1", "--roles", "targets/releases")
    add(gun, "old", "--roles", "targets/bob")
    client("delegation", "remove", "-p", gun, "targets/bob", "-y")
    add(gun, "v2", "--roles", "targets/releases")
    add(f"{HOST}/team/gone", "v1")                     # deleted
    client("delete", "--remote", f"{HOST}/team/gone")
    add(f"{HOST}/team/reborn", "v1")                   # deleted and begun again
    client("delete", "--remote", f"{HOST}/team/reborn")
    client("init", "-p", f"{HOST}/team/reborn")
    add(f"{HOST}/team/reborn", "v9")
    client("init", "-p", "elsewhere.example/team/app")  # another registry's
    add("elsewhere.example/team/app", "v1")


def publish_more(client, folder):
    content = folder / "content"
    client("add", "-p", f"{HOST}/team/held", "v3", content)


FORMS = {MariaDB: {"default": [], "hex": ["--hex-blob", "--complete-insert", "--skip-extended-insert"]},
         PostgreSQL: {"copy": [], "inserts": ["--inserts"]}}


def make_fixtures(out):
    """out/mysql.tar.xz and out/postgres.tar.xz: dumps/ in each form, and the client's trust/ of that time."""
    for database, forms in FORMS.items():
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            os.chmod(folder, 0o755)  # the database has a user of its own
            old = NotaryV1(folder / "server", database)
            try:
                client = Client(folder / "trust", old.url, old.ca)
                make_repositories(client, folder)
                for form, options in forms.items():
                    old.dump(folder / "dumps", form, *options)
                shutil.copytree(folder / "trust", folder / "kept")
                publish_more(client, folder)
                old.dump(folder / "dumps", "later")
            finally:
                old.close()
            with tarfile.open(out / f"{old.database.kind}.tar.xz", "w:xz") as tar:
                tar.add(folder / "dumps", "dumps")
                tar.add(folder / "kept", "trust")


if __name__ == "__main__":
    make_fixtures(Path(sys.argv[1]).resolve())
