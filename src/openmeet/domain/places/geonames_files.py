"""Parser of GeoNames files: dumps of places and lists of postal codes, as text or ZIP.

Formats: ``https://download.geonames.org/export/dump/readme.txt`` (19 columns) and
``https://download.geonames.org/export/zip/readme.txt`` (12 columns), separated by tabs, in UTF-8, without a header. Sizes
are limited before anything is expanded.
"""

import io
import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from groundwork.errors import InvalidInput, Refused, TooLarge
from openmeet.domain.places.model import MAX_NAME
from openmeet.i18n.formatting import ZONES

# The largest country has 300 MB. The file of all countries is larger, and has more places than the list can take.
MAX_BYTES: Final = 1_000_000_000
# Column 4 of a dump has up to 10,000 characters.
_MAX_LINE_BYTES: Final = 64 * 1024
_PLACE_COLUMNS: Final = 19
_POSTAL_COLUMNS: Final = 12
_MAX_OTHER_NAMES: Final = 200
_MAX_POSTAL_CODE: Final = 20
_MAX_ID: Final = 10**10
_ZONES: Final = frozenset(ZONES)
# Feature codes of towns that no longer exist.
_FORMER: Final = frozenset({"PPLCH", "PPLH", "PPLQ", "PPLW"})


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A town, village or district. ``region_code``: GeoNames’ code of the first administrative level."""

    id: int
    name: str
    other_names: tuple[str, ...]
    latitude: float
    longitude: float
    country: str
    region_code: str
    population: int
    zone: str


@dataclass(frozen=True, slots=True)
class FilePostalCode:
    """A line of a list of postal codes. The same code can have several lines, one for each town."""

    country: str
    code: str
    town: str
    region_code: str
    latitude: float
    longitude: float


def read_file(path: Path) -> Iterator[FilePlace | FilePostalCode | None]:
    """Read a file line by line. None for each line that is not a town: a mountain, a former town, or a line without
    country, position or known time zone.

    Raises InvalidInput, which names the line; Refused if the file cannot be opened; and TooLarge.
    """
    with ExitStack() as stack:
        number = 0
        columns = 0
        try:
            file = _opened(path, stack)
            read_bytes = 0
            while line := file.readline(_MAX_LINE_BYTES + 1):
                number += 1
                read_bytes += len(line)
                if read_bytes > MAX_BYTES:
                    raise TooLarge(_TOO_LARGE.format(name=path.name))
                text = _text(line, path, number)
                if not text:
                    continue
                cells = text.split("\t")
                columns = columns or _known_columns(cells, path, number)
                if len(cells) != columns:
                    raise _wrong(path, number, f"{columns} columns separated by tabs were expected, not {len(cells)}")
                yield _place(cells, path, number) if columns == _PLACE_COLUMNS else _postal_code(cells, path, number)
        except OSError as failure:
            raise Refused(f"{path} can’t be read: {failure.strerror or failure}.") from failure
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as failure:
            raise Refused(f"{path.name} is not a readable ZIP file. Download it again.") from failure
        if not number:
            raise InvalidInput("", f"{path.name} is empty. Download it again.")


_TOO_LARGE: Final = "{name} is too large (more than 1 GB). Add the files of single countries."


def _opened(path: Path, stack: ExitStack) -> BinaryIO | io.BufferedReader:
    file = stack.enter_context(path.open("rb"))
    if not zipfile.is_zipfile(file):
        file.seek(0)
        return file
    archive = stack.enter_context(zipfile.ZipFile(file))
    tables = [
        one
        for one in archive.infolist()
        if one.filename.lower().endswith(".txt") and PurePosixPath(one.filename).name.lower() != "readme.txt"
    ]
    if len(tables) != 1:
        raise Refused(
            f"{path.name} has {len(tables)} tables; one is expected, such as DE.txt. Unpack it and add the right file."
        )
    if tables[0].file_size > MAX_BYTES:
        raise TooLarge(_TOO_LARGE.format(name=path.name))
    return io.BufferedReader(stack.enter_context(archive.open(tables[0])))  # type: ignore[type-var]


def _wrong(path: Path, number: int, what: str) -> InvalidInput:
    return InvalidInput("", f"{path.name}, line {number:,}: {what}. Nothing was added.")


def _text(line: bytes, path: Path, number: int) -> str:
    if len(line) > _MAX_LINE_BYTES:
        raise _wrong(path, number, f"the line is longer than {_MAX_LINE_BYTES:,} bytes")
    try:
        return line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise _wrong(path, number, "the text is not UTF-8") from None


def _known_columns(cells: list[str], path: Path, number: int) -> int:
    if len(cells) not in {_PLACE_COLUMNS, _POSTAL_COLUMNS}:
        raise _wrong(
            path,
            number,
            f"{len(cells)} columns separated by tabs. A GeoNames dump has {_PLACE_COLUMNS}, a list of postal "
            f"codes {_POSTAL_COLUMNS}",
        )
    return len(cells)


def _place(cells: list[str], path: Path, number: int) -> FilePlace | None:
    name, other_names, feature_class, feature_code = cells[1], cells[3], cells[6], cells[7]
    country, zone = cells[8], cells[17]
    if feature_class != "P" or feature_code in _FORMER or not (name and country and zone in _ZONES):
        return None
    return FilePlace(
        _whole(cells[0], "the id", path, number),
        name[:MAX_NAME],
        tuple(one for one in other_names.split(",")[:_MAX_OTHER_NAMES] if 0 < len(one) <= MAX_NAME),
        _degrees(cells[4], 90, "latitude", path, number),
        _degrees(cells[5], 180, "longitude", path, number),
        _country(country, path, number),
        cells[10][:_MAX_POSTAL_CODE],
        _whole(cells[14] or "0", "the population", path, number),
        zone,
    )


def _postal_code(cells: list[str], path: Path, number: int) -> FilePostalCode | None:
    country, code, town, region_code = cells[0], cells[1].strip(), cells[2], cells[4]
    if not (country and code and town and cells[9] and cells[10]):
        return None
    if len(code) > _MAX_POSTAL_CODE:
        raise _wrong(path, number, f"the postal code has more than {_MAX_POSTAL_CODE} characters")
    return FilePostalCode(
        _country(country, path, number),
        code,
        town[:MAX_NAME],
        region_code[:_MAX_POSTAL_CODE],
        _degrees(cells[9], 90, "latitude", path, number),
        _degrees(cells[10], 180, "longitude", path, number),
    )


def _country(text: str, path: Path, number: int) -> str:
    if not (len(text) == 2 and text.isascii() and text.isalpha()):
        raise _wrong(path, number, f"{text[:20]!r} is not a country code such as DE")
    return text.upper()


def _whole(text: str, what: str, path: Path, number: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_ID)) and int(text) <= _MAX_ID):
        raise _wrong(path, number, f"{what} is {text[:20]!r}, not a whole number")
    return int(text)


def _degrees(text: str, most: float, what: str, path: Path, number: int) -> float:
    try:
        value = float(text[:30])
    except ValueError:
        value = math.nan
    if not abs(value) <= most:
        raise _wrong(path, number, f"the {what} is {text[:20]!r}, not a number from -{most} to {most}")
    return value
