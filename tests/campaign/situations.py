"""All situations: each command with each damage of each file that it reads, odd options, and outputs onto inputs."""

import shlex
from collections.abc import Iterator

from . import damage
from .commands import CASES, RUN, SPACE, Command, commands
from .situation import Situation

KINDS = {  # files of a command: the damages of each, and those that leave it as good as before
    "images": (damage.FILE | damage.IMAGE | damage.NOTHING_TO_SEE, damage.HARMLESS_TO_IMAGES),
    "label_maps": (damage.FILE | damage.IMAGE | damage.LABEL_MAP, damage.HARMLESS_TO_IMAGES),
    "json": (damage.FILE | damage.JSON, damage.HARMLESS_TO_JSON),
    "tensors": (damage.FILE, {}),
}
# Sound input, with another right result: the label hint names none of these values.
OTHER_GRIDS = ("a single slice", "shifted by 3 mm", "larger voxels", "a slice less", "axes in another order")
OTHER_INPUT = {
    *(("crossmoda postprocess", fault) for fault in OTHER_GRIDS),  # there is nothing to compare with
    *((command, "numbers are texts") for command in ("synthesize", "crossmoda container")),  # labels, as nnU-Net has it
    ("crossmoda container", "without its last key"),  # dataset.json's "numTraining", which prediction does not need
    ("synthesize", "without its first key"),  # dataset.json's name, which nothing needs
    ("crossmoda prepare", "three slices"),
    ("crossmoda localise", "three slices"),
    ("crossmoda prepare", "axes in another order"),  # it has as many voxels along both
    ("translate --labels", "a label of 300"),
    ("translate --labels", "a negative label"),
}

