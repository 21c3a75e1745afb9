"""Held-out simulated subjects: ceT1 images, exemplars of every target site, and the truth a translation should be.

Volumes are (x, y, z), z-scored as nnU-Net presents them. The truth is the source's subject scanned with the very
protocol of the exemplar, in the exemplar's z-score units, with noise and bias field of its own.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np
import torch

from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.pretraining.competitors import codes_of
from intrastyler_nnunet.simulation.patient import Anatomy, build_anatomy
from intrastyler_nnunet.simulation.plan import SCALES
from intrastyler_nnunet.simulation.protocols import Scan
from intrastyler_nnunet.simulation.scanner import scan_anatomy
from intrastyler_nnunet.simulation.sites import SITES, sample_scan, sites_of
from intrastyler_nnunet.simulation.subject import sample_subject
from intrastyler_nnunet.simulation.tissues import Tissue
from intrastyler_nnunet.styles.bank import exemplar_acquisition, exemplar_style
from intrastyler_nnunet.translation.translator import Translator
from intrastyler_nnunet.translation.windows import from_generator_space, intensity_window, to_generator_space

TISSUES = {
    "csf": (Tissue.CSF,), "brain": (Tissue.GREY_MATTER, Tissue.WHITE_MATTER), "bone": (Tissue.BONE_OR_AIR,),
    "fat": (Tissue.FAT,), "tumour": (Tissue.TUMOUR,), "cochlea": (),
}  # fmt: skip
MARGIN = 0.3  # exemplar standard deviations: tissues closer than this have no order


@dataclass(frozen=True)
class Image:
    """A simulated image with its anatomy."""

    anatomy: Anatomy
    scan: Scan
    intensities: np.ndarray  # of the scanner

    @cached_property
    def volume(self) -> np.ndarray:
        """(x, y, z), z-scored."""
        return z_scored(self.intensities)

    @cached_property
    def window(self) -> tuple[float, float]:
        """Intensity window of `volume`."""
        return intensity_window(self.volume)

    def rescan(self, anatomy: Anatomy, number: int) -> np.ndarray:
        """`anatomy` (x, y, z) with this image's protocol, in its z-score units; `number` chooses noise and bias."""
        return (self.again(anatomy, number) - self.intensities.mean()) / self.intensities.std()

    def again(self, anatomy: Anatomy, number: int) -> np.ndarray:
        """`anatomy` (x, y, z) with this image's protocol, as the scanner gives it."""
        return scan_anatomy(anatomy, replace(self.scan, seed=self.scan.seed + number))


@dataclass(frozen=True)
class Pair:
    """A source image, an exemplar of another subject, and the source's subject in the exemplar's protocol."""

    source: Image
    exemplar: Image
    truth: np.ndarray


def image_of(
    seed: int, subject: int, site: str, typical_tumour: bool = False, scale: str = "small", scanner: str | None = None
) -> Image:
    """Image of a subject of the simulation `seed` at `site`, on one of its scanners or on one that is drawn.

    Tumours differ in T2 unless they shall be typical.
    """
    anatomy = anatomy_of(seed, subject, typical_tumour, scale)
    scan = sample_scan(site, np.random.default_rng([seed, subject, 1]), scanner)
    return Image(anatomy, scan, scan_anatomy(anatomy, scan))


def anatomy_of(seed: int, subject: int, typical_tumour: bool, scale: str) -> Anatomy:
    """The anatomy of a subject of the simulation `seed` on the grid of a scale."""
    patient = sample_subject(seed, subject)
    if typical_tumour:
        factors = list(patient.property_factors)
        factors[Tissue.TUMOUR] = (1.0, 1.0, 1.0, 1.0)
        patient = replace(patient, property_factors=tuple(factors))
    return build_anatomy(patient, SCALES[scale].grid)


def held_out_pairs(seed: int, sources: int, scale: str = "small") -> list[Pair]:
    """Every source subject, the source sites in turn, with an exemplar of its own of every seen target site.

    Tumours have the typical T2, which no ceT1 image tells: their contrast then depends on the exemplar's protocol. The
    scanners of a site take turns.
    """
    source_sites, target_sites = (sites_of(domain, seen_only=True) for domain in ("source", "target"))
    pairs = []
    for number in range(sources):
        source = image_of(seed, number, source_sites[number % len(source_sites)], True, scale)
        for index, site in enumerate(target_sites):
            subject = sources + number * len(target_sites) + index
            scanner = SITES[site].scanners[number % len(SITES[site].scanners)]
            exemplar = image_of(seed, subject, site, True, scale, scanner)
            pairs.append(Pair(source, exemplar, exemplar.rescan(source.anatomy, 1)))
    return pairs


