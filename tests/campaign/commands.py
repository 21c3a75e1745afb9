"""Every command as it is run on sound input, and which files of each kind it reads."""

from dataclasses import dataclass

RAW, PREPROCESSED = "nnUNet_raw/Dataset998_Tiny", "nnUNet_preprocessed/Dataset998_Tiny"
CASES = f"{PREPROCESSED}/nnUNetPlans_3d_fullres"
WINDOWS = f"{CASES}_intensity_windows.json"
TARGET_WINDOWS = f"{CASES}_target_intensity_windows.json"
DESCRIPTIONS = (f"{PREPROCESSED}/dataset.json", f"{PREPROCESSED}/nnUNetPlans.json")
SPACE = "-d 998 -c tiny -device cpu -g generator.safetensors -i new"
RUN = "pretrain -d 998 -c tiny -device cpu --preset mini --style-warmup 1 --iterations 2 --patch-size 8 16 16 -np 0"
TRANSLATE = "translate -device cpu -o out.nii.gz -g"
REGION = "--spacing 2 2 3 --size 48 20 8 -np 1"


@dataclass(frozen=True)
class Command:
    """Arguments, and paths of what is read."""

    arguments: str
    images: tuple[str, ...] = ()
    label_maps: tuple[str, ...] = ()
    json: tuple[str, ...] = ()
    tensors: tuple[str, ...] = ()  # generators, banks, checkpoints and other binary files


def commands(download: dict[str, str]) -> dict[str, Command]:
    """All commands that read files.

    Args:
        download: paths of a source image, its label map and a target image of the simulated download.
    """
    new = "new/target_1_0000.nii.gz"
    exemplar_space = {"json": (*DESCRIPTIONS, TARGET_WINDOWS), "tensors": ("generator.safetensors",)}
    return {
        "add-target": Command(
            "add-target -d 998 -c tiny -np 1", (f"{RAW}/imagesTarget/target_1_0000.nii.gz",),
            json=(*DESCRIPTIONS, WINDOWS, TARGET_WINDOWS),
        ),
        "pretrain": Command(
            f"{RUN} -o run2", json=(*DESCRIPTIONS, WINDOWS, TARGET_WINDOWS),
            tensors=tuple(f"{CASES}{name}" for name in ("/source_1.b2nd", "/source_1.pkl", "_target/target_1.b2nd",
                                                        "/source_1_seg.b2nd")),
        ),
        "pretrain again": Command(
            f"{RUN} -o run", tensors=("run/checkpoint.pt",),
        ),
        "pretrain -pretrained_weights": Command(
            f"{RUN} -o run2 -pretrained_weights run/generator.safetensors", tensors=("run/generator.safetensors",),
        ),
        "translate": Command(
            f"{TRANSLATE} generator.safetensors -i images/a_T2.nii.gz --style x", ("images/a_T2.nii.gz",),
            tensors=("generator.safetensors", "style_bank.safetensors"),
        ),
        "translate --exemplar": Command(
            f"{TRANSLATE} generator.safetensors -i images/a_T2.nii.gz --exemplar exemplar.nii.gz",
            ("exemplar.nii.gz",), tensors=("generator.safetensors",),
        ),
        "translate a folder": Command(
            "translate -device cpu -o out -g generator.safetensors -i images --style x y", ("images/b_T2.nii.gz",),
        ),
        "translate --labels": Command(
            f"{TRANSLATE} hinted.safetensors -i images/a_T2.nii.gz --labels hints/a_T2.nii.gz --style x",
            ("images/a_T2.nii.gz",), ("hints/a_T2.nii.gz",), tensors=("hinted.safetensors",),
        ),
        "synthesize": Command(
            "synthesize -d 998 -c tiny -device cpu -o 997 -g generator.safetensors --styles-per-case 1",
            json=(*DESCRIPTIONS, TARGET_WINDOWS),
            tensors=("generator.safetensors", f"{CASES}/source_1.b2nd", f"{CASES}/source_1.pkl",
                     f"{CASES}/source_1_seg.b2nd", f"{CASES}_target/target_1.b2nd"),
        ),
        "embed": Command(f"embed {SPACE} -o styles", (new,), **exemplar_space),
        "coverage": Command(f"coverage {SPACE} -o found.json", (new,), **exemplar_space),
        "report": Command(f"report {SPACE} -o page.html", (new,), **exemplar_space),
        "evaluate": Command(
            "evaluate -p labels -g truth -np 1 -o scores.json", label_maps=("labels/a.nii.gz", "truth/a.nii.gz"),
            json=("dataset.json",),
        ),
        "crossmoda score": Command(
            "crossmoda score -p labels -g truth -np 1 -o scores.json", label_maps=("labels/a.nii.gz",),
        ),
        "crossmoda prepare": Command(
            f"crossmoda prepare -i download -d 991 {REGION}", (download["source"], download["target"]),
            (download["labels"],),
        ),
        "crossmoda localise": Command(
            "crossmoda localise -i download -o found -np 1", (download["target"],),
        ),
        "crossmoda restore": Command(
            "crossmoda restore -i labels -r geometry -o restored", label_maps=("labels/a.nii.gz",),
            json=("geometry/a.json",),
        ),
        "crossmoda postprocess": Command(
            "crossmoda postprocess -i labels -o cleaned", label_maps=("labels/a.nii.gz",),
        ),
        "crossmoda pseudo-label": Command(
            "crossmoda pseudo-label -i predictions -d 998 -c tiny -o list.json --coverage coverage.json",
            (f"{RAW}/imagesTarget/target_1_0000.nii.gz",), ("predictions/target_1.nii.gz",),
            (*DESCRIPTIONS, "coverage.json"),
        ),
        "crossmoda submit": Command(
            "crossmoda submit -i labels -r images -o archive.zip", ("images/a_T2.nii.gz",), ("labels/a.nii.gz",),
        ),
        "crossmoda container": Command(
            "crossmoda container -m model -r geometry -o context", json=("geometry/a.json", "model/plans.json",
                                                                        "model/dataset.json"),
        ),
        "crossmoda rank": Command("crossmoda rank team.json rival.json", json=("team.json",)),
        "import-upstream": Command(
            "import-upstream latest_net_G.pth -o imported.safetensors", tensors=("latest_net_G.pth",),
        ),
        "export": Command(
            "export -g generator.safetensors --to-upstream weights.pth", tensors=("generator.safetensors",),
        ),
    }  # fmt: skip
