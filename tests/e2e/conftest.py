"""Fixtures. One server, one engine and one namespace full of people are shared by all; a test that ends or breaks its
server takes `own_server`."""
import sys

sys.dont_write_bytecode = True

import itertools
import shutil

import pytest

from support.engine import Docker, Engine
from support.notary import Notary
from support.people import make_house
from support.server import Server, build_folder

# Quick subjects first, so that a broken build is told within seconds.
ORDER = ["test_start", "test_ping", "test_token", "test_new_suite", "test_old_suite", "test_spec", "test_blobs", "test_manifests", "test_tags",
         "test_referrers", "test_roles", "test_gate", "test_gate_outcomes", "test_trust_vectors", "test_deploy_check", "test_deploy_ahead", "test_release_call", "test_deployments", "test_trust_api", "test_trust_publish", "test_notary_api", "test_trust_race", "test_trust_alias", "test_trust_wipe", "test_moving_in", "test_policy", "test_policy_plan", "test_tag_rules", "test_administrator", "test_roots", "test_break_glass", "test_decisions", "test_root_certificates",
         "test_hostile_input", "test_smuggling", "test_notary", "test_interrupted", "test_disk_full", "test_scrub", "test_delete",
         "test_clock", "test_skopeo",
         "test_podman", "test_docker", "test_docker_trust", "test_deploy_refusal", "test_big_blob"]


def pytest_configure():
    try:
        build_folder()
    except AssertionError as said:
        raise pytest.UsageError(str(said)) from None


def pytest_collection_modifyitems(items):
    place = {name: i for i, name in enumerate(ORDER)}
    items.sort(key=lambda item: place.get(item.module.__name__.rpartition(".")[2], len(ORDER)))
    for item in items:
        if "engine" in item.fixturenames:
            item.add_marker("engine")


def pytest_make_parametrize_id(val):
    """Short names for long values."""
    return ascii(val)[:48] if isinstance(val, (str, bytes)) else None


_shared = []


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """The shared server. At the end it must stop by SIGTERM with status 0 and no word of a sanitizer."""
    server = Server(tmp_path_factory.mktemp("registry")).init().start()
    _shared.append(server)
    yield server
    _shared.remove(server)
    server.end()
    shutil.rmtree(server.data / "blobs")  # pytest keeps the folders of three runs


@pytest.fixture(autouse=True)
def the_shared_server_outlives_the_test():
    """A test that brings the shared server down fails itself; the next one finds a server again."""
    yield
    for server in _shared:
        if server.process is None or server.process.poll() is not None:
            said = server.log_text()[-6000:]
            server.process = None
            server.log.rename(server.log.with_suffix(f".{len(list(server.folder.glob('*.log*')))}"))
            server.start()
            pytest.fail(f"the shared server ended: {said}")


@pytest.fixture
def own_server(tmp_path):
    """A server of the test's own, running; the test may stop, kill and start it."""
    server = Server(tmp_path).init().start()
    yield server
    server.end()


@pytest.fixture(scope="session")
def house(registry):
    """Namespace `house` with an owner, a maintainer, a signer, a developer, a reader, a stranger, a robot, a deployer."""
    return make_house(registry, "house")


_numbers = itertools.count(1)


@pytest.fixture
def repo(house):
    """A fresh repository name in the shared namespace."""
    return f"{house.ns}/app-{next(_numbers)}"


@pytest.fixture
def notary(registry, house, tmp_path):
    """notary("owner") → that person's client, with a fresh trust folder."""
    return lambda who="owner", folder=None: Notary(
        registry, getattr(house, who) if isinstance(who, str) else who, tmp_path / (folder or f"notary-{who}"))


@pytest.fixture(scope="session")
def keeper(registry, house, tmp_path_factory):
    """The owner's notary with one root key for the whole run: what most repositories are signed by."""
    return Notary(registry, house.owner, tmp_path_factory.mktemp("keeper"))


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    """The private docker engine, stopped by its process id at the end."""
    engine = Engine(tmp_path_factory.mktemp("engine"))
    try:
        yield engine.start()
    finally:
        engine.stop()
        shutil.rmtree(engine.folder / "data", ignore_errors=True)


@pytest.fixture(scope="session")
def docker(engine, registry, house, tmp_path_factory):
    """docker("owner") → the docker CLI of that person, signed in. The same person keeps configuration and keys."""
    engine.trust_ca(registry.host, registry.ca)
    people = {}

    def of(who="owner", login=True, name=None):
        key = name or who
        if key not in people:
            account = getattr(house, who) if isinstance(who, str) else who
            people[key] = Docker(engine, registry, account, tmp_path_factory.mktemp(f"docker-{key if isinstance(key, str) else 'x'}"))
            if login:
                people[key].login()
        return people[key]
    return of
