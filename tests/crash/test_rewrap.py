"""bondstore rewrap, killed before each call that changes a file: a server starts on what is left and signs with its
keys, and the same command ends the change. One store goes through all of it."""
import hashlib
import subprocess

from faults import Faults
from support.images import image
from support.notary import Notary
from support.process import environment
from support.server import Server, sanitizer_environment


def rewrap(server, faults=None):
    env = {**sanitizer_environment(), **(faults.environment() if faults else {})}
    return subprocess.run([server.bondstore, "rewrap", server.data], env=environment(**env), capture_output=True, text=True,
                          check=False)


def key_of(server):
    return hashlib.sha256((server.data / "secrets/sealing.key").read_bytes()).hexdigest()


def published_again(server, owner, tmp_path, run):
    """A publish signs a snapshot and a timestamp with the server's keys, and is noted in the checkpoint."""
    server.start()
    made = image(f"after {run}")
    server.client(owner).push("ns/app", made, "v1")
    keeper = Notary(server, owner, tmp_path / "keeper")
    keeper.sign("ns/app", "v1", made)
    gated = server.client(server.make_deployer("ns", f"k{run}"), basic=True)
    assert gated.get("ns/app", "v1").expect(200).body == made.manifest
    server.stop()


def test_a_change_of_the_sealing_key_is_killed_before_each_of_its_calls(tmp_path):
    server = Server(tmp_path).init().start()
    server.make_namespace("ns")
    owner = server.make_member("ns", "owner@ns.example", "owner")
    (tmp_path / "keeper").mkdir()
    keeper = Notary(server, owner, tmp_path / "keeper")
    keeper.init("ns/app")
    server.stop()
    faults, before, next_key = Faults(server), key_of(server), server.data / "secrets/sealing.key.next"

    assert rewrap(server, faults).returncode == 0
    first = key_of(server)
    assert first != before
    numbers = [call.number for call in faults.calls() if not call.path.startswith("bondstore.db")]
    assert len(numbers) >= 6, "the new key, the checkpoint, and the end change files"
    for number in numbers:
        faults.set(f"kill-before from={number} to={number}")
        old = key_of(server)
        assert rewrap(server, faults).returncode == -9, f"call {number} did not come"
        if number == numbers[len(numbers) // 2]:
            published_again(server, owner, tmp_path, number)  # a server runs in the middle of it
        assert key_of(server) == old or not next_key.exists()
        faults.clear()
        ended = rewrap(server)
        assert ended.returncode == 0, ended.stderr
        assert key_of(server) != old and not next_key.exists()
    published_again(server, owner, tmp_path, "end")
