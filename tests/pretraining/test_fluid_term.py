"""The fluid term in a step of the pretraining."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_pretraining import CONFIG, METADATA, run_on

from intrastyler_nnunet.objective.anatomy import fluid_brightness
from intrastyler_nnunet.objective.step import generator_step, sample_plan
from intrastyler_nnunet.pretraining.prefetch import sample_patches
from intrastyler_nnunet.pretraining.state import initial_state

pytestmark = pytest.mark.usefixtures("tiny_preset")


def test_it_judges_the_translation_by_its_exemplar_and_reaches_the_generator(cases):
    config = replace(CONFIG, lambda_fluid=5.0, fluid_labels=(3,))
    networks = initial_state(config, METADATA, torch.device("cpu")).networks
    batch = sample_patches(np.random.default_rng(0), run_on(cases, config))
    plan = sample_plan(np.random.default_rng(0), config, METADATA.axes, 0)
    alone = replace(plan, weights=dict.fromkeys(plan.weights, 0.0) | {"fluid": plan.weights["fluid"]})
    loss, _, judged = generator_step(networks, batch, alone, config)
    labels = batch.source_labels
    expected = 5 * fluid_brightness(judged.images, batch.target, labels == 3, labels == 0)
    torch.testing.assert_close(loss.detach(), expected)
    loss.backward()
    assert all(weight.grad.abs().sum() > 0 for weight in networks.generator.content_encoder.parameters())
