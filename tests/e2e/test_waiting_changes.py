"""Changes that wait for their turn to be written: whoever lost his right meanwhile is not obeyed."""
import contextlib
import json
import os
import sqlite3
import threading

import pytest

from support.images import image, sha256
from support.server import Server, eventually
from support.trust import Trust
from support.tuf import Collection, tag
from support.wire import multipart

NS, OTHER = "waiting", "waiting-too"
# What the changes would change; not what every request leaves behind.
TABLES = ("namespace repository account membership credential blob repository_blob manifest tag tag_history trust_doc tombstone "
          "trust_key trust_pin namespace_root revoked_key policy audit tag_rule_set tag_rule denied_digest override removal release").split()
ANY_KEY = "sha256:" + "7" * 64


class Place:
    """Namespaces with everything that the changes are made to, and two who make them: an administrator and an owner."""

    def __init__(self, server):
        self.server, self.number = server, 0
        for ns in (NS, OTHER):
            server.make_namespace(ns)
        self.chief = server.make_user("chief@waiting.example", admin=True)
        self.owner = server.make_member(NS, "owner@waiting.example", "owner")
        server.bond("members", "set", OTHER, self.owner.user, "owner")
        self.reader = server.make_member(NS, "reader@waiting.example", "reader")
        self.sessions = {account: server.session(account) for account in (self.chief, self.owner, server.admin)}
        self.repos = [f"{NS}/{name}" for name in ("app", "source", "signed", "wiped", "wiped-too", "released", "going", "deployed")]
        self.tokens = {self.owner: server.token(self.owner, *(
            f"repository:{name}:{actions}" for repo in self.repos
            for name, actions in ((repo, "pull,push,delete"), (server.gun(repo), "*"))))}
        self.images = {name: image(f"waiting {name}") for name in ("late", "tagged", "deleted", "mounted", "signed", "released")}
        self.fill(server.client(self.owner))

    def fill(self, client):
        made = self.images
        for repo, name, reference in (("app", "tagged", "v1"), ("app", "tagged", "v2"), ("app", "deleted", "spare"), ("source", "mounted", "v1"),
                                      ("signed", "signed", "v1"), ("released", "released", "spare"), ("going", "tagged", "v1"), ("deployed", "tagged", "v1")):
            client.push(f"{NS}/{repo}", made[name], reference)
        for digest, content in made["late"].blobs.items():
            client.push_blob(f"{NS}/app", content, digest)
        self.spare_blob = os.urandom(100)
        client.push_blob(f"{NS}/app", self.spare_blob, sha256(self.spare_blob))
        self.signers = {}
        for repo, name in (("signed", "signed"), ("wiped", "tagged"), ("wiped-too", "tagged"), ("released", "tagged")):
            self.signers[repo] = Collection(Trust(self.server, client, f"{NS}/{repo}"))
            self.signers[repo].begin(tags={"v1": tag(made[name].hex, made[name].size)})
        for method, path, body in (("PUT", f"/policy?scope={NS}/source", {"level": "off"}),
                                   ("PUT", f"/policy?scope={NS}/deployed", {"level": "off"}),
                                   ("POST", f"/namespaces/{NS}/robots", {"name": "old", "actions": ["pull"]}),
                                   ("POST", "/denied", {"scope": NS, "digest": "sha256:" + "5" * 64, "reason": "bad"}),
                                   ("POST", f"/namespaces/{NS}/roots", {"key": "sha256:" + "6" * 64}),
                                   ("POST", "/deployments", {"service": "web", "image": f"{NS}/deployed:v1"})):
            assert self.api(self.owner, method, path, body).status < 300, path

    def api(self, account, method, path, body=None, base="/api/v1", content_type="application/json", bearer=None):
        headers = {"Authorization": f"Bearer {bearer or self.sessions[account]}", "Content-Type": content_type}
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return self.server.wire.request(method, base + path, headers, content)

    def registry(self, method, path, body=None, content_type="application/json"):
        return self.api(self.owner, method, path, body, "/v2", content_type, self.tokens[self.owner])

    def publish(self, repo, **documents):
        body, content_type = multipart(list(documents.items()))
        return self.registry("POST", f"/{self.server.gun(repo)}/_trust/tuf/", body, content_type)


def owner(method, path, body=None):
    return lambda p: p.api(p.owner, method, path, body)


