"""The table of nnU-Net's trainers on translations: one step, a checkpoint, and prediction where the plug-in is not."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from dataset_variants import add_residual_encoder
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.training.nnUNetTrainer.variants.data_augmentation.nnUNetTrainerDA5 import nnUNetTrainerDA5
from nnunetv2.training.nnUNetTrainer.variants.network_architecture.nnUNetTrainerBN import nnUNetTrainerBN
from nnunetv2.training.nnUNetTrainer.variants.optimizer.nnUNetTrainerAdam import nnUNetTrainerAdam1en3
from tiny_dataset import CONFIGURATION, tiny_generator

from intrastyler_nnunet import with_intrastyler
from intrastyler_nnunet.nnunet import any_trainer
from intrastyler_nnunet.nnunet.any_trainer import nnUNetTrainerIntraStyler
from intrastyler_nnunet.nnunet.checkpoints import inference_class
from intrastyler_nnunet.nnunet.trainer_variants import nnUNetTrainerIntraStylerShort

# By the name for `-tr`: the trainer that prediction builds the network with.
TABLE = {
    "nnUNetTrainerIntraStylerDA5": "nnUNetTrainerDA5",
    "nnUNetTrainerIntraStyler_DASegOrd0": "nnUNetTrainer_DASegOrd0",
    "nnUNetTrainerIntraStylerNoDA": "nnUNetTrainerNoDA",
    "nnUNetTrainerIntraStylerNoMirroring": "nnUNetTrainerNoMirroring",
    "nnUNetTrainerIntraStylerNoDeepSupervision": "nnUNetTrainerNoDeepSupervision",
    "nnUNetTrainerIntraStylerBN": "nnUNetTrainerBN",
    "nnUNetTrainerIntraStylerDiceTopK10Loss": "nnUNetTrainerDiceTopK10Loss",
    "nnUNetTrainerIntraStylerCELoss": "nnUNetTrainerCELoss",
    "nnUNetTrainerIntraStyler_warmup": "nnUNetTrainer_warmup",
    "nnUNetTrainerIntraStyler_nnUNet_Primus_S_Trainer": "nnUNet_Primus_S_Trainer",
}
RESIDUAL = "residual encoder"
NEW_CASE = np.random.default_rng(1).normal(size=(1, 16, 24, 32)).astype(np.float32)

PREDICT = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "intrastyler_nnunet":
            raise ModuleNotFoundError("no plug-in here: " + name)
sys.meta_path.insert(0, Refuse())
import numpy as np, torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
for folder in sys.argv[1:]:
    predictor = nnUNetPredictor(use_gaussian=False, use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(folder, (0,), "checkpoint_final.pth")
    case = torch.from_numpy(np.load(folder + "/case.npy"))
    predictor.network.load_state_dict(predictor.list_of_parameters[0])
    np.save(folder + "/logits.npy", predictor.predict_sliding_window_return_logits(case).numpy())
assert "intrastyler_nnunet" not in sys.modules
"""


class Trainings:
    """Trainers that did one step on the tiny dataset, each in a model folder of its own."""

    def __init__(self, root: Path, dataset):
        self.root, self.dataset = root, dataset
        self.residual_plans = add_residual_encoder(dataset)
        self.logits: dict[Path, np.ndarray] = {}

    def start(self, trainer_class: type[nnUNetTrainer], name: str, plans_name: str = "nnUNetPlans") -> nnUNetTrainer:
        """An initialised trainer with its data loaders."""
        plans = json.loads((self.dataset.preprocessed / f"{plans_name}.json").read_text())
        plans["configurations"][CONFIGURATION]["patch_size"] = [16, 24, 32]  # multiples of 8, for Primus
        dataset_json = json.loads((self.dataset.preprocessed / "dataset.json").read_text())
        trainer = trainer_class(
            plans | {"continue_training": False}, CONFIGURATION, 0, dataset_json, torch.device("cpu")
        )
        trainer.output_folder_base = str(self.root / name)
        trainer.output_folder = str(self.root / name / "fold_0")
        trainer.initialize()
        trainer.dataloader_train, trainer.dataloader_val = trainer.get_dataloaders()
        return trainer

    def train(self, trainer_class: type[nnUNetTrainer], name: str, plans_name: str = "nnUNetPlans") -> nnUNetTrainer:
        """One step, one validation step, a checkpoint; what the network says of a new case."""
        trainer = self.start(trainer_class, name, plans_name)
        trainer.set_deep_supervision_enabled(trainer.enable_deep_supervision)
        trainer.on_train_epoch_start()
        assert np.isfinite(trainer.train_step(next(trainer.dataloader_train))["loss"])
        trainer.on_validation_epoch_start()
        with torch.no_grad():
            trainer.validation_step(next(trainer.dataloader_val))
        folder = Path(trainer.output_folder)
        folder.mkdir(parents=True, exist_ok=True)
        trainer.save_checkpoint(str(folder / "checkpoint_final.pth"))
        (folder.parent / "plans.json").write_text(json.dumps(trainer.plans_manager.plans))
        (folder.parent / "dataset.json").write_text(json.dumps(trainer.dataset_json))
        np.save(folder.parent / "case.npy", NEW_CASE)
        trainer.set_deep_supervision_enabled(False)
        trainer.network.eval()
        with torch.no_grad():
            self.logits[folder.parent] = trainer.network(torch.from_numpy(NEW_CASE)[None])[0].numpy()
        return trainer


