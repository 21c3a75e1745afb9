"""Try all situations, print the counts of each family and what is not clean; exit code 1 if anything is not."""

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

from .situation import Situation, end_of, run_situation
from .situations import all_situations
from .workplace import copy, downloaded, make_workplace


def try_all(situations: list[Situation], template: Path, root: Path) -> tuple[Counter, Counter]:
    """Numbers of situations and of clean ones by family; what is not clean is printed."""
    expected: dict[tuple[str, ...], dict[str, str]] = {}
    tried, clean = Counter(), Counter()
    for situation in situations:
        if situation.damage is not None and situation.command not in expected:
            copy(template, root)
            outcome = end_of(situation.command, root)
            assert outcome.code == 0, outcome
            expected[situation.command] = outcome.written
        copy(template, root)
        problems = run_situation(situation, root, expected.get(situation.command, {}))
        tried[situation.family] += 1
        clean[situation.family] += not problems
        if problems:
            print(f"{situation.family}: {situation.fault}", *problems, sep="\n    ", flush=True)
    return tried, clean


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("-k", dest="pattern", default="", help="only families that this regular expression is found in")
    parser.add_argument("-w", dest="folder", type=Path, help="folder for the data, made once and kept")
    parser.add_argument("-o", dest="output", type=Path, help="JSON file for the counts")
    arguments = parser.parse_args()
    output = arguments.output and arguments.output.absolute()
    with tempfile.TemporaryDirectory() as scratch:
        template = (arguments.folder or Path(scratch)) / "template"
        if not template.exists():
            make_workplace(template.absolute())
        situations = [s for s in all_situations(downloaded(template)) if re.search(arguments.pattern, s.family)]
        tried, clean = try_all(situations, template.absolute(), Path(scratch, "work"))
    for family, count in tried.items():
        print(f"{clean[family]:5} of {count:5} clean  {family}")
    print(f"{clean.total():5} of {tried.total():5} clean")
    if output:
        families = {family: {"situations": count, "clean": clean[family]} for family, count in tried.items()}
        total = {"situations": tried.total(), "clean": clean.total()}
        output.write_text(json.dumps({"total": total, "families": families}, indent=2) + "\n")
    sys.exit(clean != tried)


if __name__ == "__main__":
    main()
