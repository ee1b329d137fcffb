"""A search also finds other word endings and words with typing errors, and finds hosts, groups and series by name."""

import re
from html import unescape

import pytest

from groundwork.clock import HandClock
from openmeet.domain.attendance import event_hosting
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups.model import GroupDetails
from openmeet.domain.search import known_words
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, event_by, person, site_on

TITLES = (
    "Jazz concert in the yard",
    "Philosophy café",
    "Konzert der Nachbarn",
    "Morning run",
    "Tanzen für Anfänger",
    "Repair party",
)


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    site = site_on(await make_database("openmeet"), clock)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana Lindqvist")
        for title in TITLES:
            await event_by(tx, ana, title=title)
        await event_by(tx, ana, title="Secret Zirkus", visibility="private")
        await groups.create(tx, ana, GroupDetails("Philosophers of the north", "Europe/Berlin"))
    return site


async def found(site: Site, words: str) -> list[str]:
    async with site.browser() as anybody:
        page = (await anybody.get("/", params={"q": words})).text
    # If nothing was found, other events are offered.
    page, _, _ = page.partition('id="others"')
    return [unescape(title) for title in re.findall(r'<h3><a href="/events/[^"]*">([^<]*)<', page)]


async def named(site: Site, words: str) -> list[str]:
    async with site.browser() as anybody:
        page = (await anybody.get("/", params={"q": words})).text
    part = page.split('<section class="named"')[1].split("</section>")[0] if '<section class="named"' in page else ""
    return [unescape(name) for name in re.findall(r"<strong>([^<]*)</strong>", part)]


async def test_words_that_are_searched_for_are_shown_once(site: Site) -> None:
    async with site.browser() as anybody:
        page = (await anybody.get("/", params={"q": "concert"})).text
        assert '<h1 class="hidden">Results for “concert”</h1>' in page
        assert '<h1 class="hidden">' not in (await anybody.get("/", params={"category": "music"})).text


async def test_endings_and_typing_errors_are_forgiven(site: Site) -> None:
    for words, title in (
        ("concerts", "Jazz concert in the yard"),
        ("Konzerte", "Konzert der Nachbarn"),
        ("running", "Morning run"),
        ("tanze", "Tanzen für Anfänger"),
        ("tänze", "Tanzen für Anfänger"),
        ("parties", "Repair party"),
        ("philosohpy", "Philosophy café"),
        ("filosophy", "Philosophy café"),
        ("anfanger", "Tanzen für Anfänger"),
        ("jazz konzert yard", "Jazz concert in the yard"),
    ):
        expected = [] if words == "jazz konzert yard" else [title]
        assert await found(site, words) == expected, words


async def test_only_unsuccessful_searches_are_corrected(site: Site) -> None:
    async with site.browser() as anybody:
        exact = (await anybody.get("/", params={"q": "concert"})).text
        near = (await anybody.get("/", params={"q": "philosohpy"})).text
        nothing = (await anybody.get("/", params={"q": "xylophone"})).text
    assert "These match" not in exact
    assert "Nothing for “philosohpy”. These match “Philosophy”." in unescape(near)
    assert "Nothing matches" in nothing


async def test_a_beginning_is_shown_as_the_word_that_people_know(site: Site) -> None:
    """``Berln`` finds what ``berl`` begins, and nobody reads ``berl``."""
    async with site.db.transaction() as tx:
        await event_by(tx, await person(tx, "Dana"), title="Walk", venue_name="Park", locality="Bremen")
    async with site.browser() as anybody:
        page = unescape((await anybody.get("/", params={"q": "Bremn"})).text)
    assert "Nothing for “Bremn”. These match “Bremen”." in page


async def test_events_of_the_topic_of_a_word_are_not_shown_as_its_results(site: Site) -> None:
    async with site.db.transaction() as tx:
        host = await person(tx, "Dana")
        await event_by(tx, host, title="Lindy hop: first steps", categories="dance")
    async with site.browser() as anybody:
        page = unescape((await anybody.get("/", params={"q": "salsa"})).text)
    assert "Nothing for “salsa”. These match “Dance”." in page
    assert "Lindy hop: first steps" in page


