"""Deployments: the gate decides, the release of a service is recorded, the image is brought where it runs."""
import json
import re
import shlex

import pytest

from support.images import image, index
from support.oci_clients import OciClient
from support.server import Server, eventually
from support.trust import Trust
from support.tuf import Collection, tag


class Bearer:
    def __init__(self, token):
        self.basic = f"Bearer {token}"


class Api:
    """/api/v1/deployments as one account."""

    def __init__(self, registry, account):
        self.registry, self.account = registry, account

    def __call__(self, method, path="", body=None):
        headers = {"Authorization": self.account.basic, "Content-Type": "application/json"}
        text = None if body is None else json.dumps(body).encode()
        return self.registry.wire.request(method, f"/api/v1/deployments{path}", headers, text)

    def deploy(self, service, name, **more):
        return self("POST", "", {"service": service, "image": name, **more})


@pytest.fixture(scope="module")
def space(registry):
    """A namespace of its own: these tests delete things."""
    return registry.make_namespace("shipping")


@pytest.fixture(scope="module")
def people(registry, space, house):
    accounts = {role: getattr(house, role) for role in ("owner", "maintainer", "developer", "reader")}
    for role, account in accounts.items():
        registry.bond("members", "set", space, account.user, role)
    signed_in = {role: Bearer(registry.session(account)) for role, account in accounts.items()}
    return {**signed_in, "owner account": accounts["owner"], "deployer": registry.make_deployer(space, "k8s"),
            "robot": registry.make_robot(space, "ci", "pull,push"), "puller": registry.make_robot(space, "looks", "pull"),
            "stranger": registry.make_deployer(registry.make_namespace("away"), "k8s")}


@pytest.fixture(scope="module")
def scene(registry, space, people):
    """Signed: v1, v2 (an index). Not: unsigned, and moved, which was."""
    repo = f"{space}/app"
    client = registry.client(people["owner account"])
    made = {name: image(f"shipped {name}", runs=True) for name in ("v1", "before", "after", "unsigned")}
    made["v2"] = index([image("shipped amd", runs=True), image("shipped arm", arch="arm64")])
    for name in ("v1", "v2", "unsigned"):
        client.push(repo, made[name], name)
    client.push(repo, made["after"], "moved")
    client.push(repo, made["before"], made["before"].digest)
    keys = Collection(Trust(registry, client, repo))
    keys.begin(tags={name: tag(made[of].hex, made[of].size) for name, of in (("v1", "v1"), ("v2", "v2"), ("moved", "before"))})
    return Scene(registry, repo, client, made, keys)


class Scene:
    def __init__(self, registry, repo, client, made, keys):
        self.registry, self.repo, self.client, self.made, self.keys, self.version = registry, repo, client, made, keys, 2

    def sign(self, **tags):
        """All that is signed from now on, by names of images."""
        self.version += 1
        listed = {name: tag(self.made[of].hex, self.made[of].size) for name, of in tags.items()}
        self.keys.trust.publish(("targets", self.keys.targets(self.version, listed))).expect(200)

    def pinned(self, name):
        return self.registry.ref(f"{self.repo}@{self.made[name].digest}")


@pytest.fixture
def service(request):
    """A name that no other test uses."""
    return re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[:50].strip("-")


@pytest.fixture
def api(registry, people):
    return lambda who="deployer": Api(registry, people[who])


def decision(registry, api, name):
    return registry.wire.request("GET", f"/api/v1/deploy/decisions/{name}", {"Authorization": api.account.basic}).expect(200).json


# --- deploying ----------------------------------------------------------------------------------------------------

def test_a_deployment_is_recorded_with_who_when_what_and_the_decision(registry, scene, api, service):
    made = api().deploy(service, f"{scene.repo}:v1", notes="first\nof all").expect(201).json
    assert made["service"] == service and made["release"] == 1 and made["current"] is True
    assert made["image"] == registry.ref(f"{scene.repo}:v1") and made["pinned"] == scene.pinned("v1")
    assert made["digest"] == scene.made["v1"].digest and made["reason"] == "allowed"
    assert made["by"] == "shipping.k8s" and made["rollback_of"] is None and made["notes"] == "first\nof all"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["created"]) and len(made["decision"]) == 26
    assert api("reader")("GET", f"/shipping/{service}").expect(200).json == {"releases": [made]}
    record = decision(registry, api("reader"), made["decision"])
    assert (record["door"], record["effect"], record["reason"]) == ("deploy", "allow", "allowed")
    assert record["identity"]["id"] == "shipping.k8s" and record["request"]["tag"] == "v1" and record["digests"]["served"] == made["digest"]
    assert registry.counter("bondstore_gate_decisions_total", door="deploy", effect="allow", reason="allowed") >= 1


