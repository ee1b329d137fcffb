"""Generated covers: the same title gives the same picture, which is small and contains nothing executable."""

import hashlib
import io
import re
from dataclasses import replace
from itertools import groupby
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from groundwork.clock import HandClock, Instant
from openmeet.domain.covers.drawing import strip, svg
from openmeet.domain.covers.model import Cover, Motif, cover_for, cover_of, parse_cover_name, tone_for
from openmeet.domain.covers.social_card import CARD_HEIGHT, CARD_WIDTH, CardFacts, card
from openmeet.domain.events.actions import delete
from openmeet.domain.events.content import renamed_elsewhere, to_row
from openmeet.domain.events.edits import blank_event, with_record
from openmeet.domain.events.vocabulary import Category
from openmeet.domain.users.model import UserId
from tests.databases import MakeDatabase
from tests.hypothesis_profiles import examples
from tests.openmeet.events.network_event import PARTY_FROM_NETWORK
from tests.openmeet.site_under_test import event_by, person, sign_up, signed_in, site_on

# The pictures with one seed: the cover and its strip.
_DIGESTS = {
    Motif.ART: "661cb2b43a8fc7ac",
    Motif.BOOKS: "2c389d4895da8640",
    Motif.CALM: "f605624a2e7393e5",
    Motif.FILM: "d5f7a1ee82d91f5c",
    Motif.FOOD: "05c9a52be2e4c9f1",
    Motif.GAMES: "0a5dee7f351438c6",
    Motif.LANES: "bd1d1d7d08d93682",
    Motif.MUSIC: "1700aa1037c3a6d3",
    Motif.OUTDOORS: "a52f1ab604ab8a2f",
    Motif.STREET: "f7629ddcc05b35b8",
    Motif.TALK: "d955a46ac8d393c8",
    Motif.TILES: "b550674286df2f68",
}
_ELEMENTS = {"svg", "g", "rect", "circle", "ellipse", "path"}


@settings(max_examples=examples(60))
@given(title=st.text(max_size=300), category=st.sampled_from([None, *Category]), shuffle=st.integers(0, 9))
def test_every_cover_is_small_and_plain(title: str, category: Category | None, shuffle: int) -> None:
    cover = cover_of(title, (category,) if category else (), shuffle)
    assert parse_cover_name(cover.name) == cover
    assert 0 <= cover.tone <= 8
    picture = svg(cover)
    assert len(picture) < 8_000
    found = list(ET.fromstring(picture).iter())
    assert {one.tag.rpartition("}")[2] for one in found} <= _ELEMENTS
    assert not [name for one in found for name in one.attrib if name.startswith("on") or "href" in name]


def test_the_same_title_gives_the_same_picture() -> None:
    """Capital letters, surrounding spaces and Unicode composition make no difference. Shuffling again gives another
    picture.
    """
    first = cover_of("Café am Ufer", (Category.FOOD,))
    assert cover_of(" CAFE\u0301 AM UFER ", (Category.FOOD,)) == first
    assert first.name == "food-0e779e76b47efce3"
    assert cover_of("Café am Ufer", (Category.FOOD,), 1) != first
    assert cover_of("Café am Ufer", ()).motif is Motif.ART


@pytest.mark.parametrize("motif", Motif)
def test_drawing_of_a_cover_stays_the_same(motif: Motif) -> None:
    """Also after a restart and in other versions, because people know their events by it and caches keep it for good."""
    cover = Cover(motif, 0x0E779E76B47EFCE3)
    drawn = hashlib.sha256(f"{svg(cover)}{strip(cover)}".encode()).hexdigest()
    assert drawn[:16] == _DIGESTS[motif]


def test_a_title_from_another_app_keeps_the_cover_and_the_tone() -> None:
    """People know the event by its cover. The first record gives it its cover, later ones do not change it."""
    made = blank_event(Instant(0), "Party", UserId("ana"))
    first = with_record(made, "cid-1", PARTY_FROM_NETWORK, Instant(1))
    assert cover_for(first.content) == cover_of("Party", ())
    renamed = first
    for number, title in enumerate(["Dinner", "Supper club"], 2):
        renamed = with_record(renamed, f"cid-{number}", replace(PARTY_FROM_NETWORK, name=title), Instant(number))
        assert renamed.content.title == title
        assert cover_for(renamed.content) == cover_for(first.content)
        assert tone_for(renamed.content) == tone_for(first.content)


