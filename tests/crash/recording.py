"""A life whose every change on disk is recorded, and the lives that go on from a cut in it."""
import shutil

from ledger import ABSENT
from life import Life
from power import ANY_FILE_SYSTEM, Disk, read_record


class Moment:
    """What a life had been told when its record had come so far."""

    def __init__(self, life):
        self.position = life.faults.position()
        self.ledger, self.clock, self.token = life.ledger.copy(), life.clock, life.token


class Recording:
    """A whole life, with all that it changed on disk and all that it was told."""

    def __init__(self, template, folder, rules=(), **options):
        self.template, self.moments = template, []
        self.life = Life(template, folder, record=True, watch=lambda life: self.moments.append(Moment(life)), **options)
        self.life.faults.set(*rules)
        self.disk = Disk(self.life.server.data)
        self.moments.append(Moment(self.life))
        self.life.live()
        self.changes = read_record(self.life.faults.record)

    def cuts(self):
        """Follows the record change by change: (change, was something acknowledged right after it?)"""
        told = {moment.position for moment in self.moments}
        for change in self.changes:
            self.disk.follow(change)
            yield change, change.end in told

    def cut(self, change, folder, adversary, seed=0):
        """The power goes right after this change; the store must be as it was told. None: kill -9 instead."""
        life = self.at(change.end, folder)
        self.disk.write(life.server.data, adversary, seed)
        try:
            life.check_left(strays=adversary in ANY_FILE_SYSTEM)
        finally:
            life.abandon()
        shutil.rmtree(folder)

    def at(self, position, folder):
        """A life that goes on from there: whatever was acknowledged before must be found, what was on its way may be. The
        caller makes its disk."""
        i = max(i for i, moment in enumerate(self.moments) if moment.position <= position)
        moment, after = self.moments[i], self.moments[min(i + 1, len(self.moments) - 1)].ledger
        life = Life(self.template, folder, server=self.template.place(folder))
        life.ledger, life.clock, life.token = moment.ledger.copy(), moment.clock, moment.token
        for key in after.keys():
            if key not in life.ledger.keys() or after.allowed(key) != life.ledger.allowed(key):
                before = life.ledger.allowed(key) if key in life.ledger.keys() else {ABSENT}
                life.ledger.unsure[key] = before | after.allowed(key)
        return life
