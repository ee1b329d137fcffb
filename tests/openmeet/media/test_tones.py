"""Tones of uploaded pictures: chosen when a picture is stored, and then shown by everything about the event."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image

from groundwork import ui
from groundwork.blobstore.open_ import open_folder
from groundwork.ui.tones import INKS, WASHES
from openmeet.domain.covers.model import cover_of, cover_of_group, tone_for, tone_of_group
from openmeet.domain.covers.social_card import CARD_HEIGHT, CARD_WIDTH, CardFacts, card
from openmeet.domain.events.content import Content
from openmeet.domain.events.vocabulary import Category
from openmeet.domain.groups.queries import by_slug
from openmeet.domain.media.pictures import Picture, prepare, tone_of_picture
from tests.openmeet.series.series_forms import SERIES_FORM
from tests.openmeet.site_under_test import inputs_of, sign_up, site_on

PINE, CORAL, INDIGO, PLUM, MUSTARD, SKY, BLUSH, NIGHT, LEAF = range(9)
ONCE = SERIES_FORM | {"repeats": "", "title": "Practice"}
BLUE, RED = (30, 40, 200), (200, 45, 20)


def square(colour: tuple[int, int, int], kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (640, 480), colour).save(out, kind)
    return out.getvalue()


def halves(upper: tuple[int, int, int], lower: tuple[int, int, int], share: float = 0.5) -> Image.Image:
    """A picture of two colours. ``share``: the upper one's."""
    image = Image.new("RGB", (400, 400), lower)
    image.paste(upper, (0, 0, 400, round(400 * share)))
    return image


def file(colour: tuple[int, int, int]) -> dict[str, tuple[str, bytes, str]]:
    return {"picture": ("a.png", square(colour), "image/png")}


def tones_in(page: str, what: str) -> set[int]:
    """The tones of the elements with a class."""
    return {int(tone) for tone in re.findall(rf'class="[^"]*\b{what}\b[^"]* tone-(\d)', page)}


@pytest.fixture
def site(make_sqlite, clock, tmp_path):
    async def opened():
        return site_on(await make_sqlite("openmeet"), clock, pictures=open_folder(tmp_path / "pictures"))

    return opened


def test_the_colours_are_those_of_the_stylesheet():
    light = (Path(ui.STATIC) / "tokens.css").read_text().partition("@media")[0]
    assert re.findall(r"--tone-\d: (#\w{6});", light) == list(WASHES)
    assert re.findall(r"--tone-\d-ink: (#\w{6});", light) == list(INKS)


@pytest.mark.parametrize(
    ("colour", "tone"),
    [
        ((20, 130, 110), PINE),
        ((230, 90, 50), CORAL),
        (BLUE, INDIGO),
        ((160, 40, 110), PLUM),
        ((230, 175, 50), MUSTARD),
        ((70, 150, 210), SKY),
        ((190, 60, 80), BLUSH),
        ((50, 90, 165), NIGHT),
        ((90, 150, 60), LEAF),
    ],
)
def test_a_picture_has_the_tone_of_its_colour(colour, tone):
    assert prepare(square(colour)).tone == prepare(square(colour, "JPEG")).tone == tone


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (240, 232, 222), (12, 14, 30)])
def test_grey_pale_and_black_pictures_have_none(colour):
    assert tone_of_picture(halves(colour, colour)) is None


def test_the_colour_must_cover_a_part_of_the_picture():
    assert tone_of_picture(halves(RED, (128, 128, 128), 0.06)) is None
    assert tone_of_picture(halves(RED, (128, 128, 128), 0.25)) == CORAL


def test_the_strongest_of_several_colours_counts():
    assert tone_of_picture(halves(BLUE, RED, 0.7)) == INDIGO
    assert tone_of_picture(halves(BLUE, RED, 0.3)) == CORAL
    assert tone_of_picture(halves((185, 205, 225), RED, 0.7)) == CORAL, "a pale sky is weaker than a house"


def test_a_hue_on_both_sides_of_red_is_one_colour():
    """Red is at both ends of the scale of hues."""
    assert tone_of_picture(halves((200, 0, 24), (200, 24, 0), 0.5)) in {CORAL, BLUSH}
    assert tone_of_picture(halves((200, 20, 20), BLUE, 0.6)) in {CORAL, BLUSH}


