"""Counting: a case is made of leaves; a leaf passes, fails, or meets something that the registry does not support."""
import contextlib
from collections import Counter

tally = Counter()  # (area, outcome) -> leaves


class Unsupported(Exception):
    """The registry says, in a way that the specification allows, that it does not do this."""


class Case:
    def __init__(self, area, strict):
        self.area, self.strict, self.told = area, strict, []

    @contextlib.contextmanager
    def leaf(self, name):
        """A failed leaf is kept for the end of the case: the others are tried all the same."""
        try:
            yield
        except Unsupported as said:
            self.count("unsupported", name, said)
        except Exception as said:  # an answer without the expected header or member is a failed leaf like any other
            self.count("failed", name, said)
        else:
            tally[self.area, "passed"] += 1

    def count(self, outcome, name, said):
        tally[self.area, outcome] += 1
        if outcome == "failed" or self.strict:
            self.told.append(f"{name}: {outcome}: {type(said).__name__}: {said}")

    def close(self):
        assert not self.told, f"{len(self.told)} leaves of {self.area}:\n" + "\n".join(self.told)


def summary():
    """One line for each area, the sum last."""
    outcomes = ("passed", "unsupported", "failed")
    rows = {area: [tally[area, o] for o in outcomes] for area in sorted({a for a, _ in tally})}
    rows["all"] = [sum(column) for column in zip(*rows.values())] if rows else [0, 0, 0]
    return [f"{area}: " + ", ".join(f"{n} {o}" for n, o in zip(row, outcomes) if n or o == "passed") for area, row in rows.items()]
