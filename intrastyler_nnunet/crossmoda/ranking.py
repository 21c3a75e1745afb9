"""The challenge's ranking of several teams."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge, MinLen
from scipy.stats import rankdata

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.typed_json import Probability, Text, read_json

METRICS = {"dice": -1.0, "assd": 1.0}  # sign that makes the smallest the best


@dataclass(frozen=True)
class TeamStructureScores:
    """Scores of one structure of one case."""

    dice: Probability
    assd: Annotated[float, Ge(0)]  # mm


@dataclass(frozen=True)
class CaseResult:
    """Scores by structure."""

    structures: dict[Text, TeamStructureScores]


@dataclass(frozen=True)
class TeamScores:
    """The part of a file of `intrastyler evaluate` by which teams are ranked."""

    cases: Annotated[dict[Text, CaseResult], MinLen(1)]
    structures: Annotated[dict[Text, dict], MinLen(1)]  # means over cases
    assd_definition: Text

    def __post_init__(self):
        """Raises InputError for a case without the scores of a structure."""
        for name, case in self.cases.items():
            if case.structures.keys() != self.structures.keys():
                raise InputError(f"case {name!r} has scores of other structures, expected {', '.join(self.structures)}")

    @property
    def content(self) -> tuple[list[str], list[str], str]:
        """What must agree between teams."""
        return sorted(self.cases), sorted(self.structures), self.assd_definition


def read_scores(paths: list[Path]) -> dict[str, TeamScores]:
    """What `intrastyler evaluate` wrote for each team, by the file's name.

    Raises:
        InputError: not such a file; two files of one name; other cases, structures or definitions than the first.
    """
    teams: dict[str, TeamScores] = {}
    for path in paths:
        if path.stem in teams:
            raise InputError(f"{path}: a second file named {path.stem}, expected one name per team")
        scores = read_json(path, TeamScores, "a file written by intrastyler evaluate", "ignore")
        first = next(iter(teams.values()), scores)
        for name, found, wanted in zip(("cases", "structures", "ASSD"), scores.content, first.content, strict=True):
            if found != wanted:
                raise InputError(f"{path}: other {name} than {paths[0]}, expected the same")
        teams[path.stem] = scores
    return teams


def rank(teams: dict[str, TeamScores]) -> dict[str, float]:
    """Mean rank by team, best first.

    Teams are ranked per case, structure and metric (Dice, ASSD), ties getting the smallest rank; ranks are averaged
    within a case, then over cases (official text of 2023).

    Args:
        teams: scores of the same cases and structures.
    """
    first = next(iter(teams.values()))
    ranks = [
        np.mean([
            rankdata([sign * getattr(team.cases[case].structures[name], metric) for team in teams.values()], "min")
            for name in first.structures for metric, sign in METRICS.items()
        ], axis=0)
        for case in first.cases
    ]  # fmt: skip
    means = dict(zip(teams, np.mean(ranks, axis=0).tolist(), strict=True))
    return dict(sorted(means.items(), key=lambda item: item[1]))