def test_a_picture_without_a_tone_leaves_that_of_the_cover():
    old, grey = Picture("k", "Words", 4, 3), Picture("k", "Words", 4, 3, None)
    cover = cover_of("Practice", (Category.FILM,))
    for picture in (None, old, grey):
        assert tone_for(Content("Practice", categories=(Category.FILM,), picture=picture)) == cover.tone
        assert tone_of_group("Chess club", picture) == cover_of_group("Chess club").tone
    toned = Picture("k", "Words", 4, 3, LEAF)
    assert tone_for(Content("Practice", picture=toned)) == tone_of_group("Chess club", toned) == LEAF


def test_the_link_preview_has_the_time_in_the_tone():
    facts = CardFacts("Tea", "Fri 27 Nov, 19:00", "Kino", "Eva", tone=LEAF)
    drawn = Image.open(io.BytesIO(card(cover_of("x", (Category.FILM,)), facts))).convert("RGB")
    text = drawn.crop((CARD_HEIGHT, 0, CARD_WIDTH, 100))
    assert (0x34, 0x53, 0x2A) in {colour for _, colour in text.getcolors(10_000) or []}


async def test_everything_about_an_event_has_the_tone_of_its_picture(site):
    """Another title leaves the tone unchanged; without the picture, it is again that of the cover."""
    async with (await site()).browser() as ana:
        await sign_up(ana, "ana@example.org", "Ana")
        made = await ana.post("/events/new", data=ONCE | {"alt": "Blue"}, files=file(BLUE))
        path = made.headers["location"]
        assert tones_in((await ana.get(path)).text, "event-page") == {INDIGO}
        assert (await ana.post(f"{path}/answer", data={"reply": "going"})).status_code == 303
        ticket = (await ana.get(f"{path}/ticket")).text
        assert tones_in(ticket, "ticket") == {INDIGO}
        for listing in ("/?q=Practice", "/my/events"):
            assert tones_in((await ana.get(listing)).text, "(?:event-card|next-up)") == {INDIGO}, listing
        month = (await ana.get("/my/calendar?view=month&on=2026-03-03")).text
        assert tones_in(month, "is-sure") == {INDIGO}
        other = await ana.post(f"{path}/picture", data={"alt": "Red"}, files=file(RED))
        assert other.status_code == 303
        assert tones_in((await ana.get(path)).text, "event-page") == {CORAL}
        await ana.post(f"{path}/picture", data={"alt": "Other words"}, files={"picture": ("", b"", "")})
        assert tones_in((await ana.get(path)).text, "event-page") == {CORAL}
        await ana.post(f"{path}/picture/remove")
        assert tones_in((await ana.get(path)).text, "event-page") == {cover_of("Practice", ()).tone}


async def test_the_tone_survives_a_form_with_an_error(site):
    async with (await site()).browser() as ana:
        await sign_up(ana, "ana@example.org", "Ana")
        wrong = await ana.post("/events/new", data=ONCE | {"alt": "Blue", "title": ""}, files=file(BLUE))
        key = inputs_of(wrong.text)["picture_key"]
        made = await ana.post("/events/new", data=ONCE | {"alt": "Blue", "picture_key": key})
        assert tones_in((await ana.get(made.headers["location"])).text, "event-page") == {INDIGO}


async def test_a_series_and_its_dates_have_the_tone(site):
    async with (await site()).browser() as ana:
        await sign_up(ana, "ana@example.org", "Ana")
        made = await ana.post("/events/new", data=SERIES_FORM | {"alt": "Blue"}, files=file(BLUE))
        page = (await ana.get(made.headers["location"])).text
        assert tones_in(page, "event-page") == {INDIGO}
        date = re.search(r'href="(/events/practice[^"/]+)"', page)
        assert date
        assert tones_in((await ana.get(date[1])).text, "event-page") == {INDIGO}


async def test_the_page_and_the_card_of_a_group_have_the_tone(site):
    running = await site()
    async with running.browser() as ana:
        await sign_up(ana, "ana@example.org", "Ana")
        made = await ana.post("/groups/new", data={"name": "Chess club", "time_zone": "Europe/Berlin"})
        path = made.headers["location"].partition("?")[0]
        before = cover_of_group("Chess club").tone
        assert tones_in((await ana.get(path)).text, "group-head") == {before}
        assert (await ana.post(f"{path}/picture", data={"alt": "Blue"}, files=file(BLUE))).status_code == 303
        for address, what in ((path, "group-head"), (path, "group-cover"), ("/groups", "group-card")):
            assert tones_in((await ana.get(address)).text, what) == {INDIGO}, address
        async with running.db.reader() as reader:
            group = await by_slug(reader, path.rpartition("/")[2])
        assert group is not None
        assert group.picture is not None
        assert group.picture.tone == INDIGO
