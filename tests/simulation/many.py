"""`python -m tests.simulation.many N [FIRST]`: random histories, harsher than in the tests; exit 1 on a violation."""

from __future__ import annotations

import sys
from random import Random

from rich.progress import track

from tests.simulation.faults import Storm
from tests.simulation.test_random import history
from tests.simulation.virtual import play


def main(count: int, first: int) -> int:
    """The seeds that failed are printed, so that each can be played again."""
    failed = 0
    for seed in track(range(first, first + count), description="Histories"):
        storm = Storm(Random(seed), stalls=0.02, crashes=0.02, lates=0.1, lying=0.03)
        world = play(history(seed, storm))
        if violations := world.violations():
            failed += 1
            print(f"seed {seed}: {violations}")
    print(f"{count} histories, {failed} with a violation")
    return 1 if failed else 0


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:]]
    sys.exit(main(numbers[0], numbers[1] if len(numbers) > 1 else 1_000_000))
