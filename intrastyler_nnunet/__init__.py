"""IntraStyler for nnU-Net: exemplar-based style synthesis for cross-modality domain adaptation."""


def __getattr__(name: str):
    # Lazy, so that importing the package (as nnU-Net does for every trainer) costs nothing.
    if name == "Generator":
        from intrastyler_nnunet.networks.generator import Generator

        return Generator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
