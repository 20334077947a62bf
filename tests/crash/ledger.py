"""What a client was told, and what the store must therefore hold."""

ABSENT = None


class Ledger:
    """What must be there. Keys: (blob, repository, digest) has bytes, (manifest, repository, digest) has bytes,
    (tag, repository, name) has a digest, (trust, repository, role) has bytes; ABSENT is a value too."""

    def __init__(self):
        self.known, self.unsure = {}, {}
        self.acknowledged = 0

    def asking(self, changes):
        for key, value in changes.items():
            self.unsure.setdefault(key, {self.known.get(key, ABSENT)}).add(value)

    def confirm(self, changes):
        self.acknowledged += 1
        for key, value in changes.items():
            self.known[key] = value
            self.unsure.pop(key, None)

    def allowed(self, key):
        return self.unsure.get(key) or {self.known[key]}

    def must_hold(self, key):
        return self.known.get(key, ABSENT) is not ABSENT and ABSENT not in self.allowed(key)

    def keys(self):
        return {**self.known, **self.unsure}.keys()

    def copy(self):
        other = Ledger()
        other.known, other.acknowledged = dict(self.known), self.acknowledged
        other.unsure = {key: set(values) for key, values in self.unsure.items()}
        return other
