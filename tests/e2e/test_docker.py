"""docker (engine and CLI of Debian): login, push, tag, pull, run, build, mounts, refusals that a person can read."""
import re

from support.engine import Docker
from support.images import image, index
from support.server import Account


def test_login_keeps_an_identity_token_and_no_password(docker, house):
    person = docker("maintainer", login=False)
    assert "Login Succeeded" in person.login()
    assert person.auth["identitytoken"] and house.maintainer.secret not in (person.folder / "config.json").read_text()


def test_a_wrong_password_and_an_unknown_user_are_refused(engine, registry, house, tmp_path):
    for user, secret in ((house.reader.user, "this is not it at all"), ("nobody@nowhere.example", "whatever it may be")):
        person = Docker(engine, registry, Account(user, secret), tmp_path / user)
        assert "unauthorized" in person.login(code="fail").text.lower()


def test_a_robots_login_stays_usable_as_user_and_secret(engine, registry, house, tmp_path):
    robot = Docker(engine, registry, house.robot, tmp_path / "robot")
    robot.login()
    assert "identitytoken" not in robot.auth and robot.auth["auth"]


def test_push_pull_and_run(docker, repo):
    person = docker("developer")
    made = image("it runs", runs=True)
    digest = person.push(f"{repo}:v1", made)
    assert digest.startswith("sha256:")
    assert digest in person.pull(f"{repo}:v1").out
    assert person.output(f"{repo}:v1") == "it runs"
    person.pull(f"{repo}@{digest}")
    again = person("push", person.server.ref(f"{repo}:v1"), code=None)
    assert again.code != 0 or "Layer already exists" in again  # after the pull by digest only, the tag is not there any more


def test_a_second_push_uploads_nothing(docker, repo):
    person = docker("developer")
    person.push(f"{repo}:v1", image("twice"))
    again = person("push", person.server.ref(f"{repo}:v1"))
    assert "Layer already exists" in again and ": Pushed" not in again.out


def test_a_tag_moves_and_the_old_digest_stays(docker, repo):
    person = docker("developer")
    old = person.push(f"{repo}:v1", image("old"))
    new = person.push(f"{repo}:v1", image("new"))
    assert old != new and new in person.pull(f"{repo}:v1").out
    assert old in person.pull(f"{repo}@{old}").out


def test_docker_tag_then_push_mounts_the_layers_from_the_first_repository(docker, repo):
    person = docker("developer")
    digest = person.push(f"{repo}:v1", image("mounted"))
    person("tag", person.server.ref(f"{repo}:v1"), person.server.ref(f"{repo}-second:v1"))
    shown = person("push", person.server.ref(f"{repo}-second:v1"))
    assert f"Mounted from {repo}" in shown
    assert digest in shown


def test_push_of_all_tags_and_pull_of_all_tags(docker, house, repo):
    person = docker("developer")
    made = image("all tags")
    for tag in ("a", "b", "c"):
        person.load(made, f"{repo}:{tag}")
    person("push", "-q", "-a", person.server.ref(repo))
    assert house["reader"]("GET", f"/v2/{repo}/tags/list").expect(200).json["tags"] == ["a", "b", "c"]
    person.forget(repo)
    person("pull", "-q", "-a", person.server.ref(repo))


def test_a_deleted_tag_and_a_deleted_digest_are_not_found(docker, house, repo):
    person = docker("developer")
    digest = person.push(f"{repo}:v1", image("to delete"))
    house["owner"]("DELETE", f"/v2/{repo}/manifests/v1").expect(202)
    assert re.search("manifest unknown|not found", person.pull(f"{repo}:v1", code="fail").text)
    person.pull(f"{repo}@{digest}")
    house["owner"]("DELETE", f"/v2/{repo}/manifests/{digest}").expect(202)
    house["developer"].get(repo, digest).expect(404)  # docker itself may still answer from its own content store


