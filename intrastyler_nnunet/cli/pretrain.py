"""`intrastyler pretrain`: train the synthesizer on preprocessed source and target images."""

import argparse
import os
from pathlib import Path

from intrastyler_nnunet.cli.options import (
    FINITE,
    NOT_NEGATIVE,
    POSITIVE,
    SEED,
    add_device,
    add_processes,
    whole_number,
)
from intrastyler_nnunet.workers import end_with

HELP = "train the synthesizer on the preprocessed source and target images of a dataset"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    data = parser.add_argument_group("data")
    data.add_argument("-d", dest="dataset", required=True, help="dataset id or name")
    data.add_argument("-c", dest="configuration", required=True, help="3D configuration of the plans, e.g. 3d_fullres")
    data.add_argument("-p", dest="plans", default="nnUNetPlans", help="plans identifier; change it if you planned anew")
    data.add_argument(
        "-o", dest="output", type=Path, help="run folder; default: nnUNet_results/DATASET/IntraStyler__..."
    )
    data.add_argument(
        "--patch-size", type=whole_number(1), nargs=3, help="default: the configuration's, at most the smallest case"
    )
    data.add_argument("--channel", help="name of the image channel to translate; needed when there are several")
    _add_method(parser.add_argument_group("method"))
    _add_training(parser.add_argument_group("training"))
    _add_objective(parser.add_argument_group("objective"))


def run(arguments: argparse.Namespace) -> None:
    """Train on one process, or start one per GPU."""
    if "TORCHELASTIC_RUN_ID" in os.environ:  # torchrun starts each process in a session of its own
        end_with(os.getppid())
    if arguments.num_gpus > 1:
        from intrastyler_nnunet.pretraining.launch import train_on_gpus

        train_on_gpus(arguments)
    else:
        from intrastyler_nnunet.pretraining.launch import train

        train(arguments)


def _add_method(group) -> None:
    group.add_argument(
        "--method", default="intrastyler",
        help="intrastyler: styles of exemplars | unified: one-hot code of the sub-domain | nodiverse: one style; the "
        "last two are the paper's competitors, for comparisons",
    )  # fmt: skip
    group.add_argument(
        "--subdomain", help="train on the target cases of one sub-domain only; with nodiverse, one network of MultiNets"
    )
    group.add_argument(
        "--subdomain-pattern",
        help="regular expression whose group is the sub-domain in a case's name; give it when the raw dataset has no "
        "sites.json",
    )  # fmt: skip
    group.add_argument(
        "--preset", default="reference", help="architecture: reference | compact | light | mini; smaller is faster"
    )


def _add_training(group) -> None:
    add_device(group, "to train")
    group.add_argument(
        "-num_gpus", type=whole_number(1), default=1, help="processes on this machine, each on its own patches"
    )
    group.add_argument(
        "-pretrained_weights", metavar="GENERATOR",
        help="begin with this generator, trained on similar images, instead of random weights; with --style-warmup 0 "
        "if its style vectors tell the exemplars apart already",
    )  # fmt: skip
    group.add_argument(
        "--iterations", type=whole_number(1), default=100_000, help="training steps; more for more varied data"
    )
    group.add_argument(
        "--style-warmup", type=whole_number(0), default=None,
        help="first of the steps, which train the style encoder alone (default 1000); more when all translations "
        "look alike",
    )  # fmt: skip
    group.add_argument(
        "--learning-rate", type=POSITIVE, default=2e-4,
        help="of generator and discriminator; small presets on few steps learn faster with twice as much",
    )  # fmt: skip
    group.add_argument(
        "--batch-size", type=whole_number(1), default=1, help="patches per step; raise it on a large GPU"
    )
    group.add_argument(
        "--accumulate", type=whole_number(1), default=1, help="batches per update; raise it when gradients are noisy"
    )
    group.add_argument(
        "--precision", default="float32",
        help="float32 | bfloat16 | float16; bfloat16 needs less memory and time on recent GPUs, float16 on older ones",
    )  # fmt: skip
    add_processes(
        group, "processes that read patches ahead; more when the waiting reported at the end is above a few percent",
        default=2, least=0,
    )  # fmt: skip
    group.add_argument(
        "--compile", action="store_true",
        help="compile the networks first (torch.compile); worth its minutes on a GPU in runs of thousands of steps",
    )  # fmt: skip
    group.add_argument(
        "--held-out", type=whole_number(0), default=8,
        help="cases of each domain to validate on instead of training, at most a tenth; 0 when every case counts",
    )  # fmt: skip
    group.add_argument("--seed", type=SEED, default=0, help="change it to repeat a run with other random numbers")


