"""Tag lists and the catalog: order, pages, who sees what."""
import urllib.parse

import pytest

from support.images import image, sha256
from support.server import at

NAMES = ["0", "A", "Z_1", "_under", "a", "b.2", "b.3", "latest", "v1", "v10", "v2"]  # byte order


@pytest.fixture(scope="module")
def listed(registry, house):
    dev = registry.client(house.developer, plain=True)
    repo = f"{house.ns}/listed"
    made = image("listed")
    dev.push(repo, made)
    for name in reversed(NAMES):
        dev.push_manifest(repo, name, made.manifest, made.media_type).expect(201)
    return dev, f"/v2/{repo}/tags/list", repo


def test_the_list_is_sorted_by_bytes(listed):
    dev, path, repo = listed
    assert dev("GET", path).expect(200).json == {"name": repo, "tags": NAMES}


def test_last_skips_to_what_follows(listed):
    dev, path, _ = listed
    for last, wanted in (("b.2", NAMES[6:]), ("b.25", NAMES[6:]), ("", NAMES), ("zzz", []), ("v2", [])):
        assert (dev("GET", f"{path}?last={last}").expect(200).json["tags"] or []) == wanted


def test_n_gives_exactly_n_and_a_link_to_the_rest(listed):
    dev, path, _ = listed
    answer = dev("GET", f"{path}?n=5").expect(200)
    assert answer.json["tags"] == NAMES[:5]
    assert 'rel="next"' in answer.header("Link")
    seen, target = [], f"{path}?n=4"
    for _ in range(10):
        answer = dev("GET", target).expect(200)
        seen += answer.json["tags"]
        link = answer.header("Link")
        if link is None:
            break
        target = at(urllib.parse.urljoin(target, link[link.index("<") + 1:link.index(">")]))
    assert seen == NAMES
    assert dev("GET", f"{path}?n={len(NAMES)}").expect(200).header("Link") is None
    assert dev("GET", f"{path}?n=5&last=b.2").expect(200).json["tags"] == NAMES[6:11]


def test_n_zero_is_empty_without_a_link(listed):
    dev, path, _ = listed
    answer = dev("GET", f"{path}?n=0").expect(200)
    assert not answer.json["tags"] and answer.header("Link") is None


@pytest.mark.parametrize("query", ["n=-1", "n=x", "n=1.5", "n=99999999999999999999", "n=", "last=%zz", "last=%00", "n=%31&n=2"])
def test_an_odd_query_is_400_or_bounded(listed, query):
    dev, path, _ = listed
    answer = dev("GET", f"{path}?{query}").expect((200, 400))
    if answer.status == 400:
        assert answer.message
    else:
        assert len(answer.json["tags"]) <= 1000


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
