"""What translating a whole volume costs: arithmetic and seconds, for one style and for seven.

    python -m benchmarks.speed.translation_speed [-device cuda]

A volume of SimCrossMoDA's `full` size (256 x 144 x 32). Arithmetic is counted, not run, for every preset: slabs of the
default thickness against one pass over the whole, and seven styles (content encoded once) against one. Seconds (of the
processor's time, on a CPU): the shipped generator, one and seven styles in turn, the fastest of two.
"""

import argparse
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed.device_clock import seconds
from intrastyler_nnunet.cli.options import add_device
from intrastyler_nnunet.devices import chosen_device
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.model.config import PRESETS
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.shipped import shipped_generator
from intrastyler_nnunet.simulation.plan import SCALES
from intrastyler_nnunet.translation.streaming import translate_streamed

SHAPE = SCALES["full"].grid.shape
SLAB, STYLES, REPEATS = 64, 7, 2


def main() -> None:
    """Measure, print, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_device(parser, "to measure")
    output = Path(__file__).parents[1] / "results" / "translation_speed.json"
    parser.add_argument("-o", dest="output", type=Path, default=output, help="result file")
    arguments = parser.parse_args()
    arithmetic = {name: arithmetic_of(config) for name, (config, _) in PRESETS.items()}
    for name, row in arithmetic.items():
        print(f"{name:10} one pass {row['one_pass_tflop']:6.3f} TFLOP; slabs {row['slabs_over_one_pass']:.3f} times "
              f"that; {STYLES} styles {row['styles_over_one']:.2f} times one style")  # fmt: skip
    measured = seconds_of(chosen_device(arguments.device))
    print(f"shipped generator: one style {measured['one_style']:.1f} s, {STYLES} styles {measured['styles']:.1f} s, "
          f"{measured['ratio']:.2f} times")  # fmt: skip
    write_json({"shape": SHAPE, "slab": SLAB, "styles": STYLES, "arithmetic": arithmetic, "seconds": measured},
               arguments.output)  # fmt: skip


def arithmetic_of(config) -> dict[str, float]:
    """Counted on tensors without content."""
    with FakeTensorMode(), torch.no_grad():
        generator, source = Generator(config).eval(), torch.rand(1, 1, *SHAPE)

        def slabs(count: int) -> int:
            return _operations(lambda: list(translate_streamed(generator, source, _styles(config, count), SLAB)))

        whole, one, many = _operations(lambda: generator(source, _styles(config, 1))), slabs(1), slabs(STYLES)
    return {"one_pass_tflop": whole / 1e12, "slabs_over_one_pass": one / whole, "styles_over_one": many / one}


def seconds_of(device: torch.device) -> dict:
    """The fastest of REPEATS runs, one style and several in turn so that both meet the same machine."""
    path = shipped_generator()
    generator = Generator.load(path, device).eval()
    source = (torch.rand(1, 1, *SHAPE) * 2 - 1).to(device)
    taken: dict[int, list[float]] = {1: [], STYLES: []}

    def translate(count: int) -> None:
        for _ in translate_streamed(generator, source, _styles(generator.config, count), SLAB):
            pass

    for _ in range(REPEATS):
        for count, times in taken.items():
            times.append(seconds(partial(translate, count), device))
    one, many = min(taken[1]), min(taken[STYLES])
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    machine = {"device": name, "threads": torch.get_num_threads(), "torch": torch.__version__}
    return {"generator": path.name, **machine, "one_style": one, "styles": many, "ratio": many / one}


def _operations(run: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def _styles(config, count: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(count, config.style_dim), dim=1)


if __name__ == "__main__":
    main()
