"""Several processes, as with `-num_gpus 2`, over gloo. nnU-Net's own set-up of them wants CUDA."""

import json
from pathlib import Path

import numpy as np
import torch
from tiny_dataset import CONFIGURATION, tiny_generator
from torch import distributed
from torch.multiprocessing import spawn

RANKS = 2


def one_rank(rank: int, root: str, rendezvous: str, settings: str) -> None:
    """Prepare a trainer, note what it draws and what both ranks' validation comes to."""
    import os

    os.environ |= {name: f"{root}/{name}" for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")}
    os.environ["INTRASTYLER_SETTINGS"] = settings
    torch.set_num_threads(1)
    from intrastyler_nnunet.nnunet.style_validation import dice_by_style
    from intrastyler_nnunet.nnunet.trainer import nnUNetTrainerIntraStyler

    distributed.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=RANKS)
    preprocessed = Path(root) / "nnUNet_preprocessed" / "Dataset998_Tiny"
    plans = json.loads((preprocessed / "nnUNetPlans.json").read_text()) | {"continue_training": False}
    dataset_json = json.loads((preprocessed / "dataset.json").read_text())
    trainer = nnUNetTrainerIntraStyler(plans, CONFIGURATION, 0, dataset_json)
    trainer.device = torch.device("cpu")
    trainer.prepare_translation()
    bank = next(Path(root).glob("nnUNet_results/*/IntraStyler__*/style_bank.safetensors"))
    written = bank.stat().st_mtime_ns
    sequence = []
    for trainer.iteration in range(30):
        draw = trainer._draw(["source_0", "source_1"])
        sequence.append([*draw.exemplars.tolist(), *draw.t.tolist()])
    counts = {"tp_hard": np.array([1 + rank]), "fp_hard": np.array([0]), "fn_hard": np.array([2])}
    dice = dice_by_style([counts], 1).tolist()
    distributed.barrier()
    found = {"sequence": sequence, "rebuilt": bank.stat().st_mtime_ns != written, "dice": dice,
             "vectors": trainer.translation.banks[0].vectors.tolist()}  # fmt: skip
    Path(f"{rendezvous}_{rank}.json").write_text(json.dumps(found))
    distributed.destroy_process_group()


def test_ranks_share_the_bank_and_draw_styles_of_their_own(own_dataset, tmp_path):
    tiny_generator().save(tmp_path / "generator.safetensors")
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"generator": str(tmp_path / "generator.safetensors"), "p_slerp": 0.5}))
    rendezvous = tmp_path / "rendezvous"
    spawn(one_rank, (str(own_dataset.root), str(rendezvous), str(settings)), RANKS)
    first, second = (json.loads(Path(f"{rendezvous}_{rank}.json").read_text()) for rank in range(RANKS))
    assert first["sequence"] != second["sequence"]
    agreeing = np.mean([a == b for a, b in zip(first["sequence"], second["sequence"], strict=True)])
    assert agreeing < 0.5
    assert not first["rebuilt"]
    assert not second["rebuilt"]
    assert first["vectors"] == second["vectors"]
    # Counts of all ranks together: 2 TP / (2 TP + FP + FN) with TP = 1 + 2 and FN = 2 + 2.
    assert first["dice"] == second["dice"] == [6 / 10]
