"""The plot of the loss terms, and TensorBoard's curves."""

import json

import matplotlib.image
import numpy as np
import pytest

from intrastyler_nnunet.pretraining.record import Record, plot_losses


def test_every_term_has_its_plot(tmp_path):
    stats = tmp_path / "stats.jsonl"
    rows = [{"iteration": 10, "style": 2.0, "skipped": 0}]
    stats.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    plot_losses(stats, tmp_path / "one.png")
    rows += [{"iteration": 20, "style": 1.0, "nce": 4.0, "adversarial": 1.0, "skipped": 0}]
    stats.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    plot_losses(stats, tmp_path / "three.png")
    heights = [matplotlib.image.imread(tmp_path / f"{name}.png").shape[0] for name in ("one", "three")]
    assert heights[1] > 2 * heights[0]


def test_before_the_first_record_there_is_no_plot(tmp_path):
    plot_losses(tmp_path / "stats.jsonl", tmp_path / "losses.png")
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_reads_the_numbers_and_forgets_what_is_done_again(tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    before = Record(tmp_path, 0, tensorboard=True)
    before.validation(10, {"score": 0.25}, True)
    before.validation(20, {"score": 0.5}, True)
    again = Record(tmp_path, 10, tensorboard=True)
    again.validation(20, {"score": 0.75}, True)
    matplotlib.image.imsave(tmp_path / "panel.png", np.zeros((4, 6, 3)))
    again.panel(20, tmp_path / "panel.png")
    again.events.close()
    curves = events.EventAccumulator(str(tmp_path / "tensorboard"))
    curves.Reload()
    assert [(event.step, event.value) for event in curves.Scalars("validation_score")] == [(10, 0.25), (20, 0.75)]
    assert (curves.Images("panel")[0].width, curves.Images("panel")[0].height) == (6, 4)
