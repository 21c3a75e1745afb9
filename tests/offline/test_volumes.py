"""A raw file comes to the generator as its preprocessed case does, whatever the hint; and back to its own grid."""

import numpy as np
import pytest
import SimpleITK
import torch
from tiny_dataset import CONFIGURATION, tiny_generator

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.images import read_image
from intrastyler_nnunet.model.metadata import GeneratorMetadata, LabelHint
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.exemplar_translation import load_exemplar_translation
from intrastyler_nnunet.offline.volumes import on_own_grid, preprocessed
from intrastyler_nnunet.styles.sampling import StyleDraw

HINTS = {
    "none": None,
    "released": LabelHint(inverted=(2,), shifted=(1,)),
    "levels": LabelHint((), (), soft=True, levels=(((1,), -0.4), ((2,), 1.5))),
}


@pytest.mark.parametrize("kind", HINTS)
def test_translate_gives_a_raw_file_what_the_trainer_gives_its_preprocessed_case(own_dataset, tmp_path, kind):
    path = tmp_path / "generator.safetensors"
    tiny_generator(label_hint=HINTS[kind]).save(path)
    plans = folders.read_plans(998)
    translation, _ = load_exemplar_translation([path], plans, CONFIGURATION, torch.device("cpu"), regions=False)
    bank = translation.banks[0]
    bank.save(tmp_path / "style_bank.safetensors")
    source = folders.configuration_folder(998, plans, CONFIGURATION)
    case = "source_1"
    image, labels, _, properties = dataset_of(source).load_case(case)
    (expected,) = translation.translate_case(image[:], labels[:], case, StyleDraw.of(np.array([2])))
    options = ["-i", own_dataset.raw / "imagesTr" / f"{case}_0000.nii.gz", "-o", tmp_path / "out.nii.gz"]
    if kind != "none":
        options += ["--labels", own_dataset.raw / "labelsTr" / f"{case}.nii.gz"]
    main(["translate", "-g", str(path), "--style", bank.names[2], "-device", "cpu", *map(str, options)])
    found = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "out.nii.gz")))
    box = tuple(slice(*bounds) for bounds in properties["bbox_used_for_cropping"])
    assert np.abs(found[box] - expected[0]).max() < 1e-3 * expected.std()


def test_another_spacing_is_what_nnunets_preprocessing_makes_of_it(own_dataset):
    # The second path: nnU-Net's command line preprocessed the very image at the plans' spacing.
    image = read_image(own_dataset.raw / "imagesTr" / "source_1_0000.nii.gz")
    metadata = tiny_generator().metadata
    same = preprocessed(image, metadata)
    expected = dataset_of(folders.configuration_folder(998, folders.read_plans(998), CONFIGURATION)).load_case(
        "source_1"
    )
    assert np.abs(same.volume[0, 0].numpy() - expected[0][0]).max() < 1e-5
    half = GeneratorMetadata(
        spacing=tuple(2 * value for value in metadata.spacing), normalization=metadata.normalization
    )
    coarse = preprocessed(image, half)
    assert coarse.volume.shape[2:] == tuple(round(n / 2) for n in same.volume.shape[2:])
    back = on_own_grid(coarse.volume, coarse, half, background=0.0)
    assert back.GetSize() == image.GetSize()
    assert back.GetOrigin() == image.GetOrigin()
    found = SimpleITK.GetArrayFromImage(back)
    assert np.corrcoef(found.ravel(), SimpleITK.GetArrayFromImage(image).ravel())[0, 1] > 0.9


def test_ct_normalisation_needs_its_intensities():
    image = SimpleITK.GetImageFromArray(np.arange(512, dtype=np.float32).reshape(8, 8, 8))
    with pytest.raises(InputError, match="does not state their intensities"):
        preprocessed(image, GeneratorMetadata(normalization=("CTNormalization",)))
    known = {"mean": 100.0, "std": 50.0, "percentile_00_5": 10.0, "percentile_99_5": 300.0}
    metadata = GeneratorMetadata(normalization=("CTNormalization",), intensity_properties=known)
    found = preprocessed(image, metadata).volume.numpy().ravel()
    assert np.allclose(found[[0, 100, 511]], [-1.8, 0.0, 4.0])


def dataset_of(folder):
    from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

    return nnUNetDatasetBlosc2(str(folder))
