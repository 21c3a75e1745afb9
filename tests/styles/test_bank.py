"""The style bank on small preprocessed volumes."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
from scipy.ndimage import uniform_filter

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.config import GeneratorConfig
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import GeneratorMetadata
from intrastyler_nnunet.model.tensor_file import save_tensors
from intrastyler_nnunet.styles.bank import StyleBank, bank_of_generator, grid_patches, style_bank
from intrastyler_nnunet.styles.clusters import cluster_styles
from intrastyler_nnunet.translation.acquisition import PROBABILITIES, Acquisition
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


def test_it_keeps_how_exemplars_were_acquired(generator, target_folder, tmp_path):
    bank = built(generator, target_folder, tmp_path)
    volume = np.array(nnUNetDatasetBlosc2(str(target_folder), ["case_2"]).load_case("case_2")[0][0])
    lo, hi = intensity_window(volume)
    image = np.clip((volume - lo) / (hi - lo), 0, 1).transpose(2, 1, 0) * 2 - 1
    means = uniform_filter(image, (3, 3, 1), mode="nearest")[1:-1, 1:-1]
    found = Acquisition.of(bank.acquisitions[2:])
    np.testing.assert_allclose(found.quantiles[0].numpy(), np.quantile(means, PROBABILITIES), atol=1e-3)
    assert found.noise.item() > 0.1  # of cases that are noise
    assert torch.equal(StyleBank.load(tmp_path / "bank.safetensors").acquisitions, bank.acquisitions)
    trained, plain = GeneratorMetadata(acquisition=True), GeneratorMetadata()
    assert bank.acquisitions_for(trained, None) is bank.acquisitions_for(plain, True) is bank.acquisitions
    assert bank.acquisitions_for(plain, None) is bank.acquisitions_for(trained, False) is None


def test_a_bank_of_a_former_version_does_without_acquisitions_until_it_is_built_anew(
    generator, target_folder, tmp_path
):
    bank = built(generator, target_folder, tmp_path)
    former, path = replace(bank, acquisitions=None), tmp_path / "bank.safetensors"
    former.save(path)
    loaded = StyleBank.load(path)
    assert loaded.acquisitions is None
    assert loaded.acquisitions_for(GeneratorMetadata(acquisition=True), None) is None
    with pytest.raises(InputError, match="the style bank has none"):
        loaded.acquisitions_for(GeneratorMetadata(), True)
    assert torch.equal(built(generator, target_folder, tmp_path).acquisitions, bank.acquisitions)


def test_a_bank_of_codes_has_acquisitions_if_the_generator_was_trained_for_it(target_folder, tmp_path):
    codes = {"case_0": (1.0, 0.0), "case_2": (0.0, 1.0)}
    for trained in (False, True):
        metadata = GeneratorMetadata(codes=codes, acquisition=trained, method="unified")
        made = Generator(GeneratorConfig(width=4, style_width=0, style_dim=2), metadata)
        made.save(tmp_path / "generator.safetensors")
        bank = built(made, target_folder, tmp_path)
        assert bank.names == ("case_0", "case_2")
        assert (bank.acquisitions is not None) == trained
        assert bank.vectors.tolist() == [[1, 0], [0, 1]]


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


def test_a_bank_and_its_generator_do_without_target_images(generator, target_folder, tmp_path):
    bank = built(generator, target_folder, tmp_path)
    shutil.rmtree(target_folder)
    alone = built(generator, target_folder, tmp_path)
    assert alone.names == bank.names
    assert torch.equal(alone.vectors, bank.vectors)
    with torch.no_grad():
        generator.style_encoder.to_style.weight.add_(1)
    generator.save(tmp_path / "generator.safetensors")
    with pytest.raises(InputError, match="no style bank of this generator"):
        built(generator, target_folder, tmp_path)


def test_clusters_are_kept_with_the_bank_and_made_for_one_without(generator, target_folder, tmp_path):
    bank = built(generator, target_folder, tmp_path)
    expected = cluster_styles(bank.vectors).labels
    again = built(generator, target_folder, tmp_path)
    assert again.clusters.tolist() == bank.labels.tolist() == expected.tolist()
    # As former versions wrote it.
    tensors = {"vectors": bank.vectors, "windows": bank.windows, "dispersion": bank.dispersion}
    path = tmp_path / "bank.safetensors"
    save_tensors(path, tensors, {"names": json.dumps(bank.names), "fingerprint": bank.fingerprint})
    assert StyleBank.load(path).clusters is None
    assert StyleBank.load(path).labels.tolist() == expected.tolist()
    assert built(generator, target_folder, tmp_path).labels.tolist() == expected.tolist()
    assert StyleBank.load(path).clusters.tolist() == expected.tolist()
    save_tensors(path, tensors | {"clusters": torch.tensor([0.0, 2.0, 0.0])},
                 {"names": json.dumps(bank.names), "fingerprint": ""})  # fmt: skip
    with pytest.raises(InputError, match="clusters that are not numbered from 0"):
        StyleBank.load(path)


def test_clusters_of_some_exemplars_are_theirs_alone():
    vectors = F.normalize(torch.eye(3).repeat_interleave(4, dim=0) + 0.01 * torch.rand(12, 3))
    bank = StyleBank(tuple(map(str, range(12))), vectors, torch.zeros(12, 2), torch.zeros(12), "", np.arange(12) // 4)
    assert bank.labels_of(np.arange(12)).tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert sorted(np.bincount(bank.labels_of(np.arange(8)))) == [4, 4]


def test_of_several_processes_one_builds_the_bank(generator, target_folder, tmp_path):
    """Threads of one process take the lock from each other as processes do: each opens the file for itself."""
    encoded = []
    generator.style_encoder.register_forward_hook(lambda *_: encoded.append(1))
    with ThreadPoolExecutor(4) as pool:
        banks = list(pool.map(lambda _: built(generator, target_folder, tmp_path), range(4)))
    once = len(encoded)
    (tmp_path / "bank.safetensors").unlink()
    built(generator, target_folder, tmp_path)
    assert len(encoded) == 2 * once
    assert all(torch.equal(bank.vectors, banks[0].vectors) for bank in banks)
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_no_target_images_is_said(generator, tmp_path):
    (tmp_path / "target").mkdir()
    with pytest.raises(InputError, match="add-target"):
        built(generator, tmp_path / "target", tmp_path)


def test_joined_banks_have_the_exemplars_of_both(generator, target_folder, tmp_path):
    bank = style_bank(
        generator, tmp_path / "generator.safetensors", target_folder, PATCH, tmp_path / "bank.safetensors"
    )
    new = StyleBank(("new",), -bank.vectors[:1], torch.tensor([[5.0, 6.0]]), torch.tensor([0.25]))
    joined = bank.joined(new, bank.fingerprint)
    joined.save(tmp_path / "joined.safetensors")
    read = bank_of_generator(tmp_path / "joined.safetensors", tmp_path / "generator.safetensors")
    assert read.names == (*bank.names, "new")
    assert torch.equal(read.vectors, torch.cat([bank.vectors, -bank.vectors[:1]]))
    assert read.windows[-1].tolist() == [5.0, 6.0]
    assert read.labels[-1] not in read.labels[:-1]  # the opposite of a style is in no cluster with it
    with pytest.raises(InputError, match="case_0: is already the name of an exemplar"):
        joined.joined(bank)
    generator.metadata = GeneratorMetadata()
    generator.save(tmp_path / "generator.safetensors")
    with pytest.raises(InputError, match="a style bank of another generator"):
        bank_of_generator(tmp_path / "joined.safetensors", tmp_path / "generator.safetensors")
