"""What worker processes do: pieces of the comparison that are done once, in any order within their phase."""

from collections.abc import Callable
from concurrent.futures import Executor, as_completed
from functools import partial
from pathlib import Path

from benchmarks.comparison import simulated
from benchmarks.comparison.checks import Comparison
from benchmarks.comparison.endpoints import SEGMENTATION, TRANSLATIONS
from benchmarks.comparison.machine import machine
from benchmarks.comparison.plan import SYNTHESIZERS, Method, Scale, Synthesizer
from benchmarks.comparison.pretraining import pretraining_stages
from benchmarks.comparison.results import Results
from benchmarks.comparison.run import Run
from benchmarks.comparison.stages import data_stages, segmenter_stages
from benchmarks.comparison.translations import FLOORS, judge_floors
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.workflow import Stage, run_stages, seconds, timed

COST = "cost"  # a table: wall time of every generator and segmenter


def phases(comparison: Comparison) -> list[list[Callable[[], None]]]:
    """Jobs of what has no result yet: data; then generators, of which nothing below depends; then segmenters."""
    results, simulated_data = comparison.results, comparison.own_data is None
    runs = [
        Run(comparison.folder / f"seed_{seed}", seed, comparison.scale, comparison.device, comparison.own_data)
        for seed in range(comparison.seeds)
    ]
    segmenters = [
        (run, method)
        for run in runs
        for method in comparison.methods
        if not results.hold(SEGMENTATION, method.key, run.seed)
    ]
    keys = dict.fromkeys(method.synthesizer for method in comparison.methods if method.synthesizer)
    generators = [
        (run, SYNTHESIZERS[key])
        for run in runs
        for key in keys
        if (simulated_data and not results.hold(TRANSLATIONS, key, run.seed))
        or any(method.synthesizer == key for other, method in segmenters if other is run)
    ]
    data = [partial(make_data, run) for run in runs if any(run is other for other, _ in (*segmenters, *generators))]
    if simulated_data:
        if segmenters:
            data.insert(0, partial(make_tests, comparison.scale, comparison.folder))
        if generators and not results.rows(FLOORS):
            data.insert(0, partial(judge_floors, comparison.scale, results))
    return [
        data,
        [partial(make_generator, *pair, results) for pair in generators],
        [partial(make_segmenter, *pair, results) for pair in segmenters],
    ]


def work_off(jobs: list[Callable[[], None]], pool: Executor, after_each: Callable[[], None]) -> list[str]:
    """Run all jobs, those after one that failed too.

    Returns:
        The line of every job that ended by bad input.
    """
    problems = []
    for job in as_completed([pool.submit(job) for job in jobs]):
        try:
            job.result()
        except InputError as error:
            problems.append(str(error))
        after_each()
    return problems


def make_tests(scale: Scale, folder: Path) -> None:
    """The test images that all methods of all seeds share."""
    tests = folder / "tests"
    run_stages([Stage("simulate-tests", partial(simulated.simulate_tests, scale, tests))], folder)


def make_data(run: Run) -> None:
    """The training images of a seed."""
    run_stages(data_stages(run), run.folder)


def make_generator(run: Run, synthesizer: Synthesizer, results: Results) -> None:
    """The networks of a synthesizer, and what the judge says of their translations."""
    clock = run.folder / "clocks" / f"generator-{synthesizer.key}.json"
    with timed(clock):
        run_stages(pretraining_stages(run, synthesizer, results), run.folder)
    _count(run, "generator", synthesizer.key, clock, results)


def make_segmenter(run: Run, method: Method, results: Results) -> None:
    """The segmenter of a method, and its scores on the test images."""
    clock = run.folder / "clocks" / f"segmenter-{method.key}.json"
    with timed(clock):
        run_stages(segmenter_stages(run, method, results), run.folder)
    _count(run, "segmenter", method.key, clock, results)


def _count(run: Run, kind: str, method: str, clock: Path, results: Results) -> None:
    row = {"seconds": seconds(clock), **machine(run.device)}
    results.put([row], table=COST, kind=kind, method=method, seed=run.seed)
