"""Signal equations against closed-form limits and against Bloch equations solved for the steady state."""

from collections.abc import Callable

import numpy as np
import pytest

from intrastyler_nnunet.simulation.signals import (
    balanced_ssfp,
    enhanced,
    spin_echo,
    spoiled_gradient_echo,
    turbo_spin_echo,
)

T1 = np.array([340.0, 830.0, 1300.0, 4000.0])
T2 = np.array([85.0, 78.0, 95.0, 1500.0])
PD = np.array([0.9, 0.7, 0.82, 1.0])


def rotation_x(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.array([[1, 0, 0], [0, np.cos(angle), np.sin(angle)], [0, -np.sin(angle), np.cos(angle)]])


def relaxed(magnetisation: np.ndarray, time: float, t1: float, t2: float) -> np.ndarray:
    transverse, longitudinal = np.exp(-time / t2), np.exp(-time / t1)
    return magnetisation * [transverse, transverse, longitudinal] + [0, 0, 1 - longitudinal]


def steady_state(repetition: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The magnetisation that one repetition of the sequence, an affine map, leaves as it is."""
    offset = repetition(np.zeros(3))
    matrix = np.stack([repetition(unit) - offset for unit in np.eye(3)], axis=1)
    return np.linalg.solve(np.eye(3) - matrix, offset)


def test_spoiled_gradient_echo_at_90_degrees_is_saturation_recovery():
    signal = spoiled_gradient_echo(PD, T1, T2, tr=500, te=0, flip=90)
    np.testing.assert_allclose(signal, PD * (1 - np.exp(-500 / T1)), rtol=1e-12)


def test_spoiled_gradient_echo_peaks_at_the_ernst_angle():
    flips = np.linspace(1, 90, 8901)
    signal = [spoiled_gradient_echo(1.0, 830.0, 78.0, tr=20, te=3, flip=flip) for flip in flips]
    assert flips[np.argmax(signal)] == pytest.approx(np.rad2deg(np.arccos(np.exp(-20 / 830))), abs=0.02)


@pytest.mark.parametrize("flip", [20, 60, 90])
def test_long_repetition_leaves_excitation_and_transverse_decay(flip):
    fully_relaxed = PD * np.sin(np.deg2rad(flip)) * np.exp(-12 / T2)
    for sequence in (spoiled_gradient_echo, spin_echo, turbo_spin_echo):
        np.testing.assert_allclose(sequence(PD, T1, T2, tr=1e6, te=12, flip=flip), fully_relaxed, rtol=1e-9)


def test_turbo_spin_echo_without_echo_time_is_saturation_recovery():
    signal = turbo_spin_echo(PD, T1, T2, tr=3000, te=0, flip=90)
    np.testing.assert_allclose(signal, PD * (1 - np.exp(-3000 / T1)), rtol=1e-12)


def test_balanced_ssfp_with_short_repetition_depends_on_the_ratio_of_t1_and_t2():
    angle = np.deg2rad(55)
    limit = PD * np.sin(angle) / (1 + np.cos(angle) + (1 - np.cos(angle)) * T1 / T2)
    np.testing.assert_allclose(balanced_ssfp(PD, T1, T2, tr=1e-3, te=0, flip=55), limit, rtol=1e-4)


@pytest.mark.parametrize(("t1", "t2"), zip(T1, T2, strict=True))
def test_balanced_ssfp_agrees_with_bloch_equations(t1, t2):
    def repetition(magnetisation: np.ndarray) -> np.ndarray:
        # The pulses alternate in sign: in a frame that turns with them, the transverse part changes sign.
        return relaxed(rotation_x(60) @ magnetisation, 8, t1, t2) * [-1, -1, 1]

    echo = relaxed(rotation_x(60) @ steady_state(repetition), 4, t1, t2)
    expected = np.linalg.norm(echo[:2])
    assert balanced_ssfp(1.0, t1, t2, tr=8, te=4, flip=60) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("turn", [0.0, 0.7, 2.0, 2.9, np.pi, 4.5])
@pytest.mark.parametrize(("t1", "t2"), zip(T1, T2, strict=True))
def test_balanced_ssfp_off_resonance_agrees_with_bloch_equations(t1, t2, turn):
    cosine, sine = np.cos(turn), np.sin(turn)
    precession = np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])

    def repetition(magnetisation: np.ndarray) -> np.ndarray:
        return precession @ relaxed(rotation_x(35) @ magnetisation, 8, t1, t2) * [-1, -1, 1]

    echo = relaxed(rotation_x(35) @ steady_state(repetition), 4, t1, t2)
    signal = balanced_ssfp(1.0, t1, t2, tr=8, te=4, flip=35, precession=turn)
    assert signal == pytest.approx(np.linalg.norm(echo[:2]), rel=1e-9)


@pytest.mark.parametrize(("t1", "t2"), zip(T1, T2, strict=True))
def test_spoiled_gradient_echo_agrees_with_bloch_equations(t1, t2):
    def repetition(magnetisation: np.ndarray) -> np.ndarray:
        return relaxed(rotation_x(25) @ magnetisation, 20, t1, t2) * [0, 0, 1]

    echo = relaxed(rotation_x(25) @ steady_state(repetition), 3, t1, t2)
    expected = np.linalg.norm(echo[:2])
    assert spoiled_gradient_echo(1.0, t1, t2, tr=20, te=3, flip=25) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("flip", [70, 90, 110])
@pytest.mark.parametrize(("t1", "t2"), zip(T1, T2, strict=True))
def test_spin_echo_agrees_with_bloch_equations(t1, t2, flip):
    def until_echo(magnetisation: np.ndarray) -> np.ndarray:
        before = relaxed(rotation_x(flip) @ magnetisation, 6, t1, t2)
        return relaxed(rotation_x(180) @ before, 6, t1, t2)

    def repetition(magnetisation: np.ndarray) -> np.ndarray:
        return relaxed(until_echo(magnetisation), 500 - 12, t1, t2) * [0, 0, 1]

    expected = np.linalg.norm(until_echo(steady_state(repetition))[:2])
    assert spin_echo(1.0, t1, t2, tr=500, te=12, flip=flip) == pytest.approx(expected, rel=1e-9)


def test_gadolinium_shortens_relaxation_by_its_relaxivity():
    t1, t2 = enhanced(np.array([1000.0]), np.array([100.0]), np.array([1.0]))
    assert 1000 / t1 - 1000 / 1000 == pytest.approx(4.5)
    assert 1000 / t2 - 1000 / 100 == pytest.approx(5.5)