GERMAN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Wohnzimmerkonzert", ("Konzert", "Konzerte", "Konzrt")),
    ("Konzertabend am Fluss", ("Konzerte", "Konzertabende", "Fluß")),
    ("Lauftreff für alle", ("Läufe", "Laeufe", "laufen", "Lauftref")),
    ("Hofflohmarkt", ("Flohmarkt", "Flohmärkte", "Flohmaerkte", "Markt")),
    ("Fahrradtour nach Köpenick", ("Fahradtour", "Fahrad", "Touren", "Koepenick", "Kopenick")),
    ("Kaffee und Kuchen", ("Kafee", "Caffee", "kaffe")),
    ("Frauenfußball", ("Fußball", "Fussball", "Fusball")),
    ("Straßenfest", ("Strassenfest", "Feste", "Strasenfest")),
    ("Nachbarschaftsversammlung", ("Versammlung", "Versammlungen")),
)


async def test_german_words_find_their_inflections_and_compounds(site: Site) -> None:
    async with site.db.transaction() as tx:
        bo = await person(tx, "Jonas Becker")
        for title, _ in GERMAN:
            await event_by(tx, bo, title=title)
        await event_by(tx, bo, title="Gemeinsame Interessen")
    for title, searches in GERMAN:
        for words in searches:
            assert title in await found(site, words), words
    assert await found(site, "Konzert") == [
        "Konzert der Nachbarn", "Wohnzimmerkonzert", "Konzertabend am Fluss"
    ]  # fmt: skip
    # The beginning of a compound must be a word, unless its end is common or long.
    assert await found(site, "Essen") == []


async def test_related_words_are_searched_page_by_page(site: Site) -> None:
    """Titles with the word and with a compound are one list, which continues where it ended."""
    async with site.db.transaction() as tx:
        bo = await person(tx, "Bo")
        for title in ("Flohmarkt", "Hofflohmarkt", "Flohmarkt am See", "Bücherflohmarkt"):
            await event_by(tx, bo, title=title)
        await event_by(tx, bo, title="Fest", description="Mit Flohmarkt.")
    titles: list[str] = []
    cursor: str | None = ""
    async with site.browser() as anybody:
        while cursor is not None:
            asked = {"q": "Flohmarkt", "limit": "2"} | ({"cursor": cursor} if cursor else {})
            said = (await anybody.get("/api/events", params=asked)).json()
            titles += [one["title"] for one in said["events"]]
            cursor = said["cursor"]
    assert sorted(titles[:4]) == ["Bücherflohmarkt", "Flohmarkt", "Flohmarkt am See", "Hofflohmarkt"]
    assert titles[4:] == ["Fest"]


async def test_an_unknown_compound_finds_its_known_part(site: Site) -> None:
    async with site.db.transaction() as tx:
        bo = await person(tx, "Bo")
        await event_by(tx, bo, title="Schach im Park")
        await event_by(tx, bo, title="Ein Abend mit Musik")
    async with site.browser() as anybody:
        split = unescape((await anybody.get("/", params={"q": "Schachabend"})).text)
        part = unescape((await anybody.get("/", params={"q": "Weihnachtskonzert"})).text)
    assert "Nothing for “Schachabend”. These match “Schach”." in split
    assert "Schach im Park" in split
    assert "Nothing for “Weihnachtskonzert”. These match “Konzert”." in part
    assert "Konzert der Nachbarn" in part


async def test_a_correction_is_written_as_in_the_text(site: Site) -> None:
    """Texts are indexed without umlauts, but corrections show them."""
    async with site.db.transaction() as tx:
        bo = await person(tx, "Bo")
        await event_by(tx, bo, title="Vorlesen", description="Ein Märchen aus dem Norden.")
    async with site.browser() as anybody:
        page = unescape((await anybody.get("/", params={"q": "Mrächen"})).text)
    assert "Nothing for “Mrächen”. These match “Märchen”." in page