async def test_the_form_shows_the_cover_that_another_app_did_not_change(make_sqlite: MakeDatabase, clock: HandClock):
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title="Party")
        kept = renamed_elsewhere(event.content, "Dinner")
        await tx.execute(
            "update events set title = :title, extra = :extra where id = :id",
            title="Dinner",
            extra=to_row(kept)["extra"],
            id=event.id,
        )
    async with signed_in(site, ana.user_id) as browser:
        page = (await browser.get(f"/events/{event.slug}/edit")).text
    assert cover_of("Party", ()).path in page
    assert 'data-cover-title="Party"' in page


@pytest.mark.parametrize("motif", Motif)
def test_a_strip_holds_the_picture_once(motif: Motif) -> None:
    cover = Cover(motif, 7919)
    found = list(ET.fromstring(strip(cover)).iter())
    links = [value for one in found for name, value in one.attrib.items() if name.endswith("href")]
    assert links == ["#tile"] * 3
    assert len(strip(cover)) < len(svg(cover)) + 600


@pytest.mark.parametrize("motif", Motif)
def test_there_are_at_most_five_colours(motif: Motif) -> None:
    for seed in range(20):
        assert len(set(re.findall(r"#[0-9a-f]{6}", svg(Cover(motif, seed * 7919))))) <= 5


@pytest.mark.parametrize("name", ["music", "music-12", "none-0000000000000000", "music-000000000000000G", "../x"])
def test_other_names_are_not_covers(name: str) -> None:
    assert parse_cover_name(name) is None


async def test_list_and_page_show_the_cover(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """The list embeds the picture, and the page links to it."""
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title="Board games", categories="games")
    cover = cover_of("Board games", (Category.GAMES,))
    path = cover.path
    async with site_on(db, clock).browser() as browser:
        (source,) = set(re.findall(r'src="(data:[^"]+)"', (await browser.get("/")).text))
        assert unquote(source) == f"data:image/svg+xml,{svg(cover)}"
        assert f'src="{path}"' in (await browser.get(f"/events/{event.slug}")).text
        answer = await browser.get(path)
        assert answer.headers["content-type"].startswith("image/svg+xml")
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert (await browser.get("/covers/games-1.svg")).status_code == 404


def opened(picture: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(picture))
    assert (image.format, image.size) == ("PNG", (CARD_WIDTH, CARD_HEIGHT))
    return image.convert("RGB")


@settings(max_examples=examples(12), deadline=None)
@given(title=st.text(min_size=1, max_size=500), host=st.text(max_size=200))
def test_any_text_gives_a_card(title: str, host: str) -> None:
    opened(card(cover_of(title, (Category.FILM,)), CardFacts(title, "Friday 27 November", "Kino", host)))


def test_text_stays_within_its_half_and_the_card() -> None:
    """Long words are broken and long titles are cut. The margins keep the background colour."""
    long = CardFacts("Straßenraumumgestaltung" * 9, "Friday " * 30, "Weddingstraße " * 20, "Eva " * 80)
    image = opened(card(cover_of("x", (Category.FILM,)), long))
    paper = (251, 248, 243)
    edges = [(x, y) for x in (CARD_HEIGHT + 4, CARD_WIDTH - 4) for y in range(0, CARD_HEIGHT, 7)]
    assert {image.getpixel(edge) for edge in edges} == {paper}
    assert {image.getpixel((x, CARD_HEIGHT - 4)) for x in range(CARD_HEIGHT + 4, CARD_WIDTH, 7)} == {paper}


def test_lines_of_a_title_have_similar_lengths() -> None:
    """The last line is not a single short word."""
    facts = CardFacts("Supper club: six strangers, one table", "Sun 29 Nov, 19:30", "", "Eva")
    image = opened(card(cover_of("x", (Category.FOOD,)), facts))
    first, *_, last = _widths_of_lines(image.crop((CARD_HEIGHT + 4, 100, CARD_WIDTH, CARD_HEIGHT - 120)))
    assert last > 0.6 * first


def _widths_of_lines(text: Image.Image) -> list[int]:
    """The distance from the left edge to the end of each line of dark text."""
    rows = [
        text.crop((0, y, text.width, y + 1)).convert("L").point(lambda grey: 255 * (grey < 128))
        for y in range(text.height)
    ]
    ends = [box[2] if (box := row.getbbox()) else 0 for row in rows]
    return [max(line) for is_text, line in groupby(ends, key=bool) if is_text]


