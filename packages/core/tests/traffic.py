"""Seeded random traffic for the model of browsers: one honest user who does everything at once."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from websession_core.policies import AbsoluteTimeout, IdleTimeout, Policies, Renewal

from .browsers import Action, Browser, Journey, World

if TYPE_CHECKING:
    from websession_core.lifecycle import _Timing

GRACE = 10
SKEW = 2.0
POLICIES = Policies(
    idle=IdleTimeout(1000),
    absolute=AbsoluteTimeout(20_000),
    renewal=Renewal(timeout=2 * GRACE, grace=GRACE),
)


class Traffic:
    """An honest user, and all that goes wrong around her.

    Args:
        random: Where everything that is left to chance comes from.
        timing: Other windows for the lifecycle; what it promises besides is not looked at then.
    """

    def __init__(self, random: Random, timing: _Timing | None = None) -> None:
        self.random = random
        offsets = (0.0, SKEW / 2, -SKEW / 2)
        self.world = (
            World(POLICIES, offsets) if timing is None else World(POLICIES, offsets, timing, promises=False)
        )
        self.user = Browser("user")
        self._version = 0
        self._bad_weather = False

    def journey(self) -> Journey:
        """Return a journey that keeps the grace, with any of its mishaps."""
        random = self.random
        longest = GRACE - SKEW
        # The weather changes now and then: on a bad day everything takes all the time there is.
        if random.random() < 0.05:
            self._bad_weather = random.random() < 0.4
        total = longest if self._bad_weather else random.choice((0.05, 0.3, 1.0, longest / 2, longest))
        total *= random.uniform(0.5, 1)
        cuts = sorted((random.random() * total, random.random() * total))
        if random.random() < 0.5:
            cuts = random.choice(([0.0, 0.0], [0.0, total], [total, total]))
        return Journey(
            up=cuts[0],
            service=cuts[1] - cuts[0],
            down=total - cuts[1],
            server=random.randrange(3),
            lag=random.choice((0, 0, 0, 0, 0, 0, 0, 0.5, 3)),
            lost=random.random() < 0.03,
            crashed=random.random() < 0.03,
            locked=random.random() < 0.1,
            unanswered=random.random() < 0.1,
        )

    def act(self) -> None:
        """Do one thing: send a request, let time pass, or let something happen to the servers."""
        random, world, user = self.random, self.world, self.user
        world.check_settled(user)
        if (not user.logged_in or self._has_lost_session()) and random.random() < 0.2:
            self._log_in()  # before, she has not looked at the page
            return
        chance = random.random()
        if chance < 0.45:
            world.send(user, Action.PAGE, self.journey())
        elif chance < 0.55:
            world.send(user, Action.WRITE, self.journey())
        elif chance < 0.93:
            world.advance(self._pause())
        elif chance < 0.95:
            self._version += random.choice((1, 1, 0))
            world.change_cookies(self._version, random.choice((None, 0, 1, 2)))
        elif chance < 0.96:
            world.send(user, Action.REGENERATE, self.journey())
        elif chance < 0.97:
            world.send(user, Action.LOGIN, self.journey())
        elif chance < 0.974:
            world.send(user, Action.LOGOUT, self.journey())
        elif chance < 0.98:
            world.fail_over(random.uniform(0, 3))
        elif chance < 0.983:
            world.restore(random.uniform(0, 100), outage=2 * GRACE)
        else:
            self._burst()

    def _has_lost_session(self) -> bool:
        if self.user.jar is None:
            return True
        truth = self.world.truth[self.user.jar.session_id]
        return bool(truth.excuse or truth.ended)

    def _log_in(self) -> None:
        # She sees that she is not logged in, and that every page has come or failed, and logs in.
        world, user = self.world, self.user
        world.settle()
        if user.jar is None or self._has_lost_session():
            user.jar = None
            world.send(user, Action.START, self.journey())
            world.settle()
        if user.jar is not None:
            for _ in range(self.random.randrange(3)):
                world.send(user, self.random.choice((Action.PAGE, Action.WRITE)), self.journey())
            user.logged_in = False
            world.send(user, Action.LOGIN, self.journey())
            for _ in range(self.random.randrange(3)):
                world.advance(self.random.uniform(0, 2))
                world.send(user, Action.PAGE, self.journey())
            world.settle()

    def _burst(self) -> None:
        for _ in range(self.random.randrange(2, 7)):
            self.world.send(self.user, Action.PAGE, self.journey())

    def _pause(self) -> float:
        random = self.random
        longest = random.choice((0.2, 1, GRACE / 2, GRACE, GRACE, 2 * GRACE, 3 * GRACE))
        if random.random() < 0.003:
            longest = random.choice((250, 1100))
        return random.uniform(0, longest)


def run(seed: int, acts: int, timing: _Timing | None = None) -> World:
    """Let the user or chance act so many times, and let everything under way come to its end.

    Raises:
        FalseAlarm: The honest user was taken for a thief or logged out.
        BrokenPromise: A cookie or a write that the rules exclude.
    """
    traffic = Traffic(Random(seed), timing)
    for _ in range(acts):
        traffic.act()
    traffic.world.settle()
    traffic.world.check_settled(traffic.user)
    return traffic.world
