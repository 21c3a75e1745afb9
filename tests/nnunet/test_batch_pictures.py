"""Pictures of training batches: when, and that they show what went in and what came out."""

import matplotlib.pyplot as plt
import numpy as np
import torch
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from intrastyler_nnunet.nnunet.batch_pictures import draw_batch, is_pictured
from intrastyler_nnunet.nnunet.exemplar_translation import ExemplarTranslation
from intrastyler_nnunet.styles.bank import StyleBank
from intrastyler_nnunet.styles.sampling import KEEP_SOURCE, StyleDraw


def test_epochs():
    assert [epoch for epoch in range(301) if is_pictured(epoch)] == [0, 1, 10, 100, 200, 300]


def test_a_row_shows_source_exemplar_and_input(tmp_path, monkeypatch):
    shown = []
    closed = plt.close
    monkeypatch.setattr(plt, "close", lambda figure: (shown.append(figure), closed(figure)))
    source = torch.rand(2, 2, 5, 8, 8)
    formed = torch.rand(2, 2, 5, 8, 8)
    exemplar = np.random.default_rng(0).normal(size=(1, 6, 8, 9)).astype(np.float32)
    nnUNetDatasetBlosc2.save_case(exemplar, np.zeros_like(exemplar, np.int16), {}, str(tmp_path / "b"))
    bank = StyleBank(("a", "b"), torch.eye(2), torch.zeros(2, 2), torch.zeros(2))
    translation = ExemplarTranslation([], [bank], {}, "cpu", channel=1)
    draw = StyleDraw(np.array([1, KEEP_SOURCE]), np.array([0, 0]), np.array([0.25, 0.0]))
    path = tmp_path / "pictures" / "epoch.png"
    draw_batch(path, source, formed, ["first", "second"], draw, translation, tmp_path)
    assert plt.imread(path).std() > 0
    rows = np.array(shown[0].axes).reshape(2, 3)
    assert [axes.get_title() for axes in rows[0]] == ["first", "b\n25% on the way to a", "the network's input"]
    assert [axes.get_title() for axes in rows[1]] == ["second", "source's own style", "the network's input"]
    for axes, image in zip(rows[0], (source[0, 1, 2], exemplar[0, 3], formed[0, 1, 2]), strict=True):
        np.testing.assert_allclose(axes.images[0].get_array(), np.asarray(image), rtol=1e-6)
    assert not rows[1][1].images
