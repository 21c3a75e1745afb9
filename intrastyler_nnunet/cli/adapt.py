"""`intrastyler adapt`: a trained model made fit for a new scanner."""

import argparse
from pathlib import Path

from intrastyler_nnunet.cli.embed import add_style_space_arguments
from intrastyler_nnunet.cli.options import SHARE, whole_number

HELP = "fine-tune a trained model for a new scanner, from unlabelled images of it, one or more"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_style_space_arguments(parser)
    parser.add_argument(
        "-i", dest="images", type=Path, required=True, help="folder of case_0000.nii.gz images of the new scanner"
    )
    parser.add_argument(
        "-m", dest="model", type=Path, required=True,
        help="folder of the model, TRAINER__PLANS__CONFIGURATION; nothing in it is changed",
    )  # fmt: skip
    parser.add_argument(
        "-f",
        dest="folds",
        nargs="+",
        metavar="FOLD",
        help="only these folds, when the time is short; none given: all that were trained to their end",
    )
    parser.add_argument(
        "-o", dest="output", type=Path,
        help="folder of the new model; default: beside the old one, TRAINERAdapted__PLANS__CONFIGURATION; name one "
        "for each scanner",
    )  # fmt: skip
    parser.add_argument(
        "--epochs",
        type=whole_number(1),
        default=50,
        help="of the length that the model was trained with; more when the new scanner is far from all exemplars",
    )
    parser.add_argument(
        "--old-share",
        type=SHARE,
        default=0.5,
        help="share of translations to the old exemplars; raise it when the model gets worse on the old scanners",
    )
    parser.add_argument(
        "--style-encoder-steps", type=whole_number(0), default=0, metavar="N",
        help="train style encoder and generator so many steps further on new and old exemplars first; when most of "
        "the new images lie outside",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Check, say how far the images lie from the exemplars, and train."""
    from intrastyler_nnunet.adaptation import adapt
    from intrastyler_nnunet.adaptation.new_images import bank_of_new_images
    from intrastyler_nnunet.devices import chosen_device
    from intrastyler_nnunet.errors import InputError
    from intrastyler_nnunet.nnunet.target.raw_images import find_target_images
    from intrastyler_nnunet.nnunet.trained_model import read_model
    from intrastyler_nnunet.offline.style_space import open_style_space
    from intrastyler_nnunet.styles.coverage import coverage, coverage_lines, coverage_rows

    device = chosen_device(arguments.device)
    model = read_model(arguments.model, arguments.folds)
    if model.configuration_name != arguments.configuration:
        raise InputError(f"{model.folder}: of configuration {model.configuration_name}, expected -c to name it")
    generator = adapt.generator_of(model, arguments.generator)
    space = open_style_space(
        arguments.dataset, arguments.plans, arguments.configuration, generator, device, adapt.own_bank(model)
    )
    adapt.require_same_plans(model, space)
    images = find_target_images(arguments.images, space.dataset_json["file_ending"])
    new = bank_of_new_images(space, arguments.images)
    result = coverage(new.vectors, space.bank.vectors)
    covered = coverage_rows(result, new.names, space.bank.names)
    print("\n".join(coverage_lines(covered, result.limit)), flush=True)
    plan = adapt.plan_adaptation(
        model, space, generator, images, arguments.epochs, arguments.old_share, arguments.style_encoder_steps
    )
    output = arguments.output or adapt.beside(model)
    adapt.adapt(model, space, generator, new, arguments.images, covered, plan, output)
    print(f"{output}: adapted; predict with nnUNetv2_predict_from_modelfolder -m {output}")
