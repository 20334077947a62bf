"""Servers whose file system calls are numbered, recorded and made to fail by the preloaded library (fault/fault.h)."""
import bisect
import os
import subprocess
from collections import namedtuple
from pathlib import Path

from support.server import build_folder

Call = namedtuple("Call", "run number op path action site")

ON_FULL_DISK = ("create", "write", "allocate", "link", "mkdir")  # operations that need room


class Faults:
    """The library's files for one store. Rules may change while the server runs."""

    def __init__(self, server, record=False):
        self.root, folder = server.data, server.folder
        self.library = build_folder() / "tests" / "fault.so"
        assert self.library.exists(), f"{self.library} is missing: build the tests first"
        self.control, self.trace = folder / "fault.rules", folder / "fault.trace"
        self.record = folder / "fault.record" if record else None

    def environment(self, clock=None):
        """For Server.start. clock: seconds by which the server's clock is ahead."""
        preload = [str(self.library)]
        env = {"FAULT_ROOT": self.root, "FAULT_CONTROL": self.control, "FAULT_TRACE": self.trace, "FAULT_RECORD": self.record}
        if clock:
            found = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
            assert found, "libfaketime is not installed; scripts/test installs it"
            preload.append(str(found[0]))
            env |= {"FAKETIME": f"+{clock}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        return {**env, "LD_PRELOAD": ":".join(preload)}

    def set(self, *rules):
        """Takes effect as a whole, at the next call."""
        fresh = self.control.with_suffix(".new")
        fresh.write_text("".join(f"{rule}\n" for rule in rules))
        os.rename(fresh, self.control)

    def drop_hits(self):
        """Rules for one site each are not needed again once they have been followed."""
        if self.control.exists():
            done = {call.site for call in self.hits()}
            self.set(*[rule for rule in self.control.read_text().splitlines() if rule.partition("site=")[2] not in done])

    def clear(self):
        self.control.unlink(missing_ok=True)

    def calls(self):
        """All calls so far, those of earlier runs of the server first. Runs count from 1, and so do numbers in each."""
        if not self.trace.exists():
            return []
        calls, run = [], 0
        whole, _, _ = self.trace.read_text().rpartition("\n")  # a line that is being written may be seen in part
        for line in whole.splitlines():
            number, op, path, action, site = line.split(" ")
            run += number == "1"
            calls.append(Call(run, int(number), op, path, action, site))
        return calls

    def hits(self):
        return [call for call in self.calls() if call.action != "-"]

    def position(self):
        """How far the record has come."""
        return self.record.stat().st_size if self.record.exists() else 0


class Names:
    """Functions of the server by the places in a call's site."""

    def __init__(self):
        self.starts, self.names = [], []
        out = subprocess.run(["nm", "--defined-only", build_folder() / "bondstore"], capture_output=True, text=True, check=True).stdout
        for line in sorted(out.splitlines()):
            at, kind, name = line.split(" ")
            if kind in "tT":
                self.starts.append(int(at, 16))
                self.names.append(name)

    def function(self, place):
        i = bisect.bisect_right(self.starts, place) - 1
        return self.names[i] if i >= 0 else hex(place)

    def site(self, site):
        """`fsync:uploads: upload_file_publish < publish_and_commit` of a call's site."""
        op, part, places = site.split(":", 2)
        ours = [self.function(int(p, 16) - 1) for p in places.split("+")[1:]]
        return f"{op}:{part}: " + " < ".join(ours)


def distinct(calls):
    """The first call of each site."""
    first = {}
    for call in calls:
        first.setdefault(call.site, call)
    return list(first.values())
