"""Any trainer on translations: `with_intrastyler(nnUNetTrainerDA5)`, or `-tr nnUNetTrainerIntraStylerDA5`."""

from functools import cache
from pathlib import Path

import nnunetv2
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.find_class_by_name import recursive_find_python_class

from intrastyler_nnunet.nnunet.trainer import TrainingOnTranslations, nnUNetTrainerIntraStyler

STOCK, OURS = nnUNetTrainer.__name__, nnUNetTrainerIntraStyler.__name__


@cache
def with_intrastyler(base: type[nnUNetTrainer]) -> type[nnUNetTrainer]:
    """A subclass of `base` that trains on translated source images.

    Its name is that of `nnUNetTrainerIntraStyler` with what follows `nnUNetTrainer` in the base's, or with an
    underscore and the whole name of a base that begins otherwise: nnUNetTrainerIntraStylerDA5,
    nnUNetTrainerIntraStyler_nnUNet_Primus_S_Trainer.

    Args:
        base: any trainer, of nnU-Net or one's own.
    """
    if base is nnUNetTrainer:
        return nnUNetTrainerIntraStyler
    name = base.__name__
    members = {"__module__": __name__, "__doc__": f"{name}, trained on translated source images."}
    suffix = name.removeprefix(STOCK) if name.startswith(STOCK) else f"_{name}"
    return type(OURS + suffix, (TrainingOnTranslations, base), members)


def __getattr__(name: str) -> type[nnUNetTrainer]:
    """`with_intrastyler` of the trainer of nnU-Net that the name tells; nnU-Net looks for trainers by name."""
    suffix = name.removeprefix(OURS)
    if suffix and suffix != name:
        for base in (STOCK + suffix, suffix.removeprefix("_")):
            found = stock_trainer(base)
            if found is not None and with_intrastyler(found).__name__ == name:
                return with_intrastyler(found)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def stock_trainer(name: str) -> type[nnUNetTrainer] | None:
    """The trainer of this name in nnU-Net's own package."""
    folder = Path(nnunetv2.__path__[0]) / "training" / "nnUNetTrainer"
    found = recursive_find_python_class(str(folder), name, "nnunetv2.training.nnUNetTrainer")
    return found if isinstance(found, type) and issubclass(found, nnUNetTrainer) else None