def test_releases_are_numbered_and_the_newest_is_current(scene, api, service):
    for number, name in enumerate((":v1", ":v2", f"@{scene.made['v1'].digest}", f":v1@{scene.made['v1'].digest}"), 1):
        assert api().deploy(service, scene.repo + name).expect(201).json["release"] == number
    releases = api()("GET", f"/shipping/{service}").expect(200).json["releases"]
    assert [(r["release"], r["current"]) for r in releases] == [(4, True), (3, False), (2, False), (1, False)]
    assert [r["pinned"] for r in releases] == [scene.pinned(n) for n in ("v1", "v1", "v2", "v1")]
    assert [r["image"] is None for r in releases] == [False, True, False, False]  # by digest alone
    older = api()("GET", f"/shipping/{service}?before=3").expect(200).json["releases"]
    assert [r["release"] for r in older] == [2, 1]
    listed = api()("GET", "/shipping").expect(200).json["services"]
    assert [s["release"] for s in listed if s["service"] == service] == [4]
    names = [s["service"] for s in listed]
    assert names == sorted(names)
    rest = api()("GET", f"/shipping?last={service}").expect(200).json["services"]
    assert [s["service"] for s in rest] == [n for n in names if n > service]


@pytest.mark.parametrize("name,status,reason", [(":unsigned", 403, "unsigned"), (":moved", 403, "digest_mismatch"), ("@after", 403, "unsigned_digest"),
                                                (":v1@v2", 403, "digest_mismatch")])
def test_what_the_gate_refuses_is_not_recorded_as_a_release(registry, scene, api, service, name, status, reason):
    label, _, digest = name.partition("@")
    name = label + (f"@{scene.made[digest].digest}" if digest else "")
    for who in ("deployer", "owner"):  # it is the deployer's answer, whoever asks
        answer = api(who).deploy(service, scene.repo + name).expect(status, "DENIED")
        assert answer.reason_name == reason and answer.message.startswith("content trust: ")
        record = decision(registry, api("reader"), answer.error["detail"]["decision"])
        assert (record["door"], record["effect"], record["reason"], record["digests"]["served"]) == ("deploy", "deny", reason, None)
    api()("GET", f"/shipping/{service}").expect(404)


def test_what_does_not_exist_is_404(scene, api, service):
    api().deploy(service, f"{scene.repo}:nothing").expect(404, "MANIFEST_UNKNOWN")
    api().deploy(service, f"{scene.repo}@sha256:{'0' * 64}").expect(404, "MANIFEST_UNKNOWN")
    api().deploy(service, "shipping/nothing:v1").expect(404, "NAME_UNKNOWN")


def test_who_may(scene, api, service):
    for number, who in enumerate(("deployer", "developer", "robot", "owner"), 1):
        assert api(who).deploy(service, f"{scene.repo}:v1").expect(201).json["release"] == number
    for who in ("reader", "puller"):
        api(who).deploy(service, f"{scene.repo}:v1").expect(403, "DENIED")
        api(who)("GET", f"/shipping/{service}").expect(200)
        api(who)("PATCH", f"/shipping/{service}/1", {"notes": "x"}).expect(403, "DENIED")
        api(who)("POST", f"/shipping/{service}/rollback", {"release": 1}).expect(403, "DENIED")
        api(who)("DELETE", f"/shipping/{service}/1").expect(403, "DENIED")
    for method, path, body in (("POST", "", {"service": service, "image": f"{scene.repo}:v1"}), ("GET", f"/shipping/{service}", None),
                               ("GET", "/shipping", None), ("POST", f"/shipping/{service}/rollback", {"release": 1}),
                               ("DELETE", f"/shipping/{service}", None)):
        api("stranger")(method, path, body).expect((403, 404) if method == "DELETE" else 404)
    api()("DELETE", f"/shipping/{service}/1").expect(403, "DENIED")  # a deployer takes nothing away
    api("developer")("DELETE", f"/shipping/{service}/1").expect(403, "DENIED")
    assert len(api()("GET", f"/shipping/{service}").expect(200).json["releases"]) == 4


