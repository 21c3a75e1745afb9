"""From the command line to a comparison that can be run: what is wrong with it is said before anything is trained."""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.comparison.endpoints import claims_of, endpoints_of
from benchmarks.comparison.own_data import OwnData, find_own_data
from benchmarks.comparison.plan import SCALES, SYNTHESIZERS, Method, Scale, chosen_methods
from benchmarks.comparison.results import Results
from intrastyler_nnunet.devices import chosen_device


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
        """The plan, endpoints included, that all rows of a result file have in common; tuples are lists, as in JSON."""
        own = self.own_data
        endpoints = endpoints_of(own is not None)
        description = {
            "scale": asdict(self.scale), "dataset": own and own.dataset, "tests": own and str(own.tests),
            "subdomain_pattern": own and own.subdomain_pattern,
            "endpoints": [asdict(endpoint) for endpoint in endpoints],
            "claims": [f"{c.method} better than {c.rival}: {c.endpoint.name}" for c in claims_of(endpoints)],
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
    comparison.results.require(comparison.description)
    return comparison
