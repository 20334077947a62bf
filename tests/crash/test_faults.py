"""The server dies, or a call of its fails, at each place in the code that changes a file. Whatever was acknowledged is there
afterwards, what failed is there whole or not at all, and nothing is left behind.

One failing call again (the numbers of a run of the server and of a call in it, as the test tells them):
    BONDSTORE_FAULT=ACTION:RUN:CALL ... pytest tests/crash/test_faults.py -k one_call"""
import os

import pytest

from faults import distinct
from life import Died, Life
from part import part_of

KILLS, ERRORS = ("kill-before", "kill-after"), ("EIO", "ENOSPC", "EINTR", "short")


def live_with(template, folder, action, sites):
    """A life in which the action comes once at each of these places. Returns those that were reached, after the checks."""
    life = Life(template, folder, immortal=action in KILLS, retry=60)
    life.faults.set(*[f"{action} to=1 site={site}" for site in sites])
    try:
        life.live()
        hits = {call.site for call in life.faults.hits()}
        assert action not in KILLS or life.runs >= len(hits)
        life.check()
    finally:
        life.abandon()
    return hits


@pytest.mark.parametrize("action", [*KILLS, *ERRORS])
def test_at_each_place_in_the_code(template, calls, names, tmp_path, action):
    """Places that only come when others do not fail get another life."""
    left = {call.site for call in distinct(calls)}
    if action == "short":
        left = {site for site in left if site.startswith("write:")}
    everything = len(left)
    for number in range(4):
        left -= live_with(template, tmp_path / str(number), action, sorted(left)) if left else set()
    assert everything >= (5 if action == "short" else 40)
    assert len(left) <= everything // 10, "never reached: " + ", ".join(names.site(site) for site in left)


def single_fault(template, folder, action, run, number):
    """One life with one fault. Returns the calls that were hit."""
    life = Life(template, folder, retry=5, plan={run: [f"{action} from={number} to={number}"]})
    try:
        try:
            life.live()
        except Died:
            life.bury()
        hits = life.faults.hits()
        life.check()
    finally:
        life.abandon()
    return hits


@pytest.mark.skipif("BONDSTORE_FAULT" not in os.environ, reason="which call? BONDSTORE_FAULT=ACTION:RUN:CALL")
def test_one_call(template, names, tmp_path):
    action, run, number = os.environ["BONDSTORE_FAULT"].split(":")
    for call in single_fault(template, tmp_path / "life", action, int(run), int(number)):
        print(f"{action} at call {call.number} of run {call.run}: {call.path}, {names.site(call.site)}")


def but_repetitions(calls):
    """Without the calls in the middle of a long series from one place, such as the pages of one transaction."""
    def is_repetition(i):
        return 2 <= i < len(calls) - 2 and calls[i - 2].site == calls[i].site == calls[i + 2].site
    every = int(os.environ.get("BONDSTORE_CRASH_EVERY", "0"))
    return [call for i, call in enumerate(calls) if every or not is_repetition(i)]


@pytest.mark.soak
@pytest.mark.parametrize("action", ["kill-before", "EIO", "ENOSPC"])
def test_at_each_call(template, calls, names, tmp_path, action, capsys):
    failed, hit, chosen = [], 0, list(part_of(but_repetitions(calls)))
    for call in chosen:
        folder = tmp_path / f"{call.run}-{call.number}"
        try:
            hit += len(single_fault(template, folder, action, call.run, call.number))
        except AssertionError as said:
            failed.append(f"{action}:{call.run}:{call.number} ({names.site(call.site)}): {str(said)[:600]}")
            with capsys.disabled():
                print(f"\n{failed[-1]}")
    with capsys.disabled():
        print(f"\n{action}: {len(chosen)} of {len(calls)} calls, {hit} hit")
    assert not failed, f"{len(failed)}: " + "\n".join(failed[:10])
