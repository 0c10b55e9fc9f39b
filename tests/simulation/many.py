"""`python -m tests.simulation.many N [FIRST]`: random histories, harsher than in the tests; exit 1 on a violation.

N histories of contacts, and a twentieth of that many of three linked tables. Faults are so frequent that some message
meets ten in a row; that one is a dead letter and no violation, if all is right without it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from random import Random

from rich.progress import track

from tests.simulation import test_kin, test_random
from tests.simulation.faults import Storm
from tests.simulation.virtual import play

BLOCK = 250
TABLES_SHARE = 20
Violations = Callable[[int], list[str]]


def contacts(seed: int) -> list[str]:
    """What is wrong at the end of the history of that seed."""
    storm = Storm(Random(seed), stalls=0.02, crashes=0.02, lates=0.1, lying=0.03)
    return play(test_random.history(seed, storm)).violations(dead_letters=False)


def tables(seed: int) -> list[str]:
    """The same with linked tables; a turn has many more steps there, so fewer of them go wrong."""
    storm = Storm(Random(seed), stalls=0.003, crashes=0.004, lates=0.03, lying=0.005)
    return play(test_kin.history(seed, storm)).violations(dead_letters=False)


def block(game: Violations, first: int) -> list[str]:
    """One line for each seed of the block that failed, so that it can be played again."""
    seeds = range(first, first + BLOCK)
    return [f"{game.__name__}, seed {seed}: {found}" for seed in seeds if (found := _violations(game, seed))]


def _violations(game: Violations, seed: int) -> list[str]:
    try:
        return game(seed)
    except AssertionError as error:
        return [str(error).partition("\n")[0]]


def failed(pool: Executor, game: Violations, count: int, first: int) -> list[str]:
    """The failed seeds of so many histories, rounded up to whole blocks, on all processors."""
    firsts = range(first, first + count, BLOCK)
    blocks = track(
        pool.map(partial(block, game), firsts), description=f"Histories of {game.__name__}", total=len(firsts)
    )
    found = [line for lines in blocks for line in lines]
    print("\n".join([*found, f"{len(firsts) * BLOCK} histories of {game.__name__}, {len(found)} with a violation"]))
    return found


def main(count: int, first: int) -> int:
    """The exit code."""
    with ProcessPoolExecutor() as pool:
        found = failed(pool, contacts, count, first) + failed(pool, tables, count // TABLES_SHARE, first)
    return 1 if found else 0


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:]]
    sys.exit(main(numbers[0], numbers[1] if len(numbers) > 1 else 1_000_000))
