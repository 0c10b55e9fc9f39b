"""The same world as a Hypothesis state machine, which looks for the shortest history that goes wrong."""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from shared.domain.optout import OptOutRules
from tests.simulation.optout_histories import EVERY_RULE, violations
from tests.simulation.optout_world import Late, Side, World

SOON = st.sampled_from([[0.0], [1.0], [5.0, 5.0], [30.0]])


class OptOuts(RuleBasedStateMachine):
    """Every step of every worker is a rule of its own, so that people and faults come between any two of them."""

    @initialize(rules=st.sampled_from(EVERY_RULE), initially=st.booleans())
    def begin(self, rules: OptOutRules, initially: bool) -> None:
        self.world = World(rules, Random(7), initially)

    @rule(side=st.sampled_from(Side), value=st.booleans(), announced=SOON)
    def a_person_speaks(self, side: Side, value: bool, announced: list[float]) -> None:
        self.world.speak(side, value, announced)

    @rule(value=st.booleans())
    def a_webhook_is_lost(self, value: bool) -> None:
        self.world.speak(Side.DYNAMICS, value, [])

    @rule()
    def a_person_changes_something_else(self) -> None:
        self.world.touch()

    @rule()
    def an_old_file_is_read(self) -> None:
        self.world.stale_file()

    @precondition(lambda self: self.world.hints)
    @rule(place=st.integers(0, 20))
    def an_old_message_comes_again(self, place: int) -> None:
        self.world.replay(self.world.hints[place % len(self.world.hints)])

    @rule(place=st.integers(0, 3))
    def a_worker_begins(self, place: int) -> None:
        self.world.deliver(place)

    @precondition(lambda self: self.world.workers)
    @rule(place=st.integers(0, 3), steps=st.integers(1, 8))
    def a_worker_goes_on(self, place: int, steps: int) -> None:
        for _ in range(steps):
            self.world.wait(0.1)
            self.world.advance(place)

    @precondition(lambda self: self.world.workers)
    @rule(place=st.integers(0, 3))
    def a_worker_dies(self, place: int) -> None:
        self.world.advance(place, crash=True)

    @rule(lands_after_s=st.none() | st.floats(0, 89))
    def the_next_answer_is_lost(self, lands_after_s: float | None) -> None:
        self.world.late.append(Late(lands_after_s))

    @rule(seconds=st.sampled_from([0.05, 0.5, 1.0, 20.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.late.clear()
            self.world.rest()
            assert not violations(self.world), "\n".join(self.world.trace)


OptOuts.TestCase.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestOptOuts = OptOuts.TestCase