async def test_api_and_feeds_find_what_the_page_finds(site: Site) -> None:
    async with site.browser() as anybody:
        said = (await anybody.get("/api/events", params={"q": "philosohpy"})).json()
        exact = (await anybody.get("/api/events", params={"q": "philosophy"})).json()
        nothing = (await anybody.get("/api/events", params={"q": "xylophone"})).json()
        feed = (await anybody.get("/events.json", params={"q": "philosohpy"})).json()
        other_app = (await anybody.get("/xrpc/net.openmeet.listEvents", params={"q": "philosohpy"})).json()
    assert [one["title"] for one in said["events"]] == ["Philosophy café"]
    assert (said["searchedFor"], exact["searchedFor"], nothing["searchedFor"]) == ("philosophy", None, None)
    assert exact["events"] == said["events"]
    assert nothing["events"] == []
    assert [one["title"] for one in feed["items"]] == ["Philosophy café"]
    assert len(other_app["events"]) == 1


async def test_a_corrected_search_continues_page_by_page(site: Site) -> None:
    async with site.db.transaction() as tx:
        bo = await person(tx, "Bo")
        for number in range(3):
            await event_by(tx, bo, title=f"Chess evening {number}")
    titles: list[str] = []
    cursor: str | None = ""
    async with site.browser() as anybody:
        while cursor is not None:
            asked = {"q": "ches evenning", "limit": "2"} | ({"cursor": cursor} if cursor else {})
            said = (await anybody.get("/api/events", params=asked)).json()
            titles += [one["title"] for one in said["events"]]
            cursor = said["cursor"]
        page = (await anybody.get("/api/events", params={"q": "evening", "limit": "2"})).json()
        last = await anybody.get("/api/events", params={"q": "evening", "limit": "2", "cursor": page["cursor"]})
    assert sorted(titles) == ["Chess evening 0", "Chess evening 1", "Chess evening 2"]
    assert (len(last.json()["events"]), last.json()["searchedFor"]) == (1, None)


async def test_hosts_and_groups_are_found_by_name(site: Site) -> None:
    assert await named(site, "lindq") == ["Ana Lindqvist"]
    assert await named(site, "ana lindqvist") == ["Ana Lindqvist"]
    assert await named(site, "philosophers") == ["Philosophers of the north"]
    assert await named(site, "zi") == []


async def test_private_events_suggest_no_corrections(site: Site) -> None:
    """A corrected word would reveal that a private event exists."""
    async with site.browser() as anybody:
        page = (await anybody.get("/", params={"q": "zirkuss"})).text
    assert "These match" not in page


def _corrected(names: known_words.KnownNames, words: list[str]) -> list[str] | None:
    found = names.spelled.correct(words)
    return None if found is None else [form for one in found for form in one.forms]


def test_correcting_is_bounded() -> None:
    """Long words have no variants, and short words are not corrected."""
    names = known_words.names_in([("a" * 500 + " abcd", "", None)], {})
    assert _corrected(names, ["b" * 500]) is None
    assert _corrected(names, ["abc"]) is None
    assert _corrected(names, ["abcx"]) == ["abcd"]
    assert _corrected(names, ["bacd"]) == ["abcd"]
    assert sum(map(len, names.spelled.variants.values())) < 10


async def test_the_name_of_a_host_finds_their_events(site: Site) -> None:
    async with site.browser() as anybody:
        page = (await anybody.get("/", params={"q": "Lindqvist"})).text
        group = (await anybody.get("/", params={"q": "north"})).text
        nobody = (await anybody.get("/", params={"q": "xyzzy"})).text
    assert 'class="empty"' not in page
    offered = page.partition("Events by Ana Lindqvist")[2]
    assert len(re.findall(r'<h3><a href="/events/', offered)) == 3
    assert "Secret Zirkus" not in offered
    assert "No upcoming events with these words" in group
    assert "Nothing matches" in nobody
    assert "You might like these" in nobody


async def test_compounds_and_umlauts_match_as_one_word_or_two(site: Site) -> None:
    async with site.db.transaction() as tx:
        bo = await person(tx, "Bo")
        await event_by(tx, bo, title="Weinprobe im Hof")
        await event_by(tx, bo, title="Silent book club")
        await event_by(tx, bo, title="Frühstück in Muenchen")
    for words, title in (
        ("bookclub", "Silent book club"),
        ("wein probe", "Weinprobe im Hof"),
        ("Fruehstueck", "Frühstück in Muenchen"),
        ("München", "Frühstück in Muenchen"),
        ("muenchen", "Frühstück in Muenchen"),
        ("runnning", "Morning run"),
    ):
        assert await found(site, words) == [title], words
    async with site.browser() as anybody:
        same = (await anybody.get("/", params={"q": "Fruehstueck"})).text
        other = unescape((await anybody.get("/", params={"q": "Früstück"})).text)
    assert "These match" not in same
    assert "Nothing for “Früstück”. These match “Frühstück”." in other


