"""Result rows made by hand."""


def row(method: str, test_set: str, case: str, dice: tuple[float, ...], seed: int = 0, assd: float = 1.0) -> dict:
    """A row of table "segmentation" with these Dice scores; a Dice of 0 is a missed structure."""
    names = ("extra_meatal", "intra_meatal", "cochlea")
    return {
        "table": "segmentation", "method": method, "test_set": test_set, "case": case, "seed": seed,
        "structures": {
            name: {"dice": value, "assd": assd if value else 350.0, "penalised": not value}
            for name, value in zip(names, dice, strict=False)
        },
        "boundary": {"assd": 2 * assd, "penalised": False},
    }  # fmt: skip


def judged_row(method: str, seed: int, style: float, error: float) -> dict:
    """A row of table "translations" with these measures in every sub-dataset."""
    names = ("csf", "brain", "tumour", "bone", "noise", "blur")
    styles = {name: dict.fromkeys(names, style) for name in ("slope", "offset", "within_r")}
    part = {"error": error, "error_structures": 2 * error, "orders_right": 0.5, **styles}
    return {"table": "translations", "method": method, "seed": seed, "judged": {"all": part, "target_m": part}}
