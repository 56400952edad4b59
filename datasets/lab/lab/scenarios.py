"""What happens in each scenario: which attacks, from where, how loud, and when."""

from dataclasses import dataclass

LOUD, NORMAL, QUIET = "loud", "normal", "quiet"
INTENSITIES = (LOUD, NORMAL, QUIET)


@dataclass(frozen=True)
class Step:
    """An attack by a host. `at` is the part of the time after the split that has passed when it begins, 0 to 1."""

    attack: str
    host: str
    intensity: str
    at: float


@dataclass(frozen=True)
class Scenario:
    """A day. `minutes`: default length in real time; `hour`: the lab's time of day at the start; `factor`: lab seconds per real
    second; `split`: the part of the time before the first attack."""

    name: str
    text: str
    minutes: float
    hour: float = 7.0
    factor: float = 16.0
    split: float = 0.5
    steps: tuple[Step, ...] = ()


SCENARIOS: dict[str, Scenario] = {}


def _add(scenario: Scenario) -> None:
    SCENARIOS[scenario.name] = scenario


_add(Scenario("clean", "ordinary life of a working day, 07:00 to 15:00, nothing else", 30, split=1.0))
_add(Scenario("clean-long", "ordinary life of a whole day and night, 06:00 to 06:00", 90, hour=6.0, split=1.0))
