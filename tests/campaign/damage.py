"""What happens to files: each function changes the one at a path."""

import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK

Damage = Callable[[Path], None]
NAN = float("nan")


def _bytes(change: Callable[[bytes], bytes]) -> Damage:
    return lambda path: (path.write_bytes(change(path.read_bytes())), None)[1]


def _header(*changes: tuple) -> Damage:
    """Damage of a NIfTI header: (byte, type, values...)."""

    def damage(path: Path) -> None:
        data = bytearray(gzip.decompress(path.read_bytes()))
        for place, kind, *values in changes:
            struct.pack_into(f"<{kind}", data, place, *values)
        path.write_bytes(gzip.compress(bytes(data)))

    return damage


def _voxels(change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    """Damage of the array (z, y, x); spacing, origin and direction stay where the dimensions do."""

    def damage(path: Path) -> None:
        image = SimpleITK.ReadImage(str(path))
        array = SimpleITK.GetArrayFromImage(image)
        changed = SimpleITK.GetImageFromArray(change(array.copy()))
        if changed.GetDimension() == 3:
            changed.SetSpacing(image.GetSpacing())
            changed.SetOrigin(image.GetOrigin())
            changed.SetDirection(image.GetDirection())
        SimpleITK.WriteImage(changed, str(path))

    return damage


def _image(change: Callable[[SimpleITK.Image], SimpleITK.Image]) -> Damage:
    return lambda path: SimpleITK.WriteImage(change(SimpleITK.ReadImage(str(path))), str(path))


def _at(place: tuple, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array = array.astype(np.float32)
        array[place] = value
        return array

    return change


def _complex(path: Path) -> None:
    image = nibabel.load(path)
    data = np.asarray(image.dataobj).astype(np.complex64)
    path.write_bytes(gzip.compress(nibabel.Nifti1Image(data, image.affine).to_bytes()))


def _nifti_2(path: Path) -> None:
    image = nibabel.load(path)
    changed = nibabel.Nifti2Image(np.asarray(image.dataobj), image.affine)
    path.write_bytes(gzip.compress(changed.to_bytes()))


def _few(array: np.ndarray) -> np.ndarray:
    result = np.zeros_like(array)
    result[0, 0, :3] = 5
    return result


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(target: str) -> Damage:
    def damage(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return damage


def _beside(name: str, content: bytes | None) -> Damage:
    """Another file, or None: a folder, beside the sound one."""

    def damage(path: Path) -> None:
        other = path.with_name(name.format(path.name))
        other.mkdir() if content is None else other.write_bytes(content)

    return damage


def _shifted(image: SimpleITK.Image) -> SimpleITK.Image:
    image.SetOrigin([origin + 3 for origin in image.GetOrigin()])
    return image


def _larger_voxels(image: SimpleITK.Image) -> SimpleITK.Image:
    image.SetSpacing([2 * value for value in image.GetSpacing()])
    return image


def _rgb(image: SimpleITK.Image) -> SimpleITK.Image:
    return SimpleITK.Compose([SimpleITK.Cast(image, SimpleITK.sitkUInt8)] * 3)


FILE = {  # of whatever content
    "empty": _bytes(lambda content: b""),
    "truncated": _bytes(lambda content: content[: len(content) // 2]),
    "without its last bytes": _bytes(lambda content: content[:-9]),
    "text": _bytes(lambda content: b"no such thing\n" * 40),
    "zeros within": _bytes(lambda content: content[:400] + bytes(100) + content[500:]),
    "a folder": _folder,
    "a link to nothing": _link("nowhere"),
    "a link to a folder": _link("."),
}
GONE = {"gone": Path.unlink}
HARMLESS_TO_IMAGES = {
    "not compressed": _bytes(gzip.decompress),
    "compressed otherwise": _bytes(lambda content: gzip.compress(gzip.decompress(content), 1)),
    "a leftover of macOS beside it": _beside("._{}", b"Mac OS X"),
    "a half-written one beside it": _beside(".writing-{}", b"half"),
    "a folder of a killed command beside it": _beside(".writing-abc", None),
    "a text file beside it": _beside("notes.txt", b"notes"),
}
IMAGE = {
    "a negative dimension": _header((40, "8h", 3, 8, -9, 10, 1, 1, 1, 1)),
    "24 GB claimed": _header((40, "8h", 3, 2300, 2300, 2300, 1, 1, 1, 1)),
    "an unknown type": _header((70, "h", 77)),
    "a NaN intercept": _header((112, "2f", 1, NAN)),
    "a spacing of zero": _header((76, "4f", 1, 0, 1, 1.5)),
    "a NaN sform": _header((254, "h", 1), (280, "12f", *[NAN] * 12)),
    "a NaN voxel": _voxels(_at((2, 3, 4), NAN)),
    "an infinite voxel": _voxels(_at((2, 3, 4), np.inf)),
    "complex voxels": _complex,
    "NIfTI-2": _nifti_2,
    "two dimensions": _voxels(lambda array: array[5]),
    "four dimensions": _image(lambda image: SimpleITK.JoinSeries([image, image])),
    "three channels": _image(_rgb),
    "a single slice": _voxels(lambda array: array[5:6]),
}
NOTHING_TO_SEE = {
    "three slices": _voxels(lambda array: array[5:8]),
    "one value": _voxels(lambda array: array * 0 + 7),
    "three bright voxels": _voxels(_few),
}
LABEL_MAP = {
    "shifted by 3 mm": _image(_shifted),
    "larger voxels": _image(_larger_voxels),
    "a slice less": _voxels(lambda array: array[:-1]),
    "axes in another order": _voxels(lambda array: array.transpose(2, 1, 0)),
    "fractional labels": _voxels(lambda array: array * np.float32(0.5)),
    "a label of 300": _voxels(lambda array: array.astype(np.int16) + 300 * (array == array.max())),
    "a negative label": _voxels(lambda array: array.astype(np.int16) * -1),
}


def _value(change: Callable[[dict], object]) -> Damage:
    def damage(path: Path) -> None:
        content = json.loads(path.read_text())
        changed = change(content)
        path.write_text(json.dumps(content if changed is None else changed))

    return damage


def _every(kind: type | tuple, value: object) -> Damage:
    """All values of a kind, however deep, become another value, or are given to `value`."""

    def changed(content: object) -> object:
        if isinstance(content, dict):
            return {name: changed(item) for name, item in content.items()}
        if isinstance(content, list):
            return [changed(item) for item in content]
        if not isinstance(content, kind) or isinstance(content, bool):
            return content
        return value(content) if callable(value) else value

    return _value(changed)


def _without(number: int) -> Damage:
    def change(content: dict) -> None:
        del content[sorted(content)[number % len(content)]]

    return _value(change)


JSON = {
    "not closed": _bytes(lambda content: content[: content.rstrip().rfind(b"}")]),
    "empty object": _bytes(lambda content: b"{}"),
    "a list": _bytes(lambda content: b"[]"),
    "a text": _bytes(lambda content: b'"text"'),
    "null": _bytes(lambda content: b"null"),
    "a byte order mark": _bytes(lambda content: b"\xef\xbb\xbf" + content),
    "Latin-1": _bytes(lambda content: content.replace(b'"', b'"\xe4', 1)),
    "deeply nested": _bytes(lambda content: b"[" * 100_000 + b"]" * 100_000),
    "twice the same key": _bytes(lambda content: content.replace(b"{", b'{"x": 1, "x": 2, ', 1)),
    "numbers are NaN": _every((int, float), NAN),
    "numbers are texts": _every((int, float), str),
    "numbers are huge": _every((int, float), 10**400),
    "texts are numbers": _every(str, 1),
    "texts are paths": _every(str, "/../../x"),
    "without its first key": _without(0),
    "without its second key": _without(1),
    "without its last key": _without(-1),
}
HARMLESS_TO_JSON = {"another layout": _bytes(lambda content: json.dumps(json.loads(content), indent=7).encode())}
