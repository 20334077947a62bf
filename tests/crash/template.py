"""A store to begin with, made once and copied for each life."""
import random
import shutil
import socket

from support.images import image
from support.notary import Notary
from support.server import Server

APP, OTHER = "ns/app", "ns/other"
SETTINGS = "maintenance: { interval: 1s }\npasswords: { memory: 19MiB, passes: 1 }\ntokens: { lifetime: 24h }\n"


def quiet_ports(count):
    """Ports below those that the kernel hands out: they are still free when the next life wants them."""
    found = []
    while len(found) < count:
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", random.randrange(15000, 32000)))
                found.append(s.getsockname()[1])
            except OSError:
                continue
    return found


class Template:
    """A store with a namespace, an owner and his token, made once and copied for each life."""

    def __init__(self, folder):
        self.server = self.server_at(folder, *quiet_ports(2)).init()
        self.server.config.write_text(self.server.config.read_text() + SETTINGS)
        self.server.start()
        self.server.make_namespace("ns")
        self.owner = self.server.make_member("ns", "owner@ns.example", "owner")
        keeper = Notary(self.server, self.owner, folder / "keeper")
        gun = self.server.gun(APP)
        keeper("init", gun)
        self.token = self.new_token(self.server)
        self.server.stop()
        self.images = [image(f"crash {i}") for i in range(3)]
        self.published = self.publish_elsewhere(folder, keeper, gun)

    def new_token(self, server):
        scopes = [f"repository:{repo}:pull,push,delete" for repo in (APP, OTHER)]
        return server.token(self.owner, *scopes, f"repository:{server.gun(APP)}:push,pull")

    def publish_elsewhere(self, folder, keeper, gun):
        """Two generations of signed documents that fit the template: made against a copy of it."""
        copy = self.copy(folder / "elsewhere")
        copy.start()
        keeper.server = copy
        generations = []
        for tag in (None, "v1"):
            if tag:
                keeper.sign(APP, tag, self.images[0])
            else:
                keeper("publish", gun)
            documents = {role: keeper.cached(APP, role) for role in ("root", "targets", "snapshot")}
            before = generations[-1] if generations else {}
            generations.append({role: text for role, text in documents.items() if before.get(role) != text})
        copy.stop()
        return generations

    def copy(self, folder):
        server = self.place(folder)
        shutil.copytree(self.server.data, server.data, ignore=shutil.ignore_patterns("control.sock"))
        return server

    def place(self, folder):
        """A folder for a copy: the same addresses, no data yet."""
        folder.mkdir(exist_ok=True)
        return self.server_at(folder, self.server.port, self.server.plain_port)

    @staticmethod
    def server_at(folder, port, plain_port):
        server = Server(folder)
        server.port, server.plain_port = port, plain_port
        server.host = f"localhost:{port}"
        server.url = f"https://{server.host}"
        return server
