"""Answers of guests on the page of an event, and the e-mails that they get."""

import re

from openmeet.domain.guest_rsvps.queries import GUEST_MAIL
from openmeet.emails.render import EmailContext
from openmeet.emails.rsvp_confirmation import guest_composer
from openmeet.outbox.emails import due_email_of
from tests.openmeet.site_under_test import CODE_KEY, ORIGIN


async def send_guest_answer(browser, event, email="eve@example.org", **typed: str):
    fields = {"email": email, "display_name": "Eve", "reply": "going", **typed}
    return await browser.post(f"/events/{event.slug}/guest-answer", data=fields)


async def compose_guest_emails(site):
    """E-mails queued for guests, composed now."""
    compose = guest_composer(EmailContext(CODE_KEY, "OpenMeet", ORIGIN))
    async with site.db.reader() as reader:
        rows = await reader.fetch(
            "select kind, subject, revision from outbox_jobs where kind = 'mail' order by subject"
        )
    found = []
    for row in rows:
        kind, person_id, subject_id = row["subject"].split("\x1f")
        if kind == GUEST_MAIL:
            due = due_email_of(type("Row", (), {"subject": row["subject"], "revision": row["revision"]})())
            assert (due.person, due.subject_id) == (person_id, subject_id)
            found.append(await compose(site.db, due))
    return [one for one in found if one]


def confirmation_link_in(letter):
    return re.search(rf"{ORIGIN}(/answers/confirm/\S+)", letter.text)[1]