@pytest.mark.parametrize("name", ["check", "why", "list", "", "Web", "-x", ".x", "a/b", "a b", "ä", "a" * 64, "a\x00", None, 7])
def test_what_is_no_service_name_is_refused(scene, api, name):
    assert api().deploy(name, f"{scene.repo}:v1").expect(400).message


@pytest.mark.parametrize("body", [{}, {"service": "x"}, {"service": "x", "image": 1}, {"service": "x", "image": "UPPER/app:v1"},
                                  {"service": "x", "image": "a" * 601}, {"service": "x", "image": "shipping/app:v1", "notes": "n" * 2001},
                                  {"service": "x", "image": "shipping/app:v1", "notes": "\x1b[2J"}, {"service": "x", "image": "shipping/app:v1", "more": 1}])
def test_a_body_that_is_none_is_400(scene, api, body):
    assert api()("POST", "", body).expect(400).message


# --- rollback -----------------------------------------------------------------------------------------------------

def test_a_rollback_is_a_release_of_the_digest_of_then(scene, api, service):
    api().deploy(service, f"{scene.repo}:v1").expect(201)
    api().deploy(service, f"{scene.repo}:v2").expect(201)
    back = api()("POST", f"/shipping/{service}/rollback", {"release": 1, "notes": "v2 is slow"}).expect(201).json
    assert (back["release"], back["rollback_of"], back["current"]) == (3, 1, True)
    assert back["pinned"] == scene.pinned("v1") and back["notes"] == "v2 is slow"
    api()("POST", f"/shipping/{service}/rollback", {"release": 9}).expect(404, "NOT_FOUND")
    api()("POST", "/shipping/nothing/rollback", {"release": 1}).expect(404, "NOT_FOUND")
    for body in ({}, {"release": -1}, {"release": "1"}, {"release": 1.5}):
        api()("POST", f"/shipping/{service}/rollback", body).expect(400)
    api()("POST", f"/shipping/{service}/rollback", {"release": 0}).expect(404)


def test_a_rollback_is_decided_again(scene, api, service):
    """Replaced is in grace; withdrawn is not."""
    scene.sign(v1="v1", v2="v2", moved="before")
    api().deploy(service, f"{scene.repo}@{scene.made['before'].digest}").expect(201)
    scene.sign(v1="v1", v2="v2", moved="after")
    api().deploy(service, f"{scene.repo}:moved").expect(201)
    assert api()("POST", f"/shipping/{service}/rollback", {"release": 1}).expect(201).json["reason"] == "superseded"
    scene.sign(v1="v1", v2="v2")
    refused = api()("POST", f"/shipping/{service}/rollback", {"release": 2}).expect(403, "DENIED")
    assert refused.message.startswith("content trust: ")
    assert [r["release"] for r in api()("GET", f"/shipping/{service}").expect(200).json["releases"]] == [3, 2, 1]
    scene.sign(v1="v1", v2="v2", moved="before")


# --- what is in use -----------------------------------------------------------------------------------------------

def test_the_image_of_a_current_release_is_not_deleted(registry, space, people, api, service):
    """Level off lets go of what is signed; a release alone holds it."""
    repo, other = f"{space}/held", f"{space}/other"
    client = registry.client(people["owner account"])
    child = image("held child")
    made, later = index([child, image("held arm", arch="arm64")]), image("held later")
    client.push(repo, made, "v1")
    client.push(other, later, "v1")
    registry.bond("policy", "set", repo, "--level", "off")
    registry.bond("policy", "set", other, "--level", "off")
    api().deploy(service, f"{repo}:v1").expect(201)
    for digest in (made.digest, child.digest):
        answer = client("DELETE", f"/v2/{repo}/manifests/{digest}").expect(403, "DENIED")
        assert service in answer.message and "release 1" in answer.message
    layer = json.loads(child.manifest)["layers"][0]["digest"]
    client("DELETE", f"/v2/{repo}/blobs/{layer}").expect((403, 405))
    assert service in registry.bond("images", "rm", repo, "--confirm", repo, code=5).text
    client("DELETE", f"/v2/{repo}/manifests/v1").expect(202)  # the tag is only a name
    client.get(repo, made.digest).expect(200)
    api().deploy(service, f"{other}:v1").expect(201)
    client("DELETE", f"/v2/{repo}/manifests/{made.digest}").expect(202)
    assert api()("POST", f"/{space}/{service}/rollback", {"release": 1}).expect(404, "MANIFEST_UNKNOWN")
    api("maintainer")("DELETE", f"/{space}/{service}").expect(204)
    client("DELETE", f"/v2/{other}/manifests/{later.digest}").expect(202)


