"""Looking up places by name, as people type them."""

import asyncio
import random
import sqlite3

import pytest

from groundwork.errors import Unavailable
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.domain.places.model import folded, forms


@pytest.mark.parametrize(
    ("typed", "name", "zone"),
    [
        ("Berlin", "Berlin", "Europe/Berlin"),
        ("  berlin ", "Berlin", "Europe/Berlin"),
        ("neukolln", "Neukölln", "Europe/Berlin"),
        ("NEUKÖLLN", "Neukölln", "Europe/Berlin"),
        ("Köln", "Köln", "Europe/Berlin"),
        ("koeln", "Köln", "Europe/Berlin"),
        ("Cologne", "Köln", "Europe/Berlin"),
        ("Мюнхен", "Munich", "Europe/Berlin"),
        ("東京", "Tokyo", "Asia/Tokyo"),
        ("القاهرة", "Cairo", "Africa/Cairo"),
        ("서울", "Seoul", "Asia/Seoul"),
        ("Springfield, IL", "Springfield", "America/Chicago"),
        ("Springfield Illinois", "Springfield", "America/Chicago"),
        ("Springfield (near Worcester)", "Springfield", "America/New_York"),
        ("Frankfurt Oder", "Frankfurt (Oder)", "Europe/Berlin"),
        ("Köln, DE", "Köln", "Europe/Berlin"),
    ],
)
def test_a_name_means_one_place(world: Gazetteer, typed: str, name: str, zone: str) -> None:
    found = world.find(typed).place
    assert found is not None
    assert (found.name, found.zone) == (name, zone)


def test_an_ambiguous_name_offers_a_choice(world: Gazetteer) -> None:
    found = world.find("Springfield")
    assert found.place is None
    assert {place.name for place in found.choices[:8]} == {"Springfield"}
    assert {"Missouri", "Massachusetts", "Illinois"} <= {place.region for place in found.choices}


def test_smaller_towns_with_that_other_name_are_not_asked_about(world: Gazetteer) -> None:
    """Springfield Gardens is also called Springfield, but nobody who types that means it."""
    for country in ("", "US"):
        assert {place.name for place in world.towns_named("Springfield", country=country)} == {"Springfield"}
        assert {place.name for place in world.find("Springfield", country=country).choices} == {"Springfield"}
    freiburg = world.find("Freiburg").place
    assert freiburg is not None, "not Freiberg"
    assert freiburg.name == "Freiburg"


def test_suggestions_list_towns_of_that_very_name_first(world: Gazetteer) -> None:
    offered = [place.name for place in world.suggest("Springfield", country="US", limit=30) if place.country == "US"]
    number = offered.count("Springfield")
    assert offered[:number] == ["Springfield"] * number
    assert "Springfield Gardens" in offered[number:]


def test_towns_with_a_qualified_name_or_a_famous_other_name_are_asked_about(world: Gazetteer) -> None:
    assert {"Halle (Saale)", "Halle"} <= {place.name for place in world.towns_named("Halle")}
    assert {"Frankfurt am Main", "Frankfurt (Oder)"} <= {place.name for place in world.towns_named("Frankfurt")}
    rome = world.find("Roma").place
    assert rome is not None
    assert rome.name == "Rome"


def test_a_larger_town_far_away_with_that_other_name_is_not_meant(world: Gazetteer) -> None:
    """Warder in Ethiopia is also called Werder, and has twenty times the population of Werder near Potsdam."""
    found = world.find("Werder")
    assert found.place is None
    assert {(place.name, place.country) for place in found.choices} >= {("Werder", "DE"), ("Warder", "ET")}


def test_words_in_brackets_that_the_list_does_not_know_leave_a_choice(world: Gazetteer) -> None:
    found = world.find("Werder (Havel)", country="DE")
    assert found.place is None
    assert found.choices[0].name == "Werder"


def test_country_words_are_in_the_readers_language(world: Gazetteer) -> None:
    def in_french(code: str) -> list[str]:
        return {"DE": ["Allemagne"]}.get(code, [])

    found = world.find("Berlin, Allemagne", countries=in_french).place
    assert found is not None
    assert found.country == "DE"
    assert world.find("Berlin, Atlantis").place is None


@pytest.mark.parametrize(
    "typed", ["", "x", "12345", "@", "qqqqqqq", "\0", "%", "'; drop table names", "🎉", "a" * 10_000]
)
def test_an_unknown_name_finds_nothing(world: Gazetteer, typed: str) -> None:
    assert world.find(typed).place is None
    assert world.suggest(typed) == []


