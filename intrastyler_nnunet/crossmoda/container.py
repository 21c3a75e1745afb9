"""A folder to build the submission's container from."""

import shutil
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import intrastyler_nnunet
from intrastyler_nnunet.crossmoda.container_entry import REGION_FILE, require_model
from intrastyler_nnunet.crossmoda.prepare import read_record
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import write_json, written_atomically

PACKAGES = (
    "torch", "nnunetv2", "SimpleITK", "nibabel", "safetensors", "scikit-learn", "matplotlib", "tqdm", "pydantic",
)  # fmt: skip
# /input and /output are the organisers'; that nothing is downloaded and that the user is not root are our own caution.
DOCKERFILE = """\
FROM python:3.11-slim
RUN pip install --no-cache-dir {packages}
COPY intrastyler_nnunet /app/intrastyler_nnunet
COPY model /app/model
ENV PYTHONPATH=/app HOME=/tmp nnUNet_raw=/tmp nnUNet_preprocessed=/tmp nnUNet_results=/tmp MPLCONFIGDIR=/tmp
USER 1000:1000
ENTRYPOINT ["python", "-m", "intrastyler_nnunet.crossmoda.container_entry", "/input", "/output", "/app/model"]
"""


def write_context(model: Path, geometry: Path, output: Path) -> None:
    """Write Dockerfile, package and model to a new folder.

    Args:
        model: folder of a trained model, nnUNet_results/DatasetXXX/TRAINER__PLANS__CONFIGURATION.
        geometry: folder of the records that `prepare` wrote for its training images.
        output: folder to write; must not exist.

    Raises:
        InputError: no final checkpoint, no plans, no record, or the folder exists.
    """
    folds = sorted(path.parent for path in model.glob("fold_*/checkpoint_final.pth"))
    if not folds:
        raise InputError(f"{model}: no fold_*/checkpoint_final.pth, expected a folder of a trained model")
    require_model(model)
    records = sorted(geometry.glob("*.json"))
    if not records:
        raise InputError(f"{geometry}: no record, expected the folder that prepare wrote")
    region = read_record(records[0]).settings.region
    if output.exists():
        raise InputError(f"{output}: exists, expected a new folder")
    with written_atomically(output) as unfinished:
        for fold in folds:
            (unfinished / "model" / fold.name).mkdir(parents=True)
            shutil.copy(fold / "checkpoint_final.pth", unfinished / "model" / fold.name)
        for name in ("plans.json", "dataset.json"):
            shutil.copy(model / name, unfinished / "model")
        write_json(asdict(region), unfinished / "model" / REGION_FILE)
        package = Path(intrastyler_nnunet.__file__).parent
        shutil.copytree(package, unfinished / package.name, ignore=shutil.ignore_patterns("__pycache__"))
        packages = " ".join(f"{name}=={version(name).split('+')[0]}" for name in PACKAGES)
        (unfinished / "Dockerfile").write_text(DOCKERFILE.format(packages=packages))
