"""The judge of translations is itself judged, on true T2."""

import numpy as np
import pytest
import torch

from benchmarks.quality import t2_segmenter
from benchmarks.quality.t2_segmenter import CLASSES, class_map


class Finder(torch.nn.Module):
    """Knows the labels of the images it will get, and finds in all of them the structures `names`."""

    def __init__(self, images, names):
        super().__init__()
        self.maps = iter([class_map(image.anatomy.labels) for image in images])
        self.values = [CLASSES[name] for name in names]

    def forward(self, volume):
        classes = next(self.maps).transpose(2, 1, 0)
        found = np.where(np.isin(classes, self.values), classes, 0)
        return torch.nn.functional.one_hot(torch.tensor(found).long(), 3).permute(3, 0, 1, 2)[None].float()


@pytest.mark.parametrize("missing", CLASSES)
def test_a_judge_that_overlooks_a_structure_in_true_t2_is_refused(monkeypatch, missing):
    monkeypatch.setattr(t2_segmenter, "UNSEEN", 2)
    images = t2_segmenter._images(range(t2_segmenter.IMAGES, t2_segmenter.IMAGES + 2))
    t2_segmenter._require_skill(Finder(images, CLASSES))
    with pytest.raises(SystemExit, match=missing):
        t2_segmenter._require_skill(Finder(images, [name for name in CLASSES if name != missing]))


def test_a_refused_judge_is_not_kept(monkeypatch, tmp_path):
    for name, value in (("IMAGES", 2), ("UNSEEN", 1), ("STEPS", 1)):
        monkeypatch.setattr(t2_segmenter, name, value)
    with pytest.raises(SystemExit, match="expected at least"):
        t2_segmenter.true_t2_segmenter(tmp_path, steps=1)
    assert not list(tmp_path.iterdir())
