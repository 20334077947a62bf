"""A registry under test, asked as the conformance suites ask it: the same framing, the same headers, the same sign-in."""
import itertools
import os
import re
import urllib.parse

from support.wire import Wire, query

OTHER = os.environ.get("BONDSTORE_CONFORMANCE")  # HOST:PORT of another registry that is to be judged


class Caller:
    """One client. On 401 it fetches a token for the first scope of the challenge and asks once more; the token is kept for
    its repository and kind of request (reading, writing, deleting) and replaced when it is refused. `keep`=False: every
    request goes without a token first, whatever its body, as the older suite's client sends them."""

    KINDS = {"GET": "pull", "HEAD": "pull", "DELETE": "DELETE"}

    def __init__(self, wire, account=None, realm_wire=None, keep=True):
        self.wire, self.account, self.realm_wire, self.keep = wire, account, realm_wire, keep
        self.tokens = {}

    def __call__(self, method, target, headers=(), body=None, chunked=False):
        key = (self.repository(target), self.KINDS.get(method, "push"))
        answer = self.send(method, target, headers, body, chunked, self.tokens.get(key))
        if answer.status != 401 or self.account is None:
            return answer
        token = self.fetch(answer.challenge())
        if self.keep:
            self.tokens[key] = token
        return self.send(method, target, headers, body, chunked, token)

    def send(self, method, target, headers, body, chunked, token):
        headers = [*headers, ("Accept-Encoding", "gzip")] + ([("Authorization", f"Bearer {token}")] if token else [])
        return self.wire.request(method, target, headers, body, chunked)

    def fetch(self, challenge):
        asked = {"service": challenge["service"]}
        if "scope" in challenge:
            asked["scope"] = challenge["scope"].split(" ")[0]
        place = urllib.parse.urlsplit(challenge["realm"]).path
        got = self.realm_wire.request("GET", f"{place}?{query(**asked)}", {"Authorization": self.account.basic}).expect(200).json
        return got.get("token") or got["access_token"]

    @staticmethod
    def repository(target):
        found = re.match(r"/v2/(.+)/(?:manifests|blobs|tags|referrers)/", target)
        return found.group(1) if found else ""


class Target:
    """repo1 is where the cases work, repo2 the source of mounts. `strict`: what may be missing by the specification counts
    as a failure too."""

    _numbers = itertools.count(1)

    def __init__(self, caller, prefix, strict=True):
        self.call, self.prefix, self.strict = caller, prefix, strict
        self.repo1, self.repo2 = self.fresh("repo"), self.fresh("repo")

    def fresh(self, name):
        return f"{self.prefix}/{name}{next(self._numbers)}"

    def sibling(self):
        """The same registry, with repositories of its own."""
        return Target(self.call, self.prefix, self.strict)


def of_server(server, account, prefix, **options):
    return Target(Caller(server.plain, account, server.wire), prefix, **options)


def of_address(address, prefix="conformance"):
    """A registry without sign-in on a loopback address."""
    host, _, port = address.rpartition(":")
    return Target(Caller(Wire(host, int(port))), prefix, strict=False)
