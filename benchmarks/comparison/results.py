"""The result file: JSON lines, complete at any moment, written to by several processes."""

import json
from pathlib import Path

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import written_atomically
from intrastyler_nnunet.locks import locked_in_turn


class Results:
    """Rows of several tables, most of a method and a seed; table "comparison" has one that says what is compared."""

    def __init__(self, path: Path):
        self.path = path

    def rows(self, table: str) -> list[dict]:
        """The rows of a table in the order they came."""
        return [row for row in self._read() if row["table"] == table]

    def hold(self, table: str, method: str, seed: int) -> bool:
        """Whether the method has rows of this seed in the table."""
        return any((row["method"], row["seed"]) == (method, seed) for row in self.rows(table))

    def put(self, rows: list[dict], **keys) -> None:
        """Add `rows` with these `keys` in place of those there that have the same keys."""
        with locked_in_turn(self.path.with_suffix(".lock")):
            kept = [row for row in self._read() if any(row.get(name) != value for name, value in keys.items())]
            with written_atomically(self.path) as temporary:
                temporary.write_text("".join(f"{json.dumps(row)}\n" for row in [*kept, *(keys | row for row in rows)]))

    def start(self, description: dict) -> None:
        """Say what is compared, in words that JSON keeps as they are; of results that are there, check it.

        Raises:
            InputError: the results are of another comparison.
        """
        self.require(description)
        if not self.rows("comparison"):
            self.put([description], table="comparison")

    def require(self, description: dict) -> None:
        """Raise InputError if the results that are there are of another comparison."""
        for held in self.rows("comparison"):
            for name, value in description.items():
                if held.get(name) != value:
                    raise InputError(f"{self.path}: found results with {name} {held.get(name)}, expected {value}")

    def _read(self) -> list[dict]:
        try:
            return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.is_file() else []
        except ValueError:
            raise InputError(f"{self.path}: not a complete result file, expected a JSON object in every line") from None
