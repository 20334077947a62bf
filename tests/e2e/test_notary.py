"""The unmodified notary client: init, add, publish, list, verify, delegations, rotations, delete."""
import concurrent.futures
import hashlib

import pytest

from support.notary import Notary
from support.process import run


@pytest.fixture
def files(tmp_path):
    made = []
    for i in range(3):
        path = tmp_path / f"payload-{i}"
        path.write_text(f"payload {i}\n")
        made.append(path)
    return made


def hex_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def key_pair(folder, name, *kind):
    key, cert = folder / f"{name}.key", folder / f"{name}.crt"
    run(["openssl", "req", "-x509", *(kind or ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")), "-nodes", "-sha256", "-days", "400",
         "-subj", f"/CN={name}", "-keyout", key, "-out", cert])
    return key, cert


def test_init_add_publish_list_lookup_verify(registry, notary, repo, files):
    owner, other = notary("owner"), notary("reader")
    gun = registry.gun(repo)
    owner("init", "-p", gun)
    owner("add", gun, "v1", files[0])
    assert "v1" in owner("status", gun)
    owner("publish", gun)
    assert other.list(repo) == {"v1": (hex_of(files[0]), files[0].stat().st_size, "targets")}
    assert hex_of(files[0]) in other("lookup", gun, "v1")
    other("verify", gun, "v1", "-i", files[0], "-o", "/dev/null")
    other("verify", gun, "v1", "-i", files[1], "-o", "/dev/null", code="fail")
    other("lookup", gun, "nope", code="fail")


def test_an_unknown_collection_has_no_trust_data(registry, notary, repo):
    assert "does not have trust data" in notary("reader")("list", registry.gun(repo), code="fail")


def test_a_publish_without_changes(registry, notary, repo, files):
    owner = notary("owner")
    owner.init(repo)
    owner("add", "-p", registry.gun(repo), "v1", files[0])
    assert "Successfully published" in owner("publish", registry.gun(repo))
    assert "v1" in notary("reader").list(repo)


def test_the_snapshot_key_moves_to_the_server_and_back(registry, notary, repo, files):
    owner, gun = notary("owner"), registry.gun(repo)
    owner("init", "-p", gun)
    owner("key", "rotate", gun, "snapshot", "-r")
    owner("add", "-p", gun, "v1", files[0])
    owner("key", "rotate", gun, "snapshot")
    owner("add", "-p", gun, "v2", files[1])
    assert set(notary("reader").list(repo)) == {"v1", "v2"}


def test_targets_timestamp_and_root_keys_are_rotated(registry, notary, repo, files):
    owner, gun = notary("owner"), registry.gun(repo)
    stale = notary("reader", folder="stale")
    owner.init(repo)
    owner("add", "-p", gun, "v1", files[0])
    stale.list(repo)
    client = registry.client(owner.account)

    def timestamp_keys():
        return {s["keyid"] for s in client("GET", f"/v2/{gun}/_trust/tuf/timestamp.json").json["signatures"]}
    before = timestamp_keys()
    owner("key", "rotate", gun, "timestamp", "-r")
    assert timestamp_keys() != before
    owner("key", "rotate", gun, "targets")
    for _ in range(2):
        owner("key", "rotate", gun, "root", stdin="yes\n")
    owner("add", "-p", gun, "v2", files[1])
    assert set(stale.list(repo)) == {"v1", "v2"}  # several roots behind
    assert set(notary("reader", folder="fresh").list(repo)) == {"v1", "v2"}
    newest = client("GET", f"/v2/{gun}/_trust/tuf/root.json").json["signed"]["version"]
    for n in range(1, newest + 1):
        assert client("GET", f"/v2/{gun}/_trust/tuf/{n}.root.json").expect(200).json["signed"]["version"] == n


@pytest.mark.parametrize("role", ["timestamp", "snapshot"])
def test_a_server_key_is_rotated_again_after_one_that_was_given_up_and_by_two_at_once(registry, notary, repo, files, role):
    owner, stale = notary("owner"), notary("reader", folder="stale")
    gun = owner.init(repo)
    owner("add", "-p", gun, "v1", files[0])
    stale.list(repo)
    client = registry.client(owner.account)

    def key():
        root = client("GET", f"/v2/{gun}/_trust/tuf/root.json").expect(200).json["signed"]
        (keyid,) = root["roles"][role]["keyids"]
        assert [s["keyid"] for s in client("GET", f"/v2/{gun}/_trust/tuf/{role}.json").expect(200).json["signatures"]] == [keyid]
        return root["keys"][keyid]["keyval"]["public"]
    used = [key()]
    for _ in range(2):
        owner("key", "rotate", gun, role, "-r")
        used.append(key())
    pending = client("POST", f"/v2/{gun}/_trust/tuf/{role}.key").expect(200).json["keyval"]["public"]  # whoever asked went away
    owner("add", "-p", gun, "v2", files[1])
    assert key() == used[-1]
    owner("key", "rotate", gun, role, "-r")
    assert key() == pending and len({*used, pending}) == 4
    copies = [Notary(registry, owner.account, owner.folder.with_name(f"copy-{i}")) for i in range(2)]
    for copy in copies:
        run(["cp", "-r", owner.folder, copy.folder])
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda c: c("key", "rotate", gun, role, "-r", code=None), copies))
    assert 0 in [r.code for r in results] and all(r.code == 0 or "run the command again" in r.text for r in results), [r.text for r in results]
    for copy, result in zip(copies, results):
        if result.code:
            copy("key", "rotate", gun, role, "-r")
        assert set(copy.list(repo)) == {"v1", "v2"}
    assert key() not in (*used, pending)
    assert set(stale.list(repo)) == set(notary("reader", folder="fresh").list(repo)) == {"v1", "v2"}


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_delegate_signs_and_is_removed(registry, notary, repo, files, tmp_path, kind):
    owner, gun = notary("owner"), registry.gun(repo)
    key, cert = key_pair(tmp_path, "delegate", *(("-newkey", "rsa:2048") if kind == "rsa" else ()))
    owner.init(repo)
    owner("delegation", "add", "-p", gun, "targets/releases", cert, "--all-paths")
    delegate = notary("signer")
    delegate("key", "import", key, "--role", "user")
    delegate("add", "-p", gun, "r1", files[0], "--roles", "targets/releases")
    reader = notary("reader")
    assert reader.list(repo)["r1"][2] == "targets/releases"
    assert "targets/releases" in reader("delegation", "list", gun)
    owner("delegation", "remove", "-y", "-p", gun, "targets/releases")
    assert "r1" not in reader.list(repo)
    assert "r1" not in notary("reader", folder="fresh").list(repo)
    delegate("add", "-p", gun, "r2", files[1], "--roles", "targets/releases", code="fail")


