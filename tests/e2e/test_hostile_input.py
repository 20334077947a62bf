"""Unknown, malformed and oversized input on every route: a clear answer, nothing stored, the server lives.
The list of routes is read from the server's own table, so a new route without a row here fails."""
import re
from pathlib import Path

import pytest

from support.images import OCI_MANIFEST, sha256
from support.wire import multipart

TABLE = Path(__file__).resolve().parents[2] / "server" / "routes_table.h"
DIGEST = "sha256:" + "0" * 64
UUID = "00000000-0000-4000-8000-000000000000"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def routes():
    """[(methods, pattern, body)] of the table; a STREAM row has body STREAM."""
    found = []
    for kind, inside in re.findall(r"^(ROUTE|STREAM)\((.*)\)$", TABLE.read_text(), re.M):
        methods, pattern, rest = re.match(r'([A-Z_ |]+), "([^"]+)", (.*)', inside).groups()
        names = [m.strip().removeprefix("METHOD_") for m in methods.split("|")]
        names = [n for m in names for n in (("GET", "HEAD") if m == "GET_HEAD" else (m,))]
        found.append((names, pattern, "STREAM" if kind == "STREAM" else re.search(r"BODY_(\w+)", rest).group(1)))
    return found


ROUTES = routes()


def path_of(registry, pattern):
    numbered = {"/v2/{name}/blobs/uploads/{1}": UUID, "/api/v1/namespaces/{1}/robots/{2}": "house", "/api/v1/namespaces/{1}/deployers/{2}": "house"}
    path = pattern.replace("{name}", "house/hostile").replace("{reference}", "v1").replace("{digest}", DIGEST)
    path = path.replace("{gun}", registry.gun("house/hostile")).replace("{file}", "root.json").replace("{key}", "timestamp.key")
    path = path.replace("{1}", numbered.get(pattern, "house")).replace("{2}", "nobody@example.org").replace("{3}", "1")
    assert "{" not in path, f"{pattern} has a part that this test does not know"
    return path


def clear(answer):
    """An answer that a person can act on: no 5xx, an envelope with a code and a sentence."""
    assert 400 <= answer.status < 500, answer
    if answer.method == "HEAD":
        assert answer.body == b""
        return answer
    assert answer.header("Content-Type").startswith("application/json"), answer
    assert re.fullmatch(r"[A-Z_]+", answer.code) and len(answer.message) >= 5, answer
    assert answer.header("X-Content-Type-Options") == "nosniff", answer
    return answer


def unharmed(answer):
    """Any answer but a failure of ours."""
    assert answer.status < 500, answer
    return clear(answer) if answer.status >= 400 else answer


@pytest.fixture(scope="module")
def admin(registry, house):
    house["developer"].push_blob("house/hostile", b"x", sha256(b"x"))
    return registry.client(registry.admin)


@pytest.fixture(scope="module")
def bearer(registry):
    return {"Authorization": f"Bearer {registry.session(registry.admin)}"}


def send(registry, admin, bearer, method, path, headers=(), body=None, **more):
    """As the administrator, so that the request reaches what lies behind the access check."""
    if path.startswith("/v2/"):
        return admin(method, path, headers, body, **more)
    return registry.wire.request(method, path, {**bearer, **dict(headers)}, body, **more)


@pytest.fixture(scope="module", autouse=True)
def nothing_is_stored(registry, admin, bearer):
    """What exists before this module exists after it, and nothing else."""
    def state():
        nouns = ("namespaces", "users", "policies", "namespaces/house/members", "namespaces/house/robots", "namespaces/house/deployers")
        kept = {n: registry.wire.request("GET", f"/api/v1/{n}", bearer).expect(200).body for n in nouns}
        kept["catalog"] = admin("GET", "/v2/_catalog?n=1000").expect(200).body
        kept["tags"] = admin("GET", "/v2/house/hostile/tags/list").body
        return kept
    before = state()
    yield
    after = state()
    assert before == after
    registry.alive()


def test_the_table_was_read():
    assert len(ROUTES) >= 40


