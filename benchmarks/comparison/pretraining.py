"""Stages that pretrain the generators of a synthesizer, and judge them."""

import shlex
from collections import Counter
from functools import partial

from benchmarks.comparison.plan import Synthesizer
from benchmarks.comparison.results import Results
from benchmarks.comparison.run import BASE_CONFIGURATION, PLANS, Run
from benchmarks.comparison.translations import judge_translations
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.pretraining.competitors import read_subdomains
from intrastyler_nnunet.workflow import Stage, run_command


def pretraining_stages(run: Run, synthesizer: Synthesizer, results: Results) -> list[Stage]:
    """Pretrain one generator, or one for each sub-domain; of simulated data, judge the translations."""
    names = subdomains(run, synthesizer)
    stages = [
        Stage(f"pretrain-{run.synthesizer(synthesizer, name).name}", partial(pretrain, run, synthesizer, name))
        for name in names
    ]
    if run.own_data is None:
        judge = partial(judge_translations, run, synthesizer, names, results)
        stages.append(Stage(f"judge-{synthesizer.key}", judge))
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


def steps_of(run: Run, synthesizer: Synthesizer) -> dict[str | None, int]:
    """The steps of each network: together as many as one has alone, by the shares of the sub-domains' images.

    Every target image is then drawn as often by several networks as by one.
    """
    steps = run.scale.pretraining.steps
    if not synthesizer.per_subdomain:
        return {None: steps}
    counts = Counter(subdomain_of_targets(run).values())
    ends, done = {}, 0
    for name in sorted(counts):
        done += counts[name]
        ends[name] = round(steps * done / counts.total())
    starts = [0, *ends.values()]
    return {name: end - start for start, (name, end) in zip(starts, ends.items(), strict=False)}


def pretrain(run: Run, synthesizer: Synthesizer, subdomain: str | None) -> None:
    """Pretrain, or go on where an interrupted pretraining stopped."""
    folder, length = run.synthesizer(synthesizer, subdomain), run.scale.pretraining
    readers = 0 if run.device == "cpu" else 2  # on a CPU they would take the time of what they save
    warmup = length.style_warmup if synthesizer.method == "intrastyler" else 0
    iterations = steps_of(run, synthesizer)[subdomain] + warmup
    options = [f"--iterations {iterations} --style-warmup {warmup} -np {readers} {length.options}"]
    if not synthesizer.restyling:
        options.append("--weight restyling=0")
    if subdomain:
        options.append(f"--subdomain {shlex.quote(subdomain)}")
    if run.own_data and run.own_data.subdomain_pattern and synthesizer.needs_subdomains:
        options.append(f"--subdomain-pattern {shlex.quote(run.own_data.subdomain_pattern)}")
    with run.environment():
        run_command(
            f"intrastyler pretrain -d {run.number} -c {BASE_CONFIGURATION} -o {shlex.quote(str(folder))} "
            f"--method {synthesizer.method} --seed {run.seed} -device {run.device} {' '.join(options)}"
        )