def test_retention_keeps_the_image_of_a_current_release(registry, space, people, api, service):
    repo = f"{space}/kept"
    client = registry.client(people["owner account"])
    first, second, third = (image(f"kept {n}") for n in range(3))
    registry.bond("policy", "set", repo, "--level", "off")
    for made, name in ((first, "a"), (second, "b"), (third, "c")):
        client.push(repo, made, name)
    api().deploy(service, f"{repo}:a").expect(201)
    rules = {"rules": [{"name": "few", "repository": repo, "tag": "*", "keep": {"newest": 1}}]}
    preview = registry.wire.request("POST", f"/api/v1/namespaces/{space}/tag-rules/dry-run",
                                    {"Authorization": people["owner"].basic, "Content-Type": "application/json"}, json.dumps(rules).encode())
    rows = [row for row in preview.expect(200).json["tags"] if row["repository"] == repo]
    assert [(row["tag"], row["action"], row["reason"]) for row in rows] == [("a", "keep", "release"), ("b", "remove", "remove"), ("c", "keep", "newest")]


def changes_of_notes(registry, people, service):
    said = registry.wire.request("GET", "/api/v1/audit?namespace=shipping&action=release.notes", {"Authorization": people["owner"].basic})
    return [(e["object"], json.loads(e["before"]), json.loads(e["after"])) for e in said.expect(200).json["entries"] if service in e["object"]]


def test_notes_change_and_releases_are_forgotten(registry, people, scene, api, service):
    for _ in range(2):
        api().deploy(service, f"{scene.repo}:v1").expect(201)
    assert api()("PATCH", f"/shipping/{service}/1", {"notes": "went well"}).expect(200).json["notes"] == "went well"
    assert changes_of_notes(registry, people, service) == [(f"shipping/{service} 1", {"notes": ""}, {"notes": "went well"})]
    api()("PATCH", f"/shipping/{service}/7", {"notes": "x"}).expect(404, "NOT_FOUND")
    api()("PATCH", f"/shipping/{service}/x", {"notes": "x"}).expect(404)
    api()("PATCH", f"/shipping/{service}/1", {"notes": 7}).expect(400)
    answer = api("maintainer")("DELETE", f"/shipping/{service}/2").expect(403, "DENIED")
    assert "current" in answer.message
    api("maintainer")("DELETE", f"/shipping/{service}/1").expect(204)
    api("maintainer")("DELETE", f"/shipping/{service}/1").expect(404, "NOT_FOUND")
    assert api().deploy(service, f"{scene.repo}:v1").expect(201).json["release"] == 3  # no number comes twice
    api("maintainer")("DELETE", f"/shipping/{service}").expect(204)
    api()("GET", f"/shipping/{service}").expect(404, "NOT_FOUND")


def test_a_deleted_namespace_takes_its_services_with_it(registry, people):
    for life in (1, 2):
        registry.make_namespace("passing")
        registry.bond("policy", "set", "passing", "--level", "off")
        registry.client(registry.admin).push("passing/app", image(f"passing {life}"), "v1")
        assert registry.bond("deploy", "list", "passing").out == ""
        assert "release 1 " in registry.bond("deploy", "web", "passing/app:v1").err
        registry.bond("namespaces", "rm", "passing", "--confirm", "passing")
        wait_gone(registry, "passing")


def wait_gone(registry, ns):
    eventually(lambda: registry.bond("namespaces", "create", ns, code=None).code == 0, 60, what="the end of the namespace")
    registry.bond("namespaces", "rm", ns, "--confirm", ns)
    eventually(lambda: registry.bond("namespaces", "create", ns, code=None).code == 0, 60, what="the end of the namespace")
    registry.bond("namespaces", "rm", ns, "--confirm", ns)


