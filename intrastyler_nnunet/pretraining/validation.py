"""Held-out cases, and what is measured on them while training.

The best generator is the one with the highest score among the validations of the second half, before which the
moving average is still far from settled:

    score = style consistency + edge correlation - intensity distance

so that it must look like its exemplar, to its own encoder and in its histogram, and keep the source's outlines.
Methods without a style encoder have no first summand.
"""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score

from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.nnunet.cases import PreprocessedCases
from intrastyler_nnunet.objective.anatomy import sobel_strength
from intrastyler_nnunet.objective.style import style_consistency
from intrastyler_nnunet.pretraining.run import Run
from intrastyler_nnunet.translation.acquisition import measured
from intrastyler_nnunet.translation.label_hint import apply_label_hint
from intrastyler_nnunet.translation.rescanning import rescanned, sample_noise

STYLE_PATCHES = 4  # of each held-out exemplar


def hold_out(run: Run) -> tuple[Run, Run | None]:
    """The run with its training cases, and with those held out: of each domain random ones, but never above a tenth.

    None where a domain has too few to hold one out: validation needs cases of both.
    """
    counts = [min(run.config.held_out, len(cases.names) // 10) for cases in (run.source, run.target)]
    if not all(counts):
        return run, None
    source, held_out_source = _split(run.source, counts[0], run.config.seed)
    target, held_out_target = _split(run.target, counts[1], run.config.seed)
    return replace(run, source=source, target=target), replace(run, source=held_out_source, target=held_out_target)


def _split(cases: PreprocessedCases, count: int, seed: int) -> tuple[PreprocessedCases, PreprocessedCases]:
    held_out = set(np.random.default_rng(seed).permutation(cases.names)[:count].tolist())
    return (
        cases.only([name for name in cases.names if name not in held_out]),
        cases.only([name for name in cases.names if name in held_out]),
    )


@torch.no_grad()
def validate(generator: Generator, run: Run, device: torch.device) -> dict[str, float]:
    """Every held-out source in the style of a held-out exemplar, and every exemplar with a source; means of the pairs.

    Returns:
        edge_correlation: of source and translation.
        intensity_distance: of translation and exemplar.
        style_consistency: cosine of the translation's and the exemplar's style vector.
        style_roc_auc: of telling two patches of one exemplar from two of different exemplars by their cosine.
        score: see above.
    """
    sources, exemplars = run.source.names, run.target.names
    count = max(len(sources), len(exemplars))
    pairs = [(sources[i % len(sources)], exemplars[i % len(exemplars)]) for i in range(count)]
    results = [_measure(generator, run, *pair, device) for pair in pairs]
    means = {name: float(np.mean([result[name] for result in results])) for name in results[0]}
    means["score"] = means.get("style_consistency", 0) + means["edge_correlation"] - means["intensity_distance"]
    if generator.style_encoder is not None and len(exemplars) > 1:
        means["style_roc_auc"] = style_roc_auc(generator, run, device)
    return means


def style_roc_auc(generator: Generator, run: Run, device: torch.device) -> float:
    """Same against another exemplar, by the cosine of two patches' style vectors; always the same random patches."""
    target, rng, size = run.target, np.random.default_rng(run.config.seed), run.config.style_patch_size
    patches = [target.random_patch(rng, name, size)[0] for name in target.names for _ in range(STYLE_PATCHES)]
    vectors = torch.cat([generator.encode_style(patch.to(device)) for patch in patches]).cpu()
    exemplar = np.repeat(np.arange(len(target.names)), STYLE_PATCHES)
    first, second = np.triu_indices(len(vectors), k=1)
    return float(roc_auc_score(exemplar[first] == exemplar[second], (vectors @ vectors.T).numpy()[first, second]))


@torch.no_grad()
def truth_error(generator: Generator, run: Run, device: torch.device) -> float | None:
    """Mean absolute difference of the sources, translated to the style of each of their truths, and that truth.

    Of an intensity range of 1; None if no source has a truth.
    """
    if run.truths is None:
        return None
    source, truths, config, errors = run.source, run.truths, run.config, []
    for name in source.names:
        image, labels = (x.to(device) for x in source.central_patch(name, config.patch_size))
        given = apply_label_hint(image, source.window(name).to(device), labels, config.label_hint)
        for truth_name in truths.of(name):
            truth = truths.central_patch(truth_name, config.patch_size)[0].to(device)
            style = generator.encode_style(truths.central_patch(truth_name, config.style_patch_size)[0].to(device))
            translated = acquired_translation(generator, given, style, truth)
            errors.append(float((translated - truth).abs().mean()) / 2)
    return float(np.mean(errors)) if errors else None


def _measure(
    generator: Generator, run: Run, source_name: str, target_name: str, device: torch.device
) -> dict[str, float]:
    source, target, config = run.source, run.target, run.config
    image, labels = (x.to(device) for x in source.central_patch(source_name, config.patch_size))
    exemplar = target.central_patch(target_name, config.patch_size)[0].to(device)
    given = apply_label_hint(image, source.window(source_name).to(device), labels, config.label_hint)
    if target.codes:
        vector = torch.tensor([target.codes[target_name]], device=device)
        translated = acquired_translation(generator, given, vector, exemplar)
        style = {}
    else:
        patch = target.central_patch(target_name, config.style_patch_size)[0].to(device)
        vector = generator.encode_style(patch)
        translated = acquired_translation(generator, given, vector, exemplar)
        output = _central(translated, patch.shape[2:])
        style = {"style_consistency": -float(style_consistency(generator.encode_style(output), vector))}
    return style | {
        "edge_correlation": float(edge_correlation(image, translated)),
        "intensity_distance": float(intensity_distance(translated, exemplar)),
    }


def acquired_translation(
    generator: Generator, given: torch.Tensor, style: torch.Tensor, exemplar: torch.Tensor
) -> torch.Tensor:
    """A translation (1, 1, X, Y, Z) of the generator's input, all in its space, with what it was trained to lack.

    Noise is always the same. `exemplar`: (1, 1, X, Y, Z), whose acquisition is measured.
    """
    images = generator(given, style)
    if not generator.metadata.acquisition:
        return images
    noise = sample_noise(images, torch.Generator(images.device).manual_seed(0))
    return rescanned(images, measured(exemplar), noise, None, blurs=True)


def edge_correlation(image: torch.Tensor, translated: torch.Tensor) -> torch.Tensor:
    """Pearson's r () of the Sobel strengths of two images (B, 1, X, Y, Z)."""
    first, second = (strength - strength.mean() for strength in map(sobel_strength, (image, translated)))
    return F.cosine_similarity(first.flatten(), second.flatten(), dim=0)


def intensity_distance(translated: torch.Tensor, exemplar: torch.Tensor) -> torch.Tensor:
    """Wasserstein-1 distance () of the intensities of two images of equal size in [-1, 1], of a range of 1."""
    return (translated.flatten().sort().values - exemplar.flatten().sort().values).abs().mean() / 2


def _central(images: torch.Tensor, size: torch.Size) -> torch.Tensor:
    box = [slice((n - m) // 2, (n - m) // 2 + m) for n, m in zip(images.shape[2:], size, strict=True)]
    return images[(..., *box)]