def test_a_card_shows_the_initial_of_the_host_and_the_mark() -> None:
    """At the bottom: the initial on its tone, and the mark at the other end."""
    image = opened(card(cover_of("x", (Category.FILM,)), CardFacts("Tea", "Fri 27 Nov, 19:00", "Kino", "Eva", 4)))
    left, middle = CARD_HEIGHT + 48, CARD_HEIGHT - 48 - 28
    assert image.getpixel((left + 4, middle)) == (0xFA, 0xEC, 0xC4)
    assert image.getpixel((CARD_WIDTH - 48 - 28, middle - 16)) == (0x0E, 0x65, 0x57)


def test_a_script_that_the_font_lacks_leaves_a_cover_without_text() -> None:
    image = opened(card(cover_of("Кино", (Category.FILM,)), CardFacts("Кино", "Friday", "Kino", "Eva")))
    assert image.getpixel((CARD_WIDTH - 4, 4)) != (251, 248, 243)


def test_emoji_are_left_out() -> None:
    """Emoji are dropped together with their joiners and modifiers. Letters keep their accents, and a title of only
    emoji leaves no text.
    """
    drawn = [
        card(cover_of("x", (Category.FILM,)), CardFacts(title, "Fri 27 Nov, 19:00", "Kino", "Eva"))
        for title in (
            "Cafe\u0301 \U0001f469\u200d\U0001f373\ufe0f con pan \U0001f44b\U0001f3fd",
            "Café con pan",
            "\U0001f389",
        )
    ]
    assert drawn[0] == drawn[1]
    assert opened(drawn[0]).getpixel((CARD_WIDTH - 4, 4)) == (251, 248, 243)
    assert opened(drawn[2]).getpixel((CARD_WIDTH - 4, 4)) != (251, 248, 243)


async def test_only_public_events_have_a_card(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        shown = await event_by(tx, ana, title="Board games", categories="games")
        secret = await event_by(tx, ana, title="Secret games", visibility="private")
        unlisted = await event_by(tx, ana, title="Quiet games", visibility="unlisted")
    async with site_on(db, clock).browser() as browser:
        page = (await browser.get(f"/events/{shown.slug}")).text
        (address,) = re.findall(r'og:image" content="[^"]*?(/events/[^"]+)"', page)
        answer = await browser.get(address)
        assert answer.headers["content-type"] == "image/png"
        opened(answer.content)
        async with db.transaction() as tx:
            gone = await event_by(tx, ana, title="Deleted games")
            await delete(tx, ana, gone.slug)
        for slug in (secret.slug, unlisted.slug, gone.slug, "nothing"):
            assert (await browser.get(f"/events/{slug}/card.png")).status_code == 404


@pytest.mark.parametrize("noun", ["series", "groups"])
async def test_links_to_series_and_groups_have_a_picture(
    make_sqlite: MakeDatabase, clock: HandClock, noun: str
) -> None:
    """Without an uploaded picture, the page names a drawn one. Only public ones have it."""
    site = site_on(await make_sqlite("openmeet"), clock)
    weekly = {
        "title": "Walk",
        "starts": "2026-07-04T18:00",
        "time_zone": "Europe/Berlin",
        "repeats": "FREQ=WEEKLY;BYDAY=SA",
        "ends_how": "never",
    }
    form = "/events/new" if noun == "series" else "/groups/new"
    async with site.browser() as ana, site.browser() as stranger:
        await sign_up(ana, "ana@example.org", "Ana")
        for visibility in ("public", "unlisted", "private"):
            fields = {"name": f"Chess {visibility}", "time_zone": "Europe/Berlin", "visibility": visibility}
            made = await ana.post(form, data=(weekly if noun == "series" else {}) | fields | {"submission": visibility})
            path = made.headers["location"].partition("?")[0]
            assert path.startswith(f"/{noun}/")
            answer = await stranger.get(f"{path}/card.png")
            assert answer.status_code == (200 if visibility == "public" else 404)
            if visibility == "public":
                page = (await stranger.get(path)).text
                (address,) = re.findall(rf'og:image" content="[^"]*?({path}/card[^"]+)"', page)
                assert (await stranger.get(address)).content == answer.content
                opened(answer.content)


async def test_a_cover_is_compressed_as_the_client_accepts(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    cover = cover_of("Board games", (Category.GAMES,))
    async with site_on(await make_sqlite("openmeet"), clock).browser() as visitor:
        packed = await visitor.get(cover.path, headers={"accept-encoding": "gzip"})
        plain = await visitor.get(cover.path, headers={"accept-encoding": "gzip;q=0"})
    assert packed.text == plain.text == svg(cover)
    assert (packed.headers["content-encoding"], "content-encoding" in plain.headers) == ("gzip", False)
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2
