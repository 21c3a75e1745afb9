"""nnU-Net's trainers on source batches that are translated to target styles on the fly."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.nnunet.augmentation.intensity import augment_intensity
from intrastyler_nnunet.nnunet.augmentation.parameters import is_batched, leaves, sample_intensity_parameters
from intrastyler_nnunet.nnunet.augmentation.worker_transforms import marking_outside, split_outside, split_pipeline
from intrastyler_nnunet.nnunet.batch_pictures import FOLDER as PICTURES
from intrastyler_nnunet.nnunet.batch_pictures import draw_batch, is_pictured, log_picture
from intrastyler_nnunet.nnunet.cases import translated_channel
from intrastyler_nnunet.nnunet.checkpoints import (
    check_order,
    check_version,
    inference_class,
    named_as,
    provenance,
    write_whole,
)
from intrastyler_nnunet.nnunet.exemplar_translation import (
    ExemplarTranslation,
    check_volumes,
    load_exemplar_translation,
)
from intrastyler_nnunet.nnunet.final_validation import FinalValidation
from intrastyler_nnunet.nnunet.folders import synthesizer_folder, target_folder
from intrastyler_nnunet.nnunet.self_training import MixedDataset, read_pseudo_labelled
from intrastyler_nnunet.nnunet.settings import (
    TrainerSettings,
    check_resumable,
    generator_paths,
    read_settings,
    resolve,
)
from intrastyler_nnunet.nnunet.settings import write_resolved as write_resolved_settings
from intrastyler_nnunet.nnunet.step_clock import StepClock
from intrastyler_nnunet.nnunet.style_validation import StyleScores, choose_validation_styles, few_batches
from intrastyler_nnunet.nnunet.style_validation import record as record_styles
from intrastyler_nnunet.styles.sampling import KEEP_SOURCE, StyleDraw, draw_styles, exemplar_probabilities

# Independent random streams of one iteration.
TRAINING_EXEMPLARS, INTENSITY = range(2)
TRAINING_NOISE, VALIDATION_NOISE, INTENSITY_NOISE = range(3, 6)  # after the final validation's


class TrainingOnTranslations:
    """What any nnU-Net trainer becomes when it is named before it in a class's bases (`with_intrastyler`).

    Order of a training batch: spatial augmentation (workers), translation, whatever of the base's augmentation changes
    the image alone. The network, the loss and the checkpoints are the base's. Settings: see `settings.TrainerSettings`.
    """

    moved_transforms: list[BasicTransform] | None = None  # behind translation

    def initialize(self):
        """Read settings and generators before anything is trained; bad input ends it with one line."""
        with _one_line_errors():
            check_version(version("nnunetv2"))
            check_order(type(self), TrainingOnTranslations)
            self.prepare_translation()
        self.iteration = 0
        self.noise_generator = torch.Generator(self.device)
        self.clock = StepClock(self.device)
        super().initialize()
        self.logger.update_config({"intrastyler": asdict(self.resolved_settings)})

    def prepare_translation(self):
        """Settings, generators and what may be drawn. Raises InputError."""
        self.settings = self.choose_settings()
        self.seed = self.settings.seed
        for name, value in self.settings.overrides().items():
            setattr(self, name, value)
        self.translation, paths = None, []
        if self.settings.p_translate > 0:
            paths, self.translation = self._load_translation()
            banks = self.translation.banks
            new = self.settings.new_exemplars, self.settings.new_share
            self.probabilities = exemplar_probabilities(banks, self.settings.policy, self.settings.exemplars, *new)
            keeps_source = self.settings.p_translate < 1
            self.validation_styles = choose_validation_styles(banks, self.probabilities, keeps_source)
            for warning in few_batches(self.num_val_iterations_per_epoch, len(self.validation_styles)):
                self.print_to_log_file(f"WARNING: {warning}")
        self.pseudo = read_pseudo_labelled(
            self.settings.self_training, self.plans_manager, self.configuration_name, self.is_cascaded
        )
        self.resolved_settings = resolve(self.settings, paths, [] if self.translation is None else banks)

    def choose_settings(self) -> TrainerSettings:
        """The settings file's content; named variants of the trainer replace entries of it."""
        return read_settings()

    def _load_translation(self) -> tuple[list[Path], ExemplarTranslation]:
        check_volumes(self.configuration_manager)
        plans, settings = self.plans_manager, self.settings
        folder = synthesizer_folder(plans.dataset_name, plans.plans_name, self.configuration_name)
        paths = generator_paths(settings, folder)
        translation, warnings = load_exemplar_translation(
            paths,
            plans,
            self.configuration_name,
            self.device,
            self.label_manager.has_regions,
            translated_channel(self.dataset_json, settings.channel),
            settings.style_bank and Path(settings.style_bank),
            settings.acquisition,
            samples_at_once=settings.translation_batch_size,
            compiled=settings.compile_generator,
        )
        for warning in warnings:
            self.print_to_log_file(f"WARNING: {warning}")
        for path, bank in zip(paths, translation.banks, strict=True):
            self.print_to_log_file(f"Translating with {path} to {len(bank.names)} exemplars")
        return paths, translation

    def get_tr_and_val_datasets(self):
        """nnU-Net's; every fold trains on the pseudo-labelled target cases too, if there are any."""
        training, validation = super().get_tr_and_val_datasets()
        if self.pseudo is not None:
            cases = self.dataset_class(str(self.pseudo.folder), list(self.pseudo.weights))
            self.print_to_log_file(f"Training also on {len(self.pseudo.weights)} pseudo-labelled target cases")
            training = MixedDataset(training, cases, self.pseudo.weights)
        return training, validation

    def on_train_start(self):
        """Also copy the resolved settings into the output folder."""
        super().on_train_start()
        if self.local_rank == 0:
            write_resolved_settings(self.resolved_settings, Path(self.output_folder))

    def get_dataloaders(self):
        """nnU-Net's; a pipeline that cannot be split ends it with one line."""
        with _one_line_errors():
            loaders = super().get_dataloaders()
            if self.moved_transforms is None:
                raise InputError(
                    f"{type(self).__name__} loads no images through nnU-Net's augmentation, which we split"
                )
            return loaders

    def get_training_transforms(self, *args, **kwargs) -> BasicTransform:
        """The base's pipeline for the workers without what changes the image alone, which follows the translation."""
        kept, self.moved_transforms = split_pipeline(super().get_training_transforms(*args, **kwargs))
        slow = {
            type(leaf).__name__ for moved in self.moved_transforms for leaf in leaves(moved) if not is_batched(leaf)
        }
        if slow:
            self.print_to_log_file(f"On the CPU after translation, which takes time: {', '.join(sorted(slow))}")
        return marking_outside(kept)

    def get_validation_transforms(self, *args, **kwargs) -> BasicTransform:
        """The base's pipeline, which also marks voxels outside the image."""
        return marking_outside(super().get_validation_transforms(*args, **kwargs))

    def on_train_epoch_start(self):
        super().on_train_epoch_start()
        self.iteration = 0
        self.clock.begin()

    def on_train_epoch_end(self, train_outputs: list[dict]):
        """Also log where the time went."""
        super().on_train_epoch_end(train_outputs)
        shares = self.clock.shares()
        text = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        self.print_to_log_file(f"Time spent: {text}")
        self._log_elsewhere({f"time/{name}": share for name, share in shares.items()})

    def on_validation_epoch_start(self):
        super().on_validation_epoch_start()
        self.iteration = 0

    def train_step(self, batch: dict) -> dict:
        with self.clock.step():
            return super().train_step(self.training_batch(batch))

    def validation_step(self, batch: dict) -> dict:
        return super().validation_step(self.validation_batch(batch))

    def training_batch(self, batch: dict) -> dict:
        """Turn what a worker made into what the network sees: translated, then augmented in intensity."""
        images, outside = split_outside(batch["data"], self.device)
        source, draw = images, None
        if self.translation is not None:
            draw = self._draw(batch["keys"])
            with self.clock.part("translation"):
                images = self._translated_to(images, outside, batch, draw, TRAINING_NOISE)
        with self.clock.part("augmentation"):
            images = self._augmented(images, outside)
        if draw is not None and self.iteration == 0 and self.local_rank == 0 and is_pictured(self.current_epoch):
            self._picture(source, images, batch["keys"], draw)
        self.iteration += 1
        return batch | {"data": images}

    def _augmented(self, images: torch.Tensor, outside: torch.Tensor | None) -> torch.Tensor:
        """Intensity augmentation; zero stays zero outside where nnU-Net normalises within a mask."""
        masked_channels = self.configuration_manager.use_mask_for_norm
        channels = len(masked_channels)
        parameters = sample_intensity_parameters(
            self._rng(INTENSITY), self.moved_transforms, len(images), channels, images.ndim - 2
        )
        images = augment_intensity(images, parameters, channels, self._noise(INTENSITY_NOISE))
        for channel in np.flatnonzero(masked_channels) if outside is not None else ():
            images[:, channel].masked_fill_(outside[:, channel], 0.0)
        return images

    def validation_batch(self, batch: dict) -> dict:
        """A batch translated to one of the typical exemplars; no augmentation.

        The exemplars take turns. Each sees the same patches: those that were there when the first one's turn came.
        """
        turn = 0
        if self.translation is not None:
            turn = self.iteration % len(self.validation_styles)
            if turn == 0:
                self.validation_patches = batch
            # nnU-Net removes the ignore label in place.
            labels = self.validation_patches["target"]
            labels = [part.clone() for part in labels] if isinstance(labels, list) else labels.clone()
            batch = self.validation_patches | {"target": labels}
        images, outside = split_outside(batch["data"], self.device)
        if self.translation is not None:
            draw = StyleDraw.of(np.full(len(images), self.validation_styles.exemplars[turn]))
            images = self._translated_to(images, outside, batch, draw, VALIDATION_NOISE)
        self.iteration += 1
        return batch | {"data": images}

    def on_validation_epoch_end(self, val_outputs: list[dict]):
        """nnU-Net's pseudo Dice, also for each style; over the worst style alone if the settings say so."""
        if self.translation is not None:
            names, folder = self.validation_styles.names, Path(self.output_folder)
            scores = StyleScores.of(val_outputs, names, folder, self.current_epoch)
            if self.local_rank == 0:
                record_styles(folder, scores.rows, names)
            self.print_to_log_file(f"Pseudo dice by style: {scores}")
            self._log_elsewhere(scores.curves())
            if self.settings.best_style == "worst" and np.isfinite(scores.dice[scores.worst]):
                val_outputs = val_outputs[scores.worst :: len(names)]
        super().on_validation_epoch_end(val_outputs)

    def _log_elsewhere(self, curves: dict[str, float]) -> None:
        """Curves for nnU-Net's loggers but its own, whose plot and checkpoint know only nnU-Net's."""
        for logger in self.logger.loggers:
            for name, value in curves.items():
                logger.log(f"intrastyler/{name}", float(value), self.current_epoch)

    def _picture(self, source: torch.Tensor, images: torch.Tensor, keys: list[str], draw: StyleDraw) -> None:
        path = Path(self.output_folder) / PICTURES / f"epoch_{self.current_epoch:04d}.png"
        targets = target_folder(self.plans_manager.dataset_name, self.plans_manager, self.configuration_name)
        draw_batch(path, source, images, keys, draw, self.translation, targets)
        log_picture(self.logger.loggers, path, self.current_epoch)

    def _draw(self, keys: list[str]) -> StyleDraw:
        """A style for each training sample; pseudo-labelled target cases keep their own."""
        settings = self.settings
        rng = self._rng(TRAINING_EXEMPLARS)
        draw = draw_styles(
            rng, len(keys), self.probabilities, settings.p_translate, settings.p_slerp, self.translation.generators
        )
        if self.pseudo is not None:
            draw.exemplars[[key in self.pseudo.weights for key in keys]] = KEEP_SOURCE
        return draw

    def _translated_to(
        self, images: torch.Tensor, outside: torch.Tensor | None, batch: dict, draw: StyleDraw, stream: int
    ) -> torch.Tensor:
        labels = None
        if self.translation.needs_labels:
            target = batch["target"]  # with deep supervision a list, full resolution first
            labels = (target[0] if isinstance(target, list) else target).to(self.device, non_blocking=True)
        return self.translation.translate_batch(images, outside, labels, batch["keys"], draw, self._noise(stream))

    def _rng(self, stream: int) -> np.random.Generator:
        """Random numbers that depend on where training stands, so that a resumed one goes on the same."""
        return np.random.default_rng([self.settings.seed, self.local_rank, self.current_epoch, self.iteration, stream])

    def _noise(self, stream: int) -> torch.Generator:
        """The source of as random numbers on the device."""
        return self.noise_generator.manual_seed(int(self._rng(stream).integers(2**63)))

    def perform_actual_validation(self, save_probabilities: bool = False):
        """nnU-Net's final validation, on translated cases: each in a style of its own, and in those of the settings."""
        if self.translation is None:
            return super().perform_actual_validation(save_probabilities)
        with FinalValidation(self, save_probabilities):
            super().perform_actual_validation(save_probabilities)

    def save_checkpoint(self, filename: str) -> None:
        """Name a trainer of nnU-Net in the checkpoint, all that inference needs, and what it was trained on."""
        if self.local_rank != 0 or self.disable_checkpointing:
            return super().save_checkpoint(filename)
        own = self.my_init_kwargs
        self.my_init_kwargs = own | provenance(self.resolved_settings, self.translation)
        try:
            with _one_line_errors(), named_as(self, inference_class(type(self))):
                write_whole(filename, super().save_checkpoint)
        finally:
            self.my_init_kwargs = own

    def load_checkpoint(self, filename_or_checkpoint: dict | str) -> None:
        """Refuse to continue a training that was begun with other settings of the translation."""
        super().load_checkpoint(filename_or_checkpoint)
        with _one_line_errors():
            check_resumable(self.resolved_settings, Path(self.output_folder))


class nnUNetTrainerIntraStyler(TrainingOnTranslations, nnUNetTrainer):
    """Stock nnU-Net, trained on translated source images."""


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """nnU-Net's command starts training, so bad input must end the process here: one line, exit code 2."""
    try:
        yield
    except InputError as error:
        print(f"{nnUNetTrainerIntraStyler.__name__}: {error}", file=sys.stderr)
        raise SystemExit(2) from None
