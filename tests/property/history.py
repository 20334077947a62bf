"""A random history: what people do to repositories, one step after another. The same seed gives the same steps."""
import random
from datetime import timedelta

import tuf
from author import Author, Held
from checker import DEFAULTS, RELEASES, hash_of
from support.images import OCI_CONFIG, OCI_EMPTY, OCI_LAYER, Image, artifact, compact, image, index, sha256, sha512, tar
from world import World

TAGS = ("v1", "v2", "v3", "prod-1", "prod-2")
SHARED = [tar({"lib": None, f"lib/{n}": b"shared\n" * n}) for n in (1, 2)]
NAMES = ("alpha/app", "alpha/web", "beta/app")
LIVES = [timedelta(days=d, minutes=7) for d in (3, 12, 40, 400)]
POLICIES = [{}, {}, {"fallback": "docker"}, {"fallback": "never"}, {"grace": "0"}, {"grace": "2d"}, {"grace": "forever"}, {"on_mismatch": "serve_signed"},
            {"on_mismatch": "hold"}, {"signers": {"threshold": 1, "of": ["alice", "bob"]}}, {"signers": {"threshold": 2, "of": ["alice", "bob"]}},
            {"tags": ["prod-*", "v1"]}, {"digest_tags": ["prod-*"]}, {"tags_list": "all"}, {"level": "warn"}, {"level": "off"}, {"level": "all"},
            {"accept_sha512_only": True}]
# What a disguise is made of: types that engines run, types that only look so, types of signatures.
CONFIG_TYPES = ("application/x", OCI_EMPTY, OCI_CONFIG, OCI_CONFIG.upper(), "application/octet-stream", "application/json", "")
LAYER_TYPES = ("application/x", OCI_LAYER, OCI_LAYER.replace("oci", "OCI"), "application/octet-stream", "",
               "application/vnd.dev.cosign.simplesigning.v1+json", "application/vnd.dsse.envelope.v1+json")
MOST = 16  # manifests of a repository, before old ones are used again


