"""Steady-state signal equations of MRI sequences, for arrays of tissue properties.

Times are in ms, flip angles in degrees; the signal is in units of the magnetisation of free water. See Bernstein,
King and Zhou, Handbook of MRI Pulse Sequences (2004), chapters 14 and 16.
"""

import numpy as np

# Longitudinal and transverse relaxivity of gadolinium chelates in plasma at 3 T, 1 / (mM ms): amid the agents
# measured by Rohrer et al., Invest Radiol 40:715 (2005).
RELAXIVITY_1 = 4.5e-3
RELAXIVITY_2 = 5.5e-3


def enhanced(t1: np.ndarray, t2: np.ndarray, gadolinium: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """T1 and T2 (ms) in the presence of gadolinium (mM): 1/T' = 1/T + r c."""
    return 1 / (1 / t1 + RELAXIVITY_1 * gadolinium), 1 / (1 / t2 + RELAXIVITY_2 * gadolinium)


def spoiled_gradient_echo(
    proton_density: np.ndarray, t1: np.ndarray, t2: np.ndarray, *, tr: float, te: float, flip: float
) -> np.ndarray:
    """Ernst's equation with decay until the echo: M sin(a) (1 - E1) / (1 - cos(a) E1) exp(-TE/T2)."""
    angle, e1 = np.deg2rad(flip), np.exp(-tr / t1)
    return proton_density * np.sin(angle) * (1 - e1) / (1 - np.cos(angle) * e1) * np.exp(-te / t2)


def spin_echo(
    proton_density: np.ndarray, t1: np.ndarray, t2: np.ndarray, *, tr: float, te: float, flip: float
) -> np.ndarray:
    """Excitation by `flip`, refocusing by 180 degrees.

    M sin(a) (1 - 2 exp(-(TR - TE/2)/T1) + E1) / (1 + cos(a) E1) exp(-TE/T2)
    """
    angle, e1 = np.deg2rad(flip), np.exp(-tr / t1)
    recovery = (1 - 2 * np.exp(-(tr - te / 2) / t1) + e1) / (1 + np.cos(angle) * e1)
    return proton_density * np.sin(angle) * recovery * np.exp(-te / t2)


def balanced_ssfp(
    proton_density: np.ndarray,
    t1: np.ndarray,
    t2: np.ndarray,
    *,
    tr: float,
    te: float,
    flip: float,
    precession: float | np.ndarray = 0.0,
) -> np.ndarray:
    """Balanced steady-state free precession with pulses of alternating sign, at `te` after the pulse.

    M sin(a) (1 - E1) |1 - E2 exp(-i p)| / (C cos(p) + D) exp(-TE/T2) with C = E2 (E1 - 1) (1 + cos(a)),
    D = 1 - E1 cos(a) - (E1 - cos(a)) E2^2 and p = pi + `precession` (Freeman and Hill, J Magn Reson 4:366 (1971)).
    `precession` is the angle (radians) by which spins off resonance turn from pulse to pulse; at pi lies the dark band.
    """
    angle, e1, e2, p = np.deg2rad(flip), np.exp(-tr / t1), np.exp(-tr / t2), np.pi + precession
    c = e2 * (e1 - 1) * (1 + np.cos(angle))
    d = 1 - e1 * np.cos(angle) - (e1 - np.cos(angle)) * e2**2
    steady = np.sin(angle) * (1 - e1) * np.abs(1 - e2 * np.exp(-1j * p)) / (c * np.cos(p) + d)
    return proton_density * steady * np.exp(-te / t2)


def turbo_spin_echo(
    proton_density: np.ndarray, t1: np.ndarray, t2: np.ndarray, *, tr: float, te: float, flip: float
) -> np.ndarray:
    """Turbo spin echo whose train of echoes lasts twice the effective `te` and leaves no magnetisation.

    M sin(a) (1 - exp(-(TR - 2 TE)/T1)) exp(-TE/T2)
    """
    recovery = 1 - np.exp(-np.maximum(tr - 2 * te, 0) / t1)
    return proton_density * np.sin(np.deg2rad(flip)) * recovery * np.exp(-te / t2)


SEQUENCES = {
    "spoiled_gradient_echo": spoiled_gradient_echo,
    "spin_echo": spin_echo,
    "balanced_ssfp": balanced_ssfp,
    "turbo_spin_echo": turbo_spin_echo,
}
