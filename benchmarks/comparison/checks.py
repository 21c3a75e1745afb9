"""From the command line to a comparison that can be run: what is wrong with it is said before anything is trained."""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.comparison.own_data import OwnData, find_own_data
from benchmarks.comparison.plan import SCALES, SYNTHESIZERS, Method, Scale, chosen_methods
from benchmarks.comparison.results import Results
from intrastyler_nnunet.devices import chosen_device
from intrastyler_nnunet.errors import InputError


@dataclass(frozen=True)
class Comparison:
    """What is compared, on which data and where."""

    folder: Path
    scale: Scale
    seeds: int
    methods: list[Method]
    device: str
    own_data: OwnData | None

    @property
    def results(self) -> Results:
        """The result file."""
        return Results(self.folder / "results.jsonl")

    @property
    def description(self) -> dict:
        """What all rows of a result file have in common; a tuple is a list here, as in JSON."""
        own = self.own_data
        description = {
            "scale": asdict(self.scale), "dataset": own and own.dataset, "tests": own and str(own.tests),
            "subdomain_pattern": own and own.subdomain_pattern,
        }  # fmt: skip
        return json.loads(json.dumps(description))


def checked(arguments: argparse.Namespace) -> Comparison:
    """The comparison that the command line asks for.

    Raises:
        InputError: an unknown method; own data that are not complete (`find_own_data`); results in the folder of
            another scale or of other data.
    """
    methods = chosen_methods(arguments.methods, arguments.dataset is not None)
    synthesizers = [SYNTHESIZERS[method.synthesizer] for method in methods if method.synthesizer]
    own_data = None
    if arguments.dataset is not None:
        own_data = find_own_data(
            arguments.dataset, arguments.target_test, arguments.subdomain_pattern,
            with_subdomains=any(synthesizer.needs_subdomains for synthesizer in synthesizers),
        )  # fmt: skip
    comparison = Comparison(
        arguments.output.absolute(), SCALES[arguments.scale], arguments.seeds, methods,
        chosen_device(arguments.device).type, own_data,
    )  # fmt: skip
    require_same(comparison.description, comparison.results)
    return comparison


def require_same(description: dict, results: Results) -> None:
    """Raise InputError if the results are of another size or of other data."""
    for held in results.rows("comparison"):
        for name, value in description.items():
            if held[name] != value:
                raise InputError(f"{results.path}: found results with {name} {held[name]}, expected {value}")
