"""The suites' clients keep their connection and go on after every refusal: what is answered to one request must not be found
in the way of the next. The newer client keeps its tokens too; the older one sends each request without a token first, its
body included."""
import pytest

from conformance import blobs, content, stages
from conformance.cases import Case
from conformance.target import OTHER, Caller, Target
from support.wire import Kept

pytestmark = pytest.mark.skipif(bool(OTHER), reason="these cases know this server's listener and accounts")
SETS = ("empty-index", "index-with-subject", "tag-param-sha512", "bad-digest-image")


@pytest.fixture(params=[True, False], ids=["tokens are kept", "each request is refused first"])
def t(request, house):
    """One connection from the first request of a test to its last."""
    server = house.server
    wire = Kept(server.plain.host, server.plain.port)
    yield Target(Caller(wire, house.owner, Kept("localhost", server.port, server.ca), keep=request.param), f"{house.ns}/kept")
    assert wire.opened == 1, f"the server ended {wire.opened - 1} connections"


def judged(cases):
    """cases(c): leaves of an area of their own."""
    c = Case("one connection", strict=True)
    cases(c)
    c.close()


@pytest.mark.parametrize("algorithm", blobs.HASHES)
def test_all_blob_cases_on_one_connection(t, algorithm):
    def cases(c):
        for case in blobs.CASES.values():
            case(c, t, blobs.HASHES[algorithm])
    judged(cases)


@pytest.mark.parametrize("name", SETS)
def test_data_on_one_connection(t, name):
    judged(lambda c: stages.run(c, t, content.data_set(name)))