def chief(method, path, body=None):
    return lambda p: p.api(p.chief, method, path, body)


def release(p):
    made = p.images["released"]
    documents = {"targets": p.signers["released"].targets(3, {"v1": tag(made.hex, made.size)}).decode()}
    return p.api(p.owner, "POST", "/release", {"repo": f"{NS}/released", "tag": "v1", "digest": made.digest, "tuf": documents})


# One of each kind, none in the way of another: by an administrator, …
OF_THE_SERVER = {
    "namespace": chief("POST", "/namespaces", {"name": "waiting-new"}),
    "quota": chief("PATCH", f"/namespaces/{NS}", {"quota_bytes": 10**9}),
    "account": chief("POST", "/users", {"email": "new@waiting.example", "password": "a long enough pass phrase"}),
    "revoked key": chief("POST", "/trust/revoked-keys", {"key": ANY_KEY, "reason": "lost"}),
    "role": chief("POST", "/trust/reset", {"scope": f"{NS}/wiped-too", "role": "targets", "reason": "lost"}),
    "global policy": chief("PUT", "/policy?scope=*", {"level": "off"}),
    "denied everywhere": chief("POST", "/denied", {"scope": "*", "digest": "sha256:" + "4" * 64, "reason": "bad"}),
}
# … by an owner, …
OF_A_NAMESPACE = {
    "policy": owner("PUT", f"/policy?scope={NS}/app", {"level": "off"}),
    "policy taken away": owner("DELETE", f"/policy?scope={NS}/source"),
    "override": lambda p: p.api(p.owner, "POST", f"/namespaces/{NS}/overrides", {
        "repository": f"{NS}/app", "digest": p.images["tagged"].digest, "identities": [p.reader.user], "reason": "an emergency at night",
        "ticket": "INC-7", "duration": "1h"}),
    "denied": owner("POST", "/denied", {"scope": NS, "digest": "sha256:" + "3" * 64, "reason": "bad"}),
    "denial lifted": owner("DELETE", f"/denied?scope={NS}&digest=sha256:" + "5" * 64),
    "role of a member": lambda p: p.api(p.owner, "PUT", f"/namespaces/{NS}/members/{p.reader.user}", {"role": "developer"}),
    "robot": owner("POST", f"/namespaces/{NS}/robots", {"name": "new", "actions": ["push"]}),
    "robot taken away": owner("DELETE", f"/namespaces/{NS}/robots/old"),
    "deployer": owner("POST", f"/namespaces/{NS}/deployers", {"name": "k8s"}),
    "tag rules": owner("PUT", f"/namespaces/{NS}/tag-rules", {"rules": []}),
    "root key": owner("POST", f"/namespaces/{NS}/roots", {"key": ANY_KEY.replace("7", "8")}),
    "root key taken away": owner("DELETE", f"/namespaces/{NS}/roots/sha256:" + "6" * 64),
    "held key": owner("POST", "/trust/keys", {"scope": f"{NS}/signed", "role": "snapshot"}),
    "wipe": owner("POST", "/trust/wipe", {"scope": f"{NS}/wiped", "confirm": f"{NS}/wiped", "reason": "lost"}),
    "repository": owner("DELETE", f"/repositories/{NS}/going"),
    "whole namespace": owner("DELETE", f"/namespaces/{OTHER}"),
    "deployment": owner("POST", "/deployments", {"service": "api", "image": f"{NS}/deployed:v1"}),
    "note": owner("PATCH", f"/deployments/{NS}/web/1", {"notes": "late"}),
    "release": release,
}
# … and on the registry's and the trust server's own routes.
OF_A_REPOSITORY = {
    "manifest": lambda p: p.registry("PUT", f"/{NS}/app/manifests/late", p.images["late"].manifest, p.images["late"].media_type),
    "mount": lambda p: p.registry("POST", f"/{NS}/app/blobs/uploads/?mount={p.images['mounted'].config}&from={NS}/source"),
    "deleted tag": lambda p: p.registry("DELETE", f"/{NS}/app/manifests/v2"),
    "deleted manifest": lambda p: p.registry("DELETE", f"/{NS}/app/manifests/{p.images['deleted'].digest}"),
    "deleted blob": lambda p: p.registry("DELETE", f"/{NS}/app/blobs/{sha256(p.spare_blob)}"),
    "publish": lambda p: p.publish(f"{NS}/signed", targets=p.signers["signed"].targets(3, {})),
    "requested key": lambda p: p.registry("POST", f"/{p.server.gun(NS + '/source')}/_trust/tuf/timestamp.key"),
    "deleted trust data": lambda p: p.registry("DELETE", f"/{p.server.gun(NS + '/wiped-too')}/_trust/tuf/"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    changes = len(OF_THE_SERVER) + len(OF_A_NAMESPACE) + len(OF_A_REPOSITORY)
    server = Server(tmp_path_factory.mktemp("waiting")).init().start(BONDSTORE_LIMITS_WORKERS=str(changes + 4))
    yield Place(server)
    server.end()


def execute(place, *statements):
    with contextlib.closing(sqlite3.connect(place.server.data / "index.db", timeout=60)) as db, db:
        for sql, values in statements:
            db.execute(sql, values)


def content(place):
    with contextlib.closing(sqlite3.connect(place.server.data / "index.db", timeout=60)) as db:
        return {table: sorted(map(repr, db.execute(f"SELECT * FROM {table}"))) for table in TABLES}


def forget_what_is_known(place):
    """The server is told nothing of a change that was made behind it: a deletion, even of nothing, makes it read accounts anew."""
    place.api(place.server.admin, "DELETE", "/namespaces/none-such").expect(404)


def make_all_wait(place, changes, statement):
    """Sends all changes while somebody else writes, who then takes a right away; returns the answers by name."""
    answers, busy = {}, lambda: place.server.counter("bondstore_worker_jobs")

    def send(name):
        answers[name] = changes[name](place)
    threads = [threading.Thread(target=send, args=(name,)) for name in changes]
    with contextlib.closing(sqlite3.connect(place.server.data / "index.db", isolation_level=None, timeout=60)) as db:
        eventually(lambda: busy() == 0, what="the end of what went before")
        db.execute("BEGIN IMMEDIATE")
        for thread in threads:
            thread.start()
        eventually(lambda: len(answers) + busy() >= len(changes), what="all the requests")
        db.execute(*statement)
        forget_what_is_known(place)
        db.execute("COMMIT")
    for thread in threads:
        thread.join()
    return answers


DISABLED = "UPDATE account SET disabled = 1 WHERE name = ?", "UPDATE account SET disabled = 0 WHERE name = ?"
DEMOTED = "UPDATE account SET administrator = 0 WHERE name = ?", "UPDATE account SET administrator = 1 WHERE name = ?"
A_READER = ("UPDATE membership SET role = 1 WHERE account_id = (SELECT id FROM account WHERE name = ?)",
            "UPDATE membership SET role = 4 WHERE account_id = (SELECT id FROM account WHERE name = ?)")
LOST = [("chief", DISABLED, OF_THE_SERVER), ("chief", DEMOTED, OF_THE_SERVER), ("owner", DISABLED, {**OF_A_NAMESPACE, **OF_A_REPOSITORY}),
        ("owner", A_READER, {**OF_A_NAMESPACE, **OF_A_REPOSITORY})]


@pytest.mark.parametrize("who,take,changes", LOST, ids=["administrator disabled", "administrator demoted", "owner disabled", "owner made a reader"])
def test_nothing_is_changed_for_who_lost_his_right_while_it_waited(place, who, take, changes):
    account, before = getattr(place, who), content(place)
    for _ in range(10):
        answers = make_all_wait(place, changes, (take[0], (account.user,)))
        execute(place, (take[1], (account.user,)))
        forget_what_is_known(place)
        if not any(a.status in (500, 503) for a in answers.values()):
            break  # otherwise the machine is so slow that they gave up waiting for the other writer: nothing was asked
    assert {name: a.status for name, a in answers.items() if a.status not in (401, 403, 404)} == {}
    after = content(place)
    assert {table: (before[table], after[table]) for table in TABLES if before[table] != after[table]} == {}


def test_all_is_changed_when_somebody_else_lost_his(place):
    """The last test: it uses up what the others leave."""
    for changes in (OF_THE_SERVER, OF_A_REPOSITORY, OF_A_NAMESPACE):
        left = dict(changes)
        while left:
            answers = make_all_wait(place, left, (DISABLED[0], (place.reader.user,)))
            left = {name: left[name] for name, a in answers.items() if a.status in (500, 503)}
            assert {name: (a.status, a.body) for name, a in answers.items() if not 200 <= a.status < 300 and name not in left} == {}
