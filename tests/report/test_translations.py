"""What the report measures on translations, against the generator itself; and on a device."""

import torch
from tiny_dataset import CONFIGURATION, tiny_generator
from torch._subclasses.fake_tensor import FakeTensorMode

from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.cases import PreprocessedCases
from intrastyler_nnunet.offline.style_space import StyleSpace
from intrastyler_nnunet.report.translations import StyleMatrix
from intrastyler_nnunet.styles.slerp import slerp

AXES = (2, 1, 0)


def space_of(generator, device: str) -> StyleSpace:
    return StyleSpace(generator.eval(), None, None, None, {}, torch.device(device))


def source_of(dataset, monkeypatch) -> PreprocessedCases:
    dataset.use(monkeypatch)
    return PreprocessedCases(folders.configuration_folder("998", folders.read_plans("998"), CONFIGURATION), AXES)


def whole(source: PreprocessedCases, name: str) -> torch.Tensor:
    return source.patch(name, (0, 0, 0), source.shapes[name])[0]


def test_cells_and_frames_are_the_generators_images(tiny_dataset, monkeypatch):
    source = source_of(tiny_dataset, monkeypatch)
    generator = tiny_generator(style_patch_size=(64, 64, 64)).eval()  # one patch: the whole volume
    styles = torch.nn.functional.normalize(torch.randn(3, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    translations = StyleMatrix(space_of(generator, "cpu"), source, styles)
    row = translations.matrix()[0]
    assert [cell.name for cell in translations.matrix()] == ["source_0", "source_2", "source_4"]
    with torch.no_grad():
        image = generator(whole(source, "source_0"), styles[1:2])
        cosine = (generator.encode_style(image)[0] @ styles[1]).item()
    assert abs(row.translations[1].degrees - torch.rad2deg(torch.acos(torch.tensor(cosine))).item()) < 0.1
    frames = translations.frames()
    assert set(frames) == {"0-1", "0-2", "1-2"}
    assert {len(pictures) for pictures in frames.values()} == {9}
    only = StyleMatrix(space_of(generator, "cpu"), source, slerp(styles[1:2], styles[2:3], 0.4))
    assert only.matrix()[0].translations[0].picture == frames["1-2"][3]
    assert only.frames() == {}


def test_translations_come_back_from_a_cuda_device(tiny_dataset, monkeypatch):
    source = source_of(tiny_dataset, monkeypatch)
    with FakeTensorMode():
        with torch.device("cuda"):
            generator = tiny_generator(style_patch_size=(8, 12, 16))
        styles, image = torch.rand(2, 8), torch.rand(1, 1, 16, 32, 40)
        translations = StyleMatrix(space_of(generator, "cuda"), source, styles)
        for volume in translations.translated("source_0", image, torch.zeros(1, 1, 16, 32, 40), styles):
            assert volume.shape == (1, 1, 40, 32, 16)
            assert volume.device.type == "cpu"
            assert translations.style_of(volume).device.type == "cpu"