def test_a_nested_delegation_keeps_to_its_paths(registry, notary, repo, files, tmp_path):
    owner, gun = notary("owner"), registry.gun(repo)
    owner.init(repo)
    key, cert = key_pair(tmp_path, "top")
    owner("delegation", "add", "-p", gun, "targets/releases", cert, "--all-paths")
    top = notary("maintainer")
    top("key", "import", key, "--role", "user")
    top("add", "-p", gun, "r1", files[0], "--roles", "targets/releases")
    below_key, below_cert = key_pair(tmp_path, "below")
    top("delegation", "add", "-p", gun, "targets/releases/qa", below_cert, "--paths", "qa-")
    below = notary("signer")
    below("key", "import", below_key, "--role", "user")
    below("add", "-p", gun, "qa-1", files[1], "--roles", "targets/releases/qa")
    assert notary("reader").list(repo)["qa-1"][2] == "targets/releases/qa"


def test_a_foreign_key_signs_nothing(registry, notary, repo, files, tmp_path):
    owner, gun = notary("owner"), registry.gun(repo)
    owner.init(repo)
    _, cert = key_pair(tmp_path, "right")
    owner("delegation", "add", "-p", gun, "targets/releases", cert, "--all-paths")
    key, _ = key_pair(tmp_path, "wrong")
    stranger = notary("signer")
    stranger("key", "import", key, "--role", "user", code=None)
    stranger("add", "-p", gun, "evil", files[0], "--roles", "targets/releases", code="fail")
    assert "evil" not in notary("reader").list(repo)


