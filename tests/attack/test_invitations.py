"""Somebody uses the invitations of many events and groups to send unwanted e-mails through this site."""

import pytest

from groundwork.clock import HandClock
from groundwork.rate_limit.contract import Limit
from openmeet.domain.imports import queries
from openmeet.domain.imports.model import ContactRow, ImportKind
from openmeet.web.site import rate_limits
from openmeet.web.site.rate_limits import INVITATIONS_TO_ADDRESS
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import event_by, person, signed_in, site_on

_VICTIM = "victim@example.org"


async def test_invitations_per_address_are_limited(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """An address receives a limited number of invitations from all senders, counting events, co-hosting and groups
    together.
    """
    db = await make_sqlite("openmeet", clock=clock)
    site = site_on(db, clock)
    statuses = []
    for name in ("Ana", "Ben"):
        async with db.transaction() as tx:
            host = await person(tx, name)
            events = [await event_by(tx, host) for _ in range(3)]
            groups = [await group_by(tx, host, name=f"Group {number} of {name}") for number in range(2)]
        async with signed_in(site, host.user_id) as browser:
            for one in events:
                path = f"/events/{one.slug}"
                statuses += [
                    (await browser.post(f"{path}/attendees/invite", data={"email": _VICTIM.upper()})).status_code,
                    (await browser.post(f"{path}/hosts", data={"whom": _VICTIM})).status_code,
                ]
            for group in groups:
                sent = {"emails": _VICTIM, "step": "send"}
                answer = await browser.post(f"/groups/{group.slug}/invitations/mail", data=sent)
                statuses.append(answer.status_code)
    assert statuses.count(303) == INVITATIONS_TO_ADDRESS.points
    assert set(statuses[INVITATIONS_TO_ADDRESS.points :]) == {429}
    async with db.reader() as reader:
        jobs = await reader.fetch("select subject from outbox_jobs where kind = 'mail'")
        invited = await reader.fetch("select 1 as found from group_invitations where email = :email", email=_VICTIM)
    assert (len(jobs), len(invited)) == (INVITATIONS_TO_ADDRESS.points, 2)


async def test_number_of_invitations_is_limited(
    make_sqlite: MakeDatabase, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limits, "INVITATIONS_BY_PERSON", Limit("invitations_by_person", 5, 86_400))
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        events = [await event_by(tx, ana) for _ in range(4)]
    statuses = []
    async with signed_in(site_on(db, clock), ana.user_id) as browser:
        for number, one in enumerate(events):
            for letter in "ab":
                email = f"{letter}{number}@example.org"
                answer = await browser.post(f"/events/{one.slug}/attendees/invite", data={"email": email})
                statuses.append(answer.status_code)
    assert statuses == [303] * 5 + [429] * 3


async def test_invitations_from_lists_are_limited(
    make_sqlite: MakeDatabase, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Per person over all lists, and per address: such addresses are left out. What is refused does not count."""
    monkeypatch.setattr(rate_limits, "LIST_INVITATIONS_BY_PERSON", Limit("list_invitations_by_person", 3, 86_400))
    monkeypatch.setattr(rate_limits, "INVITATIONS_TO_ADDRESS", Limit("invitations_to_address", 1, 86_400))
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        lists = [(ana, ["a@example.org", "b@example.org"]), (ana, ["c@example.org", "d@example.org"])]
        lists += [(ana, ["c@example.org"]), (ben, ["a@example.org"])]
        events = []
        for who, emails in lists:
            event = await event_by(tx, who)
            rows = [ContactRow(number, "", email, "", "") for number, email in enumerate(emails, 1)]
            await queries.add_contacts(tx, ImportKind.GUESTS, event.id, rows, who.user_id)
            events.append(event)
    site, statuses, left_out = site_on(db, clock), [], []
    for event, (who, emails) in zip(events, lists, strict=True):
        async with signed_in(site, who.user_id) as browser:
            path = f"/import/lists/{ImportKind.GUESTS}/{event.slug}"
            for expected in (len(emails) + 1, len(emails)):
                sent = await browser.post(path, data={"act": "send", "message": "Hi", "expected": str(expected)})
            statuses.append(sent.status_code)
            left_out.append("left_out=" in sent.headers.get("location", ""))
    assert statuses == [303, 429, 303, 303]
    assert left_out == [False, False, False, True]
