"""Look up places by name and by number in the file that ``build`` writes. The file belongs to the installation, not to
a tenant.

It is read-only and small (20 MB without additions), so a look-up by name or number takes well under a millisecond.
"""

import asyncio
import json
import math
import re
import sqlite3
import string
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import structlog

from groundwork.errors import Unavailable
from groundwork.geo_points import kilometres, spot
from openmeet.domain.places import build
from openmeet.domain.places.additions import FIRST_POSTAL_ID
from openmeet.domain.places.model import MAX_NAME, Place, PlaceMatch, PlaceReason, folded, forms
from openmeet.settings import Settings

log = structlog.get_logger()

MAX_CHOICES: Final = 10
# If several places match, the largest is chosen without asking the person if it has at least this many times the
# population of the next.
_MUCH_LARGER: Final = 10
# A place that is also known by another name, as Rome is by Roma, needs at least this population, too.
_FAMOUS: Final = 1_000_000
_SHORT: Final = 3
# A typing error in a shorter name makes too many other names.
_SHORTEST_MISSPELT: Final = 4
_LONGEST_MISSPELT: Final = 30
_MAX_SIMILAR: Final = 5
_LETTERS: Final = string.ascii_lowercase + " "
_BUILDING_SECONDS: Final = 10
_AGAIN_SECONDS: Final = 600
# Words between a name and the part that tells places apart: ``Springfield near St. Louis``.
_BETWEEN: Final = frozenset({"near", "in", "bei", "an", "am", "der"})
# What is added to a name to tell towns apart: ``(Saale)``, ``am Main``, ``upon Tyne``. ``Gardens`` makes another name.
_QUALIFIER: Final = re.compile(r"\s+(?:\(|[^\W\d_A-Z]).*|,.*")
# In scripts that begin at this character, a single character can be a word.
_FIRST_UNSPACED: Final = "\u2e80"

_COLUMNS = (
    "p.id, p.name, p.country, p.region, p.region_code, p.near, p.latitude, p.longitude, p.population, p.zone, "
    "p.postal_code"
)
_NAMED = f"""
    select {_COLUMNS}, n.rank from names n join places p on p.id = n.place_id
     where n.folded = :form order by p.population desc limit 200
"""
# Names that begin with a text: a range of the key.
_BEGINNING = f"""
    select {_COLUMNS} from names n join places p on p.id = n.place_id
     where n.folded > :form and n.folded < :end and n.rank < {build.CODE}
     group by p.id order by p.country = :country desc, min(n.rank), p.population desc limit :limit
"""
# Names in other writing systems are left out, because their letters are not tried.
_SIMILAR = f"""
    select {_COLUMNS} from names n join places p on p.id = n.place_id
     where n.folded in (select value from json_each(:forms)) and n.rank < {build.CODE} and p.id < {FIRST_POSTAL_ID}
     group by p.id order by p.country = :country desc, p.population desc limit :limit
"""
_LARGEST = f"""
    select {_COLUMNS} from places p
     where {{latitude}} between :south and :north and p.id < {FIRST_POSTAL_ID} and (p.longitude between :west and :east
         or p.longitude + 360 between :west and :east
           or p.longitude - 360 between :west and :east)
     order by p.population desc, p.id limit :limit
"""
_IN_BOX = f"""p.latitude between :south and :north and (abs(p.longitude - :longitude) <= :wide
         or abs(p.longitude - :longitude) >= 360 - :wide)
       and (:country = '' or p.country = :country) and p.id < {FIRST_POSTAL_ID}"""
# The square of the distance in degrees of latitude.
_DISTANCE = """(p.latitude - :latitude) * (p.latitude - :latitude) + min(abs(p.longitude - :longitude), 360 -
         abs(p.longitude - :longitude)) * min(abs(p.longitude - :longitude), 360 - abs(p.longitude - :longitude)) *
         :shrink"""
_AROUND = f"select {_COLUMNS} from places p where {_IN_BOX} order by {_DISTANCE} limit 1"
_ZONES_AROUND = f"""
    select p.zone from places p where {_IN_BOX} and p.zone <> ''
     and {_DISTANCE} <= :most
     group by p.zone order by sum(p.population) desc, p.zone limit 4
"""
# A place farther away says nothing about a point. The query covers about as many degrees of latitude.
_NEAREST_KM: Final = 200
_NEAREST_DEGREES: Final = 1.8
# Where two places within this distance of a point have different time zones, the nearer one need not have that of the
# point: 30 km.
_BORDER_DEGREES: Final = 0.27
# For a taller area, in degrees of latitude, the query reads places by population instead of by latitude.
_TALL: Final = 6


