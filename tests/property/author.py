"""Who signs a collection: keys, and what each role is to say. A publish takes effect here only when the server takes it."""
import base64
import dataclasses
import json
from dataclasses import dataclass, field
from datetime import timedelta

import tuf


@dataclass
class Held:
    """A role that this author signs. paths and threshold are what its parent says."""
    keys: list
    threshold: int = 1
    paths: list = field(default_factory=lambda: [""])
    entries: dict = field(default_factory=dict)
    version: int = 0
    signed_by: list = None  # keys that sign now; None: all
    life: timedelta = timedelta(days=365)
    listed_keys: list = None

    def copy(self):
        return dataclasses.replace(self, keys=list(self.keys), paths=list(self.paths), entries=dict(self.entries))


@dataclass
class Plan:
    """All that a publish may change."""
    root_keys: list
    root_threshold: int
    roles: dict  # name -> Held; "targets" among them
    snapshot_key: object = None  # None: the server's
    root_version: int = 0
    snapshot_version: int = 0
    root_life: timedelta = timedelta(days=3650)
    sent: dict = field(default_factory=dict)  # role -> bytes that the server took

    def copy(self):
        return dataclasses.replace(self, root_keys=list(self.root_keys), sent=dict(self.sent), roles={n: r.copy() for n, r in self.roles.items()})


class Author:
    def __init__(self, world, place, master=None):
        self.world, self.place = world, place
        self.master = master or tuf.Key()  # the pair of root; each repository has a certificate of its own
        self.plan, self.refusals = None, []

    @property
    def gun(self):
        return self.place.gun

    def server_key(self, role, rotate=False):
        method = "POST" if rotate else "GET"
        entry = json.loads(self.world.owner(self.place, method, f"/v2/{self.gun}/_trust/tuf/{role}.key").expect(200).body)
        return (tuf.hashlib.sha256(tuf.canonical({"keytype": entry["keytype"], "keyval": {"private": None, "public": entry["keyval"]["public"]}})).hexdigest(),
                {"keytype": entry["keytype"], "keyval": {"private": None, "public": entry["keyval"]["public"]}})

    def certificate(self, life=timedelta(days=3650), key=None):
        now = self.world.now
        return (key or self.master).certified(self.gun, now - timedelta(hours=1), now + life)

    def begin(self, own_snapshot=False, life=timedelta(days=3650)):
        """A first publish: empty targets."""
        plan = Plan([self.certificate(life)], 1, {"targets": Held([tuf.Key()])}, tuf.Key() if own_snapshot else None)
        return self.publish(plan, {"targets"}, root=True)

    def publish(self, plan, changed, root=False, signers=None):
        """Sends the documents of the roles in `changed`, and a root. `signers`: keys of root that sign besides its own."""
        now, parts = self.world.now, []
        if root:
            plan.root_version += 1
            pair = lambda keys: [(k.id, k.entry) for k in keys]
            snapshot = pair([plan.snapshot_key]) if plan.snapshot_key else [self.server_key("snapshot")]
            roles = {"root": (pair(plan.root_keys), plan.root_threshold), "targets": (pair(plan.roles["targets"].keys), plan.roles["targets"].threshold),
                     "snapshot": (snapshot, 1), "timestamp": ([self.server_key("timestamp")], 1)}
            by = {k.id: k for k in [*plan.root_keys, *(signers or [])]}
            plan.sent["root"] = tuf.root_document(plan.root_version, now + plan.root_life, roles, list(by.values()))
            parts.append(("root", plan.sent["root"]))
        for name in sorted(changed):
            plan.sent[name] = self.write(plan, name, now)
            parts.append((name, plan.sent[name]))
        for name in [n for n in plan.sent if n.startswith("targets/") and n not in plan.roles]:
            del plan.sent[name]
        if plan.snapshot_key:
            plan.snapshot_version += 1
            meta = {n: tuf.meta_of(c) for n, c in plan.sent.items()}
            parts.append(("snapshot", tuf.snapshot_document(plan.snapshot_version, now + timedelta(days=700), meta, [plan.snapshot_key])))
        answer = self.world.publish(self.place, parts)
        if answer.status == 200:
            self.plan = plan
        else:
            self.refusals.append(answer)
        return answer

    @staticmethod
    def write(plan, name, now):
        role = plan.roles[name]
        role.version += 1
        under = [(n, r.listed_keys or r.keys, r.threshold, r.paths) for n, r in sorted(plan.roles.items()) if n.rpartition("/")[0] == name]
        return tuf.targets_document(role.version, now + role.life, role.entries, under, role.signed_by or role.keys)
