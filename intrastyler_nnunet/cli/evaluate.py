"""`intrastyler evaluate`: Dice, NSD, ASSD, HD95 and boundary ASSD of a folder of predictions."""

import argparse
from pathlib import Path

from intrastyler_nnunet.cli.options import POSITIVE, add_processes

HELP = "score predicted label maps against the ground truth: Dice, NSD, ASSD, HD95 (Hausdorff distance), boundary ASSD"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("-p", dest="predictions", type=Path, required=True, help="folder of predictions")
    parser.add_argument(
        "-g", dest="references", type=Path, required=True,
        help="folder of true label maps; each needs a prediction of the same name",
    )  # fmt: skip
    parser.add_argument(
        "-o", dest="output", type=Path, default=None,
        help="JSON file to write, with a CSV file beside it; none given: scores.json in the folder of predictions",
    )  # fmt: skip
    parser.add_argument(
        "--dataset-json", type=Path, default=None,
        help="nnU-Net's dataset.json with the labels; none given: the one beside the folder of true label "
        "maps, or else 1 extra_meatal, 2 intra_meatal, 3 cochlea",
    )  # fmt: skip
    parser.add_argument(
        "--assd", choices=("pooled", "directed"), default="pooled",
        help="pooled: one mean over both surfaces (medpy 0.5.2); directed: mean of the two directed "
        "means (medpy 0.4), to compare with tables published before 2024",
    )  # fmt: skip
    parser.add_argument(
        "--tolerance", type=POSITIVE, default=1.0,
        help="mm by which a surface may be off and still count for the normalised surface Dice (NSD)",
    )  # fmt: skip
    parser.add_argument(
        "--sides-of", nargs="+", metavar="STRUCTURE", default=[],
        help="score the left and the right part of these structures by themselves, too; for example cochlea",
    )  # fmt: skip
    add_processes(parser, "worker processes; lower it if memory runs out; none given: nnU-Net's nnUNet_def_n_proc")


def run(arguments: argparse.Namespace) -> None:
    """Score, print the table, write the JSON."""
    from nnunetv2.configuration import default_num_processes

    from intrastyler_nnunet.evaluation.folder import evaluate_folder
    from intrastyler_nnunet.evaluation.table import format_csv, format_table
    from intrastyler_nnunet.files import require_inputs_kept, write_json, written_atomically
    from intrastyler_nnunet.images import image_files
    from intrastyler_nnunet.structures import find_labels

    output = arguments.output or arguments.predictions / "scores.json"
    table = output.with_name(output.name.removesuffix(".json") + ".csv")
    folders = [arguments.predictions, arguments.references]
    label_maps = [path for folder in folders for path in image_files(folder).values()]
    beside = arguments.references.resolve().parent / "dataset.json"
    require_inputs_kept([output, table], [*label_maps, arguments.dataset_json, beside])
    summary = evaluate_folder(
        arguments.predictions,
        arguments.references,
        find_labels(arguments.references, arguments.dataset_json),
        arguments.processes or default_num_processes,
        assd_definition=arguments.assd,
        tolerance=arguments.tolerance,
        sides_of=arguments.sides_of,
    )
    print(format_table(summary))
    write_json(summary, output)
    with written_atomically(table) as temporary:
        temporary.write_text(format_csv(summary), encoding="utf-8", errors="backslashreplace")
    print(f"written to {output} and {table}")
