"""Tag lists and the catalog: who sees what. Order and pages of tags are in conformance/."""
from support.images import image, sha256


def test_a_repository_without_tags_and_one_that_does_not_exist(registry, house, repo):
    dev = registry.client(house.developer, plain=True)
    dev.push(repo, image("untagged"))
    assert not dev("GET", f"/v2/{repo}/tags/list").expect((200, 404)).json.get("tags")
    dev("GET", f"/v2/{repo}-never/tags/list").expect(404, "NAME_UNKNOWN")


def test_the_catalog_shows_only_what_the_caller_may_read(registry, house, repo):
    registry.client(house.developer).push(repo, image("catalog"), "v1")
    registry.client(registry.admin).push("elsewhere/app", image("catalog"), "v1")

    def seen(account):
        answer = registry.client(account)("GET", "/v2/_catalog?n=1000").expect(200)
        assert answer.json["repositories"] == sorted(answer.json["repositories"])
        return set(answer.json["repositories"])
    assert repo in seen(house.reader) and "elsewhere/app" not in seen(house.reader)
    assert repo not in seen(house.stranger)
    assert all(name.startswith(f"{house.ns}/") or name.split("/")[0] in ("open", "square") for name in seen(house.deployer))
    assert {repo, "elsewhere/app"} <= seen(registry.admin)


def test_the_catalog_shows_a_repository_from_its_first_manifest_on(registry, house, repo):
    dev = registry.client(house.developer)
    dev.push_blob(repo, b"only a blob", sha256(b"only a blob"))
    names = dev("GET", "/v2/_catalog?n=1000").expect(200).json["repositories"]
    assert repo not in names
    dev.push(repo, image("now"), "v1")
    assert repo in dev("GET", "/v2/_catalog?n=1000").expect(200).json["repositories"]


def test_the_catalog_pages(registry):
    admin = registry.client(registry.admin)
    whole = admin("GET", "/v2/_catalog?n=1000").expect(200).json["repositories"]
    answer = admin("GET", "/v2/_catalog?n=2").expect(200)
    assert answer.json["repositories"] == whole[:2]
    if len(whole) > 2:
        assert 'rel="next"' in answer.header("Link")
        rest = admin("GET", f"/v2/_catalog?n=1000&last={whole[1]}").expect(200)
        assert rest.json["repositories"] == whole[2:]
