"""Loss weights that change while training: piecewise linear over the progress."""

import numpy as np

from intrastyler_nnunet.errors import InputError

Schedule = tuple[tuple[float, float], ...]  # (progress in [0, 1], weight), ascending in progress


def weight_at(schedule: Schedule, progress: float) -> float:
    """The weight at `progress`: linear between two points, constant before the first and after the last."""
    return float(np.interp(progress, *zip(*schedule, strict=True)))


def check_schedules(schedules: dict[str, Schedule], terms: tuple[str, ...]) -> None:
    """Raise InputError for an unknown term, or points that do not ascend from 0 to 1 or have a negative weight."""
    for term, schedule in schedules.items():
        if term not in terms:
            raise InputError(f"schedule of {term!r}, expected one of {', '.join(terms)}")
        places = [progress for progress, _ in schedule]
        ascending = all(a < b for a, b in zip(places, places[1:], strict=False))
        if not schedule or not ascending or min(places) < 0 or max(places) > 1:
            raise InputError(f"schedule of {term}: progress {places}, expected ascending values from 0 to 1")
        if min(weight for _, weight in schedule) < 0:
            raise InputError(f"schedule of {term}: a weight is negative, expected 0 or more")


def parse_schedule(text: str) -> tuple[str, Schedule]:
    """'consistency=0:0,0.3:5' -> ('consistency', ((0, 0), (0.3, 5))). Raises InputError if it is not of this form."""
    term, _, points = text.partition("=")
    try:
        pairs = [point.split(":") for point in points.split(",")]
        return term, tuple((float(progress), float(weight)) for progress, weight in pairs)
    except ValueError:
        raise InputError(f"schedule {text!r}, expected TERM=PROGRESS:WEIGHT,... such as nce=0:1,0.5:1,1:2") from None