def _add_objective(group) -> None:
    group.add_argument(
        "--nce-sampling", choices=("random", "qs_attn"), default="random",
        help="places PatchNCE compares; qs_attn favours distinctive ones, try it when small structures get lost",
    )  # fmt: skip
    group.add_argument(
        "--label-hint", metavar="SHIFT", type=FINITE, nargs="?", const=-1.0, default=None,
        help="labels steer the input: the one called cochlea inverted, all others (tumour) shifted by SHIFT (default "
        "-1.0) of an intensity range of 2, both with soft borders; use it when tumour or cochlea keep their source "
        "appearance, with a SHIFT that leaves the tumour distinct from all other tissue",
    )  # fmt: skip
    group.add_argument(
        "--tumour-level", metavar="Z", type=FINITE,
        help="labels steer the input: all but the one called cochlea (tumour) get the z-score Z; use it when an "
        "enhancing tumour comes out too bright or dark. Choose Z between cerebrospinal fluid and brain in your "
        "preprocessed source, as near to either as tumours are in the target",
    )  # fmt: skip
    group.add_argument(
        "--cochlea-level", metavar="Z", type=FINITE,
        help="labels steer the input: the one called cochlea gets the z-score Z; use it when cochleae come out as dark "
        "as bone. Choose Z at or above cerebrospinal fluid in your preprocessed source",
    )  # fmt: skip
    group.add_argument(
        "--lambda-nce", type=NOT_NEGATIVE, default=1.0, help="weight of PatchNCE; raise it when anatomy changes"
    )
    group.add_argument(
        "--lambda-style", type=NOT_NEGATIVE, default=5.0,
        help="weight of the style contrast; 0 leaves the style encoder to the other losses, for comparisons",
    )  # fmt: skip
    group.add_argument(
        "--lambda-consistency", type=NOT_NEGATIVE, default=5.0,
        help="weight of style consistency; lower it when translations get stripes or blobs that no exemplar has",
    )  # fmt: skip
    group.add_argument(
        "--lambda-segmentation", type=NOT_NEGATIVE, default=0.0,
        help="weight of two light segmenters that must find the source labels; try 0.2 when structures get lost",
    )  # fmt: skip
    group.add_argument(
        "--lambda-edge", type=NOT_NEGATIVE, default=0.0,
        help="weight of Sobel-edge consistency; try 1 when outlines move",
    )  # fmt: skip
    group.add_argument(
        "--lambda-fluid", type=NOT_NEGATIVE, default=0.0,
        help="weight of keeping the structure called cochlea about as bright as cochleae are in T2, and the bone "
        "beside it dark; try 5 when cochleae come out dark, dazzling or smeared",
    )  # fmt: skip
    group.add_argument(
        "--lambda-restyling", type=NOT_NEGATIVE, default=0.0,
        help="weight of giving an exemplar in a random contrast another style; try 10 when training must be "
        "short or a tissue keeps its source contrast",
    )  # fmt: skip
    group.add_argument(
        "--schedule", metavar="TERM=PROGRESS:WEIGHT,...", action="append", default=[],
        help="let the weight of a term (adversarial, nce, style, consistency, segmentation, edge, fluid, restyling) "
        "change, linearly between points; progress is 0 after the style warm-up and 1 at the end. "
        "consistency=0:0,0.3:5 when early translations get stripes. Repeat it for several terms",
    )  # fmt: skip
    group.add_argument(
        "--instance-noise", type=NOT_NEGATIVE, default=0.0,
        help="deviation of noise shown to the discriminator, falling to 0 at the end; try 0.1 when its loss falls "
        "below 0.1 and stays there",
    )  # fmt: skip
