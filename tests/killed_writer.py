"""What a process leaves that is killed while it writes a file."""

import signal
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, signal, sys
from pathlib import Path
from intrastyler_nnunet.files import written_atomically
with written_atomically(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def leave_half_written(path: Path) -> Path:
    """Let a process be killed while it writes `path`; returns the file that it leaves."""
    assert subprocess.run([sys.executable, "-c", PROGRAM, str(path)]).returncode == -signal.SIGKILL
    (half,) = path.parent.glob(f".writing-*/{path.name}")
    return half
