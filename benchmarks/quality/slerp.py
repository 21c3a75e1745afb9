"""Do contrast and noise go steadily from one exemplar's to the other's along the arc between their styles?

    python -m benchmarks.quality.slerp [-g GENERATOR]

4 source subjects, each with 15 pairs of exemplars of different sites; 11 frames a pair, t = 0, 0.1, ... 1, each with
its own intensity window. Measured on each frame, without a network (`contrast_measures`): contrast, the ratio of CSF to
brain, and noise, relative to the brain. A measure is monotonic if no step goes against the whole by more than 2 % of
the way. "meets_exemplars": the frames' change has the sign of the difference between the exemplars themselves.
"""

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.quality.contrast_measures import contrast_measures
from benchmarks.quality.simulated_pairs import Image, image_of, style_of, tensor
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.shipped import shipped_generator
from intrastyler_nnunet.simulation.sites import sites_of
from intrastyler_nnunet.styles.slerp import slerp
from intrastyler_nnunet.translation.translator import Translator

SEED = 2026  # of the simulation; not the one of any training
SOURCES, EXEMPLARS_PER_SITE, STEPS = 4, 5, 10
MEASURES = {"contrast": "csf", "noise": "noise"}
TOLERANCE = 0.02  # of the change from t = 0 to t = 1


def main() -> None:
    """Measure, print, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-g", dest="generator", type=Path, default=None, help="default: the shipped generator")
    output = Path(__file__).parents[1] / "results" / "slerp.json"
    parser.add_argument("-o", dest="output", type=Path, default=output, help="result file")
    arguments = parser.parse_args()
    path = arguments.generator or shipped_generator()
    translator = Translator(Generator.load(path))
    rows = [row for number in tqdm(range(SOURCES)) for row in rows_of_source(translator, number)]
    result = {"generator": path.name, "seed": SEED, "pairs": len(rows), **summary(rows), "rows": rows}
    for name in MEASURES:
        print(f"{name:10} monotonic in {result[name]['monotonic']:.1%} of {len(rows)} pairs of different sites; "
              f"direction as between the exemplars in {result[name]['meets_exemplars']:.1%}")  # fmt: skip
    print(f"both       monotonic in {result['both_monotonic']:.1%}")
    write_json(result, arguments.output)


def rows_of_source(translator: Translator, number: int) -> list[dict]:
    """Measures of the frames of one source between its own exemplars, every two of different sites in turn."""
    sites, source_sites = (sites_of(domain, seen_only=True) for domain in ("target", "source"))
    source = image_of(SEED, number, source_sites[number % len(source_sites)])
    first = SOURCES + number * EXEMPLARS_PER_SITE * len(sites)
    exemplars = {
        site: [image_of(SEED, first + i * len(sites) + j, site) for i in range(EXEMPLARS_PER_SITE)]
        for j, site in enumerate(sites)
    }
    pairs = [pair for two in combinations(sites, 2) for pair in zip(*(exemplars[site] for site in two), strict=True)]
    frames = _frames(translator, source, pairs)
    return [_row(pair, frames[i * (STEPS + 1) : (i + 1) * (STEPS + 1)], source) for i, pair in enumerate(pairs)]


def summary(rows: list[dict]) -> dict:
    """Shares of the pairs."""
    shares = {
        name: {key: float(np.mean([row[name][key] for row in rows])) for key in ("monotonic", "meets_exemplars")}
        for name in MEASURES
    }
    both = np.mean([all(row[name]["monotonic"] for name in MEASURES) for row in rows])
    return shares | {"both_monotonic": float(both)}


def is_monotonic(values: list[float]) -> bool:
    """No step against the whole by more than TOLERANCE of the way."""
    way = values[-1] - values[0]
    return bool((np.diff(values) * np.sign(way) >= -TOLERANCE * abs(way)).all()) and way != 0


def _frames(translator: Translator, source: Image, pairs: list[tuple[Image, Image]]) -> list[tuple]:
    """(volume (x, y, z), window) of every frame of every pair; the source's content is encoded once."""
    steps = torch.arange(STEPS + 1) / STEPS
    styles, windows = [], []
    for pair in pairs:
        ends = [style_of(translator, exemplar).expand(len(steps), -1) for exemplar in pair]
        styles.append(slerp(*ends, steps))
        bounds = [torch.tensor(exemplar.window) for exemplar in pair]
        windows += [torch.lerp(*bounds, step) for step in steps]
    volumes = translator.volume(
        tensor(source.volume), torch.tensor([source.window]), torch.cat(styles), torch.stack(windows),
        labels=tensor(source.anatomy.labels.astype(np.int16)),
    )  # fmt: skip
    return [
        (volume[0, 0].numpy().transpose(2, 1, 0), tuple(window.tolist()))
        for volume, window in zip(volumes, windows, strict=True)
    ]


def _row(pair: tuple[Image, Image], frames: list[tuple], source: Image) -> dict:
    measured = [contrast_measures(volume, window, source.anatomy) for volume, window in frames]
    own = [contrast_measures(exemplar.volume, exemplar.window, exemplar.anatomy) for exemplar in pair]
    row = {"sites": [exemplar.scan.site for exemplar in pair]}
    for name, measure in MEASURES.items():
        values = [float(np.exp(frame[measure])) for frame in measured]
        ends = [float(np.exp(exemplar[measure])) for exemplar in own]
        row[name] = {
            "frames": [round(value, 4) for value in values], "exemplars": [round(value, 4) for value in ends],
            "monotonic": is_monotonic(values),
            "meets_exemplars": bool(np.sign(values[-1] - values[0]) == np.sign(ends[1] - ends[0])),
        }  # fmt: skip
    return row


if __name__ == "__main__":
    main()
