"""What is compared, and at which size."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from intrastyler_nnunet.errors import InputError

REFERENCE = "intrastyler"  # the method that the others are compared with
PLAIN = "-plain"  # ends the keys of generators without restyling


@dataclass(frozen=True)
class Synthesizer:
    """A way to pretrain generators. All have as many steps in total, in which every target image is drawn equally."""

    key: str
    name: str  # in tables
    method: str  # of `intrastyler pretrain`
    per_subdomain: bool = False  # a network for each sub-domain, which share the steps
    restyling: bool = True

    @property
    def needs_subdomains(self) -> bool:
        """Whether it must be told which target case is of which sub-domain."""
        return self.per_subdomain or self.method == "unified"

    @property
    def plain(self) -> "Synthesizer":
        """The same without restyling."""
        return replace(self, key=self.key + PLAIN, name=f"{self.name}, no restyling", restyling=False)


@dataclass(frozen=True)
class Method:
    """A way to train the segmenter. All have the same network, patches and iterations."""

    key: str  # of a method that uses a synthesizer as it is: that one's
    name: str  # in tables
    synthesizer: str | None = None  # key of SYNTHESIZERS; None: nothing is translated
    policy: str = "uniform"  # how exemplars are drawn
    p_slerp: float = 0.0  # share of styles between two exemplars
    images: str = "source"  # "offline": source images translated beforehand; "oracle": labelled target images
    augmentation: str = ""  # "DA5" or "GIN" instead of nnU-Net's own


@dataclass(frozen=True)
class Pretraining:
    """Length and options of a generator's training."""

    steps: int  # of generator and discriminator, over all networks
    style_warmup: int  # before them, for IntraStyler's style encoder alone, which the others do not have
    options: str  # other options of `intrastyler pretrain`


@dataclass(frozen=True)
class Segmenter:
    """nnU-Net's configuration and schedule; the same for all methods."""

    epochs: int
    iterations_per_epoch: int
    trainer: str = "nnUNetTrainerRepeatableShort"
    validation_iterations: int = 1
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
    """Size of a comparison."""

    grid: str  # key of the simulation's SCALES, whose image grid is taken
    source: int  # number of simulated labelled source images
    target: int  # of unlabelled target images, over the sub-datasets by their shares
    test: int  # of test images in each test set
    pairs: int  # of a source subject and an exemplar, that the judge sees
    pretraining: Pretraining
    segmenter: Segmenter
    styles_per_case: int  # of the offline data set
    processes: int  # at once, each of one thread; 1 on a GPU


_RESTYLED = (
    Synthesizer("nodiverse", "NoDiverse", "nodiverse"),
    Synthesizer("multinets", "MultiNets", "nodiverse", per_subdomain=True),
    Synthesizer("unified", "Unified", "unified"),
    Synthesizer(REFERENCE, "IntraStyler", "intrastyler"),
)
SYNTHESIZERS = {synthesizer.key: synthesizer for restyled in _RESTYLED for synthesizer in (restyled, restyled.plain)}

METHODS = {
    method.key: method
    for method in (
        Method("noadapt", "NoAdapt"),
        Method("da5", "DA5", augmentation="DA5"),
        Method("gin", "GIN", augmentation="GIN"),
        *(Method(key, synthesizer.name, key) for key, synthesizer in SYNTHESIZERS.items()),
        Method("slerp", "IntraStyler + SLERP", REFERENCE, p_slerp=1.0),
        Method("balanced", "IntraStyler + balanced", REFERENCE, policy="balanced"),
        Method("offline", "Offline IntraStyler", REFERENCE, images="offline"),
        Method("oracle", "Oracle", images="oracle"),
    )
}

# What makes short trainings of small networks work (`docs/differences.md`); every case is trained on.
RECIPES = Path(__file__).with_name("recipes")
SHORT = f"--recipe {shlex.quote(str(RECIPES / 'short.json'))} --held-out 0"

SCALES = {
    # to see that everything works; the figures mean nothing
    "tiny": Scale(
        "tiny", source=4, target=20, test=1, pairs=18, pretraining=Pretraining(4, 2, SHORT),
        segmenter=Segmenter(2, 2, patch_size=(8, 32, 32), narrowing=8), styles_per_case=1, processes=2,
    ),
    # for two cores: what each stage costs stands in docs/benchmark.md
    "small": Scale(
        "small", source=40, target=60, test=16, pairs=120, pretraining=Pretraining(300, 200, SHORT),
        segmenter=Segmenter(14, 50, patch_size=(16, 64, 48)), styles_per_case=3, processes=2,
    ),
    # nnU-Net's and the paper's own lengths; for a GPU
    "full": Scale(
        "full", source=60, target=80, test=16, pairs=120,
        pretraining=Pretraining(99_000, 1000, "--preset reference --held-out 0"),
        segmenter=Segmenter(1000, 250, "nnUNetTrainerRepeatable", 50), styles_per_case=5, processes=1,
    ),
}  # fmt: skip


def chosen_methods(keys: list[str] | None, own_data: bool) -> list[Method]:
    """The methods with these keys in the order of METHODS; none given: all that the data allow.

    Raises:
        InputError: an unknown key; of one's own data, an Oracle, since target images have no labels to train on.
    """
    possible = [method for method in METHODS.values() if not (own_data and method.images == "oracle")]
    for key in keys or ():
        if key not in METHODS:
            raise InputError(f"method {key!r} is not known, expected some of {', '.join(METHODS)}")
        if METHODS[key] not in possible:
            raise InputError(f"method {key!r} is for simulated images only, expected another with --dataset")
    return [method for method in possible if keys is None or method.key in keys]
