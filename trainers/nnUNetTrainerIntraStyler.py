"""Found by nnU-Net through nnUNet_extTrainer; the class lives in the package, where it can be pickled."""