def places_path(settings: Settings) -> Path:
    """The path of an installation's file of places."""
    return settings.places_file or settings.data_directory / build.FILE_NAME


CountryNames = Callable[[str], Sequence[str]]


class Gazetteer:
    """The places of an installation.

    The first query builds the file. Until then, ``require_ready`` raises Unavailable and look-ups find nothing.
    ``waits_seconds``: how long ``wait_until_ready`` waits for the file.
    """

    def __init__(self, path: Path, *, waits_seconds: float = 20) -> None:
        self._path = path
        self._waits_seconds = waits_seconds
        self._connection: sqlite3.Connection | None = None
        # Identifies the file that is open, which another process may have replaced.
        self._opened: tuple[int, int] | None = None
        self._building: asyncio.Task[None] | None = None
        self._again_at = 0.0

    @property
    def is_built(self) -> bool:
        """Whether names can be looked up."""
        return self._open() is not None

    @property
    def file_id(self) -> tuple[int, int] | None:
        """Identifies the list that look-ups use now, and changes when it is built again. None if there is none."""
        return None if self._open() is None else self._opened

    def require_ready(self) -> None:
        """Raise Unavailable until names can be looked up. Starts the build if necessary."""
        if self.is_built:
            return
        now = asyncio.get_running_loop().time()
        if (self._building is None or self._building.done()) and now >= self._again_at:
            # After a failed build, queries do not start another one for a while.
            self._again_at = now + _AGAIN_SECONDS
            self._building = asyncio.create_task(self._build_logged(), name="places")
        raise Unavailable(PlaceReason.NOT_READY, after_seconds=_BUILDING_SECONDS)

    async def wait_until_ready(self) -> None:
        """Wait for a build that is running or necessary. Raises Unavailable if it takes too long or fails."""
        try:
            self.require_ready()
        except Unavailable:
            if self._building is None:
                raise
            await asyncio.wait({self._building}, timeout=self._waits_seconds)
            self.require_ready()

    async def _build_logged(self) -> None:
        try:
            await self.build()
        except (OSError, ChildProcessError) as failure:
            log.warning("places.not_built", path=str(self._path), error=str(failure))

    async def build(self) -> None:
        """Build the file in a separate process. Raises OSError if none can be started, ChildProcessError if the build
        fails.
        """
        building = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            build.__name__,
            str(self._path),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, stderr = await building.communicate()
        except asyncio.CancelledError:
            building.kill()
            await building.wait()
            raise
        if building.returncode:
            raise ChildProcessError(stderr.decode(errors="replace")[-500:])
        log.info("places.built", path=str(self._path))

    def by_id(self, number: int) -> Place | None:
        """Return the place with this GeoNames number."""
        rows = self._rows(f"select {_COLUMNS} from places p where p.id = :id", {"id": number})
        return _place(rows[0]) if rows else None

    def find(self, text: str, *, country: str = "", countries: CountryNames | None = None) -> PlaceMatch:
        """Find the place that a typed name means: ``Köln``, ``Springfield, IL``, ``Frankfurt Oder``.

        Returns one place if it is the only one with this name or has ten times the population of the next, and this is
        its usual name or it has a million people; otherwise the choices, those in ``country`` first. ``countries``:
        returns further names of a country code, in the reader's language.
        """
        text = text[:MAX_NAME]
        form = folded(text)
        candidates = self._named(form)
        if candidates and form.isascii() and len(form) <= _SHORT and form != folded(candidates[0].name):
            # Many places have three letters as another name: ``Ber`` is a name of Véroia.
            return PlaceMatch(None, tuple(self.suggest(text, country=country)))
        if not candidates:
            candidates = self._disambiguated(text, countries)
        if not candidates:
            before, bracket, _ = text.partition("(")
            suggested = self.suggest(text, country=country)
            if bracket and not suggested:
                suggested = self.suggest(before, country=country)
            return PlaceMatch(None, tuple(suggested))
        candidates = _of_this_name(form, candidates)
        largest, *others = candidates
        is_known = _has_usual_name(form, largest) or largest.population >= _FAMOUS
        if not others or (is_known and largest.population >= _MUCH_LARGER * max(1, others[0].population)):
            return PlaceMatch(largest)
        likely = sorted(candidates, key=lambda place: (folded(place.name) != form, place.country != country))
        return PlaceMatch(None, tuple(likely[:MAX_CHOICES]))

    def towns_named(self, name: str, *, country: str = "") -> list[Place]:
        """The towns with this name, those in ``country`` first, larger ones first. Names of up to three letters must be
        the usual name of the town.
        """
        form = folded(name[:MAX_NAME])
        towns = [
            place
            for place in self._named(form)
            if not place.postal_code and (len(form) > _SHORT or form == folded(place.name))
        ]
        return sorted(_of_this_name(form, towns), key=lambda place: place.country != country)

    def find_town(self, name: str, *, region: str = "", country: str = "") -> Place | None:
        """Find the town of an address by its name, and by country and region if known. None unless it is unambiguous.

        A postal code needs its country, because it could be any other number.
        """
        candidates = self._named(folded(name[:MAX_NAME]))
        if country:
            candidates = [place for place in candidates if place.country == country]
        else:
            candidates = [place for place in candidates if not place.postal_code]
        about = set(folded(region).split())
        if len(candidates) > 1 and about:
            candidates = [place for place in candidates if about <= _words_about(place, None)] or candidates
        if not candidates or (
            len(candidates) > 1 and candidates[0].population < _MUCH_LARGER * max(1, candidates[1].population)
        ):
            return None
        return candidates[0]

    def suggest(self, text: str, *, country: str = "", limit: int = MAX_CHOICES) -> list[Place]:
        """Places whose name is or begins with this text, those in ``country`` first, larger ones first. Needs at least
        two letters.
        """
        form = folded(text[:MAX_NAME])
        if len(form) < 2 and not form >= _FIRST_UNSPACED:
            return []
        named = self._named(form)
        likely = {place.id for place in _of_this_name(form, named)}
        exact = sorted(named, key=lambda place: (place.country != country, place.id not in likely))
        rows = self._rows(
            _BEGINNING, {"form": form, "end": form + chr(sys.maxunicode), "country": country, "limit": limit * 2}
        )
        places = {place.id: place for place in (*exact, *map(_place, rows))}
        return list(places.values())[:limit]

    def similar(self, text: str, *, country: str = "") -> list[Place]:
        """Places whose name differs from this text by one typing error: a letter that is missing, too many, wrong or
        swapped with the next. Those in ``country`` first, larger ones first.
        """
        form = folded(text[:MAX_NAME])
        if not (form.isascii() and _SHORTEST_MISSPELT <= len(form) <= _LONGEST_MISSPELT):
            return []
        forms = json.dumps(sorted(_one_error_away(form)))
        rows = self._rows(_SIMILAR, {"forms": forms, "country": country, "limit": _MAX_SIMILAR})
        return [_place(row) for row in rows]

    def largest_in(self, south: float, west: float, north: float, east: float, *, limit: int) -> list[Place]:
        """The largest places in a part of the map, given in degrees. ``east`` may exceed 180. Empty if the file is not
        built yet.
        """
        latitude = "+p.latitude" if north - south > _TALL else "p.latitude"
        return [
            _place(row)
            for row in self._rows(
                _LARGEST.format(latitude=latitude),
                {"south": south, "west": west, "north": north, "east": east, "limit": limit},
            )
        ]

    def zone_at(self, latitude: float, longitude: float, *, country: str = "") -> str:
        """The time zone of the nearest place. Empty if no place is near."""
        place = self.nearest(latitude, longitude, country=country)
        return "" if place is None else place.zone

    def nearest(self, latitude: float, longitude: float, *, country: str = "") -> Place | None:
        """The nearest place within 200 km, preferably in this country."""
        point = spot(latitude, longitude)
        for within in dict.fromkeys((country, "")):
            rows = self._rows(_AROUND, _box(latitude, longitude, _NEAREST_DEGREES, within))
            for place in map(_place, rows):
                if kilometres(point, spot(place.latitude, place.longitude)) <= _NEAREST_KM:
                    return place
        return None

    def zones_near(self, latitude: float, longitude: float, *, country: str = "") -> list[str]:
        """The time zones of the places within 30 km, that of most people first, at most four. If some of the places are in
        this country, the others do not count.
        """
        for within in dict.fromkeys((country, "")):
            box = _box(latitude, longitude, _BORDER_DEGREES, within)
            rows = self._rows(_ZONES_AROUND, {**box, "most": _BORDER_DEGREES * _BORDER_DEGREES})
            if rows:
                return [str(row[0]) for row in rows]
        return []

    async def close(self) -> None:
        """Stop a running build and close the file."""
        if self._building is not None:
            self._building.cancel()
            await asyncio.wait({self._building})
        if self._connection is not None:
            self._connection.close()
            self._connection = self._opened = None

    def _named(self, form: str) -> list[Place]:
        """Places with exactly this name, the largest first. Places with this code are included only if no place has the
        name.
        """
        rows = self._rows(_NAMED, {"form": form}) if form else []
        words = [row for row in rows if row[-1] != build.CODE] or rows
        return [_place(row) for row in words]

    def _disambiguated(self, text: str, countries: CountryNames | None) -> list[Place]:
        """Find places such as ``Springfield, IL``: the text starts with the name, and the region, country or neighbour
        contains the other words.
        """
        for name, rest in _splits(text):
            qualifiers = set(rest.split()) - _BETWEEN
            fitting = [place for place in self._named(name) if qualifiers <= _words_about(place, countries)]
            if qualifiers and fitting:
                return fitting
        return []

    def _rows(self, sql: str, values: Mapping[str, object]) -> list[tuple[object, ...]]:
        connection = self._open()
        if connection is None:
            return []
        with closing(connection.execute(sql, values)) as cursor:
            return cursor.fetchall()

    def _open(self) -> sqlite3.Connection | None:
        try:
            status = self._path.stat()
        except OSError:
            return self._connection
        if self._opened != (status.st_ino, status.st_mtime_ns):
            # Immutable: SQLite takes no locks and does not look for a journal.
            address = f"{self._path.absolute().as_uri()}?mode=ro&immutable=1"
            connection = sqlite3.connect(address, uri=True, check_same_thread=False)
            (version,) = connection.execute("pragma user_version").fetchone()
            if version != build.VERSION:
                connection.close()
                return self._connection
            if self._connection is not None:
                self._connection.close()
            self._connection, self._opened = connection, (status.st_ino, status.st_mtime_ns)
        return self._connection


