"""`intrastyler embed`: style vectors of images, for analyses of one's own."""

import argparse
from pathlib import Path

from intrastyler_nnunet.cli.options import add_device

HELP = "style vectors of images, as .npz and for TensorBoard's embedding projector"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_style_space_arguments(parser)
    parser.add_argument(
        "-i", dest="images", type=Path, required=True, help="folder of images, named case_0000.nii.gz or as in BIDS"
    )
    parser.add_argument(
        "-o", dest="output", type=Path, required=True,
        help="folder for styles.npz, vectors.tsv and metadata.tsv (load the latter two at projector.tensorflow.org)",
    )  # fmt: skip


def add_style_space_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that name a generator and its plans."""
    parser.add_argument("-d", dest="dataset", required=True, help="dataset id or name")
    parser.add_argument("-c", dest="configuration", required=True, help="configuration the generator was trained on")
    parser.add_argument("-p", dest="plans", default="nnUNetPlans", help="plans identifier")
    parser.add_argument(
        "-g", dest="generator", type=Path, default=None,
        help="generator file; none given: the one `intrastyler pretrain` wrote for this dataset and configuration",
    )  # fmt: skip
    add_device(parser, "the style encoder runs")


def require_style_inputs_kept(arguments: argparse.Namespace, file_ending: str, outputs: list[Path]) -> None:
    """Raise InputError if an output is the generator or one of the images that such a command reads."""
    from intrastyler_nnunet.files import require_inputs_kept
    from intrastyler_nnunet.nnunet.target.raw_images import find_target_images
    from intrastyler_nnunet.offline.style_space import generator_file

    generator = generator_file(arguments.dataset, arguments.plans, arguments.configuration, arguments.generator)
    images = find_target_images(arguments.images, file_ending) if arguments.images else {}
    require_inputs_kept(outputs, [generator, *images.values()])


def run(arguments: argparse.Namespace) -> None:
    """Compute and write the vectors."""
    import numpy as np

    from intrastyler_nnunet.devices import chosen_device
    from intrastyler_nnunet.files import written_atomically
    from intrastyler_nnunet.offline.style_space import image_bank, open_style_space

    device = chosen_device(arguments.device)
    space = open_style_space(arguments.dataset, arguments.plans, arguments.configuration, arguments.generator, device)
    outputs = [arguments.output / name for name in ("styles.npz", "vectors.tsv", "metadata.tsv")]
    require_style_inputs_kept(arguments, space.dataset_json["file_ending"], outputs)
    bank = image_bank(space, arguments.images)
    names, vectors = bank.names, bank.vectors
    with written_atomically(outputs[0]) as temporary:
        np.savez(temporary, names=np.array(names), vectors=vectors.numpy())
    rows = ("\t".join(f"{value:.6g}" for value in vector) for vector in vectors.tolist())
    for path, lines in zip(outputs[1:], (rows, names), strict=True):
        with written_atomically(path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in lines))
    print(f"{len(names)} style vectors in {arguments.output}")
