"""sign_in: none: from this machine nobody has to sign in, and what protects that."""
import pytest

from support.images import image
from support.notary import Notary
from support.server import Server

NS, APP = "open", "open/app"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("local")).init()
    with open(made.config, "a") as config:
        config.write("\nsign_in: none\n")
    made.start()
    made.make_namespace(NS)
    yield made
    made.end()


def test_who_comes_from_this_machine_pushes_pulls_and_deletes(server):
    server.wire.request("GET", "/v2/").expect(200)
    somebody, pushed = server.client(), image("somebody's")
    somebody.push(APP, pushed, "v1")
    somebody.get(APP, "v1").expect(200)
    assert server.wire.request("GET", "/v2/_catalog").expect(200).json["repositories"] == [APP]
    somebody.push("first/push", pushed, "v1")  # and makes its namespace, as an administrator's does
    somebody("DELETE", f"/v2/{APP}/manifests/{pushed.digest}").expect(202)
    somebody.get(APP, "v1").expect(404)


def test_he_signs_and_takes_it_away_again(server, tmp_path):
    server.client().push(APP, image("to sign"), "v2")
    notary = Notary(server, None, tmp_path)
    gun = server.gun(APP)
    notary("init", "-p", gun)
    assert server.wire.request("GET", f"/v2/{gun}/_trust/tuf/root.json").expect(200).json["signed"]["version"] == 1
    notary("delete", "--remote", gun)
    server.wire.request("GET", f"/v2/{gun}/_trust/tuf/root.json").expect(404)


def test_he_administers_nothing(server):
    for method, target in (("GET", "/api/v1/users"), ("POST", "/api/v1/namespaces"), ("PUT", f"/api/v1/policy?scope={NS}"),
                           ("GET", "/api/v1/audit")):
        assert server.wire.request(method, target, body=b"{}" if method != "GET" else None).status in (401, 403), target


@pytest.mark.parametrize("header", [{"X-Forwarded-For": "192.0.2.1"}, {"Origin": "https://evil.example"}], ids=lambda h: next(iter(h)))
def test_what_comes_through_a_proxy_or_from_a_page_has_to_sign_in(server, header):
    server.wire.request("GET", "/v2/", header).expect(401)
    server.wire.request("POST", f"/v2/{APP}/blobs/uploads/", header).expect(401)


def test_who_signs_in_all_the_same_is_himself(server):
    server.wire.request("GET", "/v2/", {"Authorization": "Bearer x"}).expect(401)
    server.client().push(APP, image("unsigned"), "v3")
    server.bond("policy", "set", NS, "--level", "deploy")
    deployer = {"Authorization": server.make_deployer(NS, "run").basic}
    server.wire.request("GET", f"/v2/{APP}/manifests/v3", deployer).expect(403)
    server.client().get(APP, "v3").expect(200)
