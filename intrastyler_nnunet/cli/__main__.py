"""`python -m intrastyler_nnunet.cli`: the command line for `torchrun`, which starts modules, not commands."""

from intrastyler_nnunet.cli import main

if __name__ == "__main__":
    main()
