"""Translating image files, outside nnU-Net."""