@pytest.mark.parametrize("methods,pattern,body", ROUTES, ids=lambda v: v if isinstance(v, str) else "+".join(v))
def test_every_route_takes_only_its_own_methods(registry, admin, bearer, methods, pattern, body):
    path = path_of(registry, pattern)
    taken = {m for names, p, _ in ROUTES for m in names if path_of(registry, p) == path or (p, pattern) in SAME or (pattern, p) in SAME}
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
        if method in taken:
            continue
        answer = send(registry, admin, bearer, method, path)
        assert answer.status in (404, 405), answer
        if answer.status == 405 and "_trust" not in path:
            assert answer.header("Allow"), answer
        clear(answer)
    for method in ("TRACE", "CONNECT", "OPTIONS", "BREW", "get", "G" * 40):
        answer, closed = registry.wire.raw(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        known = method in ("TRACE", "CONNECT", "OPTIONS")  # RFC 9110 15.5.6 and 15.6.2
        assert answer.startswith(b"HTTP/1.1 405 " if known else b"HTTP/1.1 501 ") and closed, answer[:200]
        allowed = re.search(rb"\r\nAllow: ([A-Z, ]+)\r\n", answer)
        assert set(allowed.group(1).decode().split(", ")) >= set(methods) if known else allowed is None, answer
        assert (b"\r\nDocker-Distribution-Api-Version: registry/2.0\r\n" in answer) == path.startswith("/v2/"), answer


SAME = {("/v2/{gun}/_trust/tuf/{file}", "/v2/{gun}/_trust/tuf/{key}")}
ODD_HEADERS = [("Range", "bytes=" + "0-1," * 2000), ("Range", "bytes=9" + "9" * 300 + "-"), ("Content-Range", "\x7f"), ("Accept", "," * 5000),
               ("If-None-Match", '"' * 500), ("Content-Type", "x" * 3000), ("Content-Type", "application/json; charset=\"utf-8"),
               ("Cookie", "__Host-bst=" + "x" * 4000), ("X-Forwarded-For", "evil, evil"), ("X-Forwarded-Proto", "gopher"), ("Expect", "the unexpected")]
# What would be done, since nothing odd is read by it: it has tests of its own.
RIGHTLY_DONE = {("POST", "/v2/{name}/blobs/uploads/"), ("DELETE", "/api/v1/sessions/current"), ("DELETE", "/api/v1/namespaces/{1}"),
                ("DELETE", "/api/v1/repositories/{name}")}
ODD_QUERIES = ["?", "?=", "?&&&", "?%zz", "?a=%00", "?n=%", "?" + "a=b&" * 500, "?" + "x" * 6000, "?digest=%ff%fe", "?tag=&tag=", "?digest=" + DIGEST[:-1],
               "?from=../../..&mount=x", "?records=%00", "?image=%ff", "?scope=%2a%2a"]


@pytest.mark.parametrize("methods,pattern,body", ROUTES, ids=lambda v: v if isinstance(v, str) else "+".join(v))
def test_every_route_bears_odd_headers_and_queries(registry, admin, bearer, methods, pattern, body):
    path = path_of(registry, pattern)
    for method in methods:
        if (method, pattern) in RIGHTLY_DONE:
            continue
        for header in ODD_HEADERS:
            unharmed(send(registry, admin, bearer, method, path, [header]))
        for query in ODD_QUERIES:
            unharmed(send(registry, admin, bearer, method, path + query))


@pytest.mark.parametrize("methods,pattern,body", ROUTES, ids=lambda v: v if isinstance(v, str) else "+".join(v))
def test_a_parameter_that_does_not_decode_is_never_taken_for_none(registry, admin, bearer, methods, pattern, body):
    """By no route, whatever the parameter and its place: what was asked for cannot be told, so nothing is done."""
    path = path_of(registry, pattern)
    for method in methods:
        for name, value in (("artifactType", "%zz"), ("tag", "good&tag=%"), ("from", "a%00b"), ("at", "&as=%2&at=%f"), ("%zz", "1")):
            answer = clear(send(registry, admin, bearer, method, f"{path}?{name}={value}").expect(400))
            assert method == "HEAD" or "cannot be decoded" in answer.message, answer
        answer = send(registry, admin, bearer, method, f"{path}?last=a&image=%zz").expect(400)
        assert method == "HEAD" or "parameter image " in answer.message, answer


@pytest.mark.parametrize("field", ["scope=%zz", "service=a%00b", "scope=repository:house/app:pull&scope=%"])
def test_a_token_form_that_does_not_decode_is_refused(registry, house, field):
    """A list of scopes that ends at a bad one would be another wish than the one that was sent."""
    form = f"grant_type=password&username={house.developer.user}&password={house.developer.secret.replace(' ', '+')}"
    registry.wire.request("POST", "/token", FORM, form.encode()).expect(200)
    answer = clear(registry.wire.request("POST", "/token", FORM, f"{form}&{field}".encode()).expect(400))
    assert f"parameter {field.split('=')[0]} " in answer.message, answer


def test_a_name_may_be_encoded_like_a_value(registry, admin):
    """RFC 3986 2.3: %61 is an a, wherever it stands."""
    assert admin("GET", "/v2/_catalog?n=0").expect(200).json == admin("GET", "/v2/_catalog?%6e=0").expect(200).json == {"repositories": []}


BAD_BODIES = {"empty": b"", "no json": b"hello", "array": b"[]", "string": b'"x"', "number": b"1", "null": b"null", "true": b"true",
              "trailing": b"{} x", "duplicates": b'{"name":"a","name":"b","email":"a@b.c","email":"b@b.c","level":"off","level":"all","scope":"a","scope":"b","images":[],"images":[],"role":"reader","role":"owner"}',
              "utf-8": b'{"name":"\xff\xfe"}', "nul": b'{"name":"a\\u0000b","email":"a\\u0000@b.c","scope":"a\\u0000","level":"a\\u0000","role":"\\u0000"}',
              "deep": b'{"name":' * 70 + b"1" + b"}" * 70, "very deep": b"[" * 200000, "types": b'{"name":1,"email":[],"password":{},"scope":true,"level":1,"role":null,"images":"x","confirm":1,"actions":"pull"}',
              "long": b'{"name":"' + b"a" * 70000 + b'","email":"' + b"a" * 70000 + b'@b.c","scope":"' + b"b" * 70000 + b'","confirm":"' + b"b" * 70000 + b'","role":"r","level":"x"}',
              "huge number": b'{"name":"x","threshold":' + b"9" * 500 + b"}", "control": b'{"name":"a\nb"}'}


@pytest.mark.parametrize("what", BAD_BODIES)
def test_every_json_route_refuses_a_bad_body(registry, admin, bearer, what):
    for methods, pattern, body in ROUTES:
        if body != "API" or pattern.endswith("{key}"):
            continue
        if what == "empty" and pattern.endswith("/dry-run"):
            continue  # without proposed rules: of those that are there
        for method in methods:
            query = "?scope=house" if pattern == "/api/v1/policy" else ""
            answer = send(registry, admin, bearer, method, path_of(registry, pattern) + query, JSON, BAD_BODIES[what])
            clear(answer)


def test_a_body_of_nothing_but_brackets_is_not_parsed(registry, bearer):
    """Parsed, it takes fifty times its size: a megabyte from each of many connections is a lot."""
    def create(count):
        body = b'{"name":"x","many":[' + b"[]," * count + b"[]]}"
        return registry.wire.request("POST", "/api/v1/namespaces", {**bearer, **JSON}, body)
    assert "more JSON values" in create(100_000).expect(400).message
    assert "many" in create(1_000).expect(400).message  # parsed, and told what is wrong with it


@pytest.mark.parametrize("chunked", [False, True])
def test_every_bounded_body_is_cut_at_its_limit(registry, admin, bearer, chunked):
    sizes = {"FORM": (16 << 10) + 1, "API": (1 << 20) + 1, "MANIFEST": (4 << 20) + 1}
    for methods, pattern, body in ROUTES:
        if body not in sizes:
            continue
        content = b'{"x":"' + b"a" * sizes[body] + b'"}'
        headers = FORM if body == "FORM" else {"Content-Type": OCI_MANIFEST} if body == "MANIFEST" else JSON
        answer = send(registry, admin, bearer, methods[0], path_of(registry, pattern), headers,
                      [content] if chunked else content, **({"chunked": True} if chunked else {}))
        assert answer.status in ((400, 413) if body != "MANIFEST" else (413,)), answer
        clear(answer)


def test_a_declared_length_beyond_the_limit_is_refused_before_the_body_comes(registry, bearer):
    token = bearer["Authorization"]
    for path, length in (("/api/v1/namespaces", 1 << 40), ("/token", 1 << 30), ("/v2/house/hostile/manifests/v1", 1 << 40)):
        method = "PUT" if "manifests" in path else "POST"
        got, _ = registry.wire.raw(f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Type: application/json\r\n"
                                   f"Content-Length: {length}\r\n\r\n{{".encode(), wait=8, until=b"\r\n\r\n")
        assert re.match(rb"HTTP/1\.1 (400|401|413) ", got), got[:300]


def test_a_body_where_none_belongs_does_no_harm(registry, admin, bearer):
    for methods, pattern, body in ROUTES:
        if body != "NONE":
            continue
        for method in methods:
            if method in ("GET", "HEAD"):
                unharmed(send(registry, admin, bearer, method, path_of(registry, pattern), JSON, b"x" * 100000))
    registry.alive()


ODD_PATHS = ["/", "//", "/v2", "/v2//", "/v2/house", "/v2/house/hostile", "/v2/house/hostile/", "/v2/house/hostile/manifests", "/v2/house/hostile/manifests/",
             "/v2/house/hostile/blobs/", "/v2/house/hostile/tags/", "/v2/house/hostile/tags/list/", "/v2/house/../vault/manifests/v1", "/v2/./house/app/tags/list",
             "/v2/house/%2e%2e/vault/tags/list", "/v2/house%2Fapp/tags/list", "/v2/house/app%00/tags/list", "/v2/_catalog/", "/v2/_nothing", "/v3/", "/token/", "/api",
             "/api/", "/api/v1", "/api/v1/nothing", "/api/v2/users", "/api/v1/namespaces/", "/api/v1/namespaces/%00/members", "/api/v1/namespaces/a%2Fb/members",
             "/api/v1/namespaces/house/members/", "/api/v1/images//tags", "/etc/passwd", "/../../etc/passwd", "/metrics/x", "/readyz/", "/favicon.ico", "/v2/" + "a/" * 300 + "tags/list",
             "/v2/" + "a" * 6000 + "/tags/list", "/%", "/%zz", "/?", "/v2/?", "/api/v1/whoami#x", "/v2/_trust/tuf/", "/v2/x/_trust/", "/v2/_trust/_trust/tuf/root.json"]


@pytest.mark.parametrize("path", ODD_PATHS, ids=lambda p: p[:50])
def test_unknown_paths_are_answered_clearly(registry, admin, bearer, path):
    for method in ("GET", "POST", "DELETE"):
        answer = send(registry, admin, bearer, method, path)
        assert answer.status < 500, answer
        if answer.status >= 400:
            clear(answer)
        else:
            assert path.split("?")[0] in ("/v2/", "/api/v1/whoami#x") or method == "GET", answer


@pytest.mark.parametrize("authorization", ["Bearer", "Bearer ", "Basic", "Basic =", "Basic " + "A" * 9000, "bearer x", "Negotiate abc", "x" * 9000, "Bearer bst_ses_" + "0" * 36,
                                           "Bearer bst_rob_" + "z" * 36, "Basic OmJzdF9zZXNfMDAw", "Bearer a b", "Bearer \x01", "Token x"])
def test_every_protected_route_refuses_a_broken_authorization(registry, authorization):
    for methods, pattern, _ in ROUTES:
        path = path_of(registry, pattern)
        if path in ("/token", "/readyz", "/healthz", "/metrics", "/_notary_server/health", "/api/v1/sessions"):
            continue
        answer = registry.wire.request(methods[0], path, {"Authorization": authorization})
        assert answer.status in (400, 401, 431), answer
        assert not any(v.lower().startswith("basic") for v in answer.header_all("WWW-Authenticate"))


def test_every_api_route_needs_somebody(registry):
    for methods, pattern, _ in ROUTES:
        if not pattern.startswith("/api/v1/") or pattern == "/api/v1/sessions":
            continue
        for method in methods:
            clear(registry.wire.request(method, path_of(registry, pattern), JSON, b"{}" if method in ("POST", "PUT") else None).expect(401))


LISTS = [("GET", "/v2/_catalog"), ("GET", "/api/v1/namespaces"), ("GET", "/api/v1/users"), ("GET", "/api/v1/images"), ("GET", "/api/v1/namespaces/house/robots"),
         ("GET", "/api/v1/scrub/missing"), ("POST", "/api/v1/namespaces/house/tag-rules/dry-run")]


@pytest.mark.parametrize("method, path", LISTS, ids=[path for _, path in LISTS])
def test_a_page_after_a_name_that_cannot_be_read_is_refused(registry, admin, bearer, method, path):
    for last in ("%zz", "%", "a%00b"):
        clear(send(registry, admin, bearer, method, f"{path}?last={last}").expect(400))


def test_a_page_after_what_is_no_entry_is_refused(registry, admin, bearer):
    for path, last in (("/api/v1/namespaces/house/tag-rules/dry-run", "app"), ("/api/v1/namespaces/house/tag-rules/dry-run", "app:"), ("/api/v1/scrub/missing", "sha256:1")):
        clear(send(registry, admin, bearer, "POST" if path.endswith("run") else "GET", f"{path}?last={last}").expect(400))


def test_a_multipart_body_of_ten_thousand_boundaries(registry, admin):
    path = f"/v2/{registry.gun('house/hostile')}/_trust/tuf/"
    clear(admin("POST", path, {"Content-Type": "multipart/form-data; boundary=b"}, b"--b\r\n" * 10000 + b"--b--\r\n"))
    clear(admin("POST", path, {"Content-Type": "multipart/form-data; boundary=" + "b" * 5000}, b"--b--"))
    body, content_type = multipart([("root", b"x" * 100)])
    clear(admin("POST", path, {"Content-Type": content_type}, body.replace(b"\r\n", b"\n")))


def test_secrets_never_reach_the_log(registry, house):
    registry.wire.request("GET", f"/token?service=x&password={house.robot.secret}", {"Authorization": house.robot.basic})
    text = registry.log_text()
    for secret in (house.robot.secret, house.deployer.secret, registry.admin.secret, "Authorization", "Bearer ey"):
        assert secret not in text, secret
