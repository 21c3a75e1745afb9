"""The `intrastyler` command: one module of this package per sub-command.

A sub-command module has `HELP` (one line), `add_arguments(parser)` and `run(arguments)`; it imports what is heavy
inside these, and only the command that is given declares its arguments, so that `intrastyler --help` answers at once.
"""

import argparse
import sys
from importlib import import_module

from intrastyler_nnunet.cli.options import OneLineParser
from intrastyler_nnunet.errors import one_line_errors

COMMANDS = (
    "demo", "simulate", "add-target", "pretrain", "translate", "synthesize", "embed", "coverage", "adapt", "choose",
    "report", "evaluate", "crossmoda", "import-upstream", "export", "trainer-path",
)  # fmt: skip


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser of the command line, with the arguments of one command, or of all."""
    parser = OneLineParser(prog="intrastyler", description="Exemplar-based style synthesis for nnU-Net v2.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = import_module(f"intrastyler_nnunet.cli.{name.replace('-', '_')}")
        subparser = subparsers.add_parser(
            name, help=module.HELP, description=module.HELP, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        if command in (None, name):
            module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    return parser


def main(argv: list[str] | None = None) -> None:
    """Entry point of `intrastyler`. Bad input ends it with code 2 and one line, see `one_line_errors`."""
    argv = sys.argv[1:] if argv is None else argv
    with one_line_errors(" ".join(["intrastyler", *argv[:1]])):
        arguments = build_parser(next(iter(argv), "")).parse_args(argv, argparse.Namespace(command_line=argv[1:]))
        arguments.run(arguments)
