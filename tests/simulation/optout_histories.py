"""Random histories of one opt-out and what must hold at their end; `python -m tests.simulation.optout_histories N`."""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from random import Random

from shared.domain.optout import Configuration, OptOutRules, Policy
from tests.simulation.optout_world import Late, Side, Word, World

EVERY_RULE = (
    *(OptOutRules(policy=policy) for policy in Policy),
    OptOutRules(Configuration.DYNAMICS_TO_CAMPAIGN),
    OptOutRules(Configuration.CAMPAIGN_TO_DYNAMICS),
)
BLOCK = 500


def history(seed: int) -> World:
    """People, workers and faults for a while; then everything comes to rest. Half of the histories have no faults."""
    random = Random(seed)
    world = World(EVERY_RULE[seed % len(EVERY_RULE)], random, initially=random.random() < 0.5)
    faulty = random.random() < 0.5
    for _ in range(random.randint(2, 6)):
        act(world, random, faulty=faulty)
        for _ in range(random.randint(0, 25)):
            if not world.deliver(random.randrange(8)):
                crash = faulty and random.random() < 0.01
                if not world.advance(random.randrange(8), crash=crash):
                    world.wait(random.choice([0.05, 0.2, 1, 5]))
    world.rest()
    return world


def act(world: World, random: Random, *, faulty: bool) -> None:
    """One thing that a person, or the network, does."""
    roll, value = random.random(), random.random() < 0.5
    if faulty and random.random() < 0.15:
        world.late.append(Late(random.uniform(0, 89) if random.random() < 0.8 else None))
    if roll < 0.4:
        world.speak(Side.DYNAMICS, value, announcements(random, faulty=faulty))
    elif roll < 0.8:
        world.speak(Side.CAMPAIGN, value, [random.uniform(0, 60)])
    elif roll < 0.9:
        world.touch()
    else:
        world.stale_file()


def announcements(random: Random, *, faulty: bool) -> list[float]:
    """When the webhook's copies arrive; none: it is lost, and only the next file brings the contact up."""
    if faulty and random.random() < 0.1:
        return []
    return [random.expovariate(0.5) for _ in range(2 if random.random() < 0.1 else 1)]


def violations(world: World) -> list[str]:
    """What is wrong at rest, also after every old message and file was played again."""
    found = [*_lost(world), *_not_heard(world), *_forbidden(world), *_too_much(world)]
    before = (world.stop, world.flag, len(world.writes))
    replayed = list(world.hints)
    for hint in replayed:
        world.replay(hint)
    world.rest()
    if (world.stop, world.flag, len(world.writes)) != before:
        found.append("a replayed message changed a settled world")
    return found


def _lost(world: World) -> list[str]:
    """Explicit opt-outs that are gone without a later word that may take them back."""
    if world.flag.value or world.stop or world.rules.configuration is not Configuration.BIDIRECTIONAL:
        return []
    return [
        f"lost: {said}"
        for said in world.words
        if said.value and not any(_takes_back(world.rules.policy, said, later) for later in world.words)
    ]


def _takes_back(policy: Policy, said: Word, later: Word) -> bool:
    """On its own side a person may always change their mind; from the other side only as the policy says."""
    if later.value:
        return False
    if later.side is said.side:
        return later.at >= said.at
    newer = int(later.at) > int(said.at)
    if policy is Policy.ADOBE:
        return newer and later.side is Side.CAMPAIGN
    return newer and policy is Policy.ATTRIBUTE_TIMESTAMPS


def _not_heard(world: World) -> list[str]:
    """A last word that must hold, where nothing went wrong: an own write that counts as a person's would hide it."""
    calm = not (world.faults or world.unseen or world.touches)
    if not calm or not world.words or not world.rules.by_record_time:
        return []
    last = world.words[-1]
    alone = all(int(word.at) < int(last.at) or word.side is last.side for word in world.words)
    crossed = world.stamped_at >= last.at  # our own opt-out landed after the opt-in was said: it counts
    decides = last.side is Side.CAMPAIGN or last.value or (world.rules.by_attribute_time and not crossed)
    return [f"not heard: {last}"] if alone and decides and last.value != world.stop else []


def _forbidden(world: World) -> list[str]:
    """Writes that the configuration does not know."""
    rules, found = world.rules, []
    sides = {side for side, _ in world.writes}
    if rules.configuration is Configuration.DYNAMICS_TO_CAMPAIGN and Side.DYNAMICS in sides:
        found.append("Dynamics was written")
    if rules.configuration is Configuration.CAMPAIGN_TO_DYNAMICS and Side.CAMPAIGN in sides:
        found.append("Campaign was written")
    if not rules.may_opt_in_campaign and (Side.CAMPAIGN, False) in world.writes:
        found.append("FALSE was written to Campaign")
    least = rules.configuration is Configuration.BIDIRECTIONAL and rules.policy is Policy.LEAST_PERMISSIVE
    if least and any(not value for _, value in world.writes):
        found.append("FALSE was written")
    return found


def _too_much(world: World) -> list[str]:
    """Every word and every fault may cost a few writes; a ping-pong costs any number.

    Messages without a change that are worked on at the same moment may each write what all of them saw, once.
    """
    most = 2 * (world.acts + world.faults) + world.repeats + 2
    return [f"{len(world.writes)} writes"] if len(world.writes) > most else []


def failed(seed: int) -> str | None:
    """One line for a history that goes wrong, so that it can be played again."""
    try:
        found = violations(history(seed))
    except AssertionError as error:
        found = [str(error).partition("\n")[0]]
    return f"seed {seed}: {found}" if found else None


def block(first: int) -> list[str]:
    """The failures of one block of seeds."""
    return [line for seed in range(first, first + BLOCK) if (line := failed(seed))]


def main(count: int, first: int) -> int:
    """Rounded up to whole blocks, on all processors; 1 on a violation."""
    firsts = range(first, first + count, BLOCK)
    with ProcessPoolExecutor() as pool:
        lines = [line for found in pool.map(block, firsts) for line in found]
    print("\n".join([*lines, f"{len(firsts) * BLOCK} histories, {len(lines)} with a violation"]))
    return 1 if lines else 0


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:]]
    sys.exit(main(numbers[0], numbers[1] if len(numbers) > 1 else 0))
