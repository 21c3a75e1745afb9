"""Packages; everything else is in pyproject.toml.

`trainers/` and `pretrained/` stay visible at the top of the repository and are installed inside the package,
so that `intrastyler trainer-path` works after a plain `pip install`.
"""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["intrastyler_nnunet*"]),
        "intrastyler_nnunet.trainers",
        "intrastyler_nnunet.pretrained",
    ],
    package_dir={"intrastyler_nnunet.trainers": "trainers", "intrastyler_nnunet.pretrained": "pretrained"},
    package_data={
        "intrastyler_nnunet.simulation": ["data/*"],
        "intrastyler_nnunet.pretraining": ["recipes/*.json"],
        "intrastyler_nnunet.report": ["templates/*"],
        "intrastyler_nnunet.pretrained": ["*.safetensors", "*.md", "*.json"],
    },
)
