"""What a field of a configuration tells about itself: command line, help, checks and docs are made from it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from intrastyler_nnunet.errors import InputError


@dataclass(frozen=True)
class Range:
    """The numbers that an option may have."""

    words: str  # after "expected"
    excludes: Callable[[float], bool]


NOT_NEGATIVE = Range("0 or more", lambda number: number < 0)
PROBABILITY = Range("from 0 to 1", lambda number: not 0 <= number <= 1)
POSITIVE = Range("more than 0", lambda number: number <= 0)
AT_LEAST_ONE = Range("at least 1", lambda number: number < 1)
SEED = Range("from 0 to 4294967295", lambda number: not 0 <= number < 2**32)  # of NumPy and torch alike


@dataclass(frozen=True)
class Option:
    """One field of a configuration, as people set it."""

    help: str  # what it does, and when to change it
    group: str | None = None  # of the command line's help; None: not an option of the command line
    short_flag: str | None = None  # with one dash, where nnU-Net has it so
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    range: Range | None = None

    def flag(self, name: str) -> str:
        """How the command line calls the field of this name."""
        return self.short_flag or f"--{name.replace('_', '-')}"


def option(default: Any, help: str, *, metadata: dict | None = None, **details: Any) -> Any:
    """A dataclass field with an `Option`, made of `help` and `details`, and `metadata` of its owner."""
    return field(default=default, metadata={"option": Option(help, **details), **(metadata or {})})


def options_of(configuration: type) -> dict[str, Option]:
    """The options among the fields of a dataclass, by name."""
    return {f.name: f.metadata["option"] for f in fields(configuration) if "option" in f.metadata}


def check_options(configuration: Any) -> None:
    """Raise InputError for the first option whose value is NaN, infinite, none of its choices or out of range."""
    for name, found in options_of(type(configuration)).items():
        value, words = getattr(configuration, name), name.replace("_", " ")
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{words} is {value}, expected a finite number")
        if found.choices and value not in found.choices:
            raise InputError(f"{words} {value!r}, expected one of {', '.join(found.choices)}")
        if found.range and found.range.excludes(value):
            raise InputError(f"{words} is {value}, expected {found.range.words}")