# --- bond ---------------------------------------------------------------------------------------------------------

def test_bond_deploys_lists_and_goes_back(registry, scene, service):
    result = registry.bond("deploy", service, f"{scene.repo}:v1", "--notes", "by hand")
    assert result.out == scene.pinned("v1") + "\n" and f"release 1 of {service} is recorded" in result.err
    assert json.loads(registry.bond("deploy", service, registry.ref(f"{scene.repo}:v2"), "--json").out)["release"] == 2
    assert registry.bond("rollback", f"shipping/{service}", "1").out == scene.pinned("v1") + "\n"
    rows = [line.split("\t") for line in registry.bond("releases", "list", f"shipping/{service}").out.splitlines()]
    assert [(r[0], r[1], r[3]) for r in rows] == [("3", "yes", scene.pinned("v1")), ("2", "no", scene.pinned("v2")), ("1", "no", scene.pinned("v1"))]
    assert registry.bond("releases", "list", service, "-E", "shipping", "-q").out == "3\n2\n1\n"
    registry.bond("releases", "update", service, "2", "--notes", "slow", "-E", "shipping")
    assert "slow" in registry.bond("releases", "list", f"shipping/{service}").out
    assert service in registry.bond("deploy", "list", "shipping", "-q").out.split()
    registry.bond("releases", "rm", f"shipping/{service}", "1")
    registry.bond("releases", "rm", f"shipping/{service}", "3", code=5)
    registry.bond("releases", "rm", f"shipping/{service}", code=2)
    registry.bond("releases", "rm", f"shipping/{service}", "--confirm", f"shipping/{service}")
    registry.bond("releases", "list", f"shipping/{service}", code=3)


def test_the_exit_status_says_what_happened(registry, scene, people, service):
    assert "content trust" in registry.bond("deploy", service, f"{scene.repo}:unsigned", code=6).err
    assert registry.bond("deploy", service, f"{scene.repo}:moved", code=6).out == ""
    registry.bond("deploy", service, f"{scene.repo}@sha256:{'0' * 64}", code=3)
    registry.bond("deploy", service, "shipping/nothing:v1", code=3)
    registry.bond("deploy", service, scene.repo, code=2)  # which tag?
    registry.bond("deploy", service, code=2)
    for word in ("why", "check", "list"):
        registry.bond("deploy", word, f"{scene.repo}:v1", code="fail" if word != "check" else 0)  # verbs, not services
    registry.bond("deploy", service, f"{scene.repo}:v1", "--pull", "rocket", code=2)
    registry.bond("deploy", service, f"{scene.repo}:v1", "argument", code=2)
    registry.bond("rollback", service, "1", code=2)  # of which namespace?
    registry.bond("rollback", f"shipping/{service}", "one", code=2)
    registry.bond("rollback", f"shipping/{service}", "1", code=3)
    registry.bond_remote("deploy", service, f"{scene.repo}:v1", code=4)
    registry.bond_remote("deploy", service, f"{scene.repo}:v1", token=people["puller"].secret, code=5)
    registry.bond("releases", "list", f"shipping/{service}", code=3)  # nothing was recorded
    registry.bond_remote("deploy", service, f"{scene.repo}:v1", token=people["deployer"].secret)


def test_exec_gets_the_pinned_image_and_no_shell(registry, scene, people, service, tmp_path):
    def bond(*args, code=0):
        return registry.bond_remote(*args, token=people["deployer"].secret, code=code)
    hostile = "$(touch %s) ; {}" % shlex.quote(str(tmp_path / "touched"))
    shown = bond("deploy", service, f"{scene.repo}:v1", "--exec", "/usr/bin/printf", "--", "%s|", "a b", hostile).out
    assert shown == f"a b|{hostile.replace('{}', scene.pinned('v1'))}|" and not (tmp_path / "touched").exists()
    assert bond("deploy", service, f"{scene.repo}:v1", "--exec", "echo").out == scene.pinned("v1") + "\n"
    shown = bond("deploy", service, f"{scene.repo}:v2", "--exec", "sh", "--", "-c", "env; true {}").out
    for line in (f"BOND_IMAGE={scene.pinned('v2')}", f"BOND_SERVICE={service}", "BOND_RELEASE=3", f"BOND_DIGEST={scene.made['v2'].digest}"):
        assert line in shown.splitlines()
    assert "cannot run" in bond("deploy", service, f"{scene.repo}:v1", "--exec", "echo hello", code=1).err
    assert "exit status 3" in bond("rollback", f"shipping/{service}", "1", "--exec", "sh", "--", "-c", "exit 3", code=1).err
    refused = bond("deploy", service, f"{scene.repo}:moved", "--exec", "touch", "--", str(tmp_path / "never"), code=6)
    assert "content trust" in refused.err and not (tmp_path / "never").exists()


