"""Stages that pretrain the generators of a synthesizer, and what they cost."""

import shlex
from functools import partial

from benchmarks.comparison.plan import Synthesizer
from benchmarks.comparison.results import Results
from benchmarks.comparison.run import BASE_CONFIGURATION, PLANS, Run
from benchmarks.comparison.synthesis import score_translations
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.pretraining.competitors import read_subdomains
from intrastyler_nnunet.workflow import WALL_TIME_FILE, Stage, run_command, seconds, timed


def pretraining_stages(run: Run, synthesizer: Synthesizer, results: Results) -> list[Stage]:
    """Pretrain one generator, or one for each sub-domain, and record the cost; then score the translations."""
    names = subdomains(run, synthesizer)
    stages = []
    if not synthesizer.shipped:
        stages = [
            Stage(f"pretrain-{run.synthesizer(synthesizer, name).name}", partial(pretrain, run, synthesizer, name))
            for name in names
        ]
        stages.append(Stage(f"cost-{synthesizer.key}", partial(record_cost, run, synthesizer, results)))
    if run.own_data is None:
        score = partial(score_translations, run, synthesizer, names, results)
        stages.append(Stage(f"score-translations-{synthesizer.key}", score))
    return stages


def subdomains(run: Run, synthesizer: Synthesizer) -> list[str | None]:
    """The sub-domains that have a network of their own; [None]: one network for all."""
    if not synthesizer.per_subdomain:
        return [None]
    return sorted(set(subdomain_of_targets(run).values()))


def subdomain_of_targets(run: Run) -> dict[str, str]:
    """The sub-domain of every target case."""
    with run.environment():
        plans = folders.read_plans(run.dataset, PLANS)
        cases = folders.case_names(folders.target_folder(run.dataset, plans, BASE_CONFIGURATION))
        return read_subdomains(run.dataset, cases, run.own_data and run.own_data.subdomain_pattern)


def pretrain(run: Run, synthesizer: Synthesizer, subdomain: str | None) -> None:
    """Pretrain, or go on where an interrupted pretraining stopped."""
    folder, length = run.synthesizer(synthesizer, subdomain), run.scale.pretraining.of(synthesizer)
    readers = 0 if run.device == "cpu" else 2  # on a CPU they would take the time of what they save
    iterations = length.steps + length.style_warmup
    options = [f"--iterations {iterations} --style-warmup {length.style_warmup} -np {readers} {length.options}"]
    if subdomain:
        options.append(f"--subdomain {shlex.quote(subdomain)}")
    if run.own_data and run.own_data.subdomain_pattern and synthesizer.needs_subdomains:
        options.append(f"--subdomain-pattern {shlex.quote(run.own_data.subdomain_pattern)}")
    with timed(folder / WALL_TIME_FILE), run.environment():
        run_command(
            f"intrastyler pretrain -d {run.number} -c {BASE_CONFIGURATION} -o {shlex.quote(str(folder))} "
            f"--method {synthesizer.method} --seed {run.seed} -device {run.device} {' '.join(options)}"
        )


def record_cost(run: Run, synthesizer: Synthesizer, results: Results) -> None:
    """Networks, steps and wall time of a synthesizer."""
    names = subdomains(run, synthesizer)
    length = run.scale.pretraining.of(synthesizer)
    row = {
        "networks": len(names), "steps": len(names) * length.steps, "style_warmup": length.style_warmup,
        "seconds": sum(seconds(run.synthesizer(synthesizer, name) / WALL_TIME_FILE) for name in names),
    }  # fmt: skip
    results.put([row], table="cost", seed=run.seed, synthesizer=synthesizer.key)
