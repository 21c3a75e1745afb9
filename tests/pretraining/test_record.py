"""The plot of the loss terms."""

import json

import matplotlib.image

from intrastyler_nnunet.pretraining.record import plot_losses


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
