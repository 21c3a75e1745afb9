"""`intrastyler choose`: which of several models to trust on unlabelled images."""

import argparse
from pathlib import Path

from intrastyler_nnunet.cli.embed import add_style_space_arguments

HELP = "rank models, folds or checkpoints for unlabelled target images, without labels or with a few"
SHOWN = 5  # cases to label first


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_style_space_arguments(parser)
    parser.add_argument("-i", dest="images", type=Path, required=True, help="folder of case_0000.nii.gz images")
    parser.add_argument(
        "-m", dest="models", type=Path, nargs="+", required=True,
        help="what to choose from: folders of models (their folds together), folders of folds, checkpoint files",
    )  # fmt: skip
    parser.add_argument(
        "-l", dest="labels", type=Path,
        help="folder of label maps case.nii.gz of some of the images: rank by their Dice instead; five say more than "
        "all signs without labels",
    )  # fmt: skip
    parser.add_argument("-o", dest="output", type=Path, help="also write the result to this JSON file")


def run(arguments: argparse.Namespace) -> None:
    """Predict, rank, and print the ranking and the cases to label first."""
    from intrastyler_nnunet.adaptation.candidates import read_candidates
    from intrastyler_nnunet.adaptation.choose import choose, require_generator_of_any
    from intrastyler_nnunet.adaptation.new_images import bank_of_new_images
    from intrastyler_nnunet.cli.embed import require_style_inputs_kept
    from intrastyler_nnunet.devices import chosen_device
    from intrastyler_nnunet.files import require_inputs_kept, write_json
    from intrastyler_nnunet.images import image_files
    from intrastyler_nnunet.nnunet.target.raw_images import find_target_images
    from intrastyler_nnunet.offline.style_space import generator_file, open_style_space

    device = chosen_device(arguments.device)
    candidates = read_candidates(arguments.models)
    generator = generator_file(arguments.dataset, arguments.plans, arguments.configuration, arguments.generator)
    require_generator_of_any(candidates, generator)
    space = open_style_space(arguments.dataset, arguments.plans, arguments.configuration, generator, device)
    if arguments.output:
        require_style_inputs_kept(arguments, space.dataset_json["file_ending"], [arguments.output])
        checkpoints = [candidate.model.path(fold) for candidate in candidates for fold in candidate.model.folds]
        labels = image_files(arguments.labels).values() if arguments.labels else ()
        require_inputs_kept([arguments.output], [*checkpoints, *labels])
    images = find_target_images(arguments.images, space.dataset_json["file_ending"])
    new = bank_of_new_images(space, arguments.images)
    result = choose(candidates, images, new, space.bank, generator, device, arguments.labels).to_dict()
    print("\n".join(lines_of(result)))
    if arguments.output:
        write_json(result, arguments.output)


def lines_of(result: dict) -> list[str]:
    """The result for people: the ranking, how sure it is, the cases to label first."""
    signs = [name for name in ("agreement", "stability", "plausibility", "coverage") if name in result["models"][0]]
    header = f"{'model':40} {'score':>6} {'95 % interval':>15} {'first':>6}" + "".join(f"{name:>14}" for name in signs)
    lines = [f"ranked by {result['ranked_by']}", header]
    for row in result["models"]:
        interval = f"{row['low']:.3f} to {row['high']:.3f}"
        values = "".join(f"{row[name]:14.3f}" for name in signs)
        lines.append(f"{row['model']:40} {row['score']:6.3f} {interval:>15} {row['first']:6.0%}{values}")
    best = result["models"][0]
    lines.append(f"{best['model']} is first in {best['first']:.0%} of resamples of the {len(result['cases'])} images")
    first = [f"{row['case']} ({row['disagreement']})" for row in result["cases"][:SHOWN]]
    return [*lines, f"models disagree most on, so label first: {', '.join(first)}"]
