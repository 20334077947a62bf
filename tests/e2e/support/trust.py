"""One repository's Notary v1 API, asked by hand."""
from support.wire import multipart


class Trust:
    def __init__(self, registry, client, repo):
        self.registry, self.client, self.repo, self.gun = registry, client, repo, registry.gun(repo)
        self.base = f"/v2/{self.gun}/_trust"

    def get(self, name, client=None):
        return (client or self.client)("GET", f"{self.base}/tuf/{name}")

    def publish(self, *parts, client=None):
        body, content_type = multipart(parts)
        return (client or self.client)("POST", f"{self.base}/tuf/", {"Content-Type": content_type}, body)

    def refused(self, *parts, name=None, code="INVALID_UPDATE"):
        """400 with the one error whose detail the stock client prints; nothing is published by it."""
        answer = self.publish(*parts).expect(400, code)
        assert len(answer.body) <= 1024 and answer.body.endswith(b"\n")
        detail = answer.error["detail"]
        assert detail["Error"]["Msg"] and len(detail["Error"]["Msg"]) <= 600
        assert name is None or detail["Name"] == name, answer
        return answer

    def version(self, role):
        return self.get(f"{role}.json").expect(200).json["signed"]["version"]
