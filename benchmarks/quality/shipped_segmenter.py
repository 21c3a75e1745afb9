"""Make the small segmenter that comes with the package, for the first picture of `intrastyler demo`.

    python -m benchmarks.quality.shipped_segmenter FOLDER      (a quarter of an hour on two cores; goes on if stopped)

It is what the demo trains on translations by the shipped generator, with a quarter of the planned channels and on the
simulated subjects of another seed. Run it after the generator has changed.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from intrastyler_nnunet.demo.places import CONFIGURATION, DemoPlaces
from intrastyler_nnunet.demo.run_demo import run_demo
from intrastyler_nnunet.demo.segmenter import save_segmenter
from intrastyler_nnunet.demo.stages import LAPTOP
from intrastyler_nnunet.devices import chosen_device
from intrastyler_nnunet.shipped import NAME

SEED = 19
OUTPUT = Path(__file__).parents[2] / "pretrained" / f"{NAME}_segmenter.safetensors"


def main() -> None:
    """Train in a folder of one's choice, and write the file to `pretrained`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for data and models")
    folder = parser.parse_args().folder.absolute()
    run_demo(folder, chosen_device(None).type, SEED, replace(LAPTOP, narrowing=4))
    save_segmenter(DemoPlaces(folder).model("IntraStyler"), CONFIGURATION, OUTPUT)
    print(f"{OUTPUT}: {OUTPUT.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
