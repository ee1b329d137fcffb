"""Places and postal codes that an operator added to the list. They are stored in a file of their own, from which every
build of the list takes them, so they stay when the list is built again.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from groundwork.errors import TooLarge
from openmeet.domain.places.geonames_files import FilePlace, FilePostalCode

FILE_NAME: Final = "places-added.db"
# A build keeps places in memory, about 1 kB each.
MAX_PLACES: Final = 500_000
MAX_POSTAL_CODES: Final = 1_000_000
# Postal codes have no GeoNames id. Theirs begin here, beyond all ids of GeoNames.
FIRST_POSTAL_ID: Final = 100_000_000_000
_SEPARATOR: Final = ","

_SCHEMA: Final = """
create table if not exists places (
  id integer primary key, name text not null, other_names text not null, latitude real not null, longitude real not null,
  country text not null, region_code text not null, population integer not null, zone text not null
) strict;
create table if not exists postal_codes (
  number integer primary key autoincrement, country text not null, code text not null, town text not null,
  region_code text not null, latitude real not null, longitude real not null, unique (country, code)
) strict;
create temporary table incoming (
  line integer primary key, country text not null, code text not null, town text not null, region_code text not null,
  latitude real not null, longitude real not null
) strict;
"""
# The first town of a code names it. Its point is the middle of all its towns.
_MERGE_POSTAL_CODES: Final = """
    insert into postal_codes (country, code, town, region_code, latitude, longitude)
    select country, code, town, region_code, round(latitude, 5), round(longitude, 5)
      from (select country, code, town, region_code, avg(latitude) as latitude, avg(longitude) as longitude, min(line)
              from incoming group by country, code order by country, code) where true
        on conflict (country, code) do update set town = excluded.town, region_code = excluded.region_code,
           latitude = excluded.latitude, longitude = excluded.longitude
"""
_MERGE_PLACE: Final = """
    insert into places values (?, ?, ?, ?, ?, ?, ?, ?, ?)
        on conflict (id) do update set name = excluded.name, other_names = excluded.other_names,
           latitude = excluded.latitude, longitude = excluded.longitude, country = excluded.country,
           region_code = excluded.region_code, population = excluded.population, zone = excluded.zone
"""


@dataclass(frozen=True, slots=True)
class AdditionCounts:
    """The contents of the file."""

    places: int = 0
    postal_codes: int = 0


@dataclass(frozen=True, slots=True)
class AddedPlaces:
    """The result of adding a file: its places and postal codes, how many of them are new, and how many of its lines are
    not places.
    """

    places: int
    postal_codes: int
    is_new: int
    left_out: int


def additions_path(path: Path) -> Path:
    """The file of additions to the list in ``path``."""
    return path.with_name(FILE_NAME)


def add(additions: Path, rows: Iterable[FilePlace | FilePostalCode | None]) -> AddedPlaces:
    """Add all rows, or none if reading them fails. Rows that were added before are replaced. Raises TooLarge."""
    additions.parent.mkdir(parents=True, exist_ok=True)
    with _opened(additions) as connection:
        connection.executescript(_SCHEMA)
        connection.execute("begin immediate")
        before = _counts(connection)
        ids = set()
        left_out = 0
        for number, row in enumerate(rows):
            match row:
                case None:
                    left_out += 1
                case FilePlace():
                    ids.add(row.id)
                    if len(ids) > MAX_PLACES:
                        raise _too_many(MAX_PLACES, "places")
                    connection.execute(_MERGE_PLACE, _values(row))
                case FilePostalCode():
                    connection.execute(
                        "insert into incoming values (?, ?, ?, ?, ?, ?, ?)",
                        (number, row.country, row.code, row.town, row.region_code, row.latitude, row.longitude),
                    )
        (codes,) = connection.execute("select count(*) from (select distinct country, code from incoming)").fetchone()
        connection.execute(_MERGE_POSTAL_CODES)
        after = _counts(connection)
        if after.places > MAX_PLACES:
            raise _too_many(MAX_PLACES, "places")
        if after.postal_codes > MAX_POSTAL_CODES:
            raise _too_many(MAX_POSTAL_CODES, "postal codes")
        connection.commit()
    is_new = after.places + after.postal_codes - before.places - before.postal_codes
    return AddedPlaces(len(ids), codes, is_new, left_out)


def counts(additions: Path) -> AdditionCounts:
    """What has been added so far."""
    if not additions.exists():
        return AdditionCounts()
    with _opened(additions) as connection:
        return _counts(connection)


def added_places(additions: Path) -> Iterator[FilePlace]:
    """All places that were added."""
    for number, name, other_names, *rest in _rows(additions, "select * from places order by id"):
        yield FilePlace(number, name, tuple(filter(None, other_names.split(_SEPARATOR))), *rest)


def added_postal_codes(additions: Path) -> Iterator[tuple[int, FilePostalCode]]:
    """All postal codes that were added, with their ids in the list."""
    columns = "number, country, code, town, region_code, latitude, longitude"
    for number, *rest in _rows(additions, f"select {columns} from postal_codes order by number"):
        yield FIRST_POSTAL_ID + number, FilePostalCode(*rest)


def _rows(additions: Path, sql: str) -> Iterator[tuple[Any, ...]]:
    if additions.exists():
        with _opened(additions) as connection:
            yield from connection.execute(sql)


@contextmanager
def _opened(additions: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(additions, timeout=60)) as connection:
        yield connection


def _counts(connection: sqlite3.Connection) -> AdditionCounts:
    places, codes = connection.execute(
        "select (select count(*) from places), (select count(*) from postal_codes)"
    ).fetchone()
    return AdditionCounts(places, codes)


def _values(place: FilePlace) -> tuple[object, ...]:
    return (
        place.id,
        place.name,
        _SEPARATOR.join(place.other_names),
        place.latitude,
        place.longitude,
        place.country,
        place.region_code,
        place.population,
        place.zone,
    )


def _too_many(most: int, what: str) -> TooLarge:
    return TooLarge(f"The list can have at most {most:,} added {what}. Nothing was added. Add fewer countries.")
