"""`intrastyler synthesize`: a dataset of translated images, for nnU-Net's own trainer."""

import argparse
from pathlib import Path

from intrastyler_nnunet.cli.options import DATASET_ID, SEED, SHARE, add_device, add_parts, part_of, whole_number

HELP = "write a complete nnU-Net dataset of translated source images with their labels"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("-d", dest="dataset", required=True, help="id or name of the dataset with the source images")
    parser.add_argument("-c", dest="configuration", required=True, help="configuration the generator was trained on")
    parser.add_argument("-p", dest="plans", default="nnUNetPlans", help="plans identifier")
    parser.add_argument("-o", dest="output", type=DATASET_ID, required=True, help="id of the dataset to write")
    parser.add_argument(
        "-g", dest="generator", type=Path, default=None,
        help="generator file; none given: the one `intrastyler pretrain` wrote for this dataset and configuration",
    )  # fmt: skip
    parser.add_argument(
        "--styles-per-case", type=whole_number(1), default=3,
        help="translations of every source image; more cost disk and variety",
    )  # fmt: skip
    parser.add_argument(
        "--policy", default="uniform", choices=("uniform", "balanced"),
        help="balanced draws clusters of styles equally often, when some scanners are rare",
    )  # fmt: skip
    parser.add_argument(
        "--p-slerp", type=SHARE, default=0.0, help="share of styles between two exemplars; raise it when they are few"
    )
    parser.add_argument("--seed", type=SEED, default=0, help="change it for other exemplars")
    add_parts(parser)
    add_device(parser, "to translate")


def run(arguments: argparse.Namespace) -> None:
    """Translate, and write the split that keeps all styles of a case together."""
    from intrastyler_nnunet.devices import chosen_device
    from intrastyler_nnunet.errors import InputError
    from intrastyler_nnunet.files import write_json
    from intrastyler_nnunet.nnunet import folders
    from intrastyler_nnunet.nnunet.settings import GENERATOR_FILE
    from intrastyler_nnunet.offline.dataset import RECORD, describe, read_synthesis, splits, synthesize

    part = part_of(arguments)

    own = folders.synthesizer_folder(arguments.dataset, arguments.plans, arguments.configuration) / GENERATOR_FILE
    generator = arguments.generator or own
    if not generator.is_file():
        raise InputError(f"{generator}: no such generator; run intrastyler pretrain, or name one with -g")
    what = describe(
        arguments.dataset, arguments.plans, arguments.configuration, generator, arguments.styles_per_case,
        arguments.policy, arguments.p_slerp, arguments.seed,
    )  # fmt: skip
    output = folders.new_raw_folder(arguments.output, f"{what.dataset.split('_', 1)[1]}Translated")
    count = synthesize(what, generator, output, chosen_device(arguments.device), part)
    if count is None:
        print(
            f"{output}: part {part.number} of {part.count} is done, others are not; the last one completes the dataset"
        )
        return
    # Beside nnU-Net's future preprocessing: it takes this split instead of one that tears a case's styles apart.
    preprocessed = folders.preprocessed_folder(arguments.dataset).parent / output.name
    write_json(splits(read_synthesis(output / RECORD).cases), preprocessed / "splits_final.json")
    print(f"{count} images in {output}")
