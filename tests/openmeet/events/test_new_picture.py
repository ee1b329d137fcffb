"""A picture in the form of a new event, series or draft: stored with the event, and kept when another field is invalid."""

import re

import pytest

from groundwork.blobstore.open_ import open_folder
from tests.openmeet.media.drawn_pictures import draw_picture
from tests.openmeet.series.series_forms import SERIES_FORM
from tests.openmeet.site_under_test import inputs_of, sign_up, site_on

ONCE = SERIES_FORM | {"repeats": ""}
FILE = {"picture": ("a.png", draw_picture(size=(700, 500)), "image/png")}
WORDS = {"alt": "A red square"}


@pytest.fixture
async def site(make_sqlite, clock, tmp_path):
    return site_on(await make_sqlite("openmeet"), clock, pictures=open_folder(tmp_path / "pictures"))


@pytest.fixture
async def ana(site):
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        yield browser


async def test_a_new_event_has_its_picture(ana):
    assert 'enctype="multipart/form-data"' in (await ana.get("/events/new")).text
    made = await ana.post("/events/new", data=ONCE | WORDS, files=FILE)
    assert made.status_code == 303, made.text
    shown = (await ana.get(made.headers["location"])).text
    assert 'alt="A red square"' in shown
    again = await ana.post("/events/new", data=ONCE | WORDS, files=FILE)
    assert again.headers["location"] == made.headers["location"], "one form creates one event"


async def test_the_description_is_not_called_optional(ana):
    """A picture needs one, and a form without a picture needs none."""
    label = re.search(r'<label for="alt".*?</label>', (await ana.get("/events/new")).text, re.DOTALL)
    assert label
    assert "optional" not in label[0]
    assert (await ana.post("/events/new", data=ONCE | {"alt": ""})).status_code == 303


async def test_every_date_of_a_new_series_has_its_picture(ana):
    made = await ana.post("/events/new", data=SERIES_FORM | WORDS, files=FILE)
    first = re.search(r'href="(/events/practice[^"/]+)"', (await ana.get(made.headers["location"])).text)
    assert first
    assert 'alt="A red square"' in (await ana.get(first[1])).text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"title": ""}, "title"), ({"alt": " "}, "Describe the picture"), ({"preview": "yes"}, "")],
)
async def test_a_picture_is_kept_when_another_field_is_invalid(ana, wrong, said):
    answer = await ana.post("/events/new", data=ONCE | WORDS | wrong, files=FILE)
    assert answer.status_code == (200 if "preview" in wrong else 400)
    assert said in answer.text
    key = inputs_of(answer.text)["picture_key"]
    assert f"/media/{key}/small" in answer.text
    made = await ana.post("/events/new", data=ONCE | WORDS | {"picture_key": key})
    assert 'alt="A red square"' in (await ana.get(made.headers["location"])).text


async def test_a_draft_has_its_picture(ana):
    made = await ana.post("/events/new", data=ONCE | WORDS | {"title": "", "save": "draft"}, files=FILE)
    assert made.status_code == 303
    assert 'alt="A red square"' in (await ana.get(made.headers["location"].removesuffix("/draft"))).text


@pytest.mark.parametrize(
    ("sent", "files"),
    [
        ({"picture_key": "0" * 32}, None),
        ({}, None),
        ({}, {"picture": ("a.png", b"nonsense", "image/png")}),
    ],
)
async def test_an_invalid_picture_is_reported_at_the_field(ana, sent, files):
    answer = await ana.post("/events/new", data=ONCE | WORDS | sent, files=files)
    assert answer.status_code == 400
    assert 'href="#picture"' in answer.text
    assert inputs_of(answer.text)["title"] == "Practice"


async def test_another_persons_picture_cannot_be_used(site, ana):
    sent = await ana.post("/events/new", data=ONCE | WORDS | {"title": ""}, files=FILE)
    key = inputs_of(sent.text)["picture_key"]
    async with site.browser() as eve:
        await sign_up(eve, "eve@example.org", "Eve")
        assert (await eve.post("/events/new", data=ONCE | WORDS | {"picture_key": key})).status_code == 400


async def test_without_a_known_zone_the_form_asks_for_it(site, ana):
    asked = re.compile(r'<details class="fold" id="fold-clock" open>')
    assert asked.search((await ana.get("/events/new")).text)
    async with site.db.transaction() as tx:
        await tx.execute("update users set time_zone = 'Europe/Berlin' where display_name = 'Ana'")
    assert not asked.search((await ana.get("/events/new")).text)