class History:
    def __init__(self, folder, seed, names=NAMES, **settings):
        self.dice = random.Random(seed)
        self.world = World(folder, names, **settings)
        self.made = 0
        self.told = []  # what was done, newest last
        for place in self.world.places.values():
            shared = self.world.master if self.dice.random() < 0.5 else None  # one person's, in several repositories
            place.author = Author(self.world, place, shared)
            place.images = {}

    def close(self):
        self.world.server.end()

    def some(self, things):
        return self.dice.choice(sorted(things))

    def step(self):
        """Does one thing; returns the places that it may have changed."""
        place = self.dice.choice(list(self.world.places.values()))
        if place.author.plan is None and self.dice.random() < 0.5:
            name = "begin"
        else:
            name = self.dice.choices(list(STEPS), [w for w, _ in STEPS.values()])[0]
        result = STEPS[name][1](self, place)
        self.told.append(f"{len(self.told)} {place.repo} {name} {result if isinstance(result, str) else ''}")
        return self.told[-1]

    # --- content -----------------------------------------------------------------------------------------------------
    def new_image(self, place):
        """An image, an index, an artifact or something that only looks like one."""
        self.made += 1
        text, shared = f"{place.repo} {self.made}", [s for s in SHARED if self.dice.random() < 0.5]
        kind, old = self.dice.random(), list(place.images.values())
        subject = self.dice.choice(old).descriptor() if old else None
        if kind < 0.5 or not old:
            made = image(text, shared=shared, kind=self.dice.choice(["oci", "docker"]))
        elif kind < 0.65:
            made = index([image(text, shared=shared), image(text + " arm", arch="arm64", shared=shared)])
        elif kind < 0.72:
            made = index([self.dice.choice(old)])
        elif kind < 0.86:
            made = artifact(text, subject)
        elif kind < 0.93:
            made = image(text, subject=subject, shared=shared)  # runs, and says that it belongs to another
        else:
            made = self.disguised(text, subject)
        place.images[made.digest] = made
        return made

    def disguised(self, text, subject):
        """An image under other media types, or a document under those of an image."""
        whole = image(text, kind=self.dice.choice(["oci", "docker"]))
        parts, blobs = {**whole.parsed, "subject": subject}, dict(whole.blobs)
        if self.dice.random() < 0.3:
            document = compact({"text": text})
            blobs = {whole.config: blobs[whole.config], sha256(document): document}
            parts["layers"] = [{"digest": sha256(document), "size": len(document)}]
        layer_type = self.dice.choice(LAYER_TYPES)
        parts["layers"] = [{**layer, "mediaType": layer_type} for layer in parts["layers"]]
        parts["config"] = {**parts["config"], "mediaType": self.dice.choice(CONFIG_TYPES)}
        return Image(compact(parts), parts["mediaType"], blobs)

    def any_image(self, place):
        if len(place.images) < MOST and self.dice.random() < 0.5 or not place.images:
            return self.new_image(place)
        return place.images[self.some(place.images)]

    def push(self, place):
        made, tag = self.any_image(place), self.dice.choice([*TAGS, *TAGS, None])
        self.world.push(place, made, tag)
        return f"{tag} {made.digest[:15]}"

    def push_artifact_tag(self, place):
        if not place.images:
            return "nothing"
        subject = self.some(place.images)
        made = self.any_image(place) if self.dice.random() < 0.5 else artifact(f"{place.repo} {self.made}", None)
        place.images[made.digest] = made
        tag = f"sha256-{subject[7:]}{self.dice.choice(['', '.sig', '.att', '.sbom'])}"
        self.world.push(place, made, tag)
        return f"{tag[:20]} {made.digest[:15]}"

    def delete_tag(self, place):
        if not place.registry.tags:
            return "nothing"
        tag = self.some(place.registry.tags)
        place.stale = True
        return f"{tag} {self.world.owner(place, 'DELETE', f'/v2/{place.repo}/manifests/{tag}').status}"

    def delete_manifest(self, place):
        if not place.registry.manifests:
            return "nothing"
        digest = self.some(place.registry.manifests)
        place.stale = True
        return f"{digest[:15]} {self.world.owner(place, 'DELETE', f'/v2/{place.repo}/manifests/{digest}').status}"

    # --- signatures --------------------------------------------------------------------------------------------------
    def send(self, place, plan, changed, **more):
        answer = place.author.publish(plan, changed, **more)
        return "" if answer.status == 200 else f"refused {answer.status} {answer.body[:200]}"

    def begin(self, place):
        if place.author.plan:
            return "is there"
        answer = place.author.begin(self.dice.random() < 0.3, self.dice.choice(LIVES[1:] + [timedelta(days=3650)] * 4))
        return "" if answer.status == 200 else f"refused {answer.body[:200]}"

    def planned(self, place):
        return place.author.plan.copy() if place.author.plan else None

    def entry_of(self, place, tag):
        """Mostly what the tag points to."""
        made = place.images.get(place.registry.tags.get(tag)) if self.dice.random() < 0.7 else None
        made = made or self.any_image(place)
        odd = self.dice.random()
        if odd < 0.04:
            return tuf.target(made.size + 1, made.hex), made
        if odd < 0.08:
            return tuf.target(made.size, made.hex, "ab" * 64), made
        if odd < 0.12:
            return tuf.target(made.size, None, sha512(made.manifest)[7:]), made
        return tuf.target(made.size, made.hex, self.dice.choice([None, sha512(made.manifest)[7:]])), made

    def sign(self, place):
        plan = self.planned(place)
        if not plan:
            return "nothing"
        roles = sorted(plan.roles)
        name = RELEASES if RELEASES in roles and self.dice.random() < 0.5 else self.dice.choice(roles)
        tag = self.dice.choice(TAGS)
        entry, made = self.entry_of(place, tag)
        changed = {name}
        for other in roles:  # several often say the same at once
            if other != name and self.dice.random() < 0.3:
                changed.add(other)
        for role in changed:
            plan.roles[role].entries[tag] = entry
            plan.roles[role].life = self.dice.choice([*LIVES, timedelta(days=1000), timedelta(days=1000)])
        return f"{tag} {made.digest[:15]} {','.join(sorted(changed))} " + self.send(place, plan, changed)

    def withdraw(self, place):
        plan = self.planned(place)
        name = plan and self.some(plan.roles)
        if not plan or not plan.roles[name].entries:
            return "nothing"
        tag = self.some(plan.roles[name].entries)
        del plan.roles[name].entries[tag]
        return f"{tag} {name} " + self.send(place, plan, {name})

    def delegate(self, place):
        plan = self.planned(place)
        name = self.dice.choice([RELEASES, RELEASES, "targets/alice", "targets/bob", RELEASES + "/x", "targets/alice/y"])
        parent = name.rpartition("/")[0]
        if not plan or name in plan.roles or parent not in plan.roles:
            return "nothing"
        kinds = ["ecdsa"] * 6 + ["ed25519", "rsa"]
        keys = [tuf.Key(self.dice.choice(kinds)), *([tuf.Key()] if self.dice.random() < 0.3 else [])]
        if self.dice.random() < 0.3 and "targets/alice" in plan.roles:
            keys = list(plan.roles["targets/alice"].keys)  # one person, two roles
        plan.roles[name] = Held(keys, self.dice.choice([1, len(keys)]), self.dice.choice([[""], [""], ["prod-"], ["v", "prod-2"], []]))
        return f"{name} {plan.roles[name].paths} " + self.send(place, plan, {parent})

    def undelegate(self, place):
        plan = self.planned(place)
        names = [n for n in plan.roles if n != "targets"] if plan else []
        if not names:
            return "nothing"
        name = self.some(names)
        for gone in [n for n in plan.roles if n == name or n.startswith(name + "/")]:
            del plan.roles[gone]
        return f"{name} " + self.send(place, plan, {name.rpartition("/")[0]})

    def rotate_delegate(self, place):
        """The parent lists other keys; the delegate signs again with them at once, or only later."""
        plan = self.planned(place)
        names = [n for n in plan.roles if n != "targets"] if plan else []
        if not names:
            return "nothing"
        role = plan.roles[name := self.some(names)]
        role.keys = [tuf.Key(), *role.keys[:self.dice.choice([0, 0, 1])]]
        role.threshold = self.dice.choice([1, len(role.keys)])
        changed = {name.rpartition("/")[0]} | ({name} if self.dice.random() < 0.5 else set())
        return f"{sorted(changed)} " + self.send(place, plan, changed)

    def change_paths(self, place):
        plan = self.planned(place)
        names = [n for n in plan.roles if n != "targets"] if plan else []
        if not names:
            return "nothing"
        name = self.some(names)
        plan.roles[name].paths = self.dice.choice([[""], ["prod-"], ["v"], ["v1", "prod-1"]])
        return f"{name} {plan.roles[name].paths} " + self.send(place, plan, {name.rpartition("/")[0]})

    def rotate_root(self, place):
        """Of root: other keys of root, of targets, or of the snapshot."""
        plan, author = self.planned(place), place.author
        if not plan:
            return "nothing"
        old, changed, what = list(plan.root_keys), set(), self.dice.choice(["root", "targets", "targets", "snapshot", "renew"])
        if what == "root":
            plan.root_keys = [author.certificate(self.dice.choice([LIVES[2], timedelta(days=3650)]), tuf.Key()) for _ in range(self.dice.choice([1, 2]))]
            plan.root_threshold = self.dice.choice([1, len(plan.root_keys)])
        elif what == "targets":
            plan.roles["targets"].keys = [tuf.Key() for _ in range(self.dice.choice([1, 1, 2]))]
            plan.roles["targets"].threshold = self.dice.choice([1, len(plan.roles["targets"].keys)])
            changed = {"targets"}
        elif what == "snapshot":
            plan.snapshot_key = None if plan.snapshot_key else tuf.Key()
            if plan.snapshot_key:
                seen = place.author.world.read_document(place, "snapshot.json")
                plan.snapshot_version = tuf.json.loads(seen)["signed"]["version"]
        else:
            plan.root_keys = [author.certificate(timedelta(days=3650), k) for k in plan.root_keys]
        plan.root_life = self.dice.choice([LIVES[2], LIVES[3], timedelta(days=3650), timedelta(days=3650)])
        return f"{what} " + self.send(place, plan, changed, root=True, signers=old)

    def revoke_root(self, place):
        """By an administrator: a key that this root lists, or one that it listed once. Whoever has it makes himself another."""
        plan = self.planned(place)
        if not plan:
            return "nothing"
        lost = self.dice.choice([*plan.root_keys, place.author.master]).spki_hex
        self.world.revoke(lost)
        for other in self.world.places.values():
            if other.author.master.spki_hex == lost:
                other.author.master = tuf.Key()
        return lost[:8]

    def replace_revoked(self, place):
        """The next root without what was revoked, signed by the keys that remain. Where too few remain it is refused, and the way on is
        a wipe."""
        plan = self.planned(place)
        left = [k for k in plan.root_keys if k.spki_hex not in self.world.revoked] if plan else []
        if not plan or len(left) == len(plan.root_keys):
            return "nothing"
        enough = len(left) >= plan.root_threshold
        plan.root_keys = [*left, place.author.certificate(key=tuf.Key())]
        plan.root_threshold = min(plan.root_threshold, len(plan.root_keys))
        told = self.send(place, plan, set(), root=True, signers=[])
        assert enough or told, "a root without the signatures of the one before was taken"
        return f"{len(left)} left " + told + ("" if enough else self.wipe(place) + "wiped")

    def renew(self, place):
        """Everything signed again, as it is."""
        plan = self.planned(place)
        if not plan:
            return "nothing"
        for role in plan.roles.values():
            role.life = timedelta(days=1000)
        old = list(plan.root_keys)
        plan.root_keys = [place.author.certificate(timedelta(days=3650), k) for k in plan.root_keys]
        plan.root_life = timedelta(days=3650)
        return self.send(place, plan, set(plan.roles), root=True, signers=old)

    def forge(self, place):
        """Somebody who has push rights and none of the keys. Nothing may come of it."""
        plan = self.planned(place)
        if not plan:
            return "nothing"
        made, tag, name = self.any_image(place), self.dice.choice(TAGS), self.some(plan.roles)
        plan.roles[name].entries[tag] = tuf.target(made.size, made.hex)
        what = self.dice.choice(["key", "version", "root", "snapshot"])
        if what == "key":
            plan.roles[name].signed_by = [tuf.Key()]
        elif what == "version":
            plan.roles[name].version -= self.dice.choice([1, 2])
        elif what == "root":
            plan.root_keys, plan.roles["targets"].keys = [place.author.certificate(key=tuf.Key())], [tuf.Key()]
            name = "targets"
        else:
            plan.snapshot_key, plan.snapshot_version = tuf.Key(), 900
        kept = place.author.plan
        answer = place.author.publish(plan, {name}, root=what == "root")
        assert answer.status == 400, f"a forgery ({what} of {name}) was taken: {answer}"
        place.author.refusals.pop()
        place.author.plan = kept
        return f"{what} {name}"

    def wipe(self, place):
        """Of nothing too: it forgets whose keys the next root must have."""
        self.world.owner(place, "DELETE", f"/v2/{place.gun}/_trust/tuf/").expect(200)
        place.author.plan = None
        return ""

    def delete_repository(self, place):
        forget = self.dice.random() < 0.5
        self.world.delete(place, forget)
        place.author.plan = None
        return "pins forgotten" if forget else "pins kept"

    # --- rules, time, life -------------------------------------------------------------------------------------------
    def change_policy(self, place):
        policy = self.dice.choice(POLICIES)
        self.world.see(place)  # what was released until now was so by the rules of until now
        self.world.set_policy(place, policy)
        return str(policy)

    def pass_time(self, place):
        delta = timedelta(minutes=self.dice.choice([20, 300, 1500, 5000, 20000, 60000]) + self.dice.randrange(30))
        self.world.later(delta)
        return str(delta)

    def restart(self, place):
        kill = self.dice.random() < 0.5
        self.world.again(kill)
        return "killed" if kill else "stopped"

    def clock_back(self, place):
        """A year back: nothing that has trust data is given out. Right again: as before."""
        world = self.world
        world.offset -= 365 * 86400
        world.set_clock()
        served = []
        for p in world.places.values():
            if p.book.docs is None or p.policy["level"] in ("off", "warn"):
                continue
            for kind, reference in world.questions(p):
                answer = world.ask(p, "blobs" if kind == "blob" else "manifests", reference)
                world.asked += 1
                if answer.status == 200:
                    served.append((p.repo, kind, reference))
        world.offset += 365 * 86400
        world.set_clock()
        world.forget()
        assert not served, f"served with the clock set back: {served}"
        return ""


STEPS = {"push": (18, History.push), "push_artifact_tag": (4, History.push_artifact_tag), "delete_tag": (3, History.delete_tag),
         "delete_manifest": (2, History.delete_manifest), "begin": (1, History.begin), "sign": (26, History.sign), "withdraw": (6, History.withdraw),
         "delegate": (8, History.delegate), "undelegate": (2, History.undelegate), "rotate_delegate": (4, History.rotate_delegate),
         "change_paths": (2, History.change_paths), "rotate_root": (5, History.rotate_root), "renew": (3, History.renew), "forge": (3, History.forge),
         "revoke_root": (2, History.revoke_root), "replace_revoked": (3, History.replace_revoked),
         "wipe": (1, History.wipe), "delete_repository": (1, History.delete_repository), "change_policy": (7, History.change_policy), "pass_time": (8, History.pass_time), "restart": (1, History.restart),
         "clock_back": (1, History.clock_back)}