TRANSLATE = "translate -device cpu -g generator.safetensors -i images/a_T2.nii.gz"
SYNTHESIZE = "synthesize -d 998 -c tiny -device cpu -g generator.safetensors"
OPTIONS = [  # refused: the option that the line names, and the command
    ("--seed", f"{TRANSLATE} -o out.nii.gz --random 1 --seed {{}}", ("-1", "4294967296", "1.5", "nan", "x", "")),
    ("-t", f"{TRANSLATE} -o out.nii.gz --exemplar exemplar.nii.gz --exemplar2 images/b_T2.nii.gz -t {{}}",
     ("5", "-0.1", "nan", "inf", "x")),
    ("--slab", f"{TRANSLATE} -o out.nii.gz --style x --slab {{}}", ("0", "-1", "nan", "1e3")),
    ("--random", f"{TRANSLATE} -o out --random {{}}", ("0", "-1", "nan")),
    ("random styles", f"{TRANSLATE} -o out --random {{}}", ("3", "1000000")),
    ("exemplar", f"{TRANSLATE} -o out.nii.gz --style {{}}", ("z", "'x y'", "../x", "''", "ä")),
    ("not the name of an image", f"{TRANSLATE} --style x -o {{}}",
     ("out.mhd", "out.nhdr", "out.hdr", "out.img", "out.txt", "out", "out.nii.gz.png")),
    ("-device", "translate -g generator.safetensors -i images/a_T2.nii.gz -o out.nii.gz --style x -device {}",
     ("tpu", "cuda", "mps")),
    ("-o", f"{SYNTHESIZE} -o {{}}", ("0", "-3", "5000", "1.5", "nan", "x")),
    ("--styles-per-case", f"{SYNTHESIZE} -o 997 --styles-per-case {{}}", ("0", "-1", "nan")),
    ("--p-slerp", f"{SYNTHESIZE} -o 997 --p-slerp {{}}", ("-0.1", "1.1", "nan", "inf")),
    ("--policy", f"{SYNTHESIZE} -o 997 --policy {{}}", ("none",)),
    ("--seed", f"{SYNTHESIZE} -o 997 --seed {{}}", ("-1", "4294967296", "nan")),
    ("-np", "evaluate -p labels -g truth -np {}", ("0", "-1", "1.5", "nan")),
    ("-np", "add-target -d 998 -np {}", ("0", "-1", "x")),
    ("-np", "crossmoda prepare -i download -d 991 -np {}", ("0", "-2")),
    ("-np", "crossmoda localise -i download -o found -np {}", ("0", "-2")),
    ("-np", "simulate -d 990 -np {}", ("0", "-2")),
    ("-np", f"{RUN} -o run2 -np {{}}", ("-1", "nan")),
    ("-d", "simulate -d {}", ("0", "-3", "5000", "x", "")),
    ("--seed", "simulate -d 990 --seed {}", ("-1", "4294967296", "nan")),
    ("--scale", "simulate -d 990 --scale {}", ("huge",)),
    ("--test-head", "simulate -d 990 --test-head {}", ("mine",)),
    ("-d", "crossmoda prepare -i download -d {}", ("0", "-3", "5000")),
    ("--spacing", "crossmoda prepare -i download -d 991 --spacing {} 1 1", ("1e-6", "0", "-1", "nan", "inf", "1e9")),
    ("--size", "crossmoda prepare -i download -d 991 --size {} 64 32", ("100000", "0", "-1", "nan", "7.5")),
    ("has the id 998", "crossmoda prepare -i download -d {}", ("998",)),
    ("has the id 998", f"{SYNTHESIZE} -o {{}}", ("998",)),
    ("id", "add-target -d {}", ("5000", "-3", "0")),
    ("expected a dataset id", "add-target -d {}", ("x", "../x", "''")),
    ("configuration", "add-target -d 998 -c {}", ("none", "../x", "''")),
    ("configuration", "embed -d 998 -device cpu -i new -o styles -c {}", ("none", "../x")),
    ("no such plans", "add-target -d 998 -p {}", ("none", "ä")),
    ("--edition", "crossmoda postprocess -i labels -o cleaned --edition {}", ("2020", "x", "nan")),
    ("--assd", "evaluate -p labels -g truth --assd {}", ("mean",)),
    ("nce", f"{RUN} -o run2 --weight nce={{}}", ("nan", "inf", "-1", "x", "")),
    ("--iterations", f"{RUN} -o run2 --iterations {{}}", ("0", "-1", "nan", "1.5")),
    ("--seed", f"{RUN} -o run2 --seed {{}}", ("-1", "4294967296", "nan")),
    ("--batch-size", f"{RUN} -o run2 --batch-size {{}}", ("0", "-1", "nan")),
    ("precision", f"{RUN} -o run2 --precision {{}}", ("int8", "")),
    ("preset", f"{RUN} -o run2 --preset {{}}", ("none", "")),
    ("method", f"{RUN} -o run2 --method {{}}", ("none",)),
    ("patch", f"{RUN} -o run2 --patch-size {{}} 16 16", ("4", "1", "0", "-8", "nan", "17", "100000")),
    ("nce", f"{RUN} -o run2 --weight nce={{}}", ("1:1,0:0", "0:-1", "0:nan", "nan:1", "0:1e999")),
    ("weight", f"{RUN} -o run2 --weight {{}}", ("x", "none=0:1", "none=1")),
    ("recipe", f"{RUN} -o run2 --recipe {{}}", ("none", "generator.safetensors", "run")),
    ("warm-up", f"{RUN} -o run2 --style-warmup {{}}", ("2", "100")),
    ("channel", f"{RUN} -o run2 --channel {{}}", ("CT",)),
    ("channel", "add-target -d 998 --channel {}", ("CT",)),
    ("is also the input", f"{RUN} -o run -pretrained_weights {{}}", ("run/generator.safetensors",)),
]  # fmt: skip
ABSENT = [  # what is read is not there, or something else: the name, and the command
    ("nowhere", "translate -device cpu -g nowhere -i images/a_T2.nii.gz -o out.nii.gz --style x"),
    ("nowhere", f"{TRANSLATE.replace('images/a_T2.nii.gz', 'nowhere')} -o out.nii.gz --style x"),
    ("nowhere", f"{TRANSLATE} -o out.nii.gz --style x --bank nowhere"),
    ("nowhere", f"{TRANSLATE} -o out.nii.gz --exemplar nowhere"),
    ("nowhere", "evaluate -p nowhere -g truth -np 1"),
    ("nowhere", "evaluate -p labels -g nowhere -np 1"),
    ("nowhere", "evaluate -p labels -g truth -np 1 --dataset-json nowhere"),
    ("nowhere", "add-target -d 998 -np 1 -i nowhere"),
    ("nowhere", "export -g nowhere --to-upstream weights.pth"),
    ("nowhere", "import-upstream nowhere -o imported.safetensors"),
    ("nowhere", "import-upstream latest_net_G.pth -o imported.safetensors --reference nowhere"),
    ("nowhere", "crossmoda prepare -i nowhere -d 991"),
    ("nowhere", "crossmoda prepare -i download -d 991 --cochleae nowhere"),
    ("nowhere", "crossmoda localise -i nowhere -o found"),
    ("nowhere", "crossmoda localise -i download -o found --predictions nowhere"),
    ("nowhere", "crossmoda restore -i nowhere -r geometry -o restored"),
    ("nowhere", "crossmoda restore -i labels -r nowhere -o restored"),
    ("nowhere", "crossmoda postprocess -i nowhere -o cleaned"),
    ("nowhere", "crossmoda submit -i nowhere -r images -o archive.zip"),
    ("nowhere", "crossmoda submit -i labels -r nowhere -o archive.zip"),
    ("nowhere", "crossmoda pseudo-label -i nowhere -d 998 -c tiny -o list.json"),
    ("nowhere", "crossmoda pseudo-label -i predictions -d 998 -c tiny -o list.json --coverage nowhere"),
    ("nowhere", "crossmoda container -m nowhere -r geometry -o context"),
    ("nowhere", "crossmoda container -m model -r nowhere -o context"),
    ("nowhere", "crossmoda rank nowhere"),
    ("nowhere", "synthesize -d 998 -c tiny -device cpu -o 997 -g nowhere"),
    ("nowhere", f"{RUN} -o run2 -pretrained_weights nowhere"),
    ("nowhere", f"embed {SPACE.replace('-i new', '-i nowhere')} -o styles"),
    ("nowhere", f"report {SPACE.replace('generator.safetensors', 'nowhere')} -o page.html"),
    ("style_bank", "translate -device cpu -g style_bank.safetensors -i images/a_T2.nii.gz -o out.nii.gz --style x"),
    ("generator", f"{TRANSLATE} -o out.nii.gz --style x --bank generator.safetensors"),
    ("labels", "crossmoda prepare -i labels -d 991"),
    ("geometry", "evaluate -p labels -g geometry -np 1"),
    ("dataset.json", "crossmoda rank dataset.json"),
    ("coverage.json", "crossmoda rank coverage.json"),
    ("generator", "import-upstream generator.safetensors -o imported.safetensors"),
    ("checkpoint.pt", "import-upstream run/checkpoint.pt -o imported.safetensors"),
    ("a_T2", "translate -device cpu -g hinted.safetensors -i images/a_T2.nii.gz -o out.nii.gz --style x"),
    ("exemplar2", f"{TRANSLATE} -o out.nii.gz --style x --exemplar2 exemplar.nii.gz"),
    ("COMMAND", "nothing"),
    ("STEP", "crossmoda nothing"),
    ("arguments", "trainer-path nothing"),
    ("generator.safetensors", "demo -device cpu -o generator.safetensors"),
    ("generator.safetensors", f"embed {SPACE} -o generator.safetensors"),
]
ONTO = [  # an output that is an input: what is written to, and the command
    ("images/a_T2.nii.gz", f"{TRANSLATE} --style x -o images/a_T2.nii.gz"),
    ("exemplar.nii.gz", f"{TRANSLATE} --exemplar exemplar.nii.gz -o exemplar.nii.gz"),
    ("images", "translate -device cpu -g generator.safetensors -i images --style x -o images"),
    ("labels/a.nii.gz", "evaluate -p labels -g truth -np 1 -o labels/a.nii.gz"),
    ("dataset.json", "evaluate -p labels -g truth -np 1 -o dataset.json"),
    ("generator.safetensors", "export -g generator.safetensors --to-upstream generator.safetensors"),
    ("latest_net_G.pth", "import-upstream latest_net_G.pth -o latest_net_G.pth"),
    ("generator.safetensors", f"coverage {SPACE} -o generator.safetensors"),
    ("generator.safetensors", f"report {SPACE} -o generator.safetensors"),
    ("new/target_1_0000.nii.gz", f"report {SPACE} -o new/target_1_0000.nii.gz"),
    ("labels", "crossmoda postprocess -i labels -o labels"),
    ("labels", "crossmoda restore -i labels -r geometry -o labels"),
    ("labels/a.nii.gz", "crossmoda submit -i labels -r images -o labels/a.nii.gz"),
    ("download", "crossmoda localise -i download -o download -np 1"),
    ("coverage.json", "crossmoda pseudo-label -i predictions -d 998 -c tiny --coverage coverage.json -o coverage.json"),
    ("model", "crossmoda container -m model -r geometry -o model"),
]


