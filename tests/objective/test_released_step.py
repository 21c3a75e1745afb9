"""One training step of the paper's released code, with the same weights, patches and random places: the same numbers.

`step.npz` and `step.json` come from the released code itself (see tests/data). Its gradients are those of PyTorch's
instance norm on a CPU, which takes the images one by one and then returns a wrong gradient where the gradient that it
gets is channels-last, as that of attention is (`tests/model/test_layers.py` shows it). So the gradients are compared
with that norm in our networks, and one by one; those of the step as it is are compared with that norm, two by two.
"""

import json
import os
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from intrastyler_nnunet.model.config import DiscriminatorConfig
from intrastyler_nnunet.model.discriminator import Discriminator
from intrastyler_nnunet.model.layers import InstanceNorm
from intrastyler_nnunet.model.released_weights import import_upstream, our_name
from intrastyler_nnunet.objective.adversarial import discriminator_loss
from intrastyler_nnunet.objective.anatomy import ContentHead
from intrastyler_nnunet.objective.config import PretrainingConfig
from intrastyler_nnunet.objective.forward_pass import ForwardPass, Networks, StyleVectors, TrainingPatches
from intrastyler_nnunet.objective.patch_nce import PatchProjector, gather_places, patch_nce
from intrastyler_nnunet.objective.step import sample_plan
from intrastyler_nnunet.objective.terms import TERMS
from intrastyler_nnunet.pretraining.recipes import configured, read_recipe

FOLDER = Path(os.environ.get("RELEASED_STEP", Path(__file__).parents[1] / "data" / "released_step"))
TERM, GRADIENT = 1e-4, 1e-3  # relative differences
KINKS = 1e-2  # of ReLU: few places, and rounding puts some on the other side
ROUNDING = 1e-4  # gradients of biases before a norm are zero but for rounding


class ReleasedStep(ForwardPass):
    """A step whose random numbers are those of the fixture."""

    @cached_property
    def style_vectors(self) -> StyleVectors:
        encode, batch = self.networks.generator.encode_style, self.batch
        negatives = encode(arrays()["negatives"])
        query = encode(batch.style_query)
        return StyleVectors(query, encode(batch.style_positive), negatives[None], query)

    @cached_property
    def random_places(self) -> list[torch.Tensor]:
        def places(layer: int) -> torch.Tensor:
            name = f"layer{layer}"
            found = [arrays().get(f"places_{image}_{name}") for image in "AB"]
            return torch.empty(2, 0) if found[0] is None else torch.stack(found)

        return [places(layer) for layer in self.config.nce_layers]


def arrays() -> dict[str, torch.Tensor]:
    with np.load(FOLDER / "step.npz") as file:
        return {name: torch.from_numpy(array) for name, array in file.items()}


@pytest.fixture(scope="module")
def expected() -> dict:
    return json.loads((FOLDER / "step.json").read_text())


@pytest.fixture(scope="module")
def step(expected) -> ReleasedStep:
    """Networks with the released weights, and the recipe `released` but for the sizes that the fixture has."""
    settings, data = expected["settings"], arrays()
    state = {name: torch.load(FOLDER / f"latest_net_{name}.pth", weights_only=True) for name in "GFD"}
    generator = import_upstream(FOLDER / "latest_net_G.pth")
    projector = PatchProjector(generator.config, tuple(settings["nce_layers"]), settings["projector_dim"])
    projector.load_state_dict({name.replace("mlp_", "heads."): tensor for name, tensor in state["F"].items()})
    discriminator = Discriminator(DiscriminatorConfig(settings["ndf"], antialiased=True))
    weights = {name.replace("model", "layers"): t for name, t in state["D"].items() if not name.endswith("filt")}
    discriminator.load_state_dict(weights)
    head = ContentHead(generator.config, 4)
    prefix = "seg_head.seg_head."
    head.load_state_dict({
        f"layers.{name.removeprefix(prefix)}": tensor for name, tensor in state["G"].items()
        if name.startswith(prefix) and not name.endswith("filt")
    })  # fmt: skip
    networks = Networks(generator, projector, discriminator, {"content_head": head})
    size = tuple(data["source"].shape[2:])
    config = replace(
        released(patch_size=size, style_patch_size=size, classes=4),
        nce_places=settings["places"], negatives=settings["negatives"], label_hint=None,
    )  # fmt: skip
    batch = TrainingPatches(
        data["source"], torch.tensor([[-1.0, 1.0]]), data["source_labels"], data["exemplar"], data["exemplar"],
        data["positive"], torch.empty(1, 0),
    )  # fmt: skip
    plan = sample_plan(np.random.default_rng(0), config, (0, 1, 2), config.iterations - 1)
    return ReleasedStep(networks, batch, replace(plan, output_start=(0, 0, 0)), config)


def released(**sizes) -> PretrainingConfig:
    return configured(read_recipe("released").settings | sizes, "released")


