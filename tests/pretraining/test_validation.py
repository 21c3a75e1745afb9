"""Held-out cases and what is measured on them."""

import itertools
import json
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch
from fake_cuda import fake_cuda
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
from scipy.stats import pearsonr, wasserstein_distance
from tiny_pretraining import METADATA, run_on

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.nnunet.cases import PreprocessedCases
from intrastyler_nnunet.objective.anatomy import sobel_strength
from intrastyler_nnunet.objective.config import PretrainingConfig
from intrastyler_nnunet.pretraining.loop import pretrain
from intrastyler_nnunet.pretraining.prefetch import TrainingParts, parts_on_device
from intrastyler_nnunet.pretraining.ranks import ALONE
from intrastyler_nnunet.pretraining.record import Record
from intrastyler_nnunet.pretraining.run import Run
from intrastyler_nnunet.pretraining.state import initial_state
from intrastyler_nnunet.pretraining.validation import (
    edge_correlation,
    hold_out,
    intensity_distance,
    truth_error,
    validate,
)

CONFIG = PretrainingConfig(
    preset="mini", patch_size=(8, 16, 18), style_patch_size=(8, 12, 12), iterations=6, nce_places=32, negatives=3,
    style_warmup=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Twenty cases of noise per domain."""
    rng = np.random.default_rng(0)
    domains = []
    for domain in ("source", "target"):
        folder = tmp_path_factory.mktemp("preprocessed") / domain
        folder.mkdir()
        for case in range(20):
            data = rng.normal(size=(1, 8, 16, 18)).astype(np.float32) * rng.uniform(0.5, 2)
            labels = rng.integers(0, 4, size=(1, 8, 16, 18)).astype(np.int16)
            nnUNetDatasetBlosc2.save_case(data, labels, {}, str(folder / f"{domain}_{case:02d}"))
        domains.append(PreprocessedCases(folder, METADATA.axes))
    return domains


def domains(run: Run) -> tuple[PreprocessedCases, PreprocessedCases]:
    return run.source, run.target


def test_held_out_cases_are_a_tenth_and_never_trained_on(cases):
    training, held_out = hold_out(run_on(cases, CONFIG))
    for domain, trained, held in zip(cases, domains(training), domains(held_out), strict=True):
        assert len(held.names) == 2
        assert sorted(trained.names + held.names) == domain.names
    one = hold_out(run_on(cases, replace(CONFIG, held_out=1)))[1]
    assert [len(held.names) for held in domains(one)] == [1, 1]
    assert one.source.names[0] in held_out.source.names


def test_nothing_is_held_out_where_one_domain_is_too_small(cases):
    few = (cases[0], cases[1].only(cases[1].names[:9]))
    training, held_out = hold_out(run_on(few, CONFIG))
    assert held_out is None
    assert [domain.names for domain in domains(training)] == [domain.names for domain in few]
    assert hold_out(run_on(cases, replace(CONFIG, held_out=0)))[1] is None


def test_measures_are_their_definitions(cases):
    held_out = hold_out(run_on(cases, replace(CONFIG, held_out=1)))[1]
    source, target = domains(held_out)
    config = CONFIG
    generator = initial_state(config, METADATA, torch.device("cpu")).average
    means = validate(generator, held_out, torch.device("cpu"))
    image, exemplar = (domain.central_patch(domain.names[0], config.patch_size)[0] for domain in (source, target))
    style = generator.encode_style(exemplar[:, :, 3:15, 2:14])
    translated = generator(image, style)
    output_style = generator.encode_style(translated[:, :, 3:15, 2:14])
    assert means["style_consistency"] == pytest.approx(float((output_style @ style.T).detach()), abs=1e-5)
    edges = (sobel_strength(x).flatten().detach().numpy() for x in (image, translated))
    assert means["edge_correlation"] == pytest.approx(pearsonr(*edges).statistic, abs=1e-5)
    distance = wasserstein_distance(translated.flatten().detach().numpy(), exemplar.flatten().numpy()) / 2
    assert means["intensity_distance"] == pytest.approx(distance, abs=1e-5)
    assert means["score"] == pytest.approx(means["style_consistency"] + means["edge_correlation"] - distance, abs=1e-5)


@pytest.mark.parametrize(("sources", "exemplars"), [(3, 2), (1, 3)])
def test_every_held_out_case_is_validated_on(cases, sources, exemplars):
    source, target = (d.only(d.names[:n]) for d, n in zip(cases, (sources, exemplars), strict=True))
    generator = initial_state(CONFIG, METADATA, torch.device("cpu")).average
    means = validate(generator, run_on((source, target), CONFIG), torch.device("cpu"))
    alone = [
        validate(generator, run_on((source.only([a]), target.only([b])), CONFIG), torch.device("cpu"))
        for a, b in zip((source.names * 3)[:3], (target.names * 3)[:3], strict=True)
    ]
    assert means["edge_correlation"] == pytest.approx(np.mean([m["edge_correlation"] for m in alone]), abs=1e-6)


@pytest.fixture(scope="module")
def truths(cases, tmp_path_factory):
    """Two truths of every source case."""
    folder = tmp_path_factory.mktemp("preprocessed") / "truth"
    folder.mkdir()
    for name, site in itertools.product(cases[0].names, "ab"):
        data = np.random.default_rng(ord(site)).normal(size=(1, 8, 16, 18)).astype(np.float32)
        nnUNetDatasetBlosc2.save_case(data, data.astype(np.int16), {}, str(folder / f"{name}_{site}"))
    return PreprocessedCases(folder, METADATA.axes)


def test_the_error_is_that_to_the_truth_in_the_truths_own_style(cases, truths):
    source = cases[0].only(["source_01", "source_10"])
    generator = initial_state(CONFIG, METADATA, torch.device("cpu")).average
    differences = []
    for name in ("source_01_a", "source_01_b", "source_10_a", "source_10_b"):
        image, truth = (d.central_patch(n, CONFIG.patch_size)[0] for d, n in ((source, name[:9]), (truths, name)))
        style = generator.encode_style(truth[:, :, 3:15, 2:14])
        differences.append(np.abs(generator(image, style).detach().numpy() - truth.numpy()) / 2)
    error = truth_error(generator, run_on((source, cases[1]), CONFIG, truths=truths), torch.device("cpu"))
    assert error == pytest.approx(np.mean(differences), abs=1e-6)


def test_a_run_measures_against_the_truth_if_there_is_one(cases, truths, tmp_path):
    config = replace(CONFIG, iterations=3, panel_every=2)
    pretrain(run_on(cases, config, tmp_path, truths), torch.device("cpu"))
    rows = [json.loads(line) for line in (tmp_path / "stats.jsonl").read_text().splitlines()]
    assert [0 < row["validation_truth_error"] < 1 for row in rows if "validation_score" in row] == [True]


def test_an_image_keeps_its_own_edges(cases):
    image = cases[0].central_patch("source_00", CONFIG.patch_size)[0]
    assert edge_correlation(image, image) > 0.9999
    assert edge_correlation(image, -image) > 0.9999
    assert abs(edge_correlation(image, torch.rand(image.shape, generator=torch.Generator().manual_seed(0)))) < 0.5


def test_a_run_validates_and_keeps_its_best(cases, tmp_path):
    config = replace(CONFIG, iterations=4, panel_every=1)
    pretrain(run_on(cases, config, tmp_path), torch.device("cpu"))
    rows = [json.loads(line) for line in (tmp_path / "stats.jsonl").read_text().splitlines()]
    validations = [row for row in rows if "validation_score" in row]
    assert [(row["iteration"], row["counts"]) for row in validations] == [(2, False), (3, True), (4, True)]
    assert all(0 <= row["validation_style_roc_auc"] <= 1 for row in validations)
    best = max(validations[1:], key=lambda row: row["validation_score"])["iteration"]
    for name, iteration in (("generator_best", best), ("generator", 4)):
        training = Generator.load(tmp_path / f"{name}.safetensors").metadata.training
        assert (training["iteration"], training["skipped"]) == (iteration, 0)
        assert training["config"] == json.loads((tmp_path / "config.json").read_text())


def test_the_best_is_the_best_also_after_a_resume(tmp_path):
    record = Record(tmp_path, 0)
    record.validation(10, {"score": 0.9}, counts=False)
    best = []
    for iteration, score in ((20, 0.5), (30, 0.4), (40, 0.6)):
        best.append(record.is_best(score))
        record.validation(iteration, {"score": score}, counts=True)
    assert best == [True, False, True]
    resumed = Record(tmp_path, 30)
    assert resumed.is_best(0.55)
    assert not resumed.is_best(0.45)


def test_what_belongs_to_a_checkpoint_is_written_before_it(cases, tmp_path):
    config = replace(CONFIG, iterations=4, panel_every=3, checkpoint_every=3)
    (tmp_path / "checkpoint.pt").mkdir()  # cannot be replaced by the one before it
    (tmp_path / "checkpoint_previous.pt" / "in the way").mkdir(parents=True)
    with pytest.raises(InputError, match=r"checkpoint_previous.pt: .*; it cannot be written"):
        pretrain(run_on(cases, config, tmp_path), torch.device("cpu"))
    rows = [json.loads(line) for line in (tmp_path / "stats.jsonl").read_text().splitlines()]
    assert [row["iteration"] for row in rows if row.get("counts")] == [3]
    assert (tmp_path / "generator_best.safetensors").is_file()


def test_workers_draw_what_the_process_itself_draws(cases):
    config = replace(CONFIG, accumulate=2, batch_size=2)
    parts = TrainingParts(run_on(cases, config), ALONE)
    alone, ahead = (list(parts_on_device(parts, range(3, 7), torch.device("cpu"), n)) for n in (0, 2))
    assert len(alone) == len(ahead) == 4
    for (seed, batch, plan), (other_seed, other_batch, other_plan) in zip(chain(*alone), chain(*ahead), strict=True):
        assert seed == other_seed
        assert plan.output_start == other_plan.output_start
        assert all(torch.equal(value, getattr(other_batch, name)) for name, value in vars(batch).items())
        assert np.array_equal(plan.perturbation.noise, other_plan.perturbation.noise)


def test_the_measures_run_on_a_cuda_device():
    with fake_cuda():
        generator = initial_state(CONFIG, METADATA, torch.device("cuda")).average
        image = torch.rand(1, 1, 18, 16, 8)
        translated = generator(image, generator.encode_style(image[:, :, 3:15, 2:14]))
        assert edge_correlation(image, translated).device.type == "cuda"
        assert intensity_distance(image, translated).device.type == "cuda"
