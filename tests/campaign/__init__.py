"""Faults tried on every command, at least one of each kind: `python -m tests.campaign`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # helpers of the tests, as in conftest.py
