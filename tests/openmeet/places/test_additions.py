"""Villages and postal codes that an operator adds to the list of places (``openmeet places add``)."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from groundwork.clock import HandClock
from groundwork.errors import InvalidInput, Refused, TooLarge
from groundwork.geo_points import SearchArea
from openmeet.domain.events.place_text import read_place
from openmeet.domain.places import additions, build, geonames_files
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.domain.places.geonames_files import FilePlace, FilePostalCode, read_file
from openmeet.domain.search import search
from openmeet.domain.search.search import SearchQuery
from openmeet.settings import Settings
from openmeet.tenants.configured import checked
from openmeet.web.search.places import labels, near_value, typed_name
from programs import scheduler
from tests.openmeet.site_under_test import event_by, person
from tests.programs.platforms import open_platform


def dump_line(
    number: int, name: str, *, kind: str = "PPL", names: str = "", latitude: str = "53.1", at: int = 0
) -> str:
    country, zone = (("DE", "Europe/Berlin"), ("US", "America/Chicago"))[at]
    cells = [str(number), name, name, names, latitude, "12.9", "P", kind, country, "", "IL" if at else "11"]
    return "\t".join([*cells, "", "", "", "120", "", "60", zone, "2025-01-01"])


def postal_line(code: str, town: str, *, country: str = "DE", latitude: str = "52.53", longitude: str = "13.38") -> str:
    return f"{country}\t{code}\t{town}\tLand\tBE\t\t\t\t\t{latitude}\t{longitude}\t6"


VILLAGES = [
    dump_line(6547001, "Himmelpfort", names="Himmelspforte,ヒンメルプフォルト"),
    dump_line(2950159, "Berlin"),
    dump_line(6547002, "Alte Mühle", kind="PPLH"),
    dump_line(6547003, "Stechlinsee").replace("\tP\t", "\tH\t"),
    dump_line(6547004, "Cornland Corners", latitude="40.1", at=1),
]
POSTAL_CODES = [
    postal_line("10115", "Berlin"),
    postal_line("16798", "Fürstenberg", latitude="53.1", longitude="13.1"),
    postal_line("16798", "Himmelpfort", latitude="53.3", longitude="13.3"),
    postal_line("SW1A 1AA", "London", country="GB", latitude="51.5", longitude="-0.14"),
    postal_line("10115", "New York", country="US", latitude="40.8", longitude="-73.9"),
]


@dataclass(frozen=True)
class Installation:
    """A folder with files to add, and the output of the commands that added them."""

    folder: Path
    outputs: tuple[str, ...]

    @property
    def path(self) -> Path:
        return self.folder / build.FILE_NAME

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"OPENMEET_PLACES_FILE": str(self.path)}
        command = [sys.executable, "-m", "programs.cli", "places", *arguments]
        return subprocess.run(command, env=environment, cwd=self.folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("places")
    (folder / "DE.txt").write_text("\n".join(VILLAGES) + "\n", encoding="utf-8")
    with zipfile.ZipFile(folder / "codes.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("readme.txt", "About this file")
        archive.writestr("codes.txt", "\r\n".join(POSTAL_CODES))
    runs = [Installation(folder, ()).run("add", file) for file in ("DE.txt", "codes.zip")]
    assert [(one.returncode, one.stderr) for one in runs] == [(0, ""), (0, "")]
    return Installation(folder, tuple(one.stdout for one in runs))


@pytest.fixture
def extended(installation: Installation) -> Gazetteer:
    return Gazetteer(installation.path)


def test_the_command_says_what_it_added(installation: Installation) -> None:
    villages, codes = installation.outputs
    assert "DE.txt: 3 places, 3 of them new. 2 lines left out" in villages
    assert "with 3 added places. Places: GeoNames" in villages
    assert "codes.zip: 4 postal codes, 4 of them new. Building" in codes
    assert "with 3 added places and 4 postal codes. Places: GeoNames" in codes


def test_an_added_place_is_found_by_the_command(installation: Installation) -> None:
    found = installation.run("find", "16798")
    assert "100000000002  16798 Fürstenberg (DE)  53.2, 13.2  Europe/Berlin" in found.stdout, found.stderr
    assert "6547001  Himmelpfort" in installation.run("find", "himmelspforte").stdout


def test_a_village_is_found_by_all_its_names(extended: Gazetteer) -> None:
    for typed in ("Himmelpfort", "himmelspforte", "ヒンメルプフォルト", "Himmelpfort, DE"):
        place = extended.find(typed).place
        assert place is not None, typed
        assert (place.id, place.zone, place.population) == (6547001, "Europe/Berlin", 120)
    assert extended.suggest("himmelpf")[0].id == 6547001
    corners = extended.find("Cornland Corners, Illinois").place
    assert corners is not None
    assert corners.region == "Illinois"


def test_places_of_the_list_stay_as_they_are(extended: Gazetteer) -> None:
    berlin = extended.find("Berlin").place
    assert berlin is not None
    assert berlin.population > 3_000_000
    assert extended.find("Alte Mühle").place is None
    assert extended.by_id(6547003) is None


def test_a_postal_code_is_found_with_its_town(extended: Gazetteer) -> None:
    found = extended.find("10115 Berlin").place
    assert found is not None
    assert (found.postal_code, found.name, found.country, found.zone) == ("10115", "Berlin", "DE", "Europe/Berlin")
    assert near_value(found, typed_name(found, "10115 berlin")) == "10115 Berlin @52.53,13.38"
    for typed in ("sw1a 1aa", "SW1A1AA"):
        found = extended.find(typed).place
        assert found is not None, typed
        assert (found.name, found.zone) == ("London", "Europe/London")


def test_a_postal_code_of_two_countries_is_a_choice(extended: Gazetteer) -> None:
    found = extended.find("10115", country="US")
    assert found.place is None
    assert labels(found.choices) == ["10115 New York (United States)", "10115 Berlin (Germany)"]
    meant = extended.find("10115, US").place
    assert meant is not None
    assert meant.zone == "America/New_York"


def test_postal_codes_are_not_towns(extended: Gazetteer) -> None:
    """They are not on maps, not the nearest town, not guesses, and not the town of an event without a country."""
    assert not any(one.postal_code for one in extended.largest_in(52.4, 13.2, 52.6, 13.6, limit=1000))
    nearest = extended.nearest(52.53, 13.38)
    assert nearest is not None
    assert not nearest.postal_code
    assert extended.similar("16789") == []
    assert extended.find_town("16798") is None
    assert extended.find_town("16798", country="DE") is not None


def test_a_postal_code_fills_in_the_town_of_a_place(extended: Gazetteer) -> None:
    asked = read_place("Kloster, 16798", extended.find, is_asked=True).venue
    assert (asked.locality, asked.postal_code, asked.street or asked.name) == ("Fürstenberg", "16798", "Kloster")
    unasked = read_place("Building, 16798", extended.find).venue
    assert unasked.postal_code == ""


def test_added_places_stay_when_the_list_is_built_again(installation: Installation) -> None:
    built = installation.run("build")
    assert "with 3 added places and 4 postal codes" in built.stdout, built.stderr
    assert Gazetteer(installation.path).find("Himmelpfort").place is not None


def test_an_open_list_notices_a_new_one(tmp_path: Path, installation: Installation, world: Gazetteer) -> None:
    path = tmp_path / "places.db"
    path.write_bytes(world._path.read_bytes())
    places = Gazetteer(path)
    assert places.find("Himmelpfort").place is None
    (tmp_path / "new").write_bytes(installation.path.read_bytes())
    (tmp_path / "new").replace(path)
    assert places.find("Himmelpfort").place is not None


async def test_upcoming_events_in_added_villages_are_found_near_them(
    tmp_path: Path, installation: Installation, world: Gazetteer, clock: HandClock
) -> None:
    """The scheduler notices the new list. It looks unknown towns up again once, not in every round."""
    settings = replace(
        Settings(), data_directory=tmp_path / "site", dev_mailbox=True, places_file=tmp_path / "places.db"
    )
    (tmp_path / "places.db").write_bytes(world._path.read_bytes())
    task = scheduler.position_task()
    query = SearchQuery(near=SearchArea(53.1, 12.9, 10))
    async with open_platform(checked({"default": settings})["default"], clock) as platform:
        async with platform.db.transaction() as tx:
            event = await event_by(tx, await person(tx, "Ana"), locality="Himmelpfort", country="Germany")
        assert [await task(platform) for _ in range(2)] == [1, 0]
        async with platform.db.reader() as reader:
            assert await search.coming(reader, query, None, 5) == []
        (tmp_path / "new").write_bytes(installation.path.read_bytes())
        (tmp_path / "new").replace(tmp_path / "places.db")
        assert [await task(platform) for _ in range(2)] == [1, 0]
        async with platform.db.reader() as reader:
            assert [one.id for one in await search.coming(reader, query, None, 5)] == [event.id]


def test_a_list_of_another_version_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "places.db").write_bytes(b"")
    assert not Gazetteer(tmp_path / "places.db").is_built


def test_adding_a_file_again_replaces_its_rows(tmp_path: Path) -> None:
    file, kept = tmp_path / "file.txt", tmp_path / "added.db"

    def add(*lines: str) -> additions.AddedPlaces:
        file.write_text("\n".join(lines), encoding="utf-8")
        return additions.add(kept, read_file(file))

    assert add(*VILLAGES).is_new == 3
    assert add(*VILLAGES).is_new == 0
    assert add(*POSTAL_CODES).is_new == 4
    before = dict(additions.added_postal_codes(kept))
    assert add(*reversed(POSTAL_CODES), postal_line("99999", "Neu")).is_new == 1
    after = dict(additions.added_postal_codes(kept))
    assert {number: code.code for number, code in before.items()}.items() <= {
        number: code.code for number, code in after.items()
    }.items()
    add(dump_line(6547001, "Himmelspforten"))
    assert "Himmelspforten" in {one.name for one in additions.added_places(kept)}
    assert additions.counts(kept) == additions.AdditionCounts(3, 5)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("one\ttwo", "line 2: 19 columns separated by tabs were expected, not 2"),
        (dump_line(1, "A", latitude="north"), "line 2: the latitude is 'north', not a number from -90 to 90"),
        (dump_line(1, "A", latitude="nan"), "line 2: the latitude is 'nan'"),
        (dump_line(1, "A", latitude="91"), "line 2: the latitude is '91'"),
        (dump_line(1, "A").replace("1\t", "x\t", 1), "line 2: the id is 'x', not a whole number"),
        (dump_line(1, "A").replace("\t120\t", "\tmany\t"), "line 2: the population is 'many'"),
        (dump_line(1, "A").replace("\tDE\t", "\tGermany\t"), "line 2: 'Germany' is not a country code such as DE"),
        (dump_line(1, "A" * 70_000), "line 2: the line is longer than 65,536 bytes"),
        ("\udcff", "line 2: the text is not UTF-8"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_added(tmp_path: Path, wrong: str, why: str) -> None:
    file, kept = tmp_path / "DE.txt", tmp_path / "added.db"
    file.write_text(f"{VILLAGES[0]}\n{wrong}\n", encoding="utf-8", errors="surrogateescape")
    with pytest.raises(InvalidInput) as refused:
        additions.add(kept, read_file(file))
    assert why in str(refused.value.why)
    assert additions.counts(kept) == additions.AdditionCounts()


def test_other_files_are_refused(tmp_path: Path) -> None:
    def refusal(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        with pytest.raises((InvalidInput, Refused)) as refused:
            list(read_file(tmp_path / name))
        return str(refused.value.why)

    assert "is empty" in refusal("empty.txt", b"")
    assert "3 columns separated by tabs. A GeoNames dump has 19, a list of postal codes 12" in refusal("a", b"1\t2\t3")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("DE.txt", "")
        archive.writestr("AT.txt", "")
    two = (tmp_path / "two.zip").read_bytes()
    assert "has 2 tables" in refusal("two.zip", two)
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.writestr("DE.txt", "\n".join(VILLAGES))
    damaged = bytearray((tmp_path / "one.zip").read_bytes())
    damaged[60] ^= 0xFF
    assert "not a readable ZIP file" in refusal("damaged.zip", bytes(damaged))
    with pytest.raises(Refused):
        list(read_file(tmp_path / "missing.txt"))


def test_sizes_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geonames_files, "MAX_BYTES", 10_000)
    with zipfile.ZipFile(tmp_path / "large.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("DE.txt", "0" * 1_000_000)
    (tmp_path / "large.txt").write_text("\n".join(VILLAGES * 100), encoding="utf-8")
    for name in ("large.zip", "large.txt"):
        with pytest.raises(TooLarge):
            list(read_file(tmp_path / name))

    def many() -> Iterator[FilePlace | FilePostalCode]:
        yield FilePlace(1, "A", (), 1.0, 1.0, "DE", "", 0, "Europe/Berlin")
        yield from (FilePostalCode("DE", str(number), "A", "", 1.0, 1.0) for number in range(4))

    monkeypatch.setattr(additions, "MAX_POSTAL_CODES", 3)
    with pytest.raises(TooLarge):
        additions.add(tmp_path / "added.db", many())
    assert additions.counts(tmp_path / "added.db") == additions.AdditionCounts()


def test_places_in_an_unknown_time_zone_are_left_out(tmp_path: Path) -> None:
    """An event there would have a time zone that no clock knows."""
    file = tmp_path / "DE.txt"
    file.write_text(dump_line(6547005, "Nirgends").replace("Europe/Berlin", "Europe/Nowhere"), encoding="utf-8")
    assert list(read_file(file)) == [None]
