"""The lab's time: a day that passes in minutes, and when people and machines act in it.

Only arrivals are compressed, by the time factor; what happens inside a conversation keeps its real pace. Everything random
comes from `random.Random` objects that are seeded by the run's seed, the host and the activity.
"""

import random
import time
from collections.abc import Iterator
from datetime import datetime

# How busy people are, hour by hour, 1 being the most: day shift from 7, a lunch break, evening and night shifts.
_PEOPLE = (.10, .08, .08, .08, .08, .12, .35, .80, 1.0, 1.0, .95, .80, .55, .85, .95, .90, .75, .55, .40, .35, .30, .25, .18, .12)


class Clock:
    """Maps real time to the lab's time of day.

    began: real start, epoch seconds; hour: the lab's time of day then; factor: lab seconds per real second; until: real end.
    """

    def __init__(self, began: float, until: float, hour: float, factor: float):
        self.began, self.until, self.hour, self.factor = began, until, hour, factor

    def hour_now(self) -> float:
        """The lab's time of day in hours, 0 to 24."""
        return (self.hour + (time.time() - self.began) * self.factor / 3600) % 24

    def over(self) -> bool:
        return time.time() >= self.until

    def sleep(self, lab_seconds: float) -> bool:
        """Waits for lab seconds; false when the lab ends before."""
        return self.sleep_real(lab_seconds / self.factor)

    def sleep_real(self, seconds: float) -> bool:
        """Waits for real seconds; false when the lab ends before."""
        left = self.until - time.time()
        time.sleep(max(0.0, min(seconds, left)))
        return seconds < left

    def every(self, rng: random.Random, period: float, jitter: float = 0.05) -> Iterator[int]:
        """A machine: one turn per `period` lab seconds, each moved by up to `jitter` of it; the phase is random."""
        start = time.time() + rng.random() * period / self.factor
        turn = 0
        while True:
            due = start + (turn + rng.uniform(-jitter, jitter)) * period / self.factor
            if not self.sleep_real(max(0.0, due - time.time())):
                return
            yield turn
            # A turn that took longer than the period skips the ones that it missed.
            turn = max(turn + 1, int((time.time() - start) * self.factor / period))

    def people(self, rng: random.Random, mean: float) -> Iterator[int]:
        """People: exponential think times of `mean` lab seconds at the busiest hour, longer when fewer are at work."""
        turn = 0
        while True:
            if not self.sleep(rng.expovariate(1.0) * mean / _PEOPLE[int(self.hour_now())]):
                return
            yield turn
            turn += 1


def hour_of(text: str) -> float:
    """`07:30` as hours."""
    at = datetime.strptime(text, "%H:%M")
    return at.hour + at.minute / 60
