"""Labels of CrossMoDA 2023, from the organisers' submission container, and names of a submission's files."""

EXTRA_MEATAL, INTRA_MEATAL, COCHLEA = 1, 2, 3
VALUES = (0, EXTRA_MEATAL, INTRA_MEATAL, COCHLEA)

ARCHIVE_PATTERN = "{case}_Label.nii.gz"  # unconfirmed: no official description was found
