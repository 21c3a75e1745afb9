"""`intrastyler demo` of the smallest size: `python tiny_demo.py FOLDER`."""

import sys
from pathlib import Path

from intrastyler_nnunet.demo.run_demo import run_demo
from intrastyler_nnunet.demo.stages import TINY

if __name__ == "__main__":
    run_demo(Path(sys.argv[1]), "cpu", 7, TINY)
