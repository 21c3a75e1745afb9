"""The small segmenter of the first picture, in one file without pickle."""

import json
from pathlib import Path

import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from safetensors import safe_open
from safetensors.torch import load_model, save_model

from intrastyler_nnunet.files import written_atomically

PLANS_ENTRY, DATASET_ENTRY, CONFIGURATION_ENTRY = "plans", "dataset_json", "configuration"  # of the file's header


def save_segmenter(model: Path, configuration: str, path: Path) -> None:
    """Write fold 0 of a trained model (nnU-Net's folder) in half precision, with the plans that build and feed it."""
    predictor = nnUNetPredictor(device=torch.device("cpu"))
    predictor.initialize_from_trained_model_folder(str(model), (0,))
    header = {
        PLANS_ENTRY: json.dumps(predictor.plans_manager.plans),
        DATASET_ENTRY: json.dumps(predictor.dataset_json),
        CONFIGURATION_ENTRY: configuration,
    }
    with written_atomically(path) as temporary:
        save_model(predictor.network.half(), str(temporary), header)


def load_segmenter(path: Path, device: torch.device) -> nnUNetPredictor:
    """nnU-Net's predictor with the network of a file that `save_segmenter` wrote."""
    with safe_open(path, framework="pt") as file:
        header = file.metadata()
    plans, dataset = PlansManager(json.loads(header[PLANS_ENTRY])), json.loads(header[DATASET_ENTRY])
    configuration = plans.get_configuration(header[CONFIGURATION_ENTRY])
    network = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        len(dataset["channel_names"]),
        plans.get_label_manager(dataset).num_segmentation_heads,
        deep_supervision=False,
    )
    load_model(network, path)
    predictor = nnUNetPredictor(
        use_mirroring=False, perform_everything_on_device=device.type == "cuda", device=device, allow_tqdm=False
    )
    weights = [network.state_dict()]
    predictor.manual_initialization(network, plans, configuration, weights, dataset, nnUNetTrainer.__name__, None)
    return predictor
