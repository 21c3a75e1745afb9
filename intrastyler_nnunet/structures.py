"""Labels of the challenge's editions, and names of a submission's files."""

from dataclasses import dataclass

from intrastyler_nnunet.errors import InputError

BACKGROUND, COCHLEA_NAME = "background", "cochlea"


@dataclass(frozen=True)
class Structures:
    """Label values of the structures that the steps treat differently."""

    tumour: dict[str, int]  # its parts, by name
    cochlea: int

    @classmethod
    def of(cls, labels: dict[str, int]) -> "Structures":
        """From nnU-Net's labels: all that is neither background nor cochlea is tumour.

        Raises InputError if no label is called cochlea.
        """
        if COCHLEA_NAME not in labels:
            raise InputError(f"found the labels {', '.join(labels)}, expected one called {COCHLEA_NAME}")
        parts = {name: value for name, value in labels.items() if name not in (BACKGROUND, COCHLEA_NAME)}
        return cls(parts, labels[COCHLEA_NAME])

    @property
    def values(self) -> tuple[int, ...]:
        """All values of a label map, background included."""
        return (0, *self.tumour.values(), self.cochlea)


# 2023 from the organisers' submission container. Until 2022 the tumour was one structure.
EARLIER_LABELS = {"background": 0, "tumour": 1, "cochlea": 2}
LABELS = {
    2021: EARLIER_LABELS,
    2022: EARLIER_LABELS,
    2023: {"background": 0, "extra_meatal": 1, "intra_meatal": 2, "cochlea": 3},
}
LATEST = 2023

ARCHIVE_PATTERN = "{case}_Label.nii.gz"  # unconfirmed: no official description was found
