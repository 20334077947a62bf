"""A share of a soak: with BONDSTORE_CRASH_PART=2/4 this process plays the second quarter. Most of a life is waiting, so
several beside each other take little longer than one."""
import itertools
import os


def part_of(items):
    which, _, of = os.environ.get("BONDSTORE_CRASH_PART", "1/1").partition("/")
    return itertools.islice(items, int(which) - 1, None, int(of))
