"""skopeo, podman and buildah, each with storage and sign-in file of its own."""
import shutil
import tempfile

from support.process import environment, program, run


class OciClient:
    """One person's skopeo, podman and buildah. Certificates are verified with the server's CA."""

    def __init__(self, server, account, folder):
        self.server, self.account, self.folder = server, account, folder
        self.certs = folder / "certs"
        self.certs.mkdir(parents=True, exist_ok=True)
        shutil.copy(server.ca, self.certs / "ca.crt")
        self.auth = folder / "auth.json"
        self.short = tempfile.TemporaryDirectory(prefix="run-", ignore_cleanup_errors=True)  # podman: at most 50 characters

    def _run(self, argv, **options):
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return run(argv, env=environment(HOME=home, XDG_RUNTIME_DIR=self.folder, REGISTRY_AUTH_FILE=self.auth), timeout=180, **options)

    def skopeo(self, verb, *args, **options):
        return self._run([program("skopeo"), "--insecure-policy", verb, *args], **options)

    def login(self, tool="skopeo", secret=None, code=0):
        return self._run([program(tool), "login", "--cert-dir", self.certs, "--authfile", self.auth, "-u", self.account.user,
                          "--password-stdin", self.server.host], stdin=secret or self.account.secret, code=code)

    def copy(self, source, target, *args, **options):
        """skopeo copy; docker:// names are below this server."""
        places = []
        for side, name in (("src", source), ("dest", target)):
            if name.startswith("docker://"):
                name = f"docker://{self.server.ref(name.removeprefix('docker://'))}"
                args = [*args, f"--{side}-cert-dir", self.certs]
            places.append(name)
        return self.skopeo("copy", "-q", "--authfile", self.auth, *args, *places, **options)

    def remote(self, verb, name, *args, **options):
        """skopeo inspect, delete, list-tags of a name below this server."""
        return self.skopeo(verb, "--authfile", self.auth, "--cert-dir", self.certs, *args, f"docker://{self.server.ref(name)}", **options)

    def _local(self, tool, *args, **options):
        return self._run([program(tool), "--root", self.folder / "storage", "--runroot", self.short.name, "--storage-driver", "vfs", *args], **options)

    def podman(self, *args, **options):
        return self._local("podman", *args, **options)

    def buildah(self, *args, **options):
        return self._local("buildah", *args, **options)

    @property
    def reach(self):
        return ["--authfile", self.auth, "--cert-dir", self.certs]