# --- the local engine ---------------------------------------------------------------------------------------------

def test_docker_gets_exactly_that_image_under_its_name(registry, scene, people, docker, engine, service):
    engine.trust_ca(registry.host, registry.ca)
    person = docker("reader", login=False, name="shipping")
    person.account = people["deployer"]
    person.login()
    settings = {"DOCKER_HOST": f"unix://{engine.socket}", "DOCKER_CONFIG": person.folder, "DOCKER_CONTENT_TRUST": None}
    result = registry.bond("deploy", service, f"{scene.repo}:v1", "--pull", "docker", **settings)
    assert result.out == scene.pinned("v1") + "\n"
    known = json.loads(person("image", "inspect", registry.ref(f"{scene.repo}:v1")).out)[0]
    assert scene.pinned("v1") in known["RepoDigests"]
    assert person.output(f"{scene.repo}:v1") == "shipped v1"
    registry.bond("deploy", service, f"{scene.repo}:v2", **settings)
    registry.bond("rollback", f"shipping/{service}", "1", "--pull", "docker", **settings)
    person.forget(f"{scene.repo}:v1")
    failed = registry.bond("deploy", service, f"{scene.repo}:v1", "--pull", "docker", code=1, **{**settings, "DOCKER_CONFIG": "/nonexistent"})
    assert "the release is recorded, but docker did not get the image" in failed.err


def test_podman_gets_exactly_that_image_under_its_name(registry, scene, people, service, tmp_path):
    person = OciClient(registry, people["deployer"], tmp_path / "podman")
    person.login("podman")
    options = ["--root", person.folder / "storage", "--runroot", person.short.name, "--storage-driver", "vfs"]
    wrapper = tmp_path / "bin" / "podman"
    wrapper.parent.mkdir()
    wrapper.write_text("#!/bin/sh\nverb=$1\nshift\n[ $verb = pull ] && set -- --cert-dir %s \"$@\"\nexec %s %s $verb \"$@\"\n" % (
        person.certs, "/usr/bin/podman", " ".join(map(str, options))))
    wrapper.chmod(0o755)
    result = registry.bond("deploy", service, f"{scene.repo}:v1", "--pull", "podman", PATH=f"{wrapper.parent}:/usr/bin:/bin:/usr/sbin:/sbin",
                           REGISTRY_AUTH_FILE=person.auth, XDG_RUNTIME_DIR=person.folder, HOME=person.folder)
    assert result.out == scene.pinned("v1") + "\n"
    known = json.loads(person.podman("image", "inspect", registry.ref(f"{scene.repo}:v1")).out)[0]
    assert known["Digest"] == scene.made["v1"].digest


# --- how often ------------------------------------------------------------------------------------------------------

def test_deployments_of_an_account_are_limited(tmp_path):
    """Each is kept for good, with its record: a stolen deployer would fill the disk."""
    server = Server(tmp_path).init()
    server.config.write_text(server.config.read_text() + "limits: { publishes: 5 }\n")
    server.start()
    try:
        server.make_namespace("ns")
        deployers = [Api(server, server.make_deployer("ns", name)) for name in ("one", "two")]
        answers = [deployers[0].deploy(f"s{i}", "ns/app:v1") for i in range(20)]
        refused = [a for a in answers if a.status == 429]
        assert refused and {a.status for a in answers} == {404, 429}, answers
        for answer in refused:
            assert answer.expect(429, "TOOMANYREQUESTS").message.startswith("too many deployments, try again in ")
            assert int(answer.header("Retry-After")) >= 1
        deployers[1].deploy("web", "ns/app:v1").expect(404)  # somebody else's turns are his own
    finally:
        server.end()
