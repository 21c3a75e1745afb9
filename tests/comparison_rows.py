"""Result rows made by hand."""


def row(method: str, test_set: str, case: str, dice: tuple[float, ...], seed: int = 0, assd: float = 1.0) -> dict:
    """A row of table "segmentation" with these Dice scores; a Dice of 0 is a missed structure."""
    names = ("extra_meatal", "intra_meatal", "cochlea")
    return {
        "table": "segmentation", "method": method, "test_set": test_set, "case": case, "seed": seed,
        "structures": {
            name: {"dice": value, "assd": assd if value else 350.0, "penalised": not value}
            for name, value in zip(names, dice, strict=True)
        },
        "boundary": {"assd": 2 * assd, "penalised": False},
    }  # fmt: skip
