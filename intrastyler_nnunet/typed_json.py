"""JSON with types: a text holds the value that its dataclass describes, or one line says where it does not.

Types are strict: true is no integer and "1" no number, but an integer may stand for a float, and a list is read as a
tuple where the field is one. Floats are finite. Ranges are annotations of the fields, such as `Annotated[int, Ge(1)]`.

Entries that a dataclass does not have are refused ("forbid") in what decides about results and is this package's own:
settings, case lists, architectures, metadata, regions. They are ignored ("ignore") in records, which another version
or the user may have extended, and kept ("allow") in nnU-Net's files, which are read as typed dictionaries.
"""

import json
import math
import re
import unicodedata
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

from annotated_types import Ge, Gt, Le, MinLen

from intrastyler_nnunet.errors import InputError

Kind = TypeVar("Kind")
Unknown = Literal["forbid", "ignore", "allow"]
SHOWN = 60  # characters of a value in a message
LONGEST_NAME = 200  # bytes, which leaves room for endings within the 255 of file systems
MOST_VOXELS = 2**31
EXPECTED = {  # by pydantic's type of error; its own message for all others
    "greater_than_equal": "{ge:g} or more", "greater_than": "more than {gt:g}", "less_than_equal": "{le:g} or less",
    "int_type": "a whole number", "int_from_float": "a whole number",
}  # fmt: skip


def read_json(path: Path | str, kind: type[Kind], what: str, unknown: Unknown = "forbid") -> Kind:
    """The value of the JSON file `path`.

    Args:
        path: the file.
        kind: its type, such as a dataclass.
        what: the file is expected to be, for messages: "a case list".
        unknown: what becomes of entries that dataclasses do not have.

    Raises:
        InputError: no such file, not JSON, or not of this type; the line names file and entry.
    """
    return decode_json(_content(path, what), kind, str(path), what, unknown)


def read_json_lines(path: Path | str, kind: type[Kind], what: str) -> list[Kind]:
    """The values of a file with one JSON text per line, without a last line that was cut short by a kill.

    Raises:
        InputError: see `read_json`; the line's number is named as well.
    """
    *lines, last = _content(path, what).split(b"\n")
    if last.endswith(b"}"):
        lines.append(last)
    return [
        decode_json(line, kind, f"{path}: line {number}", what) for number, line in enumerate(lines, start=1) if line
    ]


def decode_json(text: bytes | str, kind: type[Kind], name: str, what: str, unknown: Unknown = "forbid") -> Kind:
    """The value of a JSON text; `name` says in messages where it stands. Other arguments and errors: `read_json`."""
    from pydantic import ValidationError  # not at the top: `intrastyler --help` does without

    content = _parse(text, name, what)
    try:
        # A tuple of one, because an adapter takes no configuration for a dataclass itself.
        text = text.encode() if isinstance(text, str) else text
        return _adapter(cast(Hashable, kind), unknown).validate_json(b"[" + text + b"]")[0]
    except ValidationError as error:
        details = error.errors(include_url=False)
    raise InputError(f"{name}: {_reason(details, content, kind, what)}")


@dataclass(frozen=True)
class Check:
    """Metadata of `Annotated`: `function` returns the value, or raises InputError("expected ...")."""

    function: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self.function, handler(source))


def _printable(text: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        raise InputError("expected no control characters")
    return text


def _file_name(name: str) -> str:
    if name in ("", ".", "..") or set(name) & set("/\\") or len(name.encode()) > LONGEST_NAME:
        raise InputError(f"expected a name of 1 to {LONGEST_NAME} bytes without path separators")
    return name


def _few_voxels(size: tuple[int, int, int]) -> tuple[int, int, int]:
    if math.prod(size) > MOST_VOXELS:
        raise InputError(f"expected at most {MOST_VOXELS} voxels")
    return size


Text = Annotated[str, Check(_printable)]  # one line of text, such as a path or the name of a structure
FileName = Annotated[Text, Check(_file_name)]  # of a case, and whatever else becomes part of a file's name
FileNames = Annotated[list[FileName], MinLen(1)]
Count = Annotated[int, Ge(1)]
GridSize = Annotated[tuple[Count, Count, Count], Check(_few_voxels)]  # along x, y, z
Spacing = Annotated[float, Gt(0), Le(1000)]  # mm
Probability = Annotated[float, Ge(0), Le(1)]


def _content(path: Path | str, what: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}, expected {what}") from None


def _parse(text: bytes | str, name: str, what: str) -> Any:
    """Plain values; they are looked at for what the types do not say, and for messages."""
    try:
        text = text.decode() if isinstance(text, bytes) else text
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is one
        reason = "a byte order mark" if text[:1] == "\ufeff" else str(error) if text else "an empty file"
        raise InputError(f"{name}: not valid JSON in UTF-8 ({reason}), expected {what}") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{_shown(next(name for name in names if names.count(name) > 1))} stands twice in an object")
    return content


@cache
def _adapter(kind: Any, unknown: Unknown) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(tuple[kind], config={"strict": True, "extra": unknown, "allow_inf_nan": False})


def _reason(details: Sequence[Mapping[str, Any]], content: Any, kind: Any, what: str) -> str:
    """What is wrong, where, and what is expected there; of several errors the one that lies deepest.

    All alternatives of a union report an error, and those that a value comes closest to lie deepest.
    """
    places = [_place(error["loc"][1:], content) for error in details]
    place = max(places, key=len)
    errors = [error for error, found in zip(details, places, strict=True) if found == place]
    first = errors[0]
    if first["loc"][-1:] == ("[key]",):
        place = place[:-1]
    entry = ".".join(json.dumps(str(part))[1:SHOWN].removesuffix('"') for part in place)
    if first["type"] == "json_invalid":
        return f"not valid JSON ({first['ctx']['error']}), expected {what}"
    if first["type"] == "missing":
        return f"no entry {_shown(str(first['loc'][-1]))} in {entry or 'it'}, expected {what}"
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        known = ", ".join(field.name for field in fields(kind)) if len(place) == 1 and is_dataclass(kind) else what
        return f"unknown entry {_shown(entry)}, expected {known}"
    if first["type"] == "value_error" and not (reason := str(first["ctx"]["error"])).startswith("expected "):
        return f"{entry}: {reason}" if entry else reason  # a dataclass says it in its own words
    expected, found = " or ".join(dict.fromkeys(map(_expected, errors))), _shown(first["input"])
    if first["loc"][-1] == "[key]":
        return f"found the name {found} in {entry or 'it'}, expected {expected}"
    return f"{entry} is {found}, expected {expected}" if entry else f"found {found}, expected {what}"


def _place(location: tuple, content: Any) -> tuple:
    """The part of pydantic's `location` that leads into `content`; the rest names alternatives of unions."""
    place = []
    for part in location:
        known = content if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
        if part in known:
            content = content[part]
            place.append(part)
    return tuple(place)


def _expected(error: Mapping[str, Any]) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"]).removeprefix("expected ")
    if error["type"] in EXPECTED:
        return EXPECTED[error["type"]].format(**error.get("ctx", {}))
    return re.sub(r"\w+ should (be|have) |valid | after validation", "", error["msg"]).replace("a array", "a list")


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