def test_a_developer_who_is_no_signer_publishes_nothing(registry, notary, keeper, repo, files):
    keeper.init(repo)
    developer = notary("developer")
    shown = developer("init", "-p", registry.gun(f"{repo}-new"), code="fail")
    assert "401" in shown.text or "authorized" in shown.text


def test_a_signer_may_sign_but_not_change_the_delegations(registry, house, notary, repo, files, tmp_path):
    owner, gun = notary("owner"), registry.gun(repo)
    owner.init(repo)
    signer = notary("signer", folder="notary-owner-copy")  # the signer's account with the owner's keys: the account decides
    import_keys(owner, signer)
    signer("add", "-p", gun, "v1", files[0])
    assert "v1" in notary("reader").list(repo)
    _, cert = key_pair(tmp_path, "extra")
    refused = signer("delegation", "add", "-p", gun, "targets/extra", cert, "--all-paths", code="fail")
    assert "401" in refused.text or "authorized" in refused.text
    assert "targets/extra" not in notary("reader")("delegation", "list", gun).out


def import_keys(source, target):
    run(["cp", "-r", source.folder, target.folder])


def test_odd_target_names_survive(registry, notary, repo, files):
    owner = notary("owner")
    owner.init(repo)
    name = 'we<i>rd & "q" \\ name é 中'
    owner("addhash", "-p", registry.gun(repo), name, 5, "--sha256", hex_of(files[0]))
    assert hex_of(files[0]) in notary("reader")("lookup", registry.gun(repo), name)


def test_a_very_long_name_of_a_collection(registry, house, notary, files):
    repo = f"{house.ns}/a-rather-long-component-of-a-name/and-another-long-component/and-the-last-one-which-is-long-too"
    owner = notary("owner")
    owner("init", "-p", registry.gun(repo))
    owner("add", "-p", registry.gun(repo), "x", files[0])
    assert "x" in notary("reader").list(repo)


def test_two_clients_publish_at_once_and_nothing_acknowledged_is_lost(registry, notary, repo, tmp_path):
    owner, gun = notary("owner"), registry.gun(repo)
    owner.init(repo)
    copies = []
    for i in range(4):
        run(["cp", "-r", owner.folder, tmp_path / f"copy-{i}"])
        copies.append(Notary(registry, owner.account, tmp_path / f"copy-{i}"))
        copies[i]("addhash", gun, f"c{i}", 1, "--sha256", hashlib.sha256(b"%d" % i).hexdigest())
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda c: c("publish", gun, code=None).code, copies))
    listed = notary("reader").list(repo)
    assert 0 in results and all(f"c{i}" in listed for i, code in enumerate(results) if code == 0), (results, listed)
    for i, code in enumerate(results):
        if code != 0:
            copies[i]("publish", gun)
    assert set(notary("reader").list(repo)) == {f"c{i}" for i in range(4)}


def test_delete_and_a_new_beginning(registry, notary, repo, files, tmp_path):
    owner, gun = notary("owner"), registry.gun(repo)
    owner.init(repo)
    pinned = notary("reader", folder="pinned")
    pinned("list", gun)
    owner("delete", gun, "--remote")
    notary("reader", folder="fresh")("list", gun, code="fail")
    again = notary("owner", folder="again")
    again.init(repo)
    again("add", "-p", gun, "again", files[0])
    assert "again" in notary("reader", folder="fresh2").list(repo)
    pinned("list", gun, code="fail")
    owner("delete", registry.gun(f"{repo}-never"), "--remote")


def test_somebody_without_an_account_reads_and_writes_nothing(registry, house, notary, keeper, repo, tmp_path):
    keeper.init(repo)
    nobody = Notary(registry, None, tmp_path / "nobody")
    nobody("list", registry.gun(repo), code="fail", stdin="")
    stranger = Notary(registry, house.stranger, tmp_path / "stranger")
    stranger("list", registry.gun(repo), code="fail")
    stranger("init", "-p", registry.gun(f"{repo}-x"), code="fail")


