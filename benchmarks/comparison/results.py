"""The result file: JSON lines, complete at any moment."""

import json
from pathlib import Path

from benchmarks.comparison.plan import Method
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import written_atomically


class NoResult(InputError):
    """A method that has no result here, for a reason that the page states; the benchmark goes on without it."""


class Results:
    """Rows of several tables: comparison, segmentation, skipped, synthesis, cost, run."""

    def __init__(self, path: Path):
        self.path = path

    def rows(self, table: str) -> list[dict]:
        """The rows of a table in the order they came."""
        return [row for row in self._read() if row["table"] == table]

    def hold(self, method: Method, seed: int) -> bool:
        """Whether the method's run of this seed has ended."""
        return any(row["seed"] == seed and method.key in row["methods"] for row in self.rows("run"))

    def put(self, rows: list[dict], **keys) -> None:
        """Add `rows` with these `keys` in place of those there that have the same keys."""
        kept = [row for row in self._read() if any(row.get(name) != value for name, value in keys.items())]
        with written_atomically(self.path) as temporary:
            temporary.write_text("".join(f"{json.dumps(row)}\n" for row in [*kept, *(keys | row for row in rows)]))

    def _read(self) -> list[dict]:
        try:
            return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.is_file() else []
        except ValueError:
            raise InputError(f"{self.path}: not a complete result file, expected a JSON object in every line") from None