def test_a_multi_platform_image_gives_each_platform_its_own(docker, house, repo):
    made = index([image("on amd64", runs=True, arch="amd64"), image("on arm64", runs=True, arch="arm64")])
    house["developer"].push(repo, made, "multi")
    person = docker("developer")
    assert made.digest in person.pull(f"{repo}:multi").out
    assert person.output(f"{repo}:multi") == "on amd64"
    person("pull", "-q", "--platform", "linux/arm64", person.server.ref(f"{repo}:multi"))


def test_a_docker_schema_2_image_pulls(docker, house, repo):
    made = image("schema 2", kind="docker", runs=True)
    house["developer"].push(repo, made, "v1")
    person = docker("developer")
    person.pull(f"{repo}:v1")
    assert person.output(f"{repo}:v1") == "schema 2"


def test_build_from_a_private_image(docker, house, repo, tmp_path):
    """The classic builder: the BuildKit in dockerd 20.10 speaks plain HTTP to localhost. What it sends elsewhere (Basic
    with an empty user name and the session's token) is in test_token.py."""
    person = docker("developer")
    house["developer"].push(repo, image("base", runs=True), "base")
    (tmp_path / "Dockerfile").write_text(f'FROM {person.server.ref(f"{repo}:base")}\nCOPY note /note\nCMD ["/bin/cat", "/note"]\n')
    (tmp_path / "note").write_text("built here\n")
    name = person.server.ref(f"{repo}:built")
    person.forget(repo)
    person("build", "-q", "--network", "none", "-t", name, tmp_path, DOCKER_BUILDKIT="0")
    person("push", "-q", name)
    person.pull(f"{repo}:built")
    assert person.output(f"{repo}:built") == "built here"


def test_without_a_login_nothing_is_pushed_or_pulled(docker, house, repo):
    person = docker("developer")
    person.push(f"{repo}:v1", image("private"))
    nobody = docker("reader", login=False, name="nobody")
    for shown in (nobody("push", nobody.server.ref(f"{repo}:v1"), code="fail"), nobody.pull(f"{repo}:v1", code="fail")):
        assert re.search("denied|unauthorized|authentication required", shown.text)
        assert "EOF" not in shown and "reset by peer" not in shown


def test_a_reader_is_told_which_role_a_push_needs(docker, repo):
    docker("developer").load(image("refused"), f"{repo}:v1")
    shown = docker("reader")("push", docker("reader").server.ref(f"{repo}:v1"), code="fail")
    assert "denied" in shown and "developer" in shown, shown.text


def test_a_missing_tag_and_a_missing_repository(docker, house, repo):
    house["developer"].push(repo, image("there"), "v1")
    person = docker("developer")
    assert re.search("manifest unknown|not found", person.pull(f"{repo}:nope", code="fail").text)
    assert re.search("not found|unknown|denied", person.pull(f"{repo}-nope:v1", code="fail").text)


def test_the_administrators_first_push_makes_the_namespace(engine, registry, tmp_path):
    engine.trust_ca(registry.host, registry.ca)
    admin = Docker(engine, registry, registry.admin, tmp_path / "admin")
    admin.login()
    admin.push("demo/app:v1", image("the first push", runs=True))
    admin.pull("demo/app:v1")
    assert admin.output("demo/app:v1") == "the first push"
    assert "demo" in registry.bond("namespaces", "list", "-q").out.split()


def test_an_ended_session_says_run_docker_login_again(engine, registry, house, tmp_path, repo):
    person = Docker(engine, registry, house.developer, tmp_path / "ended")
    person.login()
    token = person.auth["identitytoken"]
    registry.wire.request("DELETE", "/api/v1/sessions/current", {"Authorization": f"Bearer {token}"}).expect(204)
    person.load(image("ended"), f"{repo}:v1")
    shown = person("push", registry.ref(f"{repo}:v1"), code="fail")
    assert "docker login" in shown, shown.text
