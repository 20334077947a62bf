"""A power cut takes what was not synced, in the worst ways that file systems allow (power.py). Whatever was acknowledged is
there afterwards, the store is consistent, and what lies there half gets into nothing.

One failing cut again:
    BONDSTORE_CUT=CHANGE:ADVERSARY:SEED ... pytest tests/crash/test_power_cut.py -k one_cut"""
import filecmp
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from support.process import environment

from faults import Faults, distinct
from part import part_of
from power import ADVERSARIES, BEHIND, BETWEEN, LOST, MADE, MIXED, NAMELESS, UNLINKED, WITH_JOURNAL, ZEROS, Disk, read_record
from recording import Recording


class Place:
    """What Faults needs to know of a server."""

    def __init__(self, folder):
        self.folder, self.data = folder, folder / "data"
        self.data.mkdir()


def recorded(tmp_path, program):
    """The disk after a program of these few lines, with its working folder recorded."""
    place = Place(tmp_path)
    (place.data / "old").write_bytes(b"o" * 1000)
    faults, disk = Faults(place, record=True), Disk(place.data)
    subprocess.run([sys.executable, "-c", "import os\n" + program], cwd=place.data, check=True,
                   env=environment(**faults.environment()))
    for change in read_record(faults.record):
        disk.follow(change)
    return disk


def left(disk, tmp_path, adversary, seed=0):
    """{path: bytes} after a power cut."""
    folder = Path(tempfile.mkdtemp(dir=tmp_path)) / "left"
    disk.write(folder, adversary, seed)
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# --- the judge itself ----------------------------------------------------------------------------------------------------
def test_what_was_not_synced_is_lost(tmp_path):
    disk = recorded(tmp_path, "open('new', 'wb', 0).write(b'n' * 600)\nopen('old', 'rb+', 0).write(b'x' * 600)")
    assert left(disk, tmp_path, LOST) == {"old": b"o" * 1000}
    assert left(disk, tmp_path, ZEROS) == {"old": b"o" * 1000, "new": bytes(600)}
    assert left(disk, tmp_path, NAMELESS) == {"old": b"x" * 600 + b"o" * 400}
    assert left(disk, tmp_path, None) == {"old": b"x" * 600 + b"o" * 400, "new": b"n" * 600}


def test_what_was_synced_stays_and_a_name_needs_its_folder(tmp_path):
    disk = recorded(tmp_path, "f = os.open('new', os.O_RDWR | os.O_CREAT)\nos.write(f, b'n' * 600)\nos.fsync(f)\nos.link('new', 'again')\n"
                    "os.write(f, b'late')\nos.fsync(os.open('.', os.O_RDONLY))\nos.unlink('old')")
    for adversary in (LOST, NAMELESS):
        assert left(disk, tmp_path, adversary)["again"][:600] == b"n" * 600
    assert left(disk, tmp_path, LOST) == {"old": b"o" * 1000, "new": b"n" * 600, "again": b"n" * 600}
    assert left(disk, tmp_path, ZEROS) == {"new": b"n" * 600 + bytes(4), "again": b"n" * 600 + bytes(4)}


def test_a_synced_file_may_be_without_its_name_but_not_with_a_journal(tmp_path):
    disk = recorded(tmp_path, "f = os.open('new', os.O_RDWR | os.O_CREAT)\nos.write(f, b'n')\nos.fsync(f)")
    assert "new" not in left(disk, tmp_path, LOST)
    assert all(left(disk, tmp_path, adversary)["new"] == b"n" for adversary in WITH_JOURNAL)
    assert {"new" in left(disk, tmp_path, MIXED, seed) for seed in range(32)} == {True, False}


def test_sectors_of_unsynced_writes_come_one_by_one(tmp_path):
    disk = recorded(tmp_path, "f = os.open('old', os.O_RDWR)\nos.pwrite(f, b'x' * 1000, 0)")
    seen = {left(disk, tmp_path, MIXED, seed)["old"] for seed in range(64)}
    halves = {(a, b) for a in (b"o" * 512, b"x" * 512) for b in (b"o" * 488, b"x" * 488)}
    assert seen == {a + b for a, b in halves}


def test_after_a_sync_that_failed_a_later_one_saves_only_what_came_later(tmp_path):
    rules = f"rules = lambda text: open('{tmp_path}/fault.rules', 'w').write(text)\n"
    disk = recorded(tmp_path, rules + "f = os.open('old', os.O_RDWR)\nos.pwrite(f, b'x' * 512, 0)\nrules('EIO op=fsync')\n"
                    "try: os.fsync(f)\nexcept OSError: pass\nrules('')\nos.pwrite(f, b'y' * 488, 512)\nos.fsync(f)")
    assert left(disk, tmp_path, LOST)["old"] == b"o" * 512 + b"y" * 488
    assert left(disk, tmp_path, None)["old"] == b"x" * 512 + b"y" * 488