def test_the_root_is_rotated_to_a_given_key_and_signed_by_older_ones_too(registry, notary, repo, files, tmp_path):
    """--key and --legacy: clients that are behind read every root between."""
    owner, gun = notary("owner"), registry.gun(repo)
    owner.init(repo)
    owner("add", "-p", gun, "v1", files[0])
    behind = notary("reader", folder="behind")
    behind.list(repo)
    run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", tmp_path / "plain.key"])
    run(["openssl", "ec", "-in", tmp_path / "plain.key", "-aes256", "-passout", "pass:phrase-of-root", "-out", tmp_path / "new.key"])
    text = (tmp_path / "new.key").read_text().replace("-----BEGIN EC PRIVATE KEY-----\n", "-----BEGIN EC PRIVATE KEY-----\nrole: root\n")
    (tmp_path / "new.key").write_text(text)
    owner("key", "rotate", gun, "root", "--key", tmp_path / "new.key", stdin="yes\n")
    owner("key", "rotate", gun, "root", stdin="yes\n")
    client = registry.client(owner.account)
    before = len(client("GET", f"/v2/{gun}/_trust/tuf/root.json").json["signatures"])
    owner("key", "rotate", gun, "root", "--legacy", 2, stdin="yes\n")
    assert len(client("GET", f"/v2/{gun}/_trust/tuf/root.json").json["signatures"]) > before
    owner("add", "-p", gun, "v2", files[1])
    for reader in (behind, notary("reader", folder="fresh")):
        assert set(reader.list(repo)) == {"v1", "v2"}


def test_without_the_old_root_key_nothing_is_rotated(registry, notary, repo, files):
    owner, gun = notary("owner"), registry.gun(repo)
    owner.init(repo)
    ids = [line.split()[1 if line.split()[0] == "root" else 2] for line in owner("key", "list").out.splitlines() if line.split()[:1] == ["root"]]
    assert len(ids) == 1
    for path in (owner.folder / "private").glob(f"{ids[0]}*"):
        path.unlink()
    owner("key", "rotate", gun, "root", stdin="yes\n", code="fail")
    owner("add", "-p", gun, "v1", files[0])  # the other keys go on
    assert set(notary("reader").list(repo)) == {"v1"}


def test_a_role_that_lost_its_signers_is_witnessed_and_a_key_is_purged(registry, notary, repo, files, tmp_path):
    owner, gun = notary("owner"), registry.gun(repo)
    owner.init(repo)
    (leaving_key, leaving), (staying_key, staying) = (key_pair(tmp_path, name) for name in ("leaving", "staying"))
    owner("delegation", "add", "-p", gun, "targets/releases", leaving, staying, "--all-paths")
    old, new = notary("signer", folder="old"), notary("signer", folder="new")
    old("key", "import", leaving_key, "--role", "user")
    new("key", "import", staying_key, "--role", "user")
    old("add", "-p", gun, "r1", files[0], "--roles", "targets/releases")
    key_id = next((old.folder / "private").glob("*.key")).stem
    owner("delegation", "purge", "-p", gun, "--key", key_id)
    assert key_id not in notary("reader", folder="asks")("delegation", "list", gun).out
    assert "r1" not in notary("reader", folder="between").list(repo)  # signed by nobody who may
    new("witness", "-p", gun, "targets/releases")
    assert notary("reader", folder="after").list(repo)["r1"][2] == "targets/releases"
    old("add", "-p", gun, "r2", files[1], "--roles", "targets/releases", code="fail")


def test_what_the_client_prints_says_what_to_do(registry, house, notary, repo, files):
    """notary-api 6: the sentences arrive at the person."""
    owner, gun = notary("owner"), registry.gun(repo)
    owner("init", "-p", gun)  # this client holds the snapshot key
    maintainer = notary("maintainer")
    shown = maintainer("init", "-p", registry.gun(f"{repo}-foreign-root"), code="fail").text
    assert "The root metadata is invalid: the root key " in shown and f"bond trust roots add {house.ns} sha256:" in shown
    assert "you are not authorized to perform this operation" in notary("developer")("init", "-p", registry.gun(f"{repo}-mine"), code="fail").text
    assert "does not have trust data" in notary("reader", folder="none")("list", registry.gun(f"{repo}-nothing"), code="fail").text
