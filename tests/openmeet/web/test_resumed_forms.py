"""The content of a form is kept while its sender signs in."""

from urllib.parse import parse_qs, urlsplit

import pytest

from openmeet.domain.attendance import queries
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import EventSlug
from openmeet.web.attendance.resume_click import path_of
from tests.openmeet.site_under_test import event_by, inputs_of, person, sign_up, site_on


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ({"share": ""}, {"share": ""}),
        ({"share": "yes", "party": "2"}, {"share": "yes", "party": "2"}),
        ({"party": "", "mode": "", "other": "x"}, {}),
    ],
)
def test_an_unchecked_checkbox_is_kept_and_empty_fields_are_not(typed, kept):
    """An unchecked checkbox must be kept, because otherwise an answer would be shared although its author deselected
    sharing.
    """
    path = path_of(EventSlug("tea"), RsvpReply.GOING, typed)
    found = {name: values[0] for name, values in parse_qs(urlsplit(path).query, keep_blank_values=True).items()}
    assert found == {"reply": "going", **kept}


async def test_an_answer_kept_on_this_site_stays_there_after_sign_in(make_sqlite, clock):
    """If a person's answer is not shared and they answer again while signed out, the new answer is not shared either."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"))
    path = f"/events/{event.slug}/answer"
    async with site.browser() as browser:
        await sign_up(browser, "ben@example.org", "Ben")
        await browser.post(path, data={"reply": "interested", "share": ""})
    async with site.browser() as browser:
        sent = await browser.post(path, data={"reply": "going"})
        page = await browser.get(sent.headers["location"])
        await sign_up(browser, "ben@example.org", "Ben", next_path=inputs_of(page.text)["next"])
    async with site.db.reader() as reader:
        (row,) = await reader.fetch("select user_id from attendances")
        mine = await queries.find(reader, event.id, row["user_id"])
    assert (mine.status.value, mine.skips_record) == ("attending", True)
