"""Perturbations at fixed parameters against MONAI and SciPy, and the draw itself."""

from dataclasses import fields

import monai.transforms as monai
import numpy as np
import pytest
import torch
from fake_cuda import fake_cuda
from scipy.ndimage import gaussian_filter

from intrastyler_nnunet.model.smoothing import gaussian_smooth
from intrastyler_nnunet.objective.perturbations import (
    Perturbation,
    bias_field,
    perturb,
    sample_perturbation,
)

TERMS = 19  # monomials in x, y, z of total degree 1 to 3


def parameters(count: int = 2, **changed) -> Perturbation:
    drawn = sample_perturbation(np.random.default_rng(0), count)
    identity = {name: np.zeros_like(values) for name, values in vars(drawn).items()}
    return Perturbation(**{**identity, **{name: np.asarray(value, float) for name, value in changed.items()}})


@pytest.fixture
def images():
    # reaching 0 and 1, because MONAI's contrast rescales by the image's own range
    images = torch.rand(2, 1, 20, 18, 12, generator=torch.Generator().manual_seed(0)) * 2 - 1
    images[:, :, 0, 0, 0], images[:, :, 1, 0, 0] = -1, 1
    return images


def test_contrast_is_monais(images):
    result = perturb(images, parameters(log_gamma=[0.5, -0.4]))
    for image, output, log_gamma in zip(images, result, (0.5, -0.4), strict=True):
        expected = monai.AdjustContrast(gamma=np.exp(log_gamma))((image + 1) / 2)
        torch.testing.assert_close((output + 1) / 2, expected, atol=2e-3, rtol=0)


def test_smoothing_is_scipys_with_each_image_its_own_sigma(images):
    sigma = np.array([[1.2, 0.6, 0.0], [0.5, 1.7, 0.8]])
    result = gaussian_smooth(images, torch.from_numpy(sigma), (5, 7, 4))
    for image, output, own in zip(images, result, sigma, strict=True):
        expected = gaussian_filter(image[0].numpy().astype(float), own, mode="nearest", truncate=4)
        # radii are rounded up here and to the nearest in SciPy: the difference is in the far tail
        np.testing.assert_allclose(output[0].numpy(), expected, atol=2e-3)


def test_smoothing_is_monais_away_from_the_border(images):
    sigma = (1.3, 1.1, 1.0)  # MONAI does not normalise its kernel, which matters below 1
    result = gaussian_smooth(images, torch.tensor([sigma, sigma]), (6, 5, 4))
    expected = monai.GaussianSmooth(sigma, approx="sampled")(images[0])
    inside = (slice(6, -6), slice(5, -5), slice(4, -4))
    torch.testing.assert_close(result[0, 0][inside], expected[0][inside], atol=1e-4, rtol=0)


def test_noise_is_added_as_monai_adds_it(images):
    torch.manual_seed(0)
    result = perturb(images / 2, parameters(noise=[0.03, 0.06]))
    torch.manual_seed(0)
    drawn = torch.randn_like(images)
    for image, output, noise, deviation in zip(images / 2, result, drawn, (0.03, 0.06), strict=True):
        transform = monai.RandGaussianNoise(prob=1.0)
        transform.randomize(image)
        transform.noise = (noise * deviation).numpy()
        expected = transform((image + 1) / 2, randomize=False)
        torch.testing.assert_close((output + 1) / 2, expected, atol=1e-6, rtol=0)