def close(found: torch.Tensor, expected: float, tolerance: float, name: str) -> None:
    found = float(found)
    difference = abs(found - expected) / abs(expected)
    print(f"{name}: {found:.6f}, released {expected:.6f}, difference {difference:.1e}")
    assert difference < tolerance, name


def test_the_recipe_has_the_steps_settings(expected, step):
    settings, config = expected["settings"], released(patch_size=(8, 8, 8), style_patch_size=(8, 8, 8))
    assert list(config.nce_layers) == settings["nce_layers"]
    assert list(config.attention_layers) == settings["attention_layers"]
    for name in ("nce_temperature", "style_temperature", "lambda_style"):
        assert getattr(config, name) == settings[name]


def test_images_and_styles(step):
    for name, found in (
        ("translated", step.translation.translated), ("identity", step.translation.images[1:]),
        ("style_query", step.style_vectors.query), ("style_positive", step.style_vectors.positive),
        ("style_negatives", step.style_vectors.negatives[0]),
        ("style_output", step.networks.generator.encode_style(step.translation.translated)),
    ):  # fmt: skip
        torch.testing.assert_close(found, arrays()[name], atol=1e-5, rtol=0, msg=name)


def test_every_term(expected, step):
    terms = expected["terms"]
    for ours, theirs in (("adversarial", "adversarial"), ("style", "style"), ("consistency", "consistency"),
                         ("content", "dice_ce_content_head")):  # fmt: skip
        close(TERMS[ours].compute(step).detach(), terms[theirs], TERM, ours)
    close(TERMS["nce"].compute(step).detach(), (terms["nce_source"] + terms["nce_identity"]) / 2, TERM, "nce")
    for index, name in enumerate(("nce_source", "nce_identity")):
        close(one_by_one(step, index).detach(), terms[name], TERM, name)
    for name, images in (("real", step.batch.target), ("fake", step.translation.translated)):
        scores = step.networks.discriminator(images)
        loss = (scores - float(name == "real")).square().mean()
        close(loss.detach(), terms[f"discriminator_{name}"], TERM, f"discriminator_{name}")


def one_by_one(step: ReleasedStep, index: int) -> torch.Tensor:
    """PatchNCE of the translation (0) or the identity (1)."""
    images, features = step.translation.images, step.translation.features
    places = [found[index : index + 1] for found in step.places]
    output = step.networks.generator.content_features(images[index : index + 1], step.config.nce_layers)
    own = [feature[index : index + 1] for feature in features]
    return patch_nce(*(step.networks.projector(gather_places(found, places)) for found in (output, own)))


def torchs_norm(self, x: torch.Tensor, inside: None = None) -> torch.Tensor:
    return F.instance_norm(x, eps=1e-5)


def total(step: ReleasedStep, nce: torch.Tensor) -> torch.Tensor:
    others = {name: TERMS[name].compute(step) for name in ("adversarial", "style", "consistency")}
    return others["adversarial"] + nce + 5 * others["style"] + 5 * others["consistency"]


def test_every_gradient(expected, step, monkeypatch):
    monkeypatch.setattr(InstanceNorm, "forward", torchs_norm)
    step = replace(step)
    networks, norms = step.networks, expected["gradient_norms"]
    loss = total(step, (one_by_one(step, 0) + one_by_one(step, 1)) / 2)
    close(loss.detach(), expected["terms"]["total_without_anatomy"], TERM, "total without anatomy terms")
    for network in (networks.generator, networks.projector):
        network.zero_grad()
    loss.backward()
    found = {name: parameter.grad for name, parameter in networks.generator.named_parameters()}
    for name, norm in norms["G"].items():
        if norm > ROUNDING:
            close(found[our_name(name)].norm(), norm, GRADIENT, name)
    for name, parameter in networks.projector.named_parameters():
        close(parameter.grad.norm(), norms["F"][name.replace("heads.", "mlp_")], GRADIENT, name)
    networks.discriminator.zero_grad()
    real, fake = (networks.discriminator(x) for x in (step.batch.target, step.translation.translated.detach()))
    discriminator_loss(real, fake).backward()
    for name, parameter in networks.discriminator.named_parameters():
        if norms["D"][theirs := name.replace("layers", "model")] > ROUNDING:
            close(parameter.grad.norm(), norms["D"][theirs], GRADIENT, theirs)


def test_the_steps_own_gradients_are_those_of_pytorchs_norm_where_that_is_right(step, monkeypatch):
    gradients = []
    for norm in (InstanceNorm.forward, torchs_norm):  # two images at once
        monkeypatch.setattr(InstanceNorm, "forward", norm)
        version = replace(step)
        parameters = [p for x in (version.networks.generator, version.networks.projector) for p in x.parameters()]
        loss = total(version, TERMS["nce"].compute(version))
        gradients.append(torch.autograd.grad(loss, parameters))
    for ours, theirs in zip(*gradients, strict=True):
        if theirs.norm() > ROUNDING:
            close(ours.norm(), float(theirs.norm()), KINKS, str(tuple(ours.shape)))
