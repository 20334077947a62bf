"""Requests that two parsers read differently, byte by byte over sockets: each is refused and the connection closed, so
that a second request hidden in the first is never answered."""
import re
import socket
import ssl
import time

import pytest

HIDDEN = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def statuses(got):
    return [int(s) for s in re.findall(rb"(?:^|\r\n\r\n|\n)HTTP/1\.[01] (\d{3})", got)] or [int(s) for s in re.findall(rb"HTTP/1\.[01] (\d{3})", got)]


@pytest.fixture(params=["tls", "plain"])
def door(registry, request):
    return registry.wire if request.param == "tls" else registry.plain


def post(*lines, body=""):
    return ("POST /token HTTP/1.1\r\n" + "".join(f"{line}\r\n" for line in lines) + "\r\n" + body).encode("latin-1")


CASES = {
    "length and chunked": post("Host: localhost", f"Content-Length: {5 + len(HIDDEN)}", "Transfer-Encoding: chunked", body="0\r\n\r\n" + HIDDEN),
    "chunked and length": post("Host: localhost", "Transfer-Encoding: chunked", "Content-Length: 4", body="0\r\n\r\n" + HIDDEN),
    "an unknown coding": post("Host: localhost", "Transfer-Encoding: gzip, chunked", body="0\r\n\r\n" + HIDDEN),
    "a coding with a suffix": post("Host: localhost", "Transfer-Encoding: xchunked", "Content-Length: 5", body="0\r\n\r\n" + HIDDEN),
    "identity": post("Host: localhost", "Transfer-Encoding: identity", "Content-Length: 5", body="0\r\n\r\n" + HIDDEN),
    "two codings": post("Host: localhost", "Transfer-Encoding: chunked", "Transfer-Encoding: identity", body="0\r\n\r\n" + HIDDEN),
    "a blank before the colon": post("Host: localhost", "Transfer-Encoding : chunked", "Content-Length: 5", body="0\r\n\r\n" + HIDDEN),
    "two equal lengths": post("Host: localhost", "Content-Length: 5", "Content-Length: 5", body="0\r\n\r\n" + HIDDEN),
    "two lengths": post("Host: localhost", "Content-Length: 5", f"Content-Length: {5 + len(HIDDEN)}", body="0\r\n\r\n" + HIDDEN),
    "a signed length": post("Host: localhost", "Content-Length: +5", body="0\r\n\r\n" + HIDDEN),
    "a negative length": post("Host: localhost", "Content-Length: -1", body=HIDDEN),
    "a list of lengths": post("Host: localhost", "Content-Length: 5, 5", body="0\r\n\r\n" + HIDDEN),
    "a hexadecimal length": post("Host: localhost", "Content-Length: 0x5", body="0\r\n\r\n" + HIDDEN),
    "a length beyond 64 bits": post("Host: localhost", "Content-Length: 18446744073709551617", body="x" + HIDDEN),
    "two hosts": post("Host: localhost", "Host: evil.example", "Content-Length: 0"),
    "no host": post("Content-Length: 0"),
    "a header name with a control character": post("Host: localhost", "X\x01Y: z", "Content-Length: 0"),
    "a header name with a blank": post("Host: localhost", "X Y: z", "Content-Length: 0"),
    "a method of odd bytes": b"G\xffT /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an unknown method": b"BREW /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an absolute nowhere": b"GET http:// HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "HTTP/3.7": b"GET /healthz HTTP/3.7\r\nHost: localhost\r\n\r\n",
    "a chunk size beyond 64 bits": post("Host: localhost", "Transfer-Encoding: chunked", body="fffffffffffffffffff\r\nx\r\n0\r\n\r\n" + HIDDEN),
    "a chunk size of no digits": post("Host: localhost", "Transfer-Encoding: chunked", body="xyz\r\nabc\r\n0\r\n\r\n" + HIDDEN),
    "a chunk longer than it says": post("Host: localhost", "Transfer-Encoding: chunked", body="2\r\nabcdef\r\n0\r\n\r\n" + HIDDEN),
    "a flood of headers": post("Host: localhost", *[f"X-{i}: {'y' * 90}" for i in range(1000)], "Content-Length: 0"),
    "one huge header": post("Host: localhost", "X: " + "y" * 80000, "Content-Length: 0"),
    "a huge target": ("GET /" + "a" * 80000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n").encode(),
    "random bytes": bytes(range(256)) * 20,
    "a TLS hello in the stream": bytes.fromhex("160301020001000001fc0303") + b"\0" * 500 + b"\r\n\r\n",
}


@pytest.mark.parametrize("what", CASES)
def test_it_is_refused_and_the_connection_closed(registry, door, what):
    got, closed = door.raw(CASES[what], wait=5)
    seen = statuses(got)
    assert all(400 <= s < 500 or s in (501, 505) for s in seen), (seen, got[:500])
    assert len(without_repeated_head(got)) <= 1, f"a hidden request was answered: {got[:1000]}"
    assert closed, f"the connection stays open: {got[:300]}"
    registry.alive()


def without_repeated_head(got):
    """The statuses, a refusal of the HTTP library counted once: libmicrohttpd 0.9.75 writes the head of its own answer to
    a malformed length twice, byte for byte, before the one body, and closes."""
    heads = got.split(b"\r\n\r\n")
    return statuses(got[len(heads[0]) + 4:] if len(heads) > 1 and heads[0] == heads[1] else got)


@pytest.mark.parametrize("target", ["/json%00evil", "/healthz%00", "/%68ealthz", "/v2/%2e%2e/healthz", "/v2/..%2fhealthz", "/v2/../healthz", "/v2/./", "/v2//_catalog",
                                    "/healthz/../metrics", "//healthz", "/v2/house/app/manifests/v1%2f..", "/v2/house/app%2fx/tags/list"])
def test_a_decoded_path_never_reaches_another_route(registry, door, target):
    got, _ = door.raw(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert statuses(got) and statuses(got)[0] in (400, 401, 404), got[:300]


@pytest.mark.parametrize("target", [b"/health\0z", b"/healthz\0x", b"/he\x01althz", b"/healthz\xff", b"/healthz\x7f"])
def test_raw_odd_bytes_in_the_target(registry, door, target):
    got, _ = door.raw(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert all(s in (200, 400, 404) for s in statuses(got)), got[:300]
    registry.alive()


def test_pipelined_good_requests_are_answered_in_order(registry, door):
    got, _ = door.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"
                      b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert statuses(got) == [200, 200, 401]


def test_a_good_chunked_request_is_taken_and_the_next_one_answered(registry, door):
    body = b"grant_type=nothing"
    got, _ = door.raw(b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
                      + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert len(statuses(got)) == 2 and statuses(got)[0] in (400, 401) and statuses(got)[1] == 200, got[:600]


def test_clients_that_vanish_in_every_moment_do_no_harm(registry, door, house):
    token = registry.token(house.developer, "repository:house/app:pull,push")
    heads = [b"", b"G", b"GET /v2/ HT", b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
             b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc", b"POST /token HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
             f"POST /v2/house/app/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: 1000000\r\n\r\nabc".encode(),
             f"PUT /v2/house/app/manifests/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: 1000000\r\n\r\n{{".encode()]
    for head in heads:
        for reset in (False, True):
            sock = door.connect()
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            if head:
                sock.sendall(head)
            sock.close()
    registry.alive()


def test_a_plain_request_at_the_tls_port_and_tls_at_the_plain_port(registry):
    with socket.create_connection(("127.0.0.1", registry.port), timeout=5) as s:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try:
            assert b" 200 " not in s.recv(4096)
        except OSError:
            pass
    context = ssl.create_default_context(cafile=str(registry.ca))
    with socket.create_connection(("127.0.0.1", registry.plain_port), timeout=5) as s:
        with pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(s, server_hostname="localhost")
    registry.alive()


def test_two_hundred_idle_connections_keep_nobody_out(registry, door):
    held = [door.connect() for _ in range(200)]
    try:
        for sock in held[::2]:
            sock.sendall(b"GET /v2/ HTTP/1.1\r\n")
        began = time.monotonic()
        registry.alive()
        assert time.monotonic() - began < 5
    finally:
        for sock in held:
            sock.close()
