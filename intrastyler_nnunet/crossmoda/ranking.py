"""The challenge's ranking of several teams."""

from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import read_json

METRICS = {"dice": -1.0, "assd": 1.0}  # sign that makes the smallest the best


def read_scores(paths: list[Path]) -> dict[str, dict]:
    """What `intrastyler evaluate` wrote for each team, by the file's name.

    Raises:
        InputError: not such a file; two files of one name; other cases, structures or definitions than the first.
    """
    teams: dict[str, dict] = {}
    for path in paths:
        if path.stem in teams:
            raise InputError(f"{path}: a second file named {path.stem}, expected one name per team")
        try:
            scores = read_json(path)
            if not isinstance(scores["cases"], dict):
                raise TypeError
            content = (sorted(scores["cases"]), sorted(scores["structures"]), scores["assd_definition"])
        except (OSError, ValueError, KeyError, TypeError):
            raise InputError(f"{path}: not readable, expected a file written by intrastyler evaluate") from None
        first = next(iter(teams.values()), scores)
        expected = (sorted(first["cases"]), sorted(first["structures"]), first["assd_definition"])
        for name, found, wanted in zip(("cases", "structures", "ASSD"), content, expected, strict=True):
            if found != wanted:
                raise InputError(f"{path}: other {name} than {paths[0]}, expected the same")
        teams[path.stem] = scores
    return teams


def rank(teams: dict[str, dict]) -> dict[str, float]:
    """Mean rank by team, best first.

    Teams are ranked per case, structure and metric (Dice, ASSD), ties getting the smallest rank; ranks are averaged
    within a case, then over cases (official text of 2023).

    Args:
        teams: results of `evaluate_folder` with the same cases and structures.
    """
    first = next(iter(teams.values()))
    ranks = [
        np.mean([
            rankdata([sign * scores["cases"][case]["structures"][name][metric] for scores in teams.values()], "min")
            for name in first["structures"] for metric, sign in METRICS.items()
        ], axis=0)
        for case in first["cases"]
    ]  # fmt: skip
    means = dict(zip(teams, np.mean(ranks, axis=0).tolist(), strict=True))
    return dict(sorted(means.items(), key=lambda item: item[1]))
