"""One seed of the benchmark: its numbers, and where it keeps what."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.comparison.own_data import OwnData
from benchmarks.comparison.plan import Method, Scale, Synthesizer
from intrastyler_nnunet.demo.stages import MEMORY
from intrastyler_nnunet.nnunet.settings import GENERATOR_FILE, GENERATOR_VARIABLE, SETTINGS_VARIABLE
from intrastyler_nnunet.shipped import trainers_folder

SIMULATED = "Dataset990_SimCrossMoDA"
ORACLE = "Dataset991_SimCrossMoDAOracle"
PLANS, BASE_CONFIGURATION = "nnUNetPlans", "3d_fullres"
THREADS = "1"  # unless OMP_NUM_THREADS says otherwise; two trainings of two threads on two cores take ten times as long
REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Run:
    """One seed: of the simulation, of every pretraining and of every nnU-Net training."""

    folder: Path
    seed: int
    scale: Scale
    device: str
    own_data: OwnData | None = None

    @property
    def dataset(self) -> str:
        """DatasetXXX_Name with the source and target images."""
        return self.own_data.dataset if self.own_data else SIMULATED

    @property
    def number(self) -> int:
        """Its id."""
        return int(self.dataset.removeprefix("Dataset").split("_")[0])

    @property
    def offline_number(self) -> int:
        """Id of the data set of translated images."""
        return 989 if self.number != 989 else 988

    @property
    def configuration(self) -> str:
        """nnU-Net's configuration that segmenters are trained with."""
        return BASE_CONFIGURATION if self.scale.segmenter.patch_size is None else "3d_benchmark"

    def trainer(self, method: Method) -> str:
        """Class of nnU-Net trainer that a method's segmenter is trained by."""
        return self.scale.segmenter.trainer + method.augmentation

    def dataset_of(self, method: Method) -> str:
        """DatasetXXX_Name that a method's segmenter is trained on."""
        name = self.dataset.split("_", 1)[1]
        return {
            "source": self.dataset, "offline": f"Dataset{self.offline_number:03d}_{name}Translated", "oracle": ORACLE,
        }[method.images]  # fmt: skip

    @property
    def raw(self) -> Path:
        return self.folder / "nnUNet_raw" / self.dataset

    @property
    def preprocessed(self) -> Path:
        return self.folder / "nnUNet_preprocessed" / self.dataset

    @property
    def tests(self) -> Path:
        """Folder with imagesTs, labelsTs and, of simulated data, test_sets.json: the same for all seeds."""
        return self.own_data.tests if self.own_data else self.folder.parent / "tests"

    def synthesizer(self, synthesizer: Synthesizer, subdomain: str | None = None) -> Path:
        """Folder of a pretraining."""
        return self.folder / "synthesizers" / "-".join(filter(None, (synthesizer.key, subdomain)))

    def generator(self, synthesizer: Synthesizer, subdomain: str | None = None) -> Path:
        """File of a generator."""
        return self.synthesizer(synthesizer, subdomain) / GENERATOR_FILE

    def settings(self, method: Method) -> Path:
        """The trainer's settings file of a method."""
        return self.folder / "settings" / f"{method.key}.json"

    def models(self, method: Method) -> Path:
        """The method's own nnUNet_results."""
        return self.folder / "models" / method.key

    def predictions(self, method: Method) -> Path:
        """Folder of a method's label maps of the test images."""
        return self.folder / "predictions" / method.key

    @contextmanager
    def environment(self, method: Method | None = None, **more: str) -> Iterator[None]:
        """nnU-Net's and the trainer's variables, and `more`, within the block; each method has results of its own."""
        variables = {
            "nnUNet_raw": self.folder / "nnUNet_raw",
            "nnUNet_preprocessed": self.folder / "nnUNet_preprocessed",
            "nnUNet_results": self.models(method) if method else self.folder / "models",
            "nnUNet_extTrainer": os.pathsep.join((str(Path(__file__).parent / "trainers"), str(trainers_folder()))),
            "nnUNet_compile": "f",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH")))),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", THREADS),
            **MEMORY,
            **more,
        }
        if method:
            variables[SETTINGS_VARIABLE] = self.settings(method)
        before = dict(os.environ)
        os.environ.pop(GENERATOR_VARIABLE, None)  # it would go before the settings'
        os.environ.update({name: str(value) for name, value in variables.items()})
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
