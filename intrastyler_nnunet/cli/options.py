"""Numbers, folders and devices on the command line: what cannot be is refused in one line, before anything is read."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from intrastyler_nnunet.devices import DEVICES
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.workers import Part


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line: the usage of a command with many options would hide them."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """A type of argument: a whole number from `least` to `most`; None: without limit."""
    limits = f"a whole number, {least} or more" if most is None else f"a whole number from {least} to {most}"

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or value < least or (most is not None and value > most):
            raise argparse.ArgumentTypeError(f"found {text}, expected {limits}")
        return value

    return read


def number(
    limits: str, within: Callable[[float], bool] = lambda value: True, kind: type[int] | type[float] = float
) -> Callable[[str], float]:
    """A type of argument: a finite number of a kind, `within` the limits that are described."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and within(value)):
            raise argparse.ArgumentTypeError(f"found {text}, expected {limits}")
        return value

    return read


FINITE = number("a finite number")
NOT_NEGATIVE = number("a finite number, 0 or more", lambda value: value >= 0)
POSITIVE = number("a finite number, more than 0", lambda value: value > 0)
SHARE = number("a number from 0 to 1", lambda value: 0 <= value <= 1)
DATASET_ID = whole_number(1, 999)  # of nnU-Net
SEED = whole_number(0, 2**32 - 1)  # of NumPy, torch and scikit-learn alike


def existing_folder(text: str) -> Path:
    """A type of argument: a folder that is there."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text}: no such folder")
    return Path(text)


def add_device(parser, purpose: str) -> None:
    """The option `-device` of a parser or group of options; `devices.chosen_device` makes a device of it."""
    parser.add_argument(
        "-device", default=None, choices=DEVICES,
        help=f"where {purpose}; none given: the first of these that this machine has",
    )  # fmt: skip


def add_parts(parser) -> None:
    """The options `-num_parts` and `-part_id`, as nnUNetv2_predict has them; `part_of` reads them."""
    parser.add_argument(
        "-num_parts", type=whole_number(1), default=1, metavar="N",
        help="share the work between so many processes or machines, which each get a number of their own",
    )  # fmt: skip
    parser.add_argument(
        "-part_id", type=whole_number(0), default=0, metavar="I", help="number of this part, from 0 to N - 1"
    )


def part_of(arguments: argparse.Namespace) -> Part:
    """This part of the work. Raises InputError if there is none of its number."""
    number, count = arguments.part_id, arguments.num_parts
    if number >= count:
        raise InputError(f"-part_id is {number} with -num_parts {count}, expected 0 to {count - 1}")
    return Part(number, count)


def add_processes(parser, help: str, default: int | None = None, least: int = 1) -> None:
    """The option `-np` of a parser or group of options."""
    parser.add_argument("-np", dest="processes", type=whole_number(least), default=default, help=help)
