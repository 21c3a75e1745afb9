"""`torchrun ... -m intrastyler_nnunet.synthesis`: `intrastyler pretrain` as one process of many, for clusters."""

import sys

from intrastyler_nnunet.cli import main

if __name__ == "__main__":
    main(["pretrain", *sys.argv[1:]])
