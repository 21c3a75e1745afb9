"""IntraStyler for nnU-Net: exemplar-based style synthesis for cross-modality domain adaptation."""

from importlib import import_module

# Lazy, so that importing the package (as nnU-Net does for every trainer) costs nothing.
_PLACES = {
    "Generator": "model.generator",
    "StyleBank": "styles.bank",
    "Translator": "translation.translator",
    "intensity_window": "translation.windows",
    "slerp": "styles.slerp",
    "with_intrastyler": "nnunet.any_trainer",
}


def __getattr__(name: str):
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
