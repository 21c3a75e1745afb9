"""`intrastyler crossmoda`: the challenge's download, label maps and submission."""

import argparse
from pathlib import Path

from intrastyler_nnunet.cli import evaluate
from intrastyler_nnunet.cli.options import DATASET_ID, add_processes, existing_folder, number, whole_number

SPACING = number("0.1 to 20 mm", lambda value: 0.1 <= value <= 20)
SIZE = whole_number(8, 2048)  # voxels
HELP = "CrossMoDA: prepare the download, restore and post-process predictions, submit them, rank teams"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the steps and their options."""
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    for name, (function, add_step_arguments) in STEPS.items():
        text = function.__doc__
        step = steps.add_parser(
            name, help=text, description=text, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        add_step_arguments(step)
        step.set_defaults(run_step=function)


def run(arguments: argparse.Namespace) -> None:
    """Run the chosen step."""
    arguments.run_step(arguments)


def _edition(parser: argparse.ArgumentParser) -> None:
    from intrastyler_nnunet.structures import LABELS, LATEST

    parser.add_argument(
        "--edition", type=whole_number(min(LABELS), max(LABELS)), default=LATEST,
        help="year of the challenge, which decides the labels: until 2022 the tumour was one structure",
    )  # fmt: skip


def _structures(arguments: argparse.Namespace):
    from intrastyler_nnunet.structures import LABELS, Structures

    return Structures.of(LABELS[arguments.edition])


def _folders(parser: argparse.ArgumentParser, given: str, written: str) -> None:
    parser.add_argument("-i", dest="input", type=Path, required=True, help=given)
    parser.add_argument("-o", dest="output", type=Path, required=True, help=written)


def _prepare_arguments(parser: argparse.ArgumentParser) -> None:
    from intrastyler_nnunet.crossmoda.region import Region

    parser.add_argument("-i", dest="input", type=Path, required=True, help="the challenge's download, unpacked")
    parser.add_argument("-d", dest="dataset", type=DATASET_ID, required=True, help="id of the nnU-Net dataset to write")
    parser.add_argument(
        "--cochleae", type=existing_folder, default=None,
        help="folder of label maps <case>.nii.gz of the cochleae on unlabelled images; a case without one keeps its "
        "whole field of view",
    )  # fmt: skip
    parser.add_argument(
        "--localiser", action="store_true",
        help="keep all fields of view whole and the cochlea as the only label: a dataset to train a localiser of the "
        "cochleae on; give a coarse --spacing such as 1 1 1.5",
    )  # fmt: skip
    parser.add_argument(
        "--spacing", type=SPACING, nargs=3, default=Region.spacing, help="mm; larger when memory is short"
    )
    parser.add_argument(
        "--size", type=SIZE, nargs=3, default=Region.size,
        help="voxels of the region; change it with the spacing",
    )  # fmt: skip
    add_processes(parser, "worker processes; fewer when memory is short", default=4)


def _prepare(arguments: argparse.Namespace) -> None:
    """cut the download's images to the cochlear region and write an nnU-Net dataset"""
    from intrastyler_nnunet.crossmoda.download import find_cases
    from intrastyler_nnunet.crossmoda.prepare import Job, prepare
    from intrastyler_nnunet.crossmoda.region import Region
    from intrastyler_nnunet.files import require_inputs_kept
    from intrastyler_nnunet.images import image_files
    from intrastyler_nnunet.nnunet.folders import new_raw_folder

    edition, cases = find_cases(arguments.input)
    name = f"CrossMoDA{edition.year}{'Localiser' if arguments.localiser else ''}"
    dataset = new_raw_folder(arguments.dataset, name)
    require_inputs_kept([dataset], [arguments.input, arguments.cochleae])
    region = Region(spacing=tuple(arguments.spacing), size=tuple(arguments.size))
    cochleae = image_files(arguments.cochleae) if arguments.cochleae else {}
    jobs = []
    for case in cases:
        known = cochleae.get(case.case) if case.label is None else None
        jobs.append(Job(case, known, edition, region, dataset, arguments.localiser))
    whole = prepare(jobs, edition, dataset, arguments.processes)
    print(f"{len(jobs)} cases in {dataset}")
    if whole and not arguments.localiser:
        print(f"{len(whole)} without known cochleae keep their whole field of view: {', '.join(whole)}")


