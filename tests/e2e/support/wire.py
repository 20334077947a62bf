"""Raw HTTP: exactly the requests that a test means, and the answers as they came."""
import base64
import http.client
import json
import re
import socket
import ssl
import urllib.parse


# How a connection that the other side closed shows itself to who goes on.
CLOSED = (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError)


class Answer:
    def __init__(self, method, target, status, reason, headers, body):
        self.method, self.target, self.status, self.reason = method, target, status, reason
        self.headers, self.body = headers, body

    def header(self, name, default=None):
        values = self.header_all(name)
        return values[0] if values else default

    def header_all(self, name):
        return [v for k, v in self.headers if k.lower() == name.lower()]

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """The one entry of the OCI envelope."""
        entries = self.json["errors"]
        assert len(entries) == 1, self
        return entries[0]

    @property
    def code(self):
        return self.error["code"]

    @property
    def message(self):
        return self.error["message"]

    @property
    def reason_name(self):
        """`reason` of a gate refusal's detail."""
        return self.error["detail"]["reason"]

    def expect(self, status, code=None):
        wanted = status if isinstance(status, tuple) else (status,)
        assert self.status in wanted, f"{wanted} wanted: {self}"
        if code is not None and self.method != "HEAD":
            assert self.code == code, f"code {code} wanted: {self}"
        return self

    def challenge(self):
        """The parameters of the single Bearer challenge."""
        lines = self.header_all("WWW-Authenticate")
        assert len(lines) == 1, f"one WWW-Authenticate line wanted: {self}"
        scheme, rest = lines[0].split(" ", 1)
        assert scheme == "Bearer", lines[0]
        pairs = re.findall(r'([a-z_]+)="([^"]*)"', rest)
        assert ",".join(f'{k}="{v}"' for k, v in pairs) == rest, f"unquoted or odd challenge: {rest}"
        return dict(pairs)

    def __repr__(self):
        return (f"{self.method} {self.target} -> {self.status} {self.reason}\n"
                + "\n".join(f"{k}: {v}" for k, v in self.headers) + "\n" + self.body[:1500].decode("utf-8", "replace"))


class Wire:
    """One listener of a server."""

    def __init__(self, host, port, ca=None, timeout=60):
        self.host, self.port, self.timeout = host, port, timeout
        self.context = ssl.create_default_context(cafile=str(ca)) if ca else None

    def connect(self):
        sock = socket.create_connection((self.host, self.port), timeout=self.timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.context.wrap_socket(sock, server_hostname=self.host) if self.context else sock

    def request(self, method, target, headers=(), body=None, chunked=False, sink=None):
        """`body`: bytes, or an iterable of bytes with `chunked` or a Content-Length among the headers.
        `sink(bytes)` takes the answer's body in pieces instead of keeping it."""
        headers = list(headers.items() if isinstance(headers, dict) else headers)
        names = {k.lower() for k, _ in headers}
        conn = self.begin()
        try:
            conn.putrequest(method, target, skip_host="host" in names, skip_accept_encoding=True)
            for name, value in headers:
                conn.putheader(name, value)
            if chunked:
                conn.putheader("Transfer-Encoding", "chunked")
            elif "content-length" not in names and (body is not None or method in ("POST", "PUT", "PATCH")):
                conn.putheader("Content-Length", str(len(body or b"")))
            try:
                conn.endheaders()
                self._send(conn, body, chunked)
            except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
                pass  # an early refusal; the answer may have arrived before the reset
            response = conn.getresponse()
            kept = b""
            if sink is None:
                kept = response.read()
            else:
                while piece := response.read(1 << 20):
                    sink(piece)
            return Answer(method, target, response.status, response.reason, response.getheaders(), kept)
        finally:
            self.end(conn)

    def begin(self):
        """A connection for the next request: a new one."""
        conn = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        conn.sock = self.connect()
        return conn

    def end(self, conn):
        conn.close()

    @staticmethod
    def _send(conn, body, chunked):
        if body is None and not chunked:
            return
        pieces = [body] if isinstance(body, (bytes, bytearray)) else (body or [])
        for piece in pieces:
            if not piece:
                continue
            conn.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            conn.send(b"0\r\n\r\n")

    def raw(self, data, wait=5.0, until=None):
        """Sends bytes as they are; returns what comes until the server closes, is silent for `wait` seconds, or has sent
        `until`; and whether it closed."""
        sock = self.connect()
        sock.settimeout(wait)
        got = b""
        closed = False
        try:
            try:
                sock.sendall(data)
            except CLOSED:
                pass
            while until is None or until not in got:
                piece = sock.recv(65536)
                if not piece:
                    closed = True
                    break
                got += piece
        except CLOSED:
            closed = True
        except (TimeoutError, socket.timeout):
            pass
        finally:
            sock.close()
        return got, closed


class Kept(Wire):
    """One connection for all requests, as clients with a pool of them work. Only an answer that says so ends it; one that
    is closed without a word, or whose end is not where the answer says, fails the next request."""

    conn = None
    opened = 0

    def begin(self):
        if self.conn is None or self.conn.sock is None:  # http.client lets go of it after `Connection: close`
            self.conn = super().begin()
            self.opened += 1
        return self.conn

    def end(self, conn):
        pass


def basic(user, secret):
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


def query(**parameters):
    """Query or form text; a list repeats the parameter."""
    return urllib.parse.urlencode(parameters, doseq=True)


def claims(token):
    """Payload of a token, unverified: tests look at what the server wrote."""
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def multipart(parts, boundary="bondstoretestboundary"):
    """Body and Content-Type as the notary library writes them. parts: [(role, bytes)]."""
    body = b""
    for role, content in parts:
        body += (f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{role}"\r\n'
                 f"Content-Type: application/octet-stream\r\n\r\n").encode() + content + b"\r\n"
    body = body or b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
