"""The mean of the weights of several fine-tunings of one generator: often better than each (Wortsman et al. 2022).

    python -m benchmarks.quality.mean_of_weights GENERATOR GENERATOR [...] -o GENERATOR

A "model soup": trainings that begin at the same weights stay in one valley of the loss, so that their mean is a
generator too, with what they disagree about averaged out. It costs nothing at inference. Its metadata hold the
training of each.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from intrastyler_nnunet.model.generator import Generator


def main() -> None:
    """Load, average, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generators", nargs="+", type=Path, help="two or more fine-tunings of one generator")
    parser.add_argument("-o", dest="output", type=Path, required=True, help="file to write")
    arguments = parser.parse_args()
    generators = [Generator.load(path) for path in arguments.generators]
    for path, generator in zip(arguments.generators, generators, strict=True):
        if kind_of(generator) != kind_of(generators[0]):
            parser.error(f"{path}: another architecture or data than {arguments.generators[0]}, expected the same")
    mean_of(generators).save(arguments.output)


def kind_of(generator: Generator) -> tuple:
    """What all fine-tunings of a generator share."""
    return generator.config, replace(generator.metadata, training={})


def mean_of(generators: list[Generator]) -> Generator:
    """A generator with the mean of every weight."""
    states = [generator.state_dict() for generator in generators]
    trainings = [generator.metadata.training for generator in generators]
    mean = Generator(generators[0].config, replace(generators[0].metadata, training={"mean_of": trainings}))
    mean.load_state_dict({name: torch.stack([state[name] for state in states]).mean(dim=0) for name in states[0]})
    return mean


if __name__ == "__main__":
    main()
