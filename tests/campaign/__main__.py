"""Try all situations, print the counts of each family and what is not clean; exit code 1 if anything is not."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from .situation import end_of, run_situation
from .situations import all_situations
from .workplace import copy, make_workplace

parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
parser.add_argument("-k", default="", help="only families whose name has this in it")
parser.add_argument("-w", type=Path, help="folder for the workplace, kept")
arguments = parser.parse_args()
folder = arguments.w or Path(tempfile.mkdtemp())
template, root = folder / "template", folder / "work"
if not template.exists():
    make_workplace(template)
d = template / "download"
paths = sorted(p.relative_to(template) for p in d.rglob("*.nii.gz"))
download = {
    "source": str(next(p for p in paths if "ceT1" in p.name)),
    "labels": str(next(p for p in paths if "Label" in p.name)),
    "target": str(next(p for p in paths if "T2" in p.name and "valid" not in str(p))),
}
baselines = {}
dirty = 0
n = 0
for s in all_situations(download):
    if arguments.k not in s.family:
        continue
    if s.command not in baselines:
        copy(template, root)
        b = end_of(s.command, root)
        assert b.code == 0 and not b.trace, (s.command, b)
        baselines[s.command] = b.written
    copy(template, root)
    t = time.time()
    problems = run_situation(s, root, baselines[s.command])
    n += 1
    if problems:
        dirty += 1
        print(f"{s.family} | {s.fault}", *problems, sep="\n    ", flush=True)
    if time.time() - t > 10: print("slow", s.family, s.fault, time.time() - t, flush=True)
print(n, dirty)
sys.exit(bool(dirty))