def test_bias_field_is_monais_of_the_same_polynomial():
    rng = np.random.default_rng(0)
    coefficients = rng.normal(size=TERMS)
    powers = [(i, j, k) for i in range(4) for j in range(4) for k in range(4) if i + j + k <= 3]
    to_legendre = np.zeros((4, 4))  # of the monomial in each row
    for power in range(4):
        to_legendre[power, : power + 1] = np.polynomial.legendre.poly2leg(np.eye(4)[power][: power + 1])
    legendre = sum(
        c * np.einsum("i,j,k->ijk", *(to_legendre[p] for p in exponents))
        for c, exponents in zip(coefficients, powers[1:], strict=True)  # ours has no constant
    )
    shape = (7, 6, 5)
    polynomial = monai.RandBiasField()._generate_random_field(shape, 3, [legendre[p] for p in powers])
    expected = np.exp(polynomial / 2)
    field = bias_field(shape, torch.as_tensor(coefficients)[None])[0, 0]
    np.testing.assert_allclose(field.numpy(), expected / expected.mean(), rtol=1e-5)


def test_bias_field_is_the_exponential_of_its_polynomial():
    coefficients = torch.zeros(1, TERMS)
    coefficients[0, 0] = 0.8  # the first monomial is z
    field = bias_field((5, 4, 3), coefficients)[0, 0]
    expected = torch.exp(0.4 * torch.linspace(-1, 1, 3))
    torch.testing.assert_close(field, (expected / expected.mean()).expand(5, 4, 3))


def test_noise_has_the_asked_deviation():
    torch.manual_seed(0)
    result = perturb(torch.zeros(2, 1, 40, 40, 20), parameters(noise=[0.05, 0.1]))
    np.testing.assert_allclose(result.flatten(1).std(dim=1) / 2, [0.05, 0.1], rtol=0.02)


def test_bias_fields_are_never_nearly_flat():
    drawn = sample_perturbation(np.random.default_rng(0), 2000, "bias_field")
    deviations = bias_field((13, 13, 13), torch.as_tensor(drawn.bias)).log().std(dim=(1, 2, 3, 4))
    assert deviations.min() > 0.34


@pytest.mark.parametrize("seed", range(40))
def test_every_draw_changes_the_image_perceptibly(images, seed):
    smooth = gaussian_smooth(images[:1], torch.ones(1, 3), (4, 4, 4)).repeat(8, 1, 1, 1, 1)
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min()) * 2 - 1
    torch.manual_seed(seed)
    result = perturb(smooth, sample_perturbation(np.random.default_rng(seed), 8))
    change = (result - smooth).flatten(1).abs().mean(dim=1) / 2
    assert change.min() > 0.005
    assert result.abs().max() <= 1


def test_effects_follow_the_order_of_an_acquisition(images):
    """The tissue's contrast, the receive field, the sharpness."""
    image, log_gamma = images[:1] * 0.4, 0.4
    changed = {"log_gamma": [log_gamma], "bias": np.linspace(-0.3, 0.3, TERMS)[None], "sigma": [[0.9, 1.2, 0.7]]}
    result = perturb(image, parameters(1, **changed))
    field = bias_field((20, 18, 12), torch.as_tensor(changed["bias"]))[0, 0].numpy()
    unit = ((image[0, 0].numpy() + 1) / 2) ** np.exp(log_gamma) * field
    expected = gaussian_filter(unit, changed["sigma"][0], mode="nearest", truncate=5)
    np.testing.assert_allclose((result[0, 0].numpy() + 1) / 2, expected, atol=2e-3)


def test_all_kinds_are_drawn_evenly():
    kinds = dict.fromkeys([*(f.name for f in fields(Perturbation)), "mixture"], 0)
    expected = 500 / len(kinds)
    for seed in range(500):
        drawn = sample_perturbation(np.random.default_rng(seed), 16)
        active = [name for name in vars(drawn) if getattr(drawn, name).any()]
        kinds[active[0] if len(active) == 1 else "mixture"] += 1
    deviation = np.sqrt(expected * (1 - 1 / len(kinds)))
    assert all(abs(count - expected) < 4.5 * deviation for count in kinds.values())


def test_runs_on_a_cuda_device():
    with fake_cuda():
        for seed in range(20):
            plan = sample_perturbation(np.random.default_rng(seed), 2)
            assert perturb(torch.rand(2, 1, 12, 12, 8), plan).device.type == "cuda"