def _of_this_name(form: str, places: Sequence[Place]) -> list[Place]:
    """Leave out towns that are smaller than a town of this very name and have it only as another name: for
    ``springfield``, leave out Springfield Gardens, and keep Rome for ``roma``. All, if no town has this very name.
    """
    usual = {place.id for place in places if _has_usual_name(form, place)}
    largest = max((place.population for place in places if place.id in usual), default=-1)
    return [place for place in places if place.id in usual or place.population > largest]


def _has_usual_name(form: str, place: Place) -> bool:
    return form in forms(_QUALIFIER.sub("", place.name))


def _one_error_away(form: str) -> set[str]:
    """About 53 texts for each letter of this one."""
    halves = [(form[:at], form[at:]) for at in range(len(form) + 1)]
    without = {head + tail[1:] for head, tail in halves if tail}
    swapped = {head + tail[1] + tail[0] + tail[2:] for head, tail in halves if len(tail) > 1}
    other = {head + letter + tail[1:] for head, tail in halves if tail for letter in _LETTERS}
    longer = {head + letter + tail for head, tail in halves for letter in _LETTERS}
    return (without | swapped | other | longer) - {form}


def _splits(text: str) -> list[tuple[str, str]]:
    """All ways to split a text into a name and the rest, both folded, the longest name first.

    Splits at commas and parentheses if there are any, otherwise between words.
    """
    marks = [match.start() for match in re.finditer(r"[,(]", text)] or [
        match.start() for match in re.finditer(r"\s", text.strip())
    ]
    return [(folded(text[:separator]), folded(text[separator:])) for separator in reversed(marks)]


def _words_about(place: Place, countries: CountryNames | None) -> set[str]:
    names = [
        place.region,
        place.region_code,
        place.near,
        place.country,
        *(countries(place.country) if countries else ()),
    ]
    return {word for name in names for word in folded(name).split()}


def _place(row: Sequence[object]) -> Place:
    return Place(*row[:11])  # type: ignore[arg-type]


def _box(latitude: float, longitude: float, degrees: float, country: str) -> dict[str, float | str]:
    """The parameters of ``_IN_BOX`` and ``_DISTANCE``. ``degrees``: of latitude, to each side."""
    shrink = max(0.1, math.cos(math.radians(latitude)))
    return {
        "latitude": latitude,
        "longitude": longitude,
        "south": latitude - degrees,
        "north": latitude + degrees,
        "wide": degrees / shrink,
        "shrink": shrink * shrink,
        "country": country,
    }
