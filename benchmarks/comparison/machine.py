"""What a benchmark ran on."""

import os
import platform
from pathlib import Path

import torch

from benchmarks.comparison.run import THREADS


def machine(device: str) -> dict[str, str]:
    """Hardware and software, for the result file."""
    threads = os.environ.get("OMP_NUM_THREADS", THREADS)
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, {threads} threads, {device}",
        "software": f"Python {platform.python_version()}, PyTorch {torch.__version__}",
    }


def _processor() -> str:
    """Its name, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
