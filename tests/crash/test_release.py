"""The server dies within a release call, before each of the calls that change its files: signatures and tag changed
together, or neither did (attacks O-08)."""
import http.client
import json
import signal

import pytest

from support.images import image
from support.process import environment, run
from support.server import Server, sanitizer_environment
from support.trust import Trust
from support.tuf import Collection, tag

from faults import Faults
from template import SETTINGS

CUT = (OSError, http.client.HTTPException)
REPO = "ns/app"


class Scene:
    """A signed tag, and images that become it one after the other."""

    def __init__(self, folder):
        self.server = Server(folder).init()
        self.server.config.write_text(self.server.config.read_text() + SETTINGS)
        self.faults = Faults(self.server)
        self.start()
        self.server.make_namespace("ns")
        owner = self.server.make_member("ns", "owner@ns.example", "owner")
        self.client, self.token = self.server.client(owner), self.server.session(owner)
        self.trust = Trust(self.server, self.client, REPO)
        self.keys, self.version, self.count = Collection(self.trust), 2, 0
        made = self.next_image("v1")
        self.keys.begin(tags={"v1": tag(made.hex, made.size)})

    def start(self):
        self.server.start(**self.faults.environment())

    def next_image(self, reference=None):
        self.count += 1
        made = image(f"release {self.count}")
        self.client.push(REPO, made, reference or made.digest)
        return made

    def state(self):
        tagged = self.client.get(REPO, "v1").expect(200).header("Docker-Content-Digest")
        return tagged, self.trust.get("targets.json").expect(200).body

    def state_now(self):
        """Dead or alive: what answers may be followed by changes that it dies of."""
        self.faults.clear()
        try:
            return self.state()
        except CUT:
            self.rise()
            return self.state()

    def release(self, made, targets):
        """None when the server died before it answered."""
        body = {"repo": REPO, "tag": "v1", "digest": made.digest, "tuf": {"targets": targets.decode()}}
        try:
            return self.server.wire.request("POST", "/api/v1/release", {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
                                            json.dumps(body).encode())
        except CUT:
            return None

    def rise(self):
        """After its death: the store is whole, and is served again."""
        assert self.server.process.wait(30) == -signal.SIGKILL
        self.server.process = None
        self.server.assert_no_alarm()
        run([self.server.bondstore, "fsck", self.server.config], env=environment(**sanitizer_environment()))
        self.start()


def places(calls):
    """Where it is worth dying: at the first and the last call of each place in the code."""
    sites = [call.site for call in calls]
    return [i for i, site in enumerate(sites) if site not in sites[:i] or site not in sites[i + 1:]]


def dies_at(scene, rule, place):
    """A release that ends where the rule says. Whether it was done all the same."""
    made, before = scene.next_image(), scene.state()
    targets = scene.keys.targets(scene.version + 1, {"v1": tag(made.hex, made.size)})
    scene.faults.set(f"kill-before {rule}")
    answer = scene.release(made, targets)
    after = scene.state_now()
    assert after in (before, (made.digest, targets)), f"torn at {place} of a release"
    assert answer is None or answer.status == 200 and after != before, answer
    scene.version += after != before
    return after != before


def dies_everywhere(folder, choose):
    scene = Scene(folder)
    made = scene.next_image()
    first = len(scene.faults.calls())
    scene.release(made, scene.keys.targets(3, {"v1": tag(made.hex, made.size)})).expect(200)
    scene.version = 3
    calls = scene.faults.calls()[first:]
    chosen = choose(calls)
    done = [dies_at(scene, f"from={place + 1} to={place + 1}", f"change {place}") for place in chosen]
    assert not done[0], list(zip(chosen, done))  # before the commit
    assert dies_after_the_commit(scene, calls), list(zip(chosen, done))
    scene.server.stop()


def dies_after_the_commit(scene, calls):
    """At the sync of the checkpoint, which follows it. How many changes come before that differs from run to run, and
    maintenance syncs the checkpoint too: until it was the release that died there."""
    site = next(call.site for call in reversed(calls) if call.op == "fsync" and ":checkpoint:" in call.site)
    return any(dies_at(scene, f"op=fsync site={site} from=1 to=1", "the checkpoint") for _ in range(20))


def test_signatures_and_tag_change_together_or_not_at_all(tmp_path):
    dies_everywhere(tmp_path, places)


@pytest.mark.soak
def test_the_same_at_each_call(tmp_path):
    dies_everywhere(tmp_path, lambda calls: range(len(calls)))
