"""The property: in random histories every tag, manifest and blob is answered as the checker says, after each step.
The same two histories each time; BONDSTORE_HISTORY_SEED has another one, BONDSTORE_HISTORY_STEPS makes it longer. The long
run (soak) has new ones."""
import os
import random

import pytest

from history import History

STEPS = int(os.environ.get("BONDSTORE_HISTORY_STEPS", "45"))
SEED = os.environ.get("BONDSTORE_HISTORY_SEED")
ANSWERS = int(os.environ.get("BONDSTORE_HISTORY_ANSWERS", "100000"))  # of the long run


def play(folder, seed, steps, **settings):
    """One history; a difference ends it with the steps that led there. Returns how many answers were compared."""
    history = History(folder, seed, **settings)
    try:
        for _ in range(steps):
            history.step()
            for place in history.world.places.values():
                wrong = history.world.check(place)
                assert not wrong, "\n".join(
                    [f"BONDSTORE_HISTORY_SEED={seed} BONDSTORE_HISTORY_STEPS={steps}: {len(wrong)} answers are not the checker's",
                     *(t for t in history.told if f' {place.repo} ' in t or 'pass_time' in t or 'restart' in t), *map(str, wrong[:5])])
    finally:
        world = history.world
        refused = sum(len(p.author.refusals) for p in world.places.values())
        print(f"seed {seed}: {len(history.told)} steps, {world.asked} answers compared, {world.open} of them where the rules leave two, "
              f"{refused} publishes refused")
        for place in world.places.values():
            for answer in place.author.refusals[:4]:
                print("   refused:", answer.body[:300])
        history.close()
    return world.asked


@pytest.mark.parametrize("seed", [SEED] if SEED else ["4", "9"])  # in these root keys are revoked and replaced, and a repository is deleted
def test_a_random_history_is_answered_as_the_rules_say(tmp_path, seed):
    assert play(tmp_path, int(seed), STEPS) >= STEPS * 3


@pytest.mark.soak
def test_many_long_histories_are_answered_as_the_rules_say(tmp_path):
    """Each of them with a seed of its own, some with a server that collects and renews every second."""
    asked, seed = 0, int(SEED or random.SystemRandom().randrange(1 << 32))
    while asked < ANSWERS:
        (tmp_path / str(seed)).mkdir()
        more = {"BONDSTORE_MAINTENANCE_INTERVAL": "1s"} if seed % 3 == 0 else {}
        asked += play(tmp_path / str(seed), seed, 300, **more)
        seed += 1