def test_the_record_leaves_nothing_out(recording, tmp_path):
    for _ in recording.cuts():
        pass
    recording.disk.write(tmp_path / "replayed")
    same = filecmp.dircmp(recording.life.server.data, tmp_path / "replayed", ignore=["control.sock"])

    def compare(folder):
        assert not folder.left_only and not folder.right_only, (folder.left_only, folder.right_only)
        assert not folder.diff_files and not folder.funny_files, (folder.diff_files, folder.funny_files)
        for below in folder.subdirs.values():
            compare(below)
    compare(same)


# --- the server ----------------------------------------------------------------------------------------------------------
def judge(recording, tmp_path, cuts):
    """Each cut is (change, adversary, seed) as the record is followed; all that fail are told."""
    failed, count = [], 0
    for change, adversary, seed in cuts:
        count += 1
        try:
            recording.cut(change, tmp_path / f"c{count}", adversary, seed)
        except AssertionError as said:
            failed.append(f"{recording.changes.index(change)}:{adversary}:{seed}: {str(said)[:600]}")
    assert not failed, f"{len(failed)} of {count} cuts: " + "\n".join(failed[:10])
    return count


def test_a_power_cut_right_after_each_acknowledgement_loses_nothing(recording, tmp_path):
    def cuts():
        for change, told in recording.cuts():
            if told:
                yield change, LOST, 0
                yield change, BEHIND, 0
    assert judge(recording, tmp_path, cuts()) >= 2 * 25


def test_a_power_cut_at_each_place_in_the_code_leaves_the_old_or_the_new(recording, tmp_path):
    first = {call.run * 100000 + call.number for call in distinct(recording.life.faults.calls())}

    def cuts():
        run, number = 0, 0
        for change, _ in recording.cuts():
            run += change.kind == 1
            if change.number != number and run * 100000 + change.number in first:
                number = change.number
                yield change, (MIXED, BETWEEN, NAMELESS, ZEROS)[number % 4], number
    assert judge(recording, tmp_path, cuts()) >= 30


def test_what_was_collected_does_not_come_back(recording, tmp_path):
    """Cuts after the collector, before anything else brings the journal on."""
    def cuts():
        removed = False
        for (change, _), following in zip(recording.cuts(), recording.changes[1:]):
            removed = removed or (change.kind == UNLINKED and len(change.name) == 64)
            if removed and following.kind == MADE:
                removed = False
                yield change, BEHIND, 0
    assert judge(recording, tmp_path, cuts()) >= 1


@pytest.mark.parametrize("first, pace", [(2, 1000), (1, 3)])
def test_what_a_failed_sync_lost_is_never_acknowledged_by_a_later_one(template, calls, tmp_path, first, pace):
    """The kernel tells of a write that it could not make once, and then forgets it. Each place fails at its `first` call
    and then now and again."""
    sites = [call.site for call in distinct(calls) if call.op == "fsync"]
    rules = [f"EIO op=fsync site={site} from={n} to={n}" for site in sites for n in range(first, 40, pace)]
    recording = Recording(template, tmp_path / "recorded", rules=rules, retry=30)
    parts = {call.site.split(":")[1] for call in recording.life.faults.hits()}
    assert "index.db-wal" in parts and (pace > 3 or len(parts) >= 3), parts

    def cuts():
        for change, told in recording.cuts():
            if told:
                yield change, LOST, 0
    judge(recording, tmp_path, cuts())


@pytest.mark.skipif("BONDSTORE_CUT" not in os.environ, reason="which cut? BONDSTORE_CUT=CHANGE:ADVERSARY:SEED")
def test_one_cut(recording, tmp_path):
    number, adversary, seed = os.environ["BONDSTORE_CUT"].split(":")
    wanted = recording.changes[int(number)]
    judge(recording, tmp_path, ((change, adversary, int(seed)) for change, _ in recording.cuts() if change is wanted))


@pytest.mark.soak
@pytest.mark.parametrize("adversary", [None, *ADVERSARIES])
def test_every_cut(recording, tmp_path, adversary, capsys):
    """None: kill -9."""
    cuts = ((change, adversary, i) for i, (change, _) in enumerate(recording.cuts()))
    count = judge(recording, tmp_path, part_of(cuts))
    with capsys.disabled():
        print(f"\n{count} cuts, {adversary or 'kill -9'}")
