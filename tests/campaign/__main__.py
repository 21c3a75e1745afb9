"""Try all situations, print the counts of each family and what is not clean; exit code 1 if anything is not."""

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from .random_damage import damage_at_random
from .situation import Outcome, Situation, end_of, run_situation
from .situations import all_situations
from .surroundings import try_surroundings
from .workplace import copy, downloaded, make_workplace

RANDOM = 500  # files of each kind
Counts = dict[str, dict[str, int]]  # of situations and clean ones, by family


def try_all(situations: list[Situation], template: Path, root: Path) -> Counts:
    """Try situations; what is not clean is printed."""
    sound: dict[tuple[str, ...], Outcome] = {}
    tried, clean = Counter(), Counter()
    for situation in situations:
        if situation.damage is not None and situation.command not in sound:
            copy(template, root)
            sound[situation.command] = end_of(situation.command, root)
            assert sound[situation.command].code == 0, sound[situation.command].error
        copy(template, root)
        problems = run_situation(situation, root, sound.get(situation.command))
        tried[situation.family] += 1
        clean[situation.family] += not problems
        if problems:
            print(f"{situation.family}: {situation.fault}", *problems, sep="\n    ", flush=True)
    return {family: {"situations": count, "clean": clean[family]} for family, count in tried.items()}


def try_everywhere(template: Path, scratch: Path) -> Counts:
    """Try some commands in unusual surroundings; what is not clean is printed."""
    counts: Counts = {}
    for name, line, problems in try_surroundings(template, scratch):
        count = counts.setdefault(f"surroundings: {name}", {"situations": 0, "clean": 0})
        count["situations"] += 1
        count["clean"] += not problems
        if problems:
            print(f"{name}: {line}", *problems, sep="\n    ", flush=True)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("-k", dest="pattern", default="", help="only families that this regular expression is found in")
    parser.add_argument("-w", dest="folder", type=Path, help="folder for the data, made once and kept")
    parser.add_argument("-o", dest="output", type=Path, help="JSON file for the counts")
    arguments = parser.parse_args()
    output = arguments.output and arguments.output.absolute()
    random: dict[str, Counter] = {}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        template = (arguments.folder or scratch).absolute() / "template"
        if not template.exists():
            make_workplace(template)
        situations = [s for s in all_situations(downloaded(template)) if re.search(arguments.pattern, s.family)]
        counts = try_all(situations, template, scratch / "work")
        if re.search(arguments.pattern, "surroundings"):
            counts |= try_everywhere(template, scratch)
        if re.search(arguments.pattern, "random damage"):
            with redirect_stdout(StringIO()):
                random = damage_at_random(scratch, RANDOM)
    for family, count in counts.items():
        print(f"{count['clean']:5} of {count['situations']:5} clean  {family}")
    total = {key: sum(count[key] for count in counts.values()) for key in ("situations", "clean")}
    print(f"{total['clean']:5} of {total['situations']:5} clean")
    for family, found in random.items():
        print(f"{found.total():5} damaged at random: {family}: {', '.join(f'{n} {key}' for key, n in found.items())}")
    if output:
        content = {"total": total, "families": counts, "damaged at random": random}
        output.write_text(json.dumps(content, indent=2) + "\n")
    sys.exit(total["clean"] != total["situations"])


if __name__ == "__main__":
    main()
