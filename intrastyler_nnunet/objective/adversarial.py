"""Least-squares GAN losses, the adversarial part of CUT (paper section 2.1)."""

import torch


def discriminator_loss(real_scores: torch.Tensor, fake_scores: torch.Tensor) -> torch.Tensor:
    """((D(real) - 1)^2 + D(fake)^2) / 2, averaged over patches, in float32."""
    return ((real_scores.float() - 1).square().mean() + fake_scores.float().square().mean()) / 2


def generator_loss(fake_scores: torch.Tensor) -> torch.Tensor:
    """(D(G(x, v)) - 1)^2, averaged over patches, in float32."""
    return (fake_scores.float() - 1).square().mean()
