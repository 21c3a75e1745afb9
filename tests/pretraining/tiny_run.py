"""A tiny training in a process of its own, for tests that kill it: SOURCE TARGET OUTPUT ACCUMULATE."""

import signal
import sys
from pathlib import Path

import torch

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model import config as architectures
from intrastyler_nnunet.model.config import DiscriminatorConfig, GeneratorConfig
from intrastyler_nnunet.model.metadata import GeneratorMetadata
from intrastyler_nnunet.nnunet.cases import PreprocessedCases
from intrastyler_nnunet.objective.config import PretrainingConfig
from intrastyler_nnunet.pretraining.loop import pretrain
from intrastyler_nnunet.pretraining.ranks import join_ranks
from intrastyler_nnunet.pretraining.run import Run

torch.set_num_threads(1)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit then fails as on a full disk
architectures.PRESETS = {
    "tiny": (GeneratorConfig(width=4, residual_blocks=5, style_width=4), DiscriminatorConfig(width=4))
}
source, target, output = map(Path, sys.argv[1:4])
metadata = GeneratorMetadata(spacing=(1.5, 1.0, 1.0))
config = PretrainingConfig(
    preset="tiny", patch_size=(8, 16, 18), style_patch_size=(8, 12, 12), iterations=5 if sys.argv[4] == "2" else 10,
    style_warmup=1, nce_places=32, negatives=3, checkpoint_every=2, panel_every=100, instance_noise=0.1,
    lambda_content=0.5, lambda_segmentation=0.5, classes=4, accumulate=int(sys.argv[4]),
)  # fmt: skip
ranks, device = join_ranks(torch.device("cpu"))
if ranks.count == 2:
    config = PretrainingConfig(**{**vars(config), "iterations": 5})
cases = [PreprocessedCases(folder, metadata.axes) for folder in (source, target)]
try:
    pretrain(Run(*cases, config, metadata, output), device, ranks)
except InputError as error:
    print(error, file=sys.stderr)
    sys.exit(2)