def all_situations(download: dict[str, str]) -> list[Situation]:
    """Every situation; `download` see `commands`."""
    damaged = [found for name, command in commands(download).items() for found in _of_command(name, command)]
    return [*damaged, *_without_damage()]


def _of_command(name: str, command: Command) -> Iterator[Situation]:
    arguments = tuple(shlex.split(command.arguments))
    for kind, (harmful, harmless) in KINDS.items():
        for path in getattr(command, kind):
            # What is missing from a folder is no fault; which cases a folder has is its owner's business.
            named = damage.GONE if path in arguments or (kind == "tensors" and CASES not in path) else {}
            for fault, function in (harmful | harmless | named).items():
                if (name, fault) not in OTHER_INPUT:
                    yield Situation(
                        f"{name}: {kind.replace('_', ' ')}", f"{path}: {fault}", arguments, function, path,
                        harmless=fault in harmless,
                    )  # fmt: skip


def _without_damage() -> Iterator[Situation]:
    for name, command, values in OPTIONS:
        for value in values:
            arguments = tuple(shlex.split(command.format(value or "''")))
            family = f"{_command_of(arguments)}: options"
            yield Situation(family, f"{name} {value}", arguments, names=(name,), refused=True)
    for family, entries in (("absent or something else", ABSENT), ("output onto input", ONTO)):
        for name, command in entries:
            arguments = tuple(shlex.split(command))
            yield Situation(f"{_command_of(arguments)}: {family}", command, arguments, names=(name,), refused=True)


def _command_of(arguments: tuple[str, ...]) -> str:
    return " ".join(arguments[: 1 + (arguments[0] == "crossmoda")])
