"""What trainings left in their folders: panels of the pretraining, Dice by style of the segmenters."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from intrastyler_nnunet.nnunet.style_validation import TABLE, read_epochs
from intrastyler_nnunet.report.pictures import file_picture

PANELS = 8


def panel_pictures(folder: Path) -> list[tuple[int, str]]:
    """(step, data URI) of the fixed panels of a pretraining; of many, evenly spaced ones with the first and last."""
    paths = sorted(folder.glob("panel_*.png"))
    chosen = np.unique(np.linspace(0, len(paths) - 1, min(PANELS, len(paths))).round().astype(int))
    return [(int(paths[i].stem.removeprefix("panel_")), file_picture(paths[i])) for i in chosen]


def style_tables(results: Path, plans: str, configuration: str) -> dict[str, list[dict]]:
    """Rows {"epoch", "dice": {style: value or None}} of every segmentation training, by "trainer, fold"."""
    tables = {}
    for path in sorted(results.glob(f"*__{plans}__{configuration}/fold_*/{TABLE}")):
        trainer = path.parts[-3].removesuffix(f"__{plans}__{configuration}")
        rows = [asdict(row) for row in read_epochs(path)]
        if rows:
            tables[f"{trainer}, {path.parts[-2].replace('_', ' ')}"] = rows
    return tables
