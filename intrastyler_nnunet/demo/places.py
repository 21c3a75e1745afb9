"""What the demo's data set and trainings are called, and where everything lies."""

from dataclasses import dataclass
from pathlib import Path

DATASET, NAME, PLANS = "990", "Dataset990_SimCrossMoDA", "nnUNetPlans"
CONFIGURATION, BASE_CONFIGURATION = "3d_demo", "3d_fullres"
TRAINERS = {
    "NoAdapt": "nnUNetTrainerIntraStylerNoTranslationShort", "IntraStyler": "nnUNetTrainerIntraStylerShort",
}  # fmt: skip


@dataclass(frozen=True)
class DemoPlaces:
    """Paths below the demo's folder."""

    folder: Path

    @property
    def raw(self) -> Path:
        """The simulated images."""
        return self.folder / "nnUNet_raw" / NAME

    @property
    def tests(self) -> Path:
        """The target images to predict."""
        return self.raw / "imagesTs"

    @property
    def preprocessed(self) -> Path:
        """What nnU-Net makes of the images, and its plans."""
        return self.folder / "nnUNet_preprocessed" / NAME

    @property
    def settings(self) -> Path:
        """The trainer's settings."""
        return self.folder / "training.json"

    @property
    def look(self) -> Path:
        """Translations and predictions of the first picture."""
        return self.folder / "look"

    @property
    def picture(self) -> Path:
        """The first picture."""
        return self.folder / "look.png"

    @property
    def panel(self) -> Path:
        """The picture of what was trained."""
        return self.folder / "panel.png"

    @property
    def summary(self) -> Path:
        """Minutes and scores."""
        return self.folder / "summary.json"

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / "report.html"

    def model(self, method: str) -> Path:
        """nnU-Net's folder of a trained model."""
        return self.folder / "nnUNet_results" / NAME / f"{TRAINERS[method]}__{PLANS}__{CONFIGURATION}"

    def predictions(self, method: str) -> Path:
        """What that model makes of the test images."""
        return self.folder / "predictions" / method

    def log(self, method: str) -> Path:
        """What nnU-Net says meanwhile."""
        return self.folder / "logs" / f"{method}.txt"
