"""`intrastyler translate` on files: against the generator itself, in every orientation and format."""

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_dataset import tiny_generator

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import LabelHint
from intrastyler_nnunet.styles.bank import StyleBank

SHAPE, SPACING = (12, 20, 28), (1.0, 1.0, 1.5)  # z, y, x; x, y, z: the generator's
ORIENTATIONS = ["".join(flip) for axes in permutations(("LR", "PA", "SI")) for flip in product(*axes)]


def image_of(seed: int, spacing=SPACING, shape=SHAPE) -> SimpleITK.Image:
    """A smooth random image with LPS axes."""
    noise = SimpleITK.GetImageFromArray(np.random.default_rng(seed).normal(size=shape).astype(np.float32))
    image = SimpleITK.SmoothingRecursiveGaussian(noise, 1.5) * 900 + 300
    image.SetSpacing(spacing)
    image.SetOrigin((-13.0, 7.0, 41.0))
    return image


def array_of(path) -> np.ndarray:
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A generator, an exemplar and a source image."""
    folder = tmp_path_factory.mktemp("translate")
    tiny_generator(style_patch_size=(8, 12, 16)).save(folder / "generator.safetensors")
    SimpleITK.WriteImage(image_of(0), str(folder / "source.nii.gz"))
    SimpleITK.WriteImage(image_of(1), str(folder / "exemplar.nii.gz"))
    SimpleITK.WriteImage(image_of(2) * 0.01, str(folder / "exemplar2.nii.gz"))
    names = ("london", "tilburg", "elsewhere")
    vectors = torch.nn.functional.normalize(torch.randn(3, 8, generator=torch.Generator().manual_seed(0)))
    windows = torch.tensor([[-1.0, 4.0], [-2.0, 3.0], [0.0, 1.0]])
    StyleBank(names, vectors, windows, torch.zeros(3)).save(folder / "style_bank.safetensors")
    return folder


def translate(folder, *options) -> None:
    main(["translate", "-g", str(folder / "generator.safetensors"), "-device", "cpu", *map(str, options)])


def window(array: np.ndarray) -> tuple[float, float]:
    return array.min(), np.percentile(array, 99.9)


def by_hand(folder, style: torch.Tensor, target: tuple[float, float]) -> np.ndarray:
    """Window to [-1, 1], generator in x, y, z order, window of the exemplar."""
    source = array_of(folder / "source.nii.gz")
    low, high = window(source)
    normalised = np.clip((source - low) / (high - low), 0, 1) * 2 - 1
    generator = Generator.load(folder / "generator.safetensors").eval()
    with torch.no_grad():
        image = generator(torch.from_numpy(normalised.astype(np.float32).transpose(2, 1, 0).copy())[None, None], style)
    return (image[0, 0].numpy().transpose(2, 1, 0) + 1) / 2 * (target[1] - target[0]) + target[0]


def test_a_bank_style_is_what_the_generator_gives(folder, tmp_path):
    translate(folder, "-i", folder / "source.nii.gz", "-o", tmp_path / "out.nii.gz", "--style", "tilburg", "--slab", 8)
    bank = StyleBank.load(folder / "style_bank.safetensors")
    expected = by_hand(folder, bank.vectors[1:2], (-2.0, 3.0))
    assert np.abs(array_of(tmp_path / "out.nii.gz") - expected).max() < 1e-4


def test_an_exemplar_file_gives_style_and_intensities(folder, tmp_path):
    translate(folder, "-i", folder / "source.nii.gz", "-o", tmp_path / "out.nii.gz",
              "--exemplar", folder / "exemplar2.nii.gz")  # fmt: skip
    low, high = window(array_of(folder / "exemplar2.nii.gz"))
    result = array_of(tmp_path / "out.nii.gz")
    assert low - 1e-3 <= result.min()
    assert result.max() <= high + 1e-3


@pytest.mark.parametrize("options", [["--exemplar", "exemplar.nii.gz"], ["--style", "tilburg"]])
def test_noise_is_added_on_demand_and_seeded(folder, tmp_path, options):
    if options[0] == "--exemplar":
        noise = np.random.default_rng(0).normal(0, 300, SHAPE).astype(np.float32)
        exemplar = SimpleITK.GetImageFromArray(array_of(folder / "exemplar.nii.gz") + noise)
        SimpleITK.WriteImage(exemplar, str(tmp_path / options[1]))
        options = [options[0], tmp_path / options[1]]
    if options[0] == "--style":
        rows = torch.tensor([[0.2, *[0.0] * 6, -0.8, -0.6, -0.4, 0.0, 0.4, 0.6, 0.8]] * 3)
        replace(StyleBank.load(folder / "style_bank.safetensors"), acquisitions=rows).save(
            tmp_path / "bank.safetensors"
        )
        options += ["--bank", tmp_path / "bank.safetensors"]
    images = []
    for number, more in enumerate(([], ["--acquisition"], ["--acquisition"], ["--acquisition", "--seed", 1])):
        path = tmp_path / f"{number}.nii.gz"
        translate(folder, "-i", folder / "source.nii.gz", "-o", path, *options, *more)
        images.append(array_of(path))
    plain, first, again, other = images
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.abs(first - plain).max() > 1e-3 * np.ptp(plain)


@pytest.mark.parametrize(("t", "same_as"), [(0.0, "exemplar"), (1.0, "exemplar2")])
def test_the_ends_of_an_interpolation_are_the_exemplars(folder, tmp_path, t, same_as):
    source = folder / "source.nii.gz"
    translate(folder, "-i", source, "-o", tmp_path / "between.nii.gz", "--exemplar", folder / "exemplar.nii.gz",
              "--exemplar2", folder / "exemplar2.nii.gz", "-t", t)  # fmt: skip
    translate(folder, "-i", source, "-o", tmp_path / "end.nii.gz", "--exemplar", folder / f"{same_as}.nii.gz")
    end = array_of(tmp_path / "end.nii.gz")
    assert np.abs(array_of(tmp_path / "between.nii.gz") - end).max() < 1e-4 * np.ptp(end)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(orientation=st.sampled_from(ORIENTATIONS), angle=st.floats(-0.3, 0.3))
def test_any_orientation_oblique_or_not_gives_the_same_voxels_in_its_own_grid(folder, tmp_path, orientation, angle):
    translate(folder, "-i", folder / "source.nii.gz", "-o", tmp_path / "straight.nii.gz", "--style", "london")
    image = SimpleITK.ReadImage(str(folder / "source.nii.gz"))
    tilt = [np.cos(angle), -np.sin(angle), 0, np.sin(angle), np.cos(angle), 0, 0, 0, 1]
    image.SetDirection(tilt)
    turned = SimpleITK.DICOMOrient(image, orientation)
    SimpleITK.WriteImage(turned, str(tmp_path / "turned.nii.gz"))
    translate(folder, "-i", tmp_path / "turned.nii.gz", "-o", tmp_path / "out.nii.gz", "--style", "london")
    result = SimpleITK.ReadImage(str(tmp_path / "out.nii.gz"))
    assert result.GetSize() == turned.GetSize()
    assert np.allclose(result.GetDirection(), turned.GetDirection(), atol=1e-6)
    assert np.allclose(result.GetOrigin(), turned.GetOrigin(), atol=1e-4)
    back = SimpleITK.GetArrayFromImage(SimpleITK.DICOMOrient(result, "LPS"))
    assert np.abs(back - array_of(tmp_path / "straight.nii.gz")).max() < 1e-4


@pytest.mark.parametrize("ending", ["nii", "nii.gz", "mha", "nrrd"])
@pytest.mark.parametrize("kind", [SimpleITK.sitkInt16, SimpleITK.sitkUInt8, SimpleITK.sitkFloat64])
def test_formats_and_types(folder, tmp_path, ending, kind):
    image = SimpleITK.Cast(SimpleITK.RescaleIntensity(image_of(0), 0, 255), kind)
    SimpleITK.WriteImage(image, str(tmp_path / f"in.{ending}"))
    translate(folder, "-i", tmp_path / f"in.{ending}", "-o", tmp_path / f"out.{ending}", "--style", "london")
    result = SimpleITK.ReadImage(str(tmp_path / f"out.{ending}"))
    assert result.GetPixelID() == SimpleITK.sitkFloat32
    assert result.GetSize() == image.GetSize()


def test_a_folder_and_several_styles(folder, tmp_path):
    for number in range(2):
        SimpleITK.WriteImage(image_of(number), str(tmp_path / f"case_{number}.nii.gz"))
    translate(folder, "-i", tmp_path, "-o", tmp_path / "out", "--random", 2, "--seed", 1)
    first = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(first) == 4
    assert all(name.startswith("case_") and "__" in name for name in first)
    translate(folder, "-i", tmp_path, "-o", tmp_path / "named", "--style", "elsewhere")
    assert sorted(path.name for path in (tmp_path / "named").iterdir()) == ["case_0.nii.gz", "case_1.nii.gz"]


def test_parts_translate_every_image_once(folder, tmp_path):
    for number in range(3):
        SimpleITK.WriteImage(image_of(number), str(tmp_path / f"case_{number}.nii.gz"))
    for part, names in enumerate((["case_0", "case_2"], ["case_1"])):
        output = tmp_path / f"part_{part}"
        output.mkdir()
        translate(folder, "-i", tmp_path, "-o", output, "--style", "london", "-num_parts", 2, "-part_id", part)
        assert sorted(path.name.removesuffix(".nii.gz") for path in output.iterdir()) == names


def test_a_label_hint_needs_labels_and_uses_them(folder, tmp_path, capsys):
    hinted = tmp_path / "generator.safetensors"
    tiny_generator(label_hint=LabelHint()).save(hinted)
    (tmp_path / "style_bank.safetensors").write_bytes((folder / "style_bank.safetensors").read_bytes())
    image = image_of(0)
    SimpleITK.WriteImage(image, str(tmp_path / "in.nii.gz"))
    labels = SimpleITK.Cast(image > 350, SimpleITK.sitkUInt8)
    SimpleITK.WriteImage(labels, str(tmp_path / "labels.nii.gz"))
    SimpleITK.WriteImage(labels * 0, str(tmp_path / "none.nii.gz"))
    SimpleITK.WriteImage(labels[1:], str(tmp_path / "smaller.nii.gz"))

    def run(*options) -> None:
        translate(tmp_path, "-i", tmp_path / "in.nii.gz", "-o", tmp_path / "out.nii.gz", "--style", "london", *options)

    for options, expected in (
        ((), "label hint"),
        (("--labels", tmp_path / "smaller.nii.gz"), "found size (27, 20"),
    ):
        with pytest.raises(SystemExit) as stop:
            run(*options)
        assert stop.value.code == 2
        assert expected in capsys.readouterr().err
    assert not (tmp_path / "out.nii.gz").exists()
    run("--labels", tmp_path / "labels.nii.gz")
    with_labels = array_of(tmp_path / "out.nii.gz")
    run("--labels", tmp_path / "none.nii.gz")
    assert np.abs(with_labels - array_of(tmp_path / "out.nii.gz")).max() > 0.01


def run_refused(capsys, *arguments) -> str:
    with pytest.raises(SystemExit) as stop:
        translate(*arguments)
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_label_maps_are_of_whole_numbers_that_are_taken_as_they_are(folder, tmp_path, capsys):
    """Values of more than 8 bits are other labels, not the same modulo 256; fractions are none."""
    tiny_generator(label_hint=LabelHint()).save(tmp_path / "generator.safetensors")
    (tmp_path / "style_bank.safetensors").write_bytes((folder / "style_bank.safetensors").read_bytes())
    image = image_of(0)
    SimpleITK.WriteImage(image, str(tmp_path / "in.nii.gz"))
    results = {}
    for value in (0, 3, 256 + 3):
        labels = SimpleITK.Cast(image > 350, SimpleITK.sitkInt16) * value
        SimpleITK.WriteImage(labels, str(tmp_path / "labels.nii.gz"))
        translate(tmp_path, "-i", tmp_path / "in.nii.gz", "--labels", tmp_path / "labels.nii.gz", "--style", "london",
                  "-o", tmp_path / "out.nii.gz")  # fmt: skip
        results[value] = array_of(tmp_path / "out.nii.gz")
    assert np.array_equal(results[0], results[256 + 3])
    assert not np.array_equal(results[0], results[3])
    for factor, expected in ((0.5, "found the value 0.5"), (40_000.0, "found the value 40000")):
        labels = SimpleITK.Cast(image > 350, SimpleITK.sitkFloat32) * factor
        SimpleITK.WriteImage(labels, str(tmp_path / "labels.nii.gz"))
        error = run_refused(capsys, tmp_path, "-i", tmp_path / "in.nii.gz", "--labels", tmp_path / "labels.nii.gz",
                            "--style", "london", "-o", tmp_path / "other.nii.gz")  # fmt: skip
        assert f"labels.nii.gz: {expected}" in error
    assert not (tmp_path / "other.nii.gz").exists()


def test_the_smallest_source_and_exemplar_have_five_slices(folder, tmp_path, capsys):
    for count in (4, 5):
        SimpleITK.WriteImage(image_of(3, shape=(count, 20, 28)), str(tmp_path / f"{count}.nii.gz"))
    for options in (("-i", folder / "source.nii.gz", "--exemplar"), ("--style", "london", "-i")):
        translate(folder, "-o", tmp_path / "out.nii.gz", *options, tmp_path / "5.nii.gz")
        error = run_refused(capsys, folder, "-o", tmp_path / "none.nii.gz", *options, tmp_path / "4.nii.gz")
        assert "4.nii.gz: 4 x 20 x 28 voxels of the generator's size, expected at least 5 an axis" in error
    assert not (tmp_path / "none.nii.gz").exists()


@pytest.mark.parametrize("name", ["out.mhd", "out.nhdr", "out.hdr", "out.img", "out.txt"])
def test_an_output_of_two_files_is_refused_before_anything_is_read(folder, tmp_path, capsys, name):
    error = run_refused(capsys, folder, "-i", folder / "source.nii.gz", "-o", tmp_path / name, "--style", "london")
    assert f"{name}: not the name of an image in one file" in error
    assert list(tmp_path.iterdir()) == []


def test_a_box_of_one_value_has_no_window(folder, tmp_path, capsys):
    """nnU-Net crops what is zero, and one value is left."""
    box = np.zeros(SHAPE, np.float32)
    box[2:11, 2:18, 2:26] = 7
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(box), str(tmp_path / "in.nii.gz"))
    error = run_refused(
        capsys, folder, "-i", tmp_path / "in.nii.gz", "-o", tmp_path / "out.nii.gz", "--style", "london"
    )
    assert "in.nii.gz: every voxel is 0, expected an image" in error


def rgb() -> SimpleITK.Image:
    return SimpleITK.Compose([SimpleITK.Cast(image_of(0), SimpleITK.sitkUInt8)] * 3)


@pytest.mark.parametrize(
    ("image", "options", "expected"),
    [
        (SimpleITK.JoinSeries([image_of(0), image_of(1)]), ("--style", "london"), "found 4 dimensions"),
        (rgb(), ("--style", "london"), "3 channels"),
        (image_of(0) * 0, ("--style", "london"), "every voxel is 0"),
        (image_of(0), ("--style", "paris"), "no exemplar paris, expected one such as london"),
        (image_of(0), ("--random", "9"), "9 random styles, expected 1 to 3"),
        (image_of(0), ("--style", "london", "--exemplar2", "x.nii.gz"), "--exemplar2 is given without --exemplar"),
        (image_of(0), ("--style", "london", "--bank", "nowhere"), "nowhere: no such file"),
        (image_of(0), ("--style", "london", "--slab", "0"), "--slab: found 0"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(folder, tmp_path, capsys, image, options, expected):
    SimpleITK.WriteImage(image, str(tmp_path / "in.nii.gz"))
    with pytest.raises(SystemExit) as stop:
        translate(folder, "-i", tmp_path / "in.nii.gz", "-o", tmp_path / "out.nii.gz", *options)
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert expected in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.nii.gz"]