async def test_an_unknown_word_is_dropped_on_the_page_only(site: Site) -> None:
    async with site.browser() as anybody:
        page = unescape((await anybody.get("/", params={"q": "xylophone jazz"})).text)
        feed = (await anybody.get("/events.json", params={"q": "xylophone jazz"})).json()
    assert "Nothing for “xylophone jazz”. These match “Jazz”." in page
    assert "Jazz concert in the yard" in page
    assert feed["items"] == []


async def test_names_are_found_despite_typing_errors(site: Site) -> None:
    assert await named(site, "Lindqivst") == ["Ana Lindqvist"]
    assert await named(site, "phlosophers nort") == ["Philosophers of the north"]


async def test_names_are_preferred_to_other_words(site: Site) -> None:
    async with site.db.transaction() as tx:
        becker = await person(tx, "Jonas Becker")
        await event_by(tx, becker, title="What you say at the baker")
        await groups.create(tx, becker, GroupDetails("Kiezküche", "Europe/Berlin"))
    # An event has a word that is as near as the name.
    assert await named(site, "Beker") == ["Jonas Becker"]
    assert "Kiezküche" in await named(site, "Kiezkueche")
    assert "Kiezküche" in await named(site, "Kiezkuche")


async def test_words_for_topics_are_found_despite_typing_errors(site: Site) -> None:
    assert await named(site, "Wanderug") == ["Outdoors"]
    assert await named(site, "Buchclub") == ["Books and writing"]


async def test_groups_are_found_only_by_their_names(site: Site) -> None:
    async with site.db.transaction() as tx:
        bo = await person(tx, "Bo")
        await groups.create(tx, bo, GroupDetails("Choir", "Europe/Berlin", description="We meet in Wedding."))
    assert await named(site, "wedding") == []


async def test_words_for_a_topic_link_to_it(site: Site) -> None:
    async with site.db.transaction() as tx:
        bo = await person(tx, "Bo")
        await event_by(tx, bo, title="Catan", categories="games")
    for words in ("Spieleabend", "chess"):
        async with site.browser() as anybody:
            page = (await anybody.get("/", params={"q": words})).text
        assert await named(site, words) == ["Games"]
        assert 'href="/?category=games"' in page
        assert "Catan" in page.partition('id="others"')[2]


def test_a_short_word_must_begin_right() -> None:
    names = known_words.names_in([("Singen zu vier Stimmen", "", None)], {})
    assert _corrected(names, ["bier"]) is None
    assert _corrected(names, ["vire"]) == ["vier"]


def test_with_two_errors_the_beginning_must_be_right() -> None:
    names = known_words.names_in([("letters by hand", "", None)], {})
    assert _corrected(names, ["klettern"]) is None
    assert _corrected(names, ["lettrrs"]) == ["letters"]


async def test_cancelled_events_are_not_suggested(site: Site) -> None:
    """However many of them come before the others."""
    async with site.db.transaction() as tx:
        cem = await person(tx, "Cem Aydin")
        for number in range(30):
            gone = await event_by(tx, cem, title=f"Tour {number}, again", starts="2026-02-01T10:00")
            await event_hosting.cancel(tx, cem, gone.slug, "")
        await event_by(tx, cem, title="Late walk")
    async with site.browser() as anybody:
        of_host = (await anybody.get("/", params={"q": "Aydin"})).text
        nothing = (await anybody.get("/", params={"q": "xyzzy"})).text
    assert re.findall(r'<h3><a href="/events/[^"]*">([^<]*)<', of_host.partition('id="others"')[2]) == ["Late walk"]
    offered = nothing.partition('id="others"')[2]
    assert len(re.findall(r'<h3><a href="/events/', offered)) == 3
    assert ", again" not in offered
