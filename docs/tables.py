"""The tables of docs/pretraining.md, made from the configuration of the pretraining.

python docs/tables.py
"""

from dataclasses import fields
from pathlib import Path

from intrastyler_nnunet.objective.config import PretrainingConfig
from intrastyler_nnunet.objective.options import options_of
from intrastyler_nnunet.objective.terms import TERMS, WEIGHT

PAGE = Path(__file__).with_name("pretraining.md")
TEXT = """# The pretraining: terms and options

Made by `python docs/tables.py`. `intrastyler pretrain --help` says the same, and has what depends on the data set
(`--label-hint`, `--tumour-level`, `--cochlea-level`) or the machine. How they differ from the paper and why:
[differences](differences.md).

## Terms of the objective

The loss is the sum of the terms, each times its weight. A term without weight is not computed. `--schedule
TERM=PROGRESS:WEIGHT,...` lets the weight of any of them change in the course of the training.

{terms}

## Other options

{options}
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page())


def page() -> str:
    """What docs/pretraining.md has to say."""
    terms, others = ["| term | option | default | what it does, and when to change it |", "|---|---|---|---|"], [
        "| option | default | what it does, and when to change it |", "|---|---|---|",
    ]  # fmt: skip
    options = options_of(PretrainingConfig)
    for field in (f for f in fields(PretrainingConfig) if f.name in options):
        option = options[field.name]
        flag = f"`{option.flag(field.name)}`" if option.group else "none"
        default = "none" if field.default is None else field.default
        row = f"{flag} | {default} | {option.help.replace('|', '/')} |"
        if field.name.removeprefix(WEIGHT) in TERMS:
            terms.append(f"| {field.name.removeprefix(WEIGHT)} | {row}")
        else:
            others.append(f"| {row}")
    return TEXT.format(terms="\n".join(terms), options="\n".join(others))


if __name__ == "__main__":
    main()
