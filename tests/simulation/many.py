"""`python -m tests.simulation.many N [FIRST]`: random histories, harsher than in the tests; exit 1 on a violation."""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from random import Random

from rich.progress import track

from tests.simulation.faults import Storm
from tests.simulation.test_random import history
from tests.simulation.virtual import play

BLOCK = 250


def violations(seed: int) -> list[str]:
    """What is wrong at the end of the history of that seed."""
    storm = Storm(Random(seed), stalls=0.02, crashes=0.02, lates=0.1, lying=0.03)
    try:
        return play(history(seed, storm)).violations()
    except AssertionError as error:
        return [str(error).partition("\n")[0]]


def block(first: int) -> list[str]:
    """One line for each seed of the block that failed, so that it can be played again."""
    return [f"seed {seed}: {found}" for seed in range(first, first + BLOCK) if (found := violations(seed))]


def main(count: int, first: int) -> int:
    """Rounded up to whole blocks, on all processors."""
    firsts = range(first, first + count, BLOCK)
    with ProcessPoolExecutor() as pool:
        blocks = track(pool.map(block, firsts), description="Histories", total=len(firsts))
        failed = [line for lines in blocks for line in lines]
    print("\n".join([*failed, f"{len(firsts) * BLOCK} histories, {len(failed)} with a violation"]))
    return 1 if failed else 0


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:]]
    sys.exit(main(numbers[0], numbers[1] if len(numbers) > 1 else 1_000_000))
