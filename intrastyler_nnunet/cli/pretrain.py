"""`intrastyler pretrain`: train the synthesizer on preprocessed source and target images."""

import argparse
from pathlib import Path

HELP = "train the synthesizer on the preprocessed source and target images of a dataset"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("-d", dest="dataset", required=True, help="dataset id or name")
    parser.add_argument(
        "-c", dest="configuration", required=True, help="3D configuration of the plans, e.g. 3d_fullres"
    )
    parser.add_argument(
        "-p", dest="plans", default="nnUNetPlans", help="plans identifier; change it if you planned anew"
    )
    parser.add_argument(
        "-o", dest="output", type=Path, help="run folder; default: nnUNet_results/DATASET/IntraStyler__..."
    )
    parser.add_argument("-device", default="cuda", choices=("cuda", "cpu", "mps"), help="where to train")
    parser.add_argument(
        "--preset", default="reference", help="architecture: reference | compact | mini; smaller is faster"
    )
    parser.add_argument("--iterations", type=int, default=100_000, help="training steps; more for more varied data")
    parser.add_argument(
        "--style-warmup",
        type=int,
        default=1000,
        help="first of the steps, which train the style encoder alone; more when all translations look alike",
    )
    parser.add_argument("--batch-size", type=int, default=1, help="patches per step; raise it on a large GPU")
    parser.add_argument(
        "--patch-size", type=int, nargs=3, help="default: the configuration's, at most the smallest case"
    )
    parser.add_argument("--seed", type=int, default=0, help="change it to repeat a run with other random numbers")
    parser.add_argument(
        "--nce-sampling",
        choices=("random", "qs_attn"),
        default="random",
        help="places PatchNCE compares; qs_attn favours distinctive ones, try it when small structures get lost",
    )
    parser.add_argument(
        "--label-hint", action="store_true",
        help="CrossMoDA labels steer the input (cochlea inverted, tumour darkened); use it when tumour or cochlea "
        "keep their source appearance",
    )  # fmt: skip
    parser.add_argument(
        "--lambda-segmentation", type=float, default=0.0,
        help="weight of two light segmenters that must find the source labels; try 0.5 when structures get lost",
    )  # fmt: skip
    parser.add_argument(
        "--lambda-edge", type=float, default=0.0,
        help="weight of Sobel-edge consistency; try 1 when outlines move",
    )  # fmt: skip
    parser.add_argument(
        "--instance-noise", type=float, default=0.0,
        help="deviation of noise shown to the discriminator; try 0.1 when its loss falls below 0.1 and stays there",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Train, then build the style bank beside the generator."""
    import torch

    from intrastyler_nnunet.networks.generator import Generator
    from intrastyler_nnunet.networks.label_hint import LabelHint
    from intrastyler_nnunet.styles import bank
    from intrastyler_nnunet.synthesis.pretrain import pretrain
    from intrastyler_nnunet.synthesis.setup import prepare_run

    run = prepare_run(
        arguments.dataset,
        arguments.configuration,
        arguments.plans,
        arguments.output,
        arguments.patch_size,
        preset=arguments.preset,
        iterations=arguments.iterations,
        style_warmup=arguments.style_warmup,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        nce_sampling=arguments.nce_sampling,
        label_hint=LabelHint() if arguments.label_hint else None,
        lambda_segmentation=arguments.lambda_segmentation,
        lambda_edge=arguments.lambda_edge,
        instance_noise=arguments.instance_noise,
    )
    device = torch.device(arguments.device)
    path = pretrain(run.source, run.target, run.config, run.metadata, run.folder, device)
    generator = Generator.load(path, device)
    patch_size = run.config.style_patch_size
    bank.style_bank(generator, path, run.target_folder, patch_size, run.folder / bank.FILE_NAME, device)
