"""The registry under test: the shared server, over plain HTTP and with tokens, or another one (BONDSTORE_CONFORMANCE)."""
import pytest

from conformance import cases
from conformance.target import OTHER, of_address, of_server
from support.server import Server


@pytest.fixture(scope="session")
def target(request):
    """As the namespace's owner: he may push and delete."""
    if OTHER:
        return of_address(OTHER)
    house = request.getfixturevalue("house")
    return of_server(house.server, house.owner, f"{house.ns}/conformance")


@pytest.fixture
def sparse_target(request, tmp_path):
    """A server that accepts manifests whose parts are not here."""
    if OTHER:
        yield of_address(OTHER)
        return
    server = Server(tmp_path).init().start(BONDSTORE_SPARSE_MANIFESTS="true")
    yield of_server(server, server.admin, "conformance")
    server.end()


def pytest_terminal_summary(terminalreporter):
    if cases.tally:
        terminalreporter.section("conformance leaves")
        terminalreporter.write_line("\n".join(cases.summary()))
