"""Named variants of the trainer, for nnU-Net's habit of choosing by class name."""

from dataclasses import replace

from intrastyler_nnunet.nnunet.repeatable import RepeatableTraining
from intrastyler_nnunet.nnunet.settings import TrainerSettings
from intrastyler_nnunet.nnunet.short_training import nnUNetTrainerShort
from intrastyler_nnunet.nnunet.trainer import nnUNetTrainerIntraStyler


class nnUNetTrainerIntraStylerNoTranslation(nnUNetTrainerIntraStyler):
    """The NoAdapt baseline: source images as they are, everything else as in `nnUNetTrainerIntraStyler`."""

    def choose_settings(self) -> TrainerSettings:
        return replace(super().choose_settings(), p_translate=0.0)


class nnUNetTrainerIntraStylerSlerp(nnUNetTrainerIntraStyler):
    """Styles between two exemplars (SLERP): for few exemplars, or scanners between those that are known."""

    def choose_settings(self) -> TrainerSettings:
        return replace(super().choose_settings(), p_slerp=1.0)


class nnUNetTrainerIntraStylerBalanced(nnUNetTrainerIntraStyler):
    """Every cluster of styles counts the same: for target sets in which some scanners are rare."""

    def choose_settings(self) -> TrainerSettings:
        return replace(super().choose_settings(), policy="balanced")


class nnUNetTrainerIntraStylerShort(RepeatableTraining, nnUNetTrainerIntraStyler, nnUNetTrainerShort):
    """For trainings of minutes, the same every time; see `nnUNetTrainerShort`."""


class nnUNetTrainerIntraStylerNoTranslationShort(
    RepeatableTraining, nnUNetTrainerIntraStylerNoTranslation, nnUNetTrainerShort
):
    """The NoAdapt baseline of `nnUNetTrainerIntraStylerShort`."""


def _with_epochs(epochs: int) -> type[nnUNetTrainerIntraStyler]:
    def choose_settings(self) -> TrainerSettings:
        return replace(nnUNetTrainerIntraStyler.choose_settings(self), num_epochs=epochs)

    name = f"{nnUNetTrainerIntraStyler.__name__}_{epochs}epoch{'s' if epochs > 1 else ''}"
    members = {"choose_settings": choose_settings, "__module__": __name__, "__doc__": f"{epochs} epochs."}
    return type(name, (nnUNetTrainerIntraStyler,), members)


# The lengths that nnU-Net has trainers for, e.g. nnUNetTrainerIntraStyler_250epochs.
EPOCH_VARIANTS = {
    variant.__name__: variant for variant in map(_with_epochs, (1, 5, 10, 20, 50, 100, 250, 500, 750, 2000, 4000, 8000))
}
globals().update(EPOCH_VARIANTS)
