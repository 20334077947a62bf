"""What a power cut may leave of a recorded life (fault/record.c).

POSIX promises what was synced and nothing else. So each of these is, after the cut, at any of the states that it has had
since it was last synced, independently of all others:
    a name in a folder    (synced by fsync of the folder, or syncfs)
    the size of a file    (fsync or fdatasync of the file, or syncfs)
    512 bytes of a file   (the same)
A rename is one step of its folder. File systems with a journal (ext4, XFS) promise more: names everywhere change in
order, and the fsync of a file or folder takes with it every change of names up to the last one of its own.

Adversaries choose among these states. On any file system:
    lost      everything at its oldest: nothing that was not synced is there
    nameless  bytes and sizes at their newest, names at their oldest
    mixed     each by a coin (a seed makes it repeatable)
With a journal:
    zeros     names and sizes at their newest, bytes at their oldest: the file is there, its content is not
    behind    names as far as the journal must have come, bytes at their oldest
    between   names as far as a coin says, but in order, bytes by coins"""
import os
import random
import struct
from collections import namedtuple

HEAD = struct.Struct("<IHHQQqII")
ROOT, MADE, LINKED, BYTES, SIZE, SYNCED, SYNCED_ALL, UNLINKED, RENAMED, SYNC_FAILED = range(1, 11)
SECTOR = 512
LOST, NAMELESS, MIXED, ZEROS, BEHIND, BETWEEN = "lost", "nameless", "mixed", "zeros", "behind", "between"
ANY_FILE_SYSTEM, WITH_JOURNAL = (LOST, NAMELESS, MIXED), (ZEROS, BEHIND, BETWEEN)
ADVERSARIES = ANY_FILE_SYSTEM + WITH_JOURNAL

Change = namedtuple("Change", "number kind is_folder inode folder at name data end")


def read_record(path):
    """The changes in their order; `end` is how far the record had come with each."""
    raw, at, changes = path.read_bytes(), 0, []
    while at < len(raw):
        number, kind, is_folder, inode, folder, where, name_length, length = HEAD.unpack_from(raw, at)
        at += HEAD.size
        name, data = raw[at:at + name_length].decode(), raw[at + name_length:at + name_length + length]
        at += name_length + length
        changes.append(Change(number, kind, bool(is_folder), inode, folder, where, name, data, at))
    assert at == len(raw), "the record ends in the middle of a change"
    return changes


class File:
    """Steps are (position, bytes) or (size, None). Those of a sync that failed show to readers, but the kernel has given
    them up: they never reach the disk, not even by a later sync that succeeds."""

    def __init__(self, content=b""):
        self.synced = bytes(content)
        self.last = 0  # the last change of names that was its own
        self.pending = []  # since it was synced
        self.shown = None  # what readers see, once it differs

    def write(self, at, data):
        self.pending.append((at, data))

    def resize(self, size):
        self.pending.append((size, None))

    def sync(self):
        self.synced = applied(self.synced, self.pending)
        if self.shown is not None:
            self.shown = applied(self.shown, self.pending)
        self.pending.clear()

    def sync_failed(self):
        """Sizes are the journal's, which has not failed."""
        self.shown = self.newest()
        size = len(applied(self.synced, self.pending))
        self.synced = self.synced[:size].ljust(size, b"\0")
        self.pending.clear()

    def newest(self):
        return applied(self.synced if self.shown is None else self.shown, self.pending)

    def after(self, adversary, coin):
        last = len(self.pending)
        if adversary in (LOST, BEHIND) or not last:
            return self.synced
        if adversary == NAMELESS:
            return applied(self.synced, self.pending)
        if adversary == ZEROS:
            return applied(self.synced, self.pending, has=lambda step, sector: False)
        way = coin.randrange(4)
        if way < 2:
            return applied(self.synced, self.pending) if way else self.synced
        reached = {}
        return applied(self.synced, self.pending, coin.randrange(last + 1),
                       lambda step, sector: step < reached.setdefault(sector, coin.randrange(last + 1)))


