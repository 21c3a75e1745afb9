"""What the final validation costs in several styles, against one pass over the cases.

    python -m benchmarks.speed.final_validation -d ID -c CONFIGURATION -g GENERATOR [--styles 4] [-device cuda]

The dataset is preprocessed, source and target. The network is untrained, as its weights do not change what it costs.
Seconds of the wall clock of nnU-Net's whole final validation: each case in its own style, then also in four others.
"""

import argparse
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from intrastyler_nnunet.cli.options import add_device, whole_number
from intrastyler_nnunet.devices import chosen_device
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.settings import GENERATOR_VARIABLE, SETTINGS_VARIABLE
from intrastyler_nnunet.nnunet.style_validation import ValidationStyles


def main() -> None:
    """Measure, print, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-d", dest="dataset", required=True, help="dataset id or name")
    parser.add_argument("-c", dest="configuration", required=True, help="configuration of the plans")
    parser.add_argument("-g", dest="generator", type=Path, required=True, help="generator file")
    parser.add_argument("--styles", type=whole_number(1), default=4, help="styles beside each case's own")
    add_device(parser, "to measure")
    output = Path(__file__).parents[1] / "results" / "final_validation.json"
    parser.add_argument("-o", dest="output", type=Path, default=output, help="result file")
    arguments = parser.parse_args()
    os.environ[GENERATOR_VARIABLE] = str(arguments.generator)
    with TemporaryDirectory() as folder:
        seconds, cases = measured(arguments, Path(folder))
    ratio = round(seconds["several"] / seconds["own"], 2)
    write_json({"cases": cases, "styles": arguments.styles, "seconds": seconds, "ratio": ratio}, arguments.output)
    print(f"{cases} cases, own style {seconds['own']} s, {arguments.styles} more {seconds['several']} s, ratio {ratio}")


def measured(arguments: argparse.Namespace, folder: Path) -> tuple[dict[str, float], int]:
    """Seconds of a validation in the cases' own styles and in several more; the number of cases."""
    from intrastyler_nnunet.nnunet.trainer import nnUNetTrainerIntraStyler

    plans = folders.read_plans(arguments.dataset).plans
    dataset_json = folders.read_dataset_json(arguments.dataset)
    seconds, cases = {}, []
    for name, setting in (("warm-up", "own"), ("own", "own"), ("several", "all")):
        (folder / "settings.json").write_text(json.dumps({"validation_styles": setting}))
        os.environ[SETTINGS_VARIABLE] = str(folder / "settings.json")
        trainer = nnUNetTrainerIntraStyler(
            plans | {"continue_training": False}, arguments.configuration, 0, dataset_json,
            chosen_device(arguments.device),
        )  # fmt: skip
        trainer.initialize()
        trainer.output_folder = str(folder)
        exemplars = tuple(range(arguments.styles))  # as many as asked for, whatever clusters there are
        names = trainer.translation.banks[0].names[: arguments.styles]
        trainer.validation_styles = ValidationStyles(exemplars, names)
        cases = trainer.do_split()[1]
        begin = perf_counter()
        trainer.perform_actual_validation()
        seconds[name] = round(perf_counter() - begin, 1)
    del seconds["warm-up"]
    return seconds, len(cases)


if __name__ == "__main__":
    main()