@pytest.fixture(scope="module")
def trainings(tiny_dataset, tmp_path_factory):
    import shutil

    root = tmp_path_factory.mktemp("trainings")
    shutil.copytree(tiny_dataset.root, root / "nnunet")
    dataset = type(tiny_dataset)(root / "nnunet")
    tiny_generator().save(root / "generator.safetensors")
    with pytest.MonkeyPatch.context() as monkeypatch:
        dataset.use(monkeypatch)
        monkeypatch.setenv("nnUNet_n_proc_DA", "0")
        monkeypatch.setenv("INTRASTYLER_GENERATOR", str(root / "generator.safetensors"))
        monkeypatch.delenv("INTRASTYLER_SETTINGS", raising=False)
        yield Trainings(root, dataset)


def test_every_trainer_of_the_table_predicts_where_the_plug_in_is_not_installed(trainings):
    for name, stock in TABLE.items():
        trainer = trainings.train(getattr(any_trainer, name), name)
        checkpoint = torch.load(f"{trainer.output_folder}/checkpoint_final.pth", weights_only=False)
        assert checkpoint["trainer_name"] == stock
        assert type(trainer).__name__ == name
    trainings.train(nnUNetTrainerIntraStyler, RESIDUAL, trainings.residual_plans)
    folders = [str(folder) for folder in trainings.logits]
    done = subprocess.run([sys.executable, "-c", PREDICT, *folders], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    for folder, expected in trainings.logits.items():
        predicted = np.load(folder / "logits.npy").astype(np.float32)
        np.testing.assert_allclose(predicted, expected, atol=2e-2, rtol=1e-2, err_msg=folder.name)
    assert len(folders) == len(TABLE) + 1


def test_the_workers_keep_no_intensity_and_da5_changes_what_follows_translation(trainings):
    moved = {}
    for base in (nnUNetTrainer, nnUNetTrainerDA5):
        trainer = trainings.start(with_intrastyler(base), f"moved {base.__name__}")
        kept = str(trainer.dataloader_train.data_loader.transforms.transforms)
        assert "GammaTransform" not in kept
        assert "SpatialTransform" in kept
        assert "MarkOutside" in kept
        moved[base.__name__] = len(trainer.moved_transforms)
    assert moved == {"nnUNetTrainer": 7, "nnUNetTrainerDA5": 11}


def test_own_trainers_name_what_builds_their_network():
    class OwnLoss(nnUNetTrainerBN):
        pass

    class OwnNetwork(nnUNetTrainerBN):
        @staticmethod
        def build_network_architecture(*arguments):
            raise NotImplementedError

    assert inference_class(with_intrastyler(OwnLoss)) is nnUNetTrainerBN
    assert inference_class(with_intrastyler(OwnNetwork)) is OwnNetwork
    assert with_intrastyler(OwnLoss).__name__ == "nnUNetTrainerIntraStyler_OwnLoss"
    assert inference_class(with_intrastyler(nnUNetTrainerAdam1en3)) is nnUNetTrainerAdam1en3
    assert inference_class(nnUNetTrainerIntraStylerShort) is nnUNetTrainer


def test_multiple_inheritance_is_as_good_and_its_wrong_order_is_refused(trainings, capsys):
    class Right(nnUNetTrainerIntraStyler, nnUNetTrainerDA5):
        pass

    class Wrong(nnUNetTrainerDA5, nnUNetTrainerIntraStyler):
        pass

    assert len(trainings.start(Right, "right").moved_transforms) == 11
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        trainings.start(Wrong, "wrong")
    assert stop.value.code == 2
    assert "class Wrong has nnUNetTrainerDA5 before the translation" in capsys.readouterr().err


def test_a_pipeline_that_cannot_be_split_is_refused_in_one_line(trainings, capsys):
    class Own(nnUNetTrainer):
        @staticmethod
        def get_training_transforms(*arguments, **named):
            from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform

            return MirrorTransform((0,))

    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        trainings.start(with_intrastyler(Own), "own")
    assert stop.value.code == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "the trainer's pipeline is a MirrorTransform, expected ComposeTransforms" in line


def test_names_are_found_and_nothing_else():
    found = any_trainer.nnUNetTrainerIntraStylerDA5
    assert found is with_intrastyler(nnUNetTrainerDA5)
    assert pickle.loads(pickle.dumps(found)) is found
    assert with_intrastyler(nnUNetTrainer) is nnUNetTrainerIntraStyler
    for name in ("nnUNetTrainerIntraStylerOfNone", "nnUNetTrainerDA5", "nnUNetTrainerIntraStyler_"):
        assert not hasattr(any_trainer, name)
