"""What is compared, and at which size."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from intrastyler_nnunet.errors import InputError

REFERENCE = "intrastyler"  # the method that the others are tested against


@dataclass(frozen=True)
class Synthesizer:
    """A way to pretrain generators."""

    key: str
    name: str  # in tables
    method: str  # of `intrastyler pretrain`
    per_subdomain: bool = False  # a network for each sub-domain
    lengthening: int = 1  # of its training, relative to the others'
    shipped: bool = False  # the generator of simulated images that comes with the package: not trained here

    @property
    def needs_subdomains(self) -> bool:
        """Whether it must be told which target case is of which sub-domain."""
        return self.per_subdomain or self.method == "unified"


@dataclass(frozen=True)
class Method:
    """A way to train the segmenter. All have the same network, patches, iterations and augmentation."""

    key: str
    name: str  # in tables
    synthesizer: str | None = None  # key of SYNTHESIZERS; None: nothing is translated
    policy: str = "uniform"  # how exemplars are drawn
    p_slerp: float = 0.0  # share of styles between two exemplars
    images: str = "source"  # "offline": source images translated beforehand; "oracle": labelled target images
    self_training: bool = False  # a second training, also on target images with the first one's pseudo-labels


@dataclass(frozen=True)
class Pretraining:
    """Length and options of a network's training."""

    steps: int  # of generator and discriminator
    style_warmup: int  # before them, for IntraStyler's style encoder alone
    options: str  # other options of `intrastyler pretrain`

    def of(self, synthesizer: Synthesizer) -> "Pretraining":
        """The training of each of a synthesizer's networks."""
        warmup = self.style_warmup if synthesizer.method == "intrastyler" else 0
        return replace(self, steps=self.steps * synthesizer.lengthening, style_warmup=warmup)


@dataclass(frozen=True)
class Segmenter:
    """nnU-Net's configuration and schedule; the same for all methods."""

    epochs: int
    iterations_per_epoch: int
    trainer: str = "nnUNetTrainerShort"
    validation_iterations: int = 2
    patch_size: tuple[int, int, int] | None = None  # None: network and patch as nnU-Net planned them
    batch_size: int = 2
    narrowing: int = 2  # nnU-Net's channels are divided by it

    def settings(self) -> dict[str, int]:
        """Entries of the trainer's settings file."""
        return {
            "num_epochs": self.epochs,
            "num_iterations_per_epoch": self.iterations_per_epoch,
            "num_val_iterations_per_epoch": self.validation_iterations,
            "save_every": 1,
        }


@dataclass(frozen=True)
class Scale:
    """Size of a benchmark."""

    grid: str  # key of the simulation's SCALES, whose image grid is taken
    source: int  # number of simulated labelled source images
    target: int  # of unlabelled target images, over the sub-datasets by their shares
    test: int  # of test images in each test set
    pretraining: Pretraining
    segmenter: Segmenter
    styles_per_case: int  # of the offline data set
    held_out: int  # source subjects that translations are scored on, each with an exemplar of every seen site
    processes: int  # that simulate and preprocess


SYNTHESIZERS = {
    synthesizer.key: synthesizer
    for synthesizer in (
        Synthesizer("nodiverse", "NoDiverse", "nodiverse"),
        Synthesizer("multinets", "MultiNets", "nodiverse", per_subdomain=True),
        Synthesizer("unified", "Unified", "unified"),
        Synthesizer("intrastyler", "IntraStyler", "intrastyler"),
        # as many steps as MultiNets' networks have together, with three sites
        Synthesizer("longer", "IntraStyler, 3 x steps", "intrastyler", lengthening=3),
        Synthesizer("shipped", "IntraStyler, shipped generator", "intrastyler", shipped=True),
    )
}

METHODS = {
    method.key: method
    for method in (
        Method("noadapt", "NoAdapt"),
        Method("nodiverse", "NoDiverse", "nodiverse"),
        Method("multinets", "MultiNets", "multinets"),
        Method("unified", "Unified", "unified"),
        Method("intrastyler", "IntraStyler", "intrastyler"),
        Method("balanced", "IntraStyler + balanced", "intrastyler", policy="balanced"),
        Method("slerp", "IntraStyler + SLERP", "intrastyler", p_slerp=1.0),
        Method("offline", "Offline IntraStyler", "intrastyler", images="offline"),
        Method("self-training", "IntraStyler + self-training", "intrastyler", self_training=True),
        Method("longer", "IntraStyler, 3 x steps", "longer"),
        Method("shipped", "IntraStyler, shipped generator", "shipped"),
        Method("oracle", "Oracle", images="oracle"),
    )
}

# What makes short trainings of small networks work (`docs/differences.md`); every case is trained on.
RECIPES = Path(__file__).with_name("recipes")
SHORT = f"--recipe {shlex.quote(str(RECIPES / 'short.json'))} --held-out 0"

SCALES = {
    # to see that everything works; the figures mean nothing
    "tiny": Scale(
        "tiny", source=4, target=20, test=1, pretraining=Pretraining(3, 2, SHORT),
        segmenter=Segmenter(2, 2, validation_iterations=1, patch_size=(8, 32, 32), narrowing=8),
        styles_per_case=1, held_out=1, processes=1,
    ),
    # less than half an hour on two cores: the networks have hardly begun to learn
    "quick": Scale(
        "small", source=24, target=40, test=3, pretraining=Pretraining(15, 30, SHORT),
        segmenter=Segmenter(3, 20, patch_size=(16, 64, 48)), styles_per_case=3, held_out=4, processes=2,
    ),
    # three and a half hours on two cores for each seed
    "small": Scale(
        "small", source=40, target=60, test=16, pretraining=Pretraining(400, 350, SHORT),
        segmenter=Segmenter(20, 50, patch_size=(16, 64, 48)), styles_per_case=3, held_out=12, processes=2,
    ),
    # nnU-Net's and the paper's own lengths; for a GPU
    "full": Scale(
        "full", source=60, target=80, test=16, pretraining=Pretraining(99_000, 1000, "--preset reference --held-out 0"),
        segmenter=Segmenter(1000, 250, "nnUNetTrainerRepeatable", 50), styles_per_case=5, held_out=4, processes=4,
    ),
}  # fmt: skip


def chosen_methods(keys: list[str] | None, own_data: bool) -> list[Method]:
    """The methods with these keys in the order of METHODS; none given: all that the data allow.

    Raises:
        InputError: an unknown key; of one's own data, an Oracle, since target images have no labels to train on, or
            the generator of simulated images.
    """
    possible = [method for method in METHODS.values() if not (own_data and needs_simulation(method))]
    for key in keys or ():
        if key not in METHODS:
            raise InputError(f"method {key!r} is not known, expected some of {', '.join(METHODS)}")
        if METHODS[key] not in possible:
            raise InputError(f"method {key!r} is for simulated images only, expected another with --dataset")
    return [method for method in possible if keys is None or method.key in keys]


def needs_simulation(method: Method) -> bool:
    """Whether it has labelled target images to train on, or a generator that was trained on simulated ones."""
    shipped = method.synthesizer is not None and SYNTHESIZERS[method.synthesizer].shipped
    return shipped or method.images == "oracle"
