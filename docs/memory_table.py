"""The table of README.md about memory: what `intrastyler pretrain --estimate` counts for CrossMoDA's region.

python docs/memory_table.py --count     counts anew (minutes, no GPU), writes the result file, then the table
python docs/memory_table.py             writes the table
"""

import argparse
import json
from pathlib import Path

from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.pretraining.estimate import RESERVE, configuration_without_data, estimate
from intrastyler_nnunet.pretraining.recipes import read_recipe

README = Path(__file__).parents[1] / "README.md"
RESULT = Path(__file__).parents[1] / "benchmarks" / "results" / "memory_estimates.json"
REGION, CARDS, RECIPES = (32, 144, 256), (24, 48, 80), ("default", "paper", "released")
BEGIN, END = "<!-- memory: written by python docs/memory_table.py -->", "<!-- end of memory -->"


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", action="store_true", help="count anew")
    if parser.parse_args().count:
        write_json([counted(name) for name in RECIPES], RESULT)
    before, rest = README.read_text().split(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{table(json.loads(RESULT.read_text()))}\n{END}{rest.split(END)[1]}")


def counted(recipe: str) -> dict:
    """The estimate of a recipe, for patches of as many slices of the region as it takes."""
    slices = min(REGION[0], read_recipe(recipe).patch_slices or REGION[0])
    return estimate(*configuration_without_data(recipe, {}, (slices, *REGION[1:])))


def fits(gib: float, card: int) -> bool:
    """Whether so much is left on the card."""
    return gib <= (1 - RESERVE) * card


def table(results: list[dict]) -> str:
    """One row for each recipe and precision."""
    rows = [
        "| recipe | patch | TFLOP of a step | precision | GiB | GiB, checkpointed | "
        + " | ".join(f"{card} GB card" for card in CARDS) + " |",
        "|---" * (6 + len(CARDS)) + "|",
    ]  # fmt: skip
    for result in results:
        for precision, gib in result["gib"].items():
            cells = [_cell(result, precision, card) for card in CARDS]
            rows.append(
                f"| `{result['recipe']}` | {_size(result['patch_size'])} | {result['tflop']:.1f} | {precision} | "
                f"{gib['plain']:.1f} | {gib['checkpointed']:.1f} | {' | '.join(cells)} |"
            )
    return "\n".join(rows)


def _cell(result: dict, precision: str, card: int) -> str:
    gib = result["gib"][precision]
    if fits(gib["plain"], card):
        return "fits"
    return "checkpointed" if fits(gib["checkpointed"], card) else "no"


def _size(patch_size: list[int]) -> str:
    return " x ".join(map(str, patch_size))


if __name__ == "__main__":
    main()
