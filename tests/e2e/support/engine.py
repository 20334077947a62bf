"""A private docker engine: its own data, exec root, socket and /etc/docker (bind mount in a mount namespace of its own).
The machine's own engine, network and configuration are not touched."""
import json
import os
import re
import shutil
import subprocess
import time

from support.process import ALONE, end_process, environment, program, run

KEY_PHRASES = {"DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE": "phrase-of-root", "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE": "phrase-of-repo"}


class Engine:
    def __init__(self, folder):
        self.folder = folder
        self.docker = program("docker", "/usr/bin/docker")
        self.socket = folder / "docker.sock"
        self.etc = folder / "etc-docker"
        self.log = folder / "dockerd.log"
        self.process = None

    def start(self):
        (self.etc / "certs.d").mkdir(parents=True)
        configuration = self.folder / "daemon.json"
        configuration.write_text(json.dumps({"storage-driver": "overlay2", "max-concurrent-downloads": 3}))
        command = [ALONE, "/bin/sh", "-c", 'mount --bind "$1" /etc/docker; shift; exec "$@"',
                   "engine", self.etc, program("dockerd", "/usr/sbin/dockerd"), "--config-file", configuration,
                   "--data-root", self.folder / "data", "--exec-root", self.folder / "exec", "--pidfile", self.folder / "dockerd.pid",
                   "-H", f"unix://{self.socket}", "--iptables=false", "--ip6tables=false", "--bridge=none"]
        os.makedirs("/etc/docker", exist_ok=True)  # the place of the bind mount
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=environment(), start_new_session=True)
        end = time.monotonic() + 60
        while run([self.docker, "-H", f"unix://{self.socket}", "version"], code=None).code != 0:
            assert self.process.poll() is None and time.monotonic() < end, f"dockerd did not start: {self.log.read_text()[-3000:]}"
            time.sleep(0.2)
        return self

    def trust_ca(self, host, ca):
        place = self.etc / "certs.d" / host
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(ca, place / "ca.crt")

    def stop(self):
        end_process(self.process)
        self.process = None


class Docker:
    """The docker CLI of one person: own configuration, own keys, the common engine."""

    def __init__(self, engine, server, account, folder):
        self.engine, self.server, self.account, self.folder = engine, server, account, folder
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / "tls" / server.host
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(server.ca, place / "ca.crt")
        if not (folder / "config.json").exists():
            (folder / "config.json").write_text("{}")

    def __call__(self, *args, trust=False, code=0, stdin=None, timeout=180, **env):
        settings = {"DOCKER_HOST": f"unix://{self.engine.socket}", "DOCKER_CONFIG": self.folder, **KEY_PHRASES,
                    "DOCKER_CONTENT_TRUST": "1" if trust else None, "DOCKER_BUILDKIT": "0", **env}
        return run([self.engine.docker, *args], code=code, stdin=stdin, timeout=timeout, env=environment(**settings))

    def login(self, code=0, secret=None):
        return self("login", "-u", self.account.user, "--password-stdin", self.server.host, code=code,
                    stdin=(secret or self.account.secret) + "\n")

    @property
    def auth(self):
        """What the login left in config.json for this server."""
        return json.loads((self.folder / "config.json").read_text()).get("auths", {}).get(self.server.host, {})

    def load(self, image, name):
        """Puts an image into the engine under HOST/name."""
        full = self.server.ref(name)
        self("load", "-q", stdin=image.docker_archive(full))
        return full

    def push(self, name, image=None, trust=False, **options):
        """Pushes HOST/name; returns the digest that docker printed."""
        if image is not None:
            self.load(image, name)
        result = self("push", self.server.ref(name), trust=trust, **options)
        found = re.search(r"digest: (sha256:[0-9a-f]{64})", result.text)
        return found.group(1) if found else result

    def pull(self, name, trust=False, **options):
        self.forget(name)
        return self("pull", self.server.ref(name), trust=trust, **options)

    def forget(self, name):
        """Removes every local copy of the repository, so that the next pull asks the server for all of it."""
        repo = self.server.ref(re.sub(r"[:@][^/]*$", "", name))
        ids = set(self("images", "-q", repo).out.split())
        if ids:
            self("rmi", "-f", *sorted(ids), code=None)

    def output(self, name):
        """What a container of the image prints."""
        return self("run", "--rm", "--network", "none", self.server.ref(name)).out.strip()