def in_one_style(pairs: list[Pair], image: Image) -> list[np.ndarray]:
    """Every pair's source subject with the protocol of `image`, whatever its exemplar; (x, y, z).

    As translations are, it is mapped back through the window of the pair's exemplar.
    """
    return [_in_style(image, pair) for pair in pairs]


def _in_style(image: Image, pair: Pair) -> np.ndarray:
    scanned = tensor(image.rescan(pair.source.anatomy, 1).astype(np.float32))
    mapped = to_generator_space(scanned, torch.tensor([image.window]))
    mapped = from_generator_space(mapped, torch.tensor([pair.exemplar.window]))
    return mapped[0, 0].numpy().transpose(2, 1, 0)


def translated(translator: Translator, source: Image, exemplar: Image, acquisition: bool | None = None) -> np.ndarray:
    """`source` in the style of `exemplar`, or with the code of its site: (x, y, z) in the exemplar's z-score units.

    With `acquisition` it also gets the noise, sharpness and quantiles; None: if the generator was trained so.
    """
    metadata, volume = translator.generator.metadata, tensor(exemplar.volume.astype(np.float32))[0]
    wanted = metadata.acquisition if acquisition is None else acquisition
    style = code_of(translator.generator, exemplar.scan.site)
    if style is None:
        style = style_of(translator, exemplar)
    result = translator(
        tensor(source.volume), torch.tensor([source.window]), style[None], torch.tensor([exemplar.window]),
        labels=tensor(source.anatomy.labels.astype(np.int16)),
        acquisitions=exemplar_acquisition(metadata, volume, exemplar.window)[None] if wanted else None,
        noise=torch.Generator().manual_seed(exemplar.scan.seed),
    )  # fmt: skip
    return result[0, 0].numpy().transpose(2, 1, 0)


def generator_input(
    translator: Translator, volume: np.ndarray, window: tuple[float, float], anatomy: Anatomy
) -> torch.Tensor:
    """A source volume (x, y, z) of `anatomy` as the generator gets it, with its label hint: (1, 1, X, Y, Z)."""
    labels = tensor(anatomy.labels.astype(np.int16))
    return translator.space.enter(tensor(volume), torch.tensor([window]), labels)


def code_of(generator: Generator, site: str) -> torch.Tensor | None:
    """The code (C,) of a site, for methods without a style encoder; None: every exemplar has a style of its own.

    Raises:
        ValueError: the generator was trained with other sub-domains than the simulation's sites.
    """
    if generator.style_encoder is not None:
        return None
    sites, metadata = sites_of("target", seen_only=True), generator.metadata
    codes = codes_of(dict(zip(sites, sites, strict=True)), metadata.method, only=None)
    if not set(metadata.codes.values()) <= set(codes.values()):
        raise ValueError(f"codes {set(metadata.codes.values())}, expected those of the sites, {codes}")
    return torch.tensor(codes[site])


@torch.no_grad()
def style_of(translator: Translator, exemplar: Image) -> torch.Tensor:
    """Style vector (K,) of the exemplar."""
    generator, volume = translator.generator, tensor(exemplar.volume)[0]
    return exemplar_style(generator, volume, exemplar.window, generator.metadata.style_patch_size)[0]


def tissue_masks(anatomy: Anatomy) -> dict[str, np.ndarray]:
    """Where every one of `TISSUES` is (x, y, z)."""
    masks = {name: np.isin(anatomy.tissue, classes) for name, classes in TISSUES.items()}
    return masks | {"cochlea": anatomy.labels == 3}


def tissue_means(volume: np.ndarray, anatomy: Anatomy) -> dict[str, float]:
    """Mean intensity of every tissue; nan where the subject has none."""
    masks = tissue_masks(anatomy)
    return {name: float(volume[mask].mean()) if mask.any() else float("nan") for name, mask in masks.items()}


def wrong_orders(truth: dict[str, float], translated: dict[str, float]) -> list[str]:
    """Pairs "brighter > darker" of tissues that hold in the truth with a margin and not in the translation."""
    wrong = []
    for first, second in combinations(TISSUES, 2):
        brighter, darker = (first, second) if truth[first] > truth[second] else (second, first)
        # A tissue that a subject lacks has no mean (nan) and compares as False.
        if truth[brighter] - truth[darker] >= MARGIN and translated[brighter] <= translated[darker]:
            wrong.append(f"{brighter} > {darker}")
    return wrong


def tensor(volume: np.ndarray) -> torch.Tensor:
    """(x, y, z) -> (1, 1, z, y, x), nnU-Net's axis order."""
    return torch.from_numpy(np.ascontiguousarray(volume.transpose(2, 1, 0)))[None, None]


def z_scored(image: np.ndarray) -> np.ndarray:
    """nnU-Net's ZScoreNormalization over the whole image."""
    return (image - image.mean()) / image.std()