@pytest.mark.parametrize("typed", ["Berln", "Brelin", "Berlinn", "Bexlin", "BERLN"])
def test_a_name_with_one_typing_error_is_guessed(world: Gazetteer, typed: str) -> None:
    assert world.find(typed).place is None
    assert world.similar(typed)[0].name == "Berlin"
    assert len(world.similar(typed)) <= 5


@pytest.mark.parametrize("typed", ["", "Brl", "12345", "qqqqqqq", "'; drop table", "東京都", "a" * 10_000])
def test_other_texts_are_not_guessed(world: Gazetteer, typed: str) -> None:
    assert world.similar(typed) == []


def test_completions_list_larger_places_and_the_country_first(world: Gazetteer) -> None:
    offered = world.suggest("berl")
    assert offered[0].name == "Berlin"
    assert {place.country for place in world.suggest("sankt", country="AT", limit=5)} == {"AT"}
    assert len(world.suggest("sa", limit=5)) == 5


def test_a_prefix_of_an_alternative_name_is_not_a_match(world: Gazetteer) -> None:
    """``Ber`` is another name of Véroia in Greece, and the beginning of Berlin."""
    found = world.find("Ber")
    assert found.place is None
    assert "Berlin" in {place.name for place in found.choices} | {place.name for place in world.suggest("ber")}


def test_every_place_is_found_by_its_label(world: Gazetteer) -> None:
    """Sending back a label from the list of choices leads to the same place, or asks the person to choose again."""
    connection = sqlite3.connect(world._path)
    ids = [number for (number,) in connection.execute("select id from places")]
    for number in random.Random(20261123).sample(ids, 500):
        place = world.by_id(number)
        assert place is not None
        typed = f"{place.name} ({', '.join(filter(None, (place.near, place.region, place.country)))})"
        found = world.find(typed)
        meant = [found.place] if found.place else list(found.choices)
        assert place.name in {one.name for one in meant if one}, typed


def test_names_are_folded() -> None:
    assert folded("São Paulo") == folded("SAO-PAULO") == "sao paulo"
    assert forms("Düsseldorf") == ("dusseldorf", "duesseldorf")
    assert folded("Łódź") == "lodz"
    assert folded("Straße") == "strasse"


async def test_the_first_lookup_builds_the_list(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes build the list at the same time. A process that is stopped leaves no partial list that other
    processes would use.
    """
    path = tmp_path / "places.db"
    one, other = Gazetteer(path), Gazetteer(path)
    for places in (one, other):
        with pytest.raises(Unavailable):
            places.require_ready()
    assert one._building is not None
    await other.close()
    assert not path.exists()
    await one._building
    one.require_ready()
    assert one.find("Berlin").place is not None
    await one.close()
    assert [file.name for file in tmp_path.iterdir() if not file.name.startswith("places.db.")] == ["places.db"]


async def test_a_lookup_waits_for_the_list_to_be_built(tmp_path) -> None:
    places = Gazetteer(tmp_path / "places.db", waits_seconds=600)
    await asyncio.gather(places.wait_until_ready(), places.wait_until_ready())
    assert places.find("Berlin").place is not None
    await places.close()


async def test_waiting_ends_when_the_list_cannot_be_built(tmp_path) -> None:
    places = Gazetteer(tmp_path / "file" / "places.db")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable):
        await places.wait_until_ready()
    await places.close()


async def test_a_list_that_cannot_be_built_is_retried_later(tmp_path) -> None:
    places = Gazetteer(tmp_path / "file" / "places.db")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable):
        places.require_ready()
    assert places._building is not None
    first = places._building
    await first
    with pytest.raises(Unavailable):
        places.require_ready()
    assert places._building is first
    places._again_at = 0.0
    with pytest.raises(Unavailable):
        places.require_ready()
    assert places._building is not first
    await places.close()


@pytest.mark.parametrize(
    ("latitude", "longitude", "country", "zones"),
    [
        (35.75, -84.95, "US", ["America/Chicago", "America/New_York"]),
        (65.83, 24.13, "", ["Europe/Helsinki", "Europe/Stockholm"]),
        (52.52, 13.41, "DE", ["Europe/Berlin"]),
        # The country rules the others out, if it has places there.
        (47.57, 7.6, "CH", ["Europe/Zurich"]),
        (47.57, 7.6, "", ["Europe/Zurich", "Europe/Berlin", "Europe/Paris"]),
        (47.57, 7.6, "JP", ["Europe/Zurich", "Europe/Berlin", "Europe/Paris"]),
        (0.0, -30.0, "", []),
        (-16.43, 179.4, "FJ", ["Pacific/Fiji"]),
    ],
)
def test_time_zones_near_a_point(
    world: Gazetteer, latitude: float, longitude: float, country: str, zones: list[str]
) -> None:
    """Those of the places within 30 km, that of most people first."""
    assert world.zones_near(latitude, longitude, country=country) == zones