def applied(content, steps, sizes=None, has=lambda step, sector: True):
    """The content after the steps; the size as after `sizes` of them; a step is in a sector if has() says so."""
    content, size, sizes = bytearray(content), len(content), len(steps) if sizes is None else sizes
    for step, (at, data) in enumerate(steps):
        end = at if data is None else at + len(data)
        begin, until = (at, len(content)) if data is None else (at, end)
        content.extend(bytes(max(0, end - len(content))))
        for sector in range(begin // SECTOR, -(-until // SECTOR)):
            if has(step, sector):
                first, beyond = max(begin, sector * SECTOR), min(until, (sector + 1) * SECTOR)
                content[first:beyond] = bytes(beyond - first) if data is None else data[first - at:beyond - at]
        if step < sizes:
            size = end if data is None else max(size, end)
    return bytes(content[:size].ljust(size, b"\0"))


class Folder:
    def __init__(self):
        self.history = {}  # name -> [(number of the change, what it means from then on; None: nothing)]
        self.synced = 0  # up to this change everything is durable, on any file system
        self.last = 0  # its last change

    def set(self, number, name, what):
        self.history.setdefault(name, [(0, None)]).append((number, what))
        self.last = number

    def names(self, choose):
        """choose(states): the index of the one that is left; states: from the synced one on, oldest first."""
        found = {}
        for name, states in self.history.items():
            oldest = max(i for i, (number, _) in enumerate(states) if number <= self.synced)
            found[name] = states[oldest:][choose(states[oldest:])][1]
        return {name: what for name, what in found.items() if what is not None}

    def newest(self):
        return self.names(lambda states: -1)

    def up_to(self, number):
        return self.names(lambda states: max((i for i, state in enumerate(states) if state[0] <= number), default=0))

    def after(self, adversary, coin, reached):
        """reached: how far the journal has come."""
        if adversary == ZEROS:
            return self.newest()
        if adversary in (BEHIND, BETWEEN):
            return self.up_to(reached)
        if adversary == MIXED:
            return self.names(lambda states: coin.randrange(len(states)))
        return self.names(lambda states: 0)


class Disk:
    """A folder as the record makes it, change by change."""

    def __init__(self, root):
        """Begins with what lies there: synced long ago."""
        self.things = {}
        self.names = 0  # changes of names so far
        self.journal = 0  # how many of them are durable with a journal
        self.root = self.load(root)

    def load(self, path):
        inode = path.lstat().st_ino
        if path.is_dir():
            thing = self.things[inode] = Folder()
            thing.history = {p.name: [(0, self.load(p))] for p in path.iterdir() if p.is_dir() or p.is_file()}
        elif inode not in self.things:
            self.things[inode] = File(path.read_bytes())
        return self.things[inode]

    def follow(self, change):
        thing = self.things.get(change.inode)
        if change.kind == MADE:
            thing = self.things[change.inode] = Folder() if change.is_folder else File()
        if change.kind in (MADE, LINKED):
            self.name(change.folder, change.name, thing)
        elif change.kind == BYTES:
            thing.write(change.at, change.data)
        elif change.kind == SIZE:
            thing.resize(change.at)
        elif change.kind == SYNCED:
            self.sync(thing)
        elif change.kind == SYNC_FAILED:
            if isinstance(thing, File):
                thing.sync_failed()
        elif change.kind == SYNCED_ALL:
            for each in self.things.values():
                self.sync(each)
        elif change.kind == UNLINKED:
            self.name(change.folder, change.name, None)
        elif change.kind == RENAMED:
            self.rename(change)

    def name(self, folder, name, what):
        self.names += 1
        self.things[folder].set(self.names, name, what)
        if what is not None:
            what.last = self.names

    def rename(self, change):
        source, target = self.things[change.folder], self.things[change.at]
        moved = source.newest()[change.name]
        self.names += 1
        source.set(self.names, change.name, None)
        target.set(self.names, change.data.decode(), moved)
        moved.last = self.names

    def sync(self, thing):
        self.journal = max(self.journal, thing.last)
        if isinstance(thing, File):
            thing.sync()
        else:
            thing.synced = self.names

    def write(self, path, adversary=None, seed=0):
        """Makes the folder `path` as a power cut may leave it; without an adversary as kill -9 does."""
        coin = random.Random(seed)
        reached = coin.randint(self.journal, self.names) if adversary == BETWEEN else self.journal
        made = {}

        def put(thing, here):
            if isinstance(thing, Folder):
                here.mkdir(0o700)
                for name, what in (thing.after(adversary, coin, reached) if adversary else thing.newest()).items():
                    put(what, here / name)
            elif thing in made:
                os.link(made[thing], here)
            else:
                made[thing] = here
                here.touch(0o600)
                here.write_bytes(thing.after(adversary, coin) if adversary else thing.newest())
        put(self.root, path)
