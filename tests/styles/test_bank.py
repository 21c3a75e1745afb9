"""The style bank on small preprocessed volumes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.config import GeneratorConfig
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import GeneratorMetadata
from intrastyler_nnunet.styles.bank import StyleBank, grid_patches, style_bank
from intrastyler_nnunet.translation.windows import intensity_window

PATCH = (8, 12, 12)  # nnU-Net axis order


@pytest.fixture
def generator(tmp_path):
    torch.manual_seed(0)
    made = Generator(GeneratorConfig(width=4, style_width=4, style_dim=16), GeneratorMetadata(style_patch_size=PATCH))
    made.save(tmp_path / "generator.safetensors")
    return made


@pytest.fixture
def target_folder(tmp_path):
    folder = tmp_path / "target"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for case in range(3):
        data = rng.gamma(1 + case, size=(1, 8, 18, 20)).astype(np.float32)
        nnUNetDatasetBlosc2.save_case(data, np.zeros_like(data, np.int16), {}, str(folder / f"case_{case}"))
    return folder


def built(generator, folder, tmp_path) -> StyleBank:
    path = tmp_path / "generator.safetensors"
    return style_bank(generator, path, folder, PATCH, tmp_path / "bank.safetensors")


@torch.no_grad()
def test_a_vector_is_the_mean_of_its_patches_unit_vectors(generator, target_folder, tmp_path):
    bank = built(generator, target_folder, tmp_path)
    volume = np.array(nnUNetDatasetBlosc2(str(target_folder), ["case_1"]).load_case("case_1")[0][0])
    lo, hi = intensity_window(volume)
    image = np.clip((volume - lo) / (hi - lo), 0, 1) * 2 - 1
    vectors = []
    for y in (0, 6):  # 18 rows, patches of 12, half overlapping; 20 columns: 0, 4, 8
        for x in (0, 4, 8):
            patch = torch.from_numpy(image[:, y : y + 12, x : x + 12].transpose(2, 1, 0).copy())
            vectors.append(generator.encode_style(patch[None, None].float())[0])
    mean = torch.stack(vectors).mean(dim=0)
    torch.testing.assert_close(bank.vectors[1], F.normalize(mean, dim=0), atol=1e-5, rtol=0)
    torch.testing.assert_close(bank.dispersion[1], 1 - mean.norm(), atol=1e-5, rtol=0)
    torch.testing.assert_close(bank.windows[1], torch.tensor([lo, hi]))


def test_patches_cover_every_voxel():
    image = torch.arange(23 * 17 * 9.0).reshape(1, 1, 23, 17, 9)
    seen = torch.cat([patch.flatten() for patch in grid_patches(image, [8, 30, 9])])
    assert set(seen.tolist()) == set(image.flatten().tolist())


def test_it_is_read_back_until_generator_or_target_change(generator, target_folder, tmp_path):
    first = built(generator, target_folder, tmp_path)
    file = tmp_path / "bank.safetensors"
    written = file.stat().st_mtime_ns
    again = built(generator, target_folder, tmp_path)
    assert again.names == first.names
    assert torch.equal(again.vectors, first.vectors)
    assert file.stat().st_mtime_ns == written

    data = np.random.default_rng(9).normal(size=(1, 8, 18, 20)).astype(np.float32)
    nnUNetDatasetBlosc2.save_case(data, np.zeros_like(data, np.int16), {}, str(target_folder / "case_3"))
    assert len(built(generator, target_folder, tmp_path).names) == 4

    with torch.no_grad():
        generator.style_encoder.to_style.weight.add_(torch.randn_like(generator.style_encoder.to_style.weight))
    generator.save(tmp_path / "generator.safetensors")
    assert not torch.allclose(built(generator, target_folder, tmp_path).vectors[0], first.vectors[0], atol=1e-3)


def test_no_target_images_is_said(generator, tmp_path):
    (tmp_path / "target").mkdir()
    with pytest.raises(InputError, match="add-target"):
        built(generator, tmp_path / "target", tmp_path)
