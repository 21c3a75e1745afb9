"""What each part of the objective buys: short trainings that differ in one thing, scored by `synthesis_quality`.

    python -m benchmarks.comparison.ablation FOLDER -d ID -c CONFIG [--only NAME ...] -- OPTIONS OF INTRASTYLER PRETRAIN

on a preprocessed SimCrossMoDA (nnU-Net's variables set). What stands after `--` goes to every training, such as
`-device cpu --recipe benchmarks/comparison/recipes/short.json`. All have the same number of generator steps; where a
contrastive style encoder is trained, it is trained alone before them. The result file grows by one variant at a time;
stopped at any moment, the same command goes on.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.quality.simulated_pairs import held_out_pairs
from benchmarks.quality.synthesis_quality import SEED, SOURCES, print_table, score
from benchmarks.quality.t2_segmenter import STEPS, true_t2_segmenter
from intrastyler_nnunet.cli import main as intrastyler
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.translation.translator import Translator
from intrastyler_nnunet.typed_json import read_json

RECIPES = Path(__file__).with_name("recipes")
VARIANTS = {
    "full": (),
    "no_style_contrast": ("--weight", "style=0"),
    "no_style_consistency": ("--weight", "consistency=0"),
    "neither": ("--weight", "style=0", "--weight", "consistency=0"),
    "qs_attn": ("--recipe", str(RECIPES / "short_qs_attn.json")),
    "anatomy_terms": ("--weight", "content=0.5", "--weight", "segmentation=0.5", "--weight", "edge=1"),
    "no_anatomy_terms": ("--weight", "content=0", "--weight", "segmentation=0", "--weight", "edge=0"),
    "no_restyling": ("--weight", "restyling=0"),
    "unified": ("--method", "unified"),
    "nodiverse": ("--method", "nodiverse"),
}


def main() -> None:
    """Train and score every variant, print the table, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = Path(__file__).parents[1]
    parser.add_argument("folder", type=Path, help="folder to work in")
    parser.add_argument("-d", dest="dataset", required=True)
    parser.add_argument("-c", dest="configuration", required=True)
    parser.add_argument("--steps", type=int, required=True, help="of the generator")
    parser.add_argument("--style-warmup", type=int, required=True, help="steps of the style encoder alone before them")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--sources", type=int, default=SOURCES, help="source subjects; fewer for a quick look")
    parser.add_argument("--segmenter-steps", type=int, default=STEPS, help="fewer for a quick look")
    parser.add_argument("--cache", type=Path, default=here / "cache", help="where the segmenter is kept")
    parser.add_argument("-o", dest="output", type=Path, default=here / "results" / "ablation.json")
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    arguments, options = parser.parse_args(sys.argv[1:end]), sys.argv[end + 1 :]
    segmenter = true_t2_segmenter(arguments.cache, arguments.segmenter_steps)
    pairs = held_out_pairs(SEED, arguments.sources)
    settings = {
        "dataset": arguments.dataset, "configuration": arguments.configuration, "steps": arguments.steps,
        "style_warmup": arguments.style_warmup, "options": " ".join(options), "pairs": len(pairs),
        "segmenter_steps": arguments.segmenter_steps,
    }  # fmt: skip
    results = earlier_results(arguments.output, settings)
    for name in arguments.only:
        if name not in results:
            generator = trained(name, arguments, options)
            scores = score(Translator(generator), pairs, segmenter, name)
            results[name] = {key: value for key, value in scores.items() if key != "rows"}
            write_json(settings | {"variants": results}, arguments.output)
    print_table(results)


def earlier_results(path: Path, settings: dict) -> dict[str, dict]:
    """The variants that the result file has already.

    Raises:
        SystemExit: they were made with other settings.
    """
    if not path.is_file():
        return {}
    earlier = read_json(path, dict, "a result of this ablation")
    found = {key: earlier.get(key) for key in settings}
    if found != settings:
        sys.exit(f"{path}: made with {found}, expected {settings}; give -o another file")
    return earlier["variants"]


def trained(name: str, arguments: argparse.Namespace, options: list[str]) -> Generator:
    """Pretrain one variant, or go on where it stopped."""
    without_contrast = {"style=0", "--method"} & set(VARIANTS[name])
    warmup = 0 if without_contrast else arguments.style_warmup
    length = ("--iterations", str(arguments.steps + warmup), "--style-warmup", str(warmup))
    folder = arguments.folder / name
    data = ("-d", arguments.dataset, "-c", arguments.configuration, "-o", str(folder))
    # The last of two equal options counts.
    train = ("pretrain", *data, *length, *options, *VARIANTS[name])
    print("$ intrastyler", *train, flush=True)
    intrastyler(list(train))
    return Generator.load(folder / "generator.safetensors")


if __name__ == "__main__":
    main()
