"""nnU-Net's final validation on translated cases: one pass, each case's content encoded once for all its styles."""

import hashlib
import os
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nnunetv2.configuration import default_num_processes
from nnunetv2.evaluation.evaluate_predictions import compute_metrics, save_summary_json
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetBaseDataset
from nnunetv2.utilities.json_export import recursive_fix_for_json_export
from torch import distributed, nn

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.images import IMAGE_ENDINGS, checked_file
from intrastyler_nnunet.nnunet.style_validation import lowest_styles
from intrastyler_nnunet.styles.sampling import StyleDraw, draw_styles
from intrastyler_nnunet.typed_json import Text, read_json

OWN = "validation"  # nnU-Net's folder: every case in a style of its own
PROGRESS_FILE = "validation_progress.json"
CASE_EXEMPLAR = 2  # a stream of random numbers beside those of the trainer


@dataclass(frozen=True)
class ValidationProgress:
    """What an unfinished validation is of; another one starts anew."""

    weights_sha256: Text
    settings: dict
    styles: tuple[Text, ...]
    probabilities: bool


class FinalValidation:
    """Within the block, a trainer's `dataset_class` and `do_split` are such that nnU-Net validates in all styles.

    A case's translations stand beside each other in the dataset, named so that nnU-Net writes each into its style's
    folder: `source_1` into `validation`, `../validation_target_3/source_1` into `validation_target_3`. What a killed
    validation of the same weights has written is not predicted again.
    """

    def __init__(self, trainer, save_probabilities: bool):
        """
        Args:
            trainer: initialised, with a translation.
            save_probabilities: whether nnU-Net writes them too, which is done for the cases' own styles alone.
        """
        self.trainer = trainer
        self.folder = Path(trainer.output_folder)
        self.probabilities = save_probabilities
        self.exemplars = {OWN: None} | {f"{OWN}_{name}": exemplar for name, exemplar in _chosen(trainer).items()}
        self.train_keys, self.val_keys = trainer.do_split()

    def __enter__(self) -> None:
        trainer = self.trainer
        if trainer.local_rank == 0:
            self._begin()
        self._wait()  # for the first rank, then for all to have looked before any of them writes
        pending = {case: self._pending(case) for case in self.val_keys}
        self._wait()
        rest = [case for case, names in pending.items() if names]
        trainer.do_split = lambda: (self.train_keys, rest)
        self.stock = trainer.dataset_class
        trainer.dataset_class = styled_dataset_class(self.stock, pending, self._translated)

    def __exit__(self, kind, *_) -> None:
        trainer = self.trainer
        trainer.dataset_class = self.stock
        del trainer.do_split
        if kind is None and trainer.local_rank == 0:
            for name in self.exemplars:
                if name != OWN and (self.folder / name).is_dir():
                    self._score(self.folder / name)
            (self.folder / PROGRESS_FILE).unlink()

    def _begin(self) -> None:
        """Go on with what a killed validation of the same has left, or forget it."""
        trainer, path = self.trainer, self.folder / PROGRESS_FILE
        network = trainer.network.module if trainer.is_ddp else trainer.network
        settings = {"seed": trainer.settings.seed, "p_slerp": trainer.settings.p_slerp}
        banks = [bank.fingerprint for bank in trainer.translation.banks]
        own = ValidationProgress(
            _weights_checksum(network), settings | {"banks": banks}, tuple(self.exemplars), self.probabilities
        )
        with suppress(InputError):  # not there, or damaged
            if read_json(path, ValidationProgress, "the progress of a validation", "ignore") == own:
                return
        ending = trainer.dataset_json["file_ending"]
        for name in self.exemplars:
            (self.folder / name).mkdir(exist_ok=True)
            for case in self.val_keys:
                (self.folder / name / f"{case}{ending}").unlink(missing_ok=True)
        write_json(vars(own), path)

    def _pending(self, case: str) -> list[str]:
        """Names, in the dataset, of the case's translations that have not been segmented."""
        ending = self.trainer.dataset_json["file_ending"]
        # nnU-Net writes a cascade's input after the segmentation, so that does not tell whether it is whole.
        again = {OWN} if self.trainer.configuration_manager.next_stage_names else set()
        folders = [
            name
            for name in self.exemplars
            if name in again or not self._is_whole(self.folder / name / f"{case}{ending}")
        ]
        return [case if name == OWN else f"../{name}/{case}" for name in folders]

    def _is_whole(self, path: Path) -> bool:
        """Whether a segmentation was written to its end, which nnU-Net does not see to."""
        if not path.is_file():
            return False
        try:
            if path.name.endswith(IMAGE_ENDINGS):
                with checked_file(path):
                    pass
            self.trainer.plans_manager.image_reader_writer_class().read_seg(str(path))
        except Exception:  # nnU-Net's readers raise whatever they like
            return False
        return True

    def _translated(self, names: list[str], image: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
        case = os.path.basename(names[0])
        draws = [self._draw(case, self.exemplars[os.path.dirname(name).removeprefix("../") or OWN]) for name in names]
        seed = self.trainer.settings.seed
        return self.trainer.translation.translate_case(image, labels, case, StyleDraw.together(draws), seed)

    def _draw(self, case: str, exemplar: int | None) -> StyleDraw:
        """The style of one exemplar; None: the case's own, drawn as in training."""
        if exemplar is not None:
            return StyleDraw.of(np.array([exemplar]))
        trainer = self.trainer
        rng = np.random.default_rng([trainer.settings.seed, CASE_EXEMPLAR, zlib.crc32(case.encode())])
        generators = trainer.translation.generators
        return draw_styles(rng, 1, trainer.probabilities, 1.0, trainer.settings.p_slerp, generators)

    def _score(self, folder: Path) -> None:
        """nnU-Net's summary.json; probabilities are kept of the cases' own styles alone."""
        trainer, labels = self.trainer, self.trainer.label_manager
        for path in [*folder.glob("*.npz"), *folder.glob("*.pkl")]:
            path.unlink()
        # In threads, because nnU-Net's `compute_metrics_on_folder` starts processes anew for every folder.
        truth = Path(trainer.preprocessed_dataset_folder_base) / "gt_segmentations"
        ending = trainer.dataset_json["file_ending"]
        kinds = labels.foreground_regions if labels.has_regions else labels.foreground_labels
        reader = trainer.plans_manager.image_reader_writer_class()

        def scored(path: Path) -> dict:
            return compute_metrics(str(truth / path.name), str(path), reader, kinds, labels.ignore_label)

        with ThreadPoolExecutor(default_num_processes) as pool:
            cases = list(pool.map(scored, sorted(folder.glob(f"*{ending}"))))
        save_summary_json(_summary(cases, kinds), str(folder / "summary.json"))

    def _wait(self) -> None:
        if self.trainer.is_ddp:
            distributed.barrier()


def styled_dataset_class(
    stock: type[nnUNetBaseDataset],
    pending: dict[str, list[str]],
    translate: Callable[[list[str], np.ndarray, np.ndarray], list[np.ndarray]],
) -> type[nnUNetBaseDataset]:
    """A subclass of `stock` whose cases are those of `pending`, each with its translations one after the other.

    Args:
        stock: nnU-Net's class.
        pending: names of the translations of each case; their last part is the case.
        translate: makes a case's translations from (names, image, labels), when the first is asked for.
    """

    class StyledDataset(stock):
        def __init__(self, folder, identifiers=None, *args, **kwargs):
            super().__init__(folder, identifiers, *args, **kwargs)
            self.identifiers = [name for case in self.identifiers for name in pending[case]]
            self.translated: dict[str, np.ndarray] = {}

        def load_case(self, identifier: str):
            case = os.path.basename(identifier)
            image, labels, previous_labels, properties = super().load_case(case)
            if identifier not in self.translated:
                names = pending[case][pending[case].index(identifier) :]
                self.translated = dict(zip(names, translate(names, image[:], labels[:]), strict=True))
            return self.translated.pop(identifier), labels, previous_labels, properties

    return StyledDataset


def _chosen(trainer) -> dict[str, int]:
    """Exemplars that all cases are translated to, by name, beside the own style of each."""
    styles, chosen = trainer.validation_styles, trainer.settings.validation_styles
    if chosen == "own":
        return {}
    if trainer.configuration_manager.next_stage_names is not None:
        # nnU-Net makes the next stage's input of every case here, and would not find those that have a style's name.
        trainer.print_to_log_file("validation_styles: only 'own' for a configuration with a next stage")
        return {}
    names = styles.names if chosen == "all" else lowest_styles(Path(trainer.output_folder), styles.names)[:chosen]
    return {name: exemplar for name, exemplar in zip(styles.names, styles.exemplars, strict=True) if name in names}


def _weights_checksum(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _summary(cases: list[dict], kinds: list) -> dict:
    """What nnU-Net's summary.json holds, of what its `compute_metrics` gave for each case."""
    names = list(cases[0]["metrics"][kinds[0]])
    mean = {kind: {name: np.nanmean([case["metrics"][kind][name] for case in cases]) for name in names}
            for kind in kinds}  # fmt: skip
    foreground = {name: np.mean([mean[kind][name] for kind in kinds]) for name in names}
    summary = {"metric_per_case": cases, "mean": mean, "foreground_mean": foreground}
    for part in (*cases, mean, foreground):
        recursive_fix_for_json_export(part)
    return summary
