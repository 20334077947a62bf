"""The real notary client. Signs any digest, so that a gate test needs no engine."""
import base64

from support.process import environment, program, run

PHRASES = {f"NOTARY_{k}_PASSPHRASE": f"phrase-of-{k.lower()}" for k in ("ROOT", "TARGETS", "SNAPSHOT", "DELEGATION")}


class Notary:
    """One person's notary: account and trust folder. The root key in the folder is his own."""

    def __init__(self, server, account, folder):
        self.server, self.account, self.folder = server, account, folder

    def environment(self):
        auth = base64.b64encode(f"{self.account.user}:{self.account.secret}".encode()).decode() if self.account else None
        return environment(NOTARY_AUTH=auth, **PHRASES)

    def __call__(self, *args, code=0, stdin=None):
        return run([program("notary"), "-d", self.folder, "-s", self.server.url, "--tlscacert", self.server.ca, *args],
                   code=code, stdin=stdin, env=self.environment())

    def init(self, repo, snapshot_on_server=True):
        gun = self.server.gun(repo)
        self("init", "-p", gun)
        if snapshot_on_server:
            self("key", "rotate", gun, "snapshot", "-r")
        return gun

    def sign(self, repo, tag, image, *, role=None, code=0):
        """The target that docker would write: name = tag, length and sha256 of the manifest."""
        roles = ["--roles", role] if role else []
        return self("addhash", "-p", self.server.gun(repo), tag, image.size, "--sha256", image.hex, *roles, code=code)

    def withdraw(self, repo, tag, *, role=None):
        return self("remove", "-p", self.server.gun(repo), tag, *(["--roles", role] if role else []))

    def list(self, repo, code=0):
        """{tag: (hex digest, size, role)}"""
        out = self("list", self.server.gun(repo), code=code).out
        rows = [line.split() for line in out.splitlines()]
        return {r[0]: (r[1], int(r[2]), r[3]) for r in rows if len(r) == 4 and len(r[1]) == 64}

    def cached(self, repo, role):
        """Bytes of a document in this client's own cache."""
        return (self.folder / "tuf" / self.server.gun(repo) / "metadata" / f"{role}.json").read_bytes()
