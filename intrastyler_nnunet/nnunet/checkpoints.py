"""What a checkpoint says of its training, and the name under which a stock installation predicts with it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from importlib.metadata import files
from typing import BinaryIO

from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import written_atomically
from intrastyler_nnunet.nnunet.exemplar_translation import ExemplarTranslation
from intrastyler_nnunet.nnunet.settings import ResolvedSettings

STOCK = "nnunetv2"
LOWEST_VERSION = (2, 7)  # earlier ones label padding as background, not -1
ENTRY = "intrastyler"  # of a checkpoint's "init_args", which nnU-Net keeps and does not look into


def check_version(found: str) -> None:
    """Raise InputError if this version of nnU-Net marks padding in another way than the trainer reads it."""
    if tuple(int(part) for part in found.split(".")[:2]) < LOWEST_VERSION:
        expected = ".".join(map(str, LOWEST_VERSION))
        raise InputError(f"nnU-Net {found} labels padding as background, expected {expected} or later")


def check_order(trainer: type, ours: type) -> None:
    """Raise InputError if a trainer of nnU-Net comes before `ours` in a class's inheritance, and so replaces it."""
    for base in trainer.__mro__[: trainer.__mro__.index(ours)]:
        if _is_stock(base):
            raise InputError(
                f"class {trainer.__name__} has {base.__name__} before the translation, "
                f"expected the base with_intrastyler({base.__name__})"
            )


def inference_class(trainer: type) -> type:
    """The class that inference is to build the network with.

    The first of nnU-Net's own in the inheritance, which a stock installation knows; one's own class that builds
    another network has to be installed wherever it predicts.
    """
    stock = next(base for base in trainer.__mro__ if _is_stock(base))
    builder = next(base for base in trainer.__mro__ if "build_network_architecture" in vars(base))
    return stock if trainer.build_network_architecture is stock.build_network_architecture else builder


@contextmanager
def named_as(trainer: nnUNetTrainer, other: type) -> Iterator[None]:
    """Within the block the trainer's class bears the name of another."""
    own = type(trainer)
    trainer.__class__ = type(other.__name__, (own,), {})
    try:
        yield
    finally:
        trainer.__class__ = own


def write_whole(filename: str, write: Callable[[BinaryIO], None]) -> None:
    """Let `write` fill an open file, and put it in the place of `filename` when it is complete.

    An open file, because torch does not say why it cannot write to a path.

    Raises:
        InputError: the disk is full or refuses; what was there stays.
    """
    try:
        with written_atomically(filename) as temporary, temporary.open("wb") as file:
            write(file)
    except (OSError, RuntimeError) as error:
        cause = error if isinstance(error, OSError) else error.__context__  # torch may fail again in closing
        if not isinstance(cause, OSError):
            raise
        raise InputError(f"{filename}: cannot be written ({cause.strerror}), what was there stays") from None


def provenance(resolved: ResolvedSettings, translation: ExemplarTranslation | None) -> dict:
    """What a checkpoint's "init_args" say beyond nnU-Net's: resolved settings, and each generator's description.

    Returns:
        `{"intrastyler": {"settings": ..., "generators": [metadata with the recipe, ...]}}`, plain values.
    """
    translators = () if translation is None else translation.translators
    generators = [translator.generator.metadata.to_dict() for translator in translators]
    return {ENTRY: {"settings": asdict(resolved), "generators": generators}}


def _is_stock(base: type) -> bool:
    """Whether a class came with nnU-Net; people put trainers of their own into its folder, too."""
    module = base.__module__.replace(".", "/")
    own = _stock_files()
    return module.split("/")[0] == STOCK and (not own or f"{module}.py" in own)


@cache
def _stock_files() -> frozenset[str]:
    """The files that nnU-Net was installed with; none where it is installed from a checkout."""
    return frozenset(str(path) for path in files(STOCK) or () if str(path).startswith(f"{STOCK}/"))