def _localise_arguments(parser: argparse.ArgumentParser) -> None:
    _folders(parser, "the challenge's download", "folder for label maps of the cochleae and localisation.json")
    parser.add_argument(
        "--predictions", type=existing_folder, default=None,
        help="folder of label maps <case>.nii.gz of a network for the cochlea alone, on the original grids; without it "
        "a template head is registered, which takes about a second per image",
    )  # fmt: skip
    add_processes(parser, "worker processes", default=4)


def _localise(arguments: argparse.Namespace) -> None:
    """find the cochleae on unlabelled images, for prepare"""
    from intrastyler_nnunet.crossmoda.download import find_cases
    from intrastyler_nnunet.crossmoda.localise import UNSURE, Search, localise
    from intrastyler_nnunet.files import require_inputs_kept

    searches = [
        Search(case, arguments.predictions, arguments.output)
        for case in find_cases(arguments.input)[1]
        if case.label is None
    ]
    require_inputs_kept([arguments.output], [arguments.input, arguments.predictions])
    findings = localise(searches, arguments.output / "localisation.json", arguments.processes)
    for finding in findings:
        if finding.reasons:
            print(f"{finding.case}: {finding.route} ({'; '.join(finding.reasons)})")
    found = sum(finding.route != UNSURE for finding in findings)
    print(f"cochleae of {found} of {len(findings)} images in {arguments.output}")


def _restore_arguments(parser: argparse.ArgumentParser) -> None:
    _folders(parser, "folder of predictions on the cut images", "folder for them on the original grids")
    parser.add_argument(
        "-r", dest="records", type=Path, required=True, help="folder `geometry` of the dataset that prepare wrote"
    )
    _edition(parser)


def _restore(arguments: argparse.Namespace) -> None:
    """put predictions back onto the grids of the original images"""
    from intrastyler_nnunet.crossmoda.restore import restore
    from intrastyler_nnunet.files import require_inputs_kept

    require_inputs_kept([arguments.output], [arguments.input, arguments.records])
    restored = restore(arguments.input, arguments.records, arguments.output, _structures(arguments))
    print(f"{len(restored)} label maps in {arguments.output}")


def _postprocess_arguments(parser: argparse.ArgumentParser) -> None:
    _folders(parser, "folder of predictions", "folder for the cleaned ones and changes.json")
    parser.add_argument(
        "--keep-all-tumours", action="store_true", help="do not remove all but one tumour; for bilateral disease"
    )
    parser.add_argument(
        "--keep-all-cochleae", action="store_true", help="do not remove all but two cochleae; when they come in pieces"
    )
    _edition(parser)


def _postprocess(arguments: argparse.Namespace) -> None:
    """keep one tumour and two cochleae"""
    from intrastyler_nnunet.crossmoda.postprocess import Rules, clean_folder
    from intrastyler_nnunet.files import require_inputs_kept

    require_inputs_kept([arguments.output], [arguments.input])
    rules = Rules(not arguments.keep_all_tumours, not arguments.keep_all_cochleae)
    for case, changes in clean_folder(arguments.input, arguments.output, rules, _structures(arguments)).items():
        for change in changes:
            print(f"{case}: {change['components']} components of {change['structure']} ({change['voxels']} voxels)")


def _pseudo_label_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-i", dest="input", type=Path, required=True, help="folder of predictions of target images")
    parser.add_argument("-o", dest="output", type=Path, required=True, help="case list (JSON) to write")
    parser.add_argument("-d", dest="dataset", required=True, help="dataset id or name")
    parser.add_argument("-c", dest="configuration", required=True, help="configuration to train on them")
    parser.add_argument("-p", dest="plans", default="nnUNetPlans", help="plans identifier")
    parser.add_argument(
        "--images", type=existing_folder, default=None,
        help="folder of the images that were predicted; none given: imagesTarget of the raw dataset",
    )  # fmt: skip
    parser.add_argument(
        "--coverage", type=Path, default=None,
        help="result of `intrastyler coverage -o` for these images; those outside are dropped too. For images that are "
        "no exemplars themselves, such as later scans: every exemplar is covered",
    )  # fmt: skip
    _edition(parser)


