"""A private containerd and its client ctr: what the kubelet pulls with."""
import shutil
import subprocess
import time

from support.process import end_process, environment, program, run


class Containerd:
    """Own data, own socket, no part for Kubernetes; pulls as one account."""

    def __init__(self, folder, server, account):
        self.folder, self.server, self.account = folder, server, account
        self.socket, self.log, self.process = folder / "containerd.sock", folder / "containerd.log", None
        place = folder / "hosts" / server.host
        place.mkdir(parents=True)
        shutil.copy(server.ca, place / "ca.crt")
        (place / "hosts.toml").write_text(f'server = "{server.url}"\n[host."{server.url}"]\n  capabilities = ["pull", "resolve"]\n  ca = "{place}/ca.crt"\n')

    def start(self):
        configuration = self.folder / "containerd.toml"
        configuration.write_text(f'version = 2\nroot = "{self.folder}/root"\nstate = "{self.folder}/state"\n'
                                 'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
                                 f'[grpc]\n  address = "{self.socket}"\n')
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([program("containerd"), "--config", str(configuration)], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=environment(), start_new_session=True)
        end = time.monotonic() + 60
        while run([program("ctr"), "--address", self.socket, "version"], code=None).code != 0:
            assert self.process.poll() is None and time.monotonic() < end, f"containerd did not start: {self.log.read_text()[-3000:]}"
            time.sleep(0.2)
        return self

    def stop(self):
        end_process(self.process)
        self.process = None

    def fetch(self, name, code=0):
        """Everything of HOST/name into the store of contents, as a pull does before it unpacks."""
        return run([program("ctr"), "--address", self.socket, "content", "fetch", "--hosts-dir", self.folder / "hosts",
                    "--user", f"{self.account.user}:{self.account.secret}", self.server.ref(name)], code=code, env=environment(), timeout=180)

    def holds(self, digest):
        """Whether the store of contents has these bytes."""
        return digest in run([program("ctr"), "--address", self.socket, "content", "ls", "-q"], env=environment()).out.split()
