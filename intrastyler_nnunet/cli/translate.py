"""`intrastyler translate`: image files in the style of exemplars."""

import argparse
from pathlib import Path

from intrastyler_nnunet.cli.options import SEED, SHARE, add_device, add_parts, part_of, whole_number

HELP = "translate image files to the styles of exemplars, in their own grids"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("-g", dest="generator", type=Path, required=True, help="generator.safetensors")
    parser.add_argument("-i", dest="input", type=Path, required=True, help="image file, or folder of images")
    parser.add_argument(
        "-o", dest="output", type=Path, required=True,
        help="file, for one image and one style; otherwise a folder for IMAGE.nii.gz, or IMAGE__STYLE.nii.gz",
    )  # fmt: skip
    parser.add_argument(
        "--labels", type=Path, default=None,
        help="label map (or folder of them, with the images' names, or BIDS names that end in dseg); needed by a "
        "generator with a label hint",
    )  # fmt: skip
    style = parser.add_argument_group("style").add_mutually_exclusive_group(required=True)
    style.add_argument("--exemplar", type=Path, help="image file whose style and intensities the translations get")
    style.add_argument("--style", nargs="+", metavar="NAME", help="exemplars by their names in the style bank")
    style.add_argument(
        "--random", type=whole_number(1), metavar="K", help="so many exemplars of the bank, drawn without repeats"
    )
    parser.add_argument("--exemplar2", type=Path, default=None, help="second image file, for a style between the two")
    parser.add_argument("-t", type=SHARE, default=0.5, help="0 is the first exemplar's style, 1 the second's")
    parser.add_argument(
        "--seed", type=SEED, default=0, help="of --random and of noise; change it for other exemplars or other noise"
    )
    parser.add_argument(
        "--acquisition", action=argparse.BooleanOptionalAction, default=None,
        help="whether translations get the exemplar's noise, sharpness and quantiles; none given: if the generator was "
        "trained for it",
    )  # fmt: skip
    parser.add_argument(
        "--bank", type=Path, default=None, help="style bank; none given: style_bank.safetensors beside the generator"
    )
    parser.add_argument(
        "--slab", type=whole_number(1), default=64,
        help="slices computed at once; lower it when the device's memory runs out, the result is the same",
    )  # fmt: skip
    add_parts(parser)
    add_device(parser, "to translate")


def run(arguments: argparse.Namespace) -> None:
    """Translate every image to every style."""
    from tqdm import tqdm

    from intrastyler_nnunet.devices import chosen_device
    from intrastyler_nnunet.errors import InputError
    from intrastyler_nnunet.files import require_inputs_kept
    from intrastyler_nnunet.images import image_files, labels_of_image, require_image_name
    from intrastyler_nnunet.model.generator import Generator
    from intrastyler_nnunet.offline.image_files import file_stem, translate_file
    from intrastyler_nnunet.translation.translator import Translator

    part = part_of(arguments)
    folder = arguments.input.is_dir()
    images = image_files(arguments.input) if folder else {file_stem(arguments.input): arguments.input}
    if not images:
        raise InputError(f"{arguments.input}: found no image, expected image files")
    label_maps = image_files(arguments.labels) if folder and arguments.labels else {}
    generator = Generator.load(arguments.generator, chosen_device(arguments.device))
    styles = _styles(arguments, generator)
    outputs = {name: _outputs(arguments.output, name, styles, folder) for name in images}
    files = [path for paths in outputs.values() for path in paths]
    for path in files:
        require_image_name(path)
    require_inputs_kept(
        [arguments.output, *files],
        [arguments.input, arguments.labels, arguments.generator, arguments.bank, arguments.exemplar,
         arguments.exemplar2, *images.values(), *label_maps.values()],
    )  # fmt: skip
    translator = Translator(generator)
    for name, path in tqdm(part.of(list(images.items())), "translate", disable=not folder):
        labels = labels_of_image(name, label_maps) if folder else arguments.labels
        translate_file(translator, path, labels, styles, outputs[name], arguments.slab, arguments.seed)


def _outputs(output: Path, name: str, styles: list, folder: bool) -> list[Path]:
    """Where the translations of an image go."""
    if len(styles) == 1:
        return [output / f"{name}.nii.gz" if folder else output]
    return [output / f"{name}__{style.name}.nii.gz" for style in styles]


def _styles(arguments: argparse.Namespace, generator) -> list:
    from intrastyler_nnunet.errors import InputError
    from intrastyler_nnunet.offline.image_files import between, random_styles, style_from_bank, style_of_file
    from intrastyler_nnunet.styles.bank import BANK_FILE, StyleBank

    if arguments.exemplar2 is not None and arguments.exemplar is None:
        raise InputError("--exemplar2 is given without --exemplar, expected both")
    if arguments.exemplar is not None:
        first = style_of_file(generator, arguments.exemplar, arguments.acquisition)
        if arguments.exemplar2 is None:
            return [first]
        second = style_of_file(generator, arguments.exemplar2, arguments.acquisition)
        return [between(first, second, arguments.t)]
    path = arguments.bank or arguments.generator.with_name(BANK_FILE)
    bank = StyleBank.load(path)
    rows = bank.acquisitions_for(generator.metadata, arguments.acquisition)
    if arguments.style:
        return [style_from_bank(bank, name, path, rows) for name in arguments.style]
    return random_styles(bank, arguments.random, arguments.seed, rows)