def _pseudo_label(arguments: argparse.Namespace) -> None:
    """choose predictions of the unlabelled target images that are good enough to train on"""
    from intrastyler_nnunet.crossmoda.pseudo_label import Destination, pseudo_label
    from intrastyler_nnunet.files import require_inputs_kept
    from intrastyler_nnunet.images import image_files
    from intrastyler_nnunet.nnunet import folders
    from intrastyler_nnunet.styles.coverage import read_outside

    plans = folders.read_plans(arguments.dataset, arguments.plans)
    destination = Destination(
        folders.pseudo_label_folder(arguments.dataset, plans, arguments.configuration), plans,
        folders.read_configuration(plans, arguments.configuration), folders.read_dataset_json(arguments.dataset),
    )  # fmt: skip
    images = arguments.images or folders.raw_folder(arguments.dataset) / "imagesTarget"
    read = [path for folder in (arguments.input, images) for path in image_files(folder).values()]
    require_inputs_kept([arguments.output], [*read, arguments.coverage])
    outside = read_outside(arguments.coverage) if arguments.coverage else {}
    structures = _structures(arguments)
    dropped = pseudo_label(arguments.input, images, outside, destination, arguments.output, structures)
    for case, reasons in dropped.items():
        print(f"{case}: dropped ({'; '.join(reasons)})")
    print(f"{arguments.output}: name it as `self_training` in the trainer's settings")


def _submit_arguments(parser: argparse.ArgumentParser) -> None:
    from intrastyler_nnunet.structures import ARCHIVE_PATTERN

    _folders(parser, "folder of label maps on the original grids", "zip archive to write")
    parser.add_argument("-r", dest="originals", type=Path, required=True, help="folder of the original images")
    parser.add_argument("--suffix", default="_T2", help="what the images' names have and the label maps' have not")
    parser.add_argument(
        "--pattern", default=ARCHIVE_PATTERN, help="names in the archive; change it if the organisers ask for others"
    )
    _edition(parser)


def _submit(arguments: argparse.Namespace) -> None:
    """check label maps against the original images and write the archive"""
    from intrastyler_nnunet.crossmoda.submission import submitted_files, write_archive
    from intrastyler_nnunet.files import require_inputs_kept

    files = submitted_files(arguments.input, arguments.originals, arguments.suffix)
    require_inputs_kept([arguments.output], [path for pair in files.values() for path in pair])
    for warning in write_archive(files, arguments.output, _structures(arguments), arguments.pattern):
        print(f"warning: {warning}")
    print(f"{len(files)} label maps in {arguments.output}")


def _container_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-m", dest="model", type=Path, required=True, help="model: TRAINER__PLANS__CONFIGURATION")
    parser.add_argument("-r", dest="records", type=Path, required=True, help="folder `geometry` of its dataset")
    parser.add_argument("-o", dest="output", type=Path, required=True, help="folder to write, for `docker build`")


def _container(arguments: argparse.Namespace) -> None:
    """write the folder that the hidden test's container is built from"""
    from intrastyler_nnunet.crossmoda.container import write_context

    write_context(arguments.model, arguments.records, arguments.output)
    print(f"docker build -t intrastyler {arguments.output}")


def _score(arguments: argparse.Namespace) -> None:
    """Dice, ASSD and boundary ASSD of label maps; the same as `intrastyler evaluate`"""
    evaluate.run(arguments)


def _rank_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scores", type=Path, nargs="+", help="files of `intrastyler evaluate`, one per team")


def _rank(arguments: argparse.Namespace) -> None:
    """rank several teams as the challenge does"""
    from intrastyler_nnunet.crossmoda.ranking import rank, read_scores

    for team, mean_rank in rank(read_scores(arguments.scores)).items():
        print(f"{mean_rank:6.3f}  {team}")


STEPS = {
    "prepare": (_prepare, _prepare_arguments),
    "localise": (_localise, _localise_arguments),
    "restore": (_restore, _restore_arguments),
    "postprocess": (_postprocess, _postprocess_arguments),
    "pseudo-label": (_pseudo_label, _pseudo_label_arguments),
    "submit": (_submit, _submit_arguments),
    "container": (_container, _container_arguments),
    "score": (_score, evaluate.add_arguments),
    "rank": (_rank, _rank_arguments),
}
