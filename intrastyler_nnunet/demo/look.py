"""The first picture: simulated sources in the styles of simulated exemplars, by the networks that are shipped."""

from contextlib import redirect_stdout
from os import devnull
from pathlib import Path

import torch
from tqdm import tqdm

from intrastyler_nnunet.demo.picture import PictureRow, draw_picture, picture_rows
from intrastyler_nnunet.demo.places import DemoPlaces
from intrastyler_nnunet.demo.segmenter import load_segmenter
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.offline.image_files import style_of_file, translate_file
from intrastyler_nnunet.shipped import shipped_segmenter
from intrastyler_nnunet.translation.translator import Translator

SLAB = 64  # slices at once


def take_look(places: DemoPlaces, generator: Path, device: str) -> None:
    """Translate a source to an exemplar of each sub-dataset, segment a test image of each, and draw `look.png`."""
    rows = [row for row in picture_rows(places) if row.exemplar is not None]
    translator = Translator(Generator.load(generator, torch.device(device)))
    for row in tqdm(rows, "Translating", unit="image"):
        style = style_of_file(translator.generator, row.exemplar)
        translate_file(translator, row.source, row.source_labels, [style], [row.translation], SLAB)
    predictions = _predictions(rows, places, device)
    draw_picture(rows, predictions, places.picture)
    print(f"The first picture: {places.picture}", flush=True)


def _predictions(rows: list[PictureRow], places: DemoPlaces, device: str) -> dict[str, Path]:
    """The folder that the shipped segmenter's label maps were written to, by its name; empty if none is shipped."""
    path = shipped_segmenter()
    if path is None:
        return {}
    files = [[str(row.test)] for row in rows]
    outputs = [str(places.look / row.test_labels.name.partition(".")[0]) for row in rows]
    with open(devnull, "w") as nowhere, redirect_stdout(nowhere):
        load_segmenter(path, torch.device(device)).predict_from_files_sequential(files, outputs)
    return {"a segmenter trained on such": places.look}
