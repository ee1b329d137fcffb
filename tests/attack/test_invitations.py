"""Somebody uses the invitations of many events and groups to send unwanted e-mails through this site."""

from collections.abc import Sequence

import pytest

from at_protocol.syntax.did import parse_did
from groundwork.clock import HandClock, Instant
from groundwork.database.open_transactions import transaction_is_open
from groundwork.rate_limit.contract import Limit, LimitState
from groundwork.rate_limit.in_process import InProcessCounters
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.imports import queries
from openmeet.domain.imports.model import ContactRow, ImportKind
from openmeet.domain.moderation import actions as moderation
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.web.events import co_hosts_pages
from openmeet.web.site import rate_limits
from openmeet.web.site.rate_limits import INVITATIONS_TO_ADDRESS
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import api_session, change_services, event_by, person, signed_in, site_on

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


async def test_refused_invitations_are_not_counted(
    make_sqlite: MakeDatabase, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limits, "INVITATIONS_BY_PERSON", Limit("invitations_by_person", 2, 86_400))
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        ana, mo = await person(tx, "Ana"), await person(tx, "Mo")
        shown, draft, hidden = await event_by(tx, ana), await event_by(tx, ana), await event_by(tx, ana)
        await tx.execute("update events set is_draft = 1, is_held = 1 where id = :id", id=draft.id)
        subject = Subject(ModeratedKind.EVENT, hidden.id)
        await moderation.decide(tx, mo.user_id, subject, SubjectVisibility.HIDDEN, "Looks like an advertisement.")
    sent = {"email": _VICTIM, "whom": _VICTIM}
    refused = [
        (f"/events/{draft.slug}/attendees/invite", sent),
        (f"/events/{hidden.slug}/attendees/invite", sent),
        (f"/events/{hidden.slug}/hosts", sent),
        (f"/events/{shown.slug}/attendees/invite", sent | {"for_series": "yes"}),
        (f"/events/{shown.slug}/hosts", sent | {"for_series": "yes"}),
    ]
    async with signed_in(site_on(db, clock), ana.user_id) as browser:
        statuses = [(await browser.post(path, data=data)).status_code for path, data in refused]
        assert statuses == [422, 422, 422, 400, 400]
        for path in ("attendees/invite", "hosts"):
            assert (await browser.post(f"/events/{shown.slug}/{path}", data=sent)).status_code == 303


async def test_unknown_handles_use_up_no_invitations_and_cannot_be_guessed(
    make_sqlite: MakeDatabase, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invitation that cannot be sent is counted apart."""
    monkeypatch.setattr(rate_limits, "INVITATIONS_BY_PERSON", Limit("invitations_by_person", 2, 86_400))
    monkeypatch.setattr(co_hosts_pages, "REFUSED_INVITATIONS", Limit("refused_invitations", 3, 86_400))
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        tea = await event_by(tx, ana)
        ben_did = parse_did("did:plc:bbbbbbbbbbbbbbbbbbbbbbbb")
        await identity_queries.insert(
            tx, ben_did, ben.user_id, IdentityKind.CONNECTED, handle="ben.example", pds_url="", is_default=True
        )
    path = f"/events/{tea.slug}/hosts"
    async with signed_in(site_on(db, clock), ana.user_id) as browser:
        statuses = [
            (await browser.post(path, data={"whom": whom})).status_code
            for whom in ("one.example", "two.example", "ben.example", _VICTIM, "three.example", "four.example")
        ]
        assert statuses == [400, 400, 303, 303, 400, 429]


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


async def test_only_hosts_use_up_the_invitations_of_an_address(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """Somebody who may invite nobody cannot keep others from inviting this address, nor can a form without one."""
    db = await make_sqlite("openmeet", clock=clock)
    site = site_on(db, clock)
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event, group = await event_by(tx, ana), await group_by(tx, ana)
    posts = [
        (f"/events/{event.slug}/attendees/invite", {"email": _VICTIM}),
        (f"/events/{event.slug}/hosts", {"whom": _VICTIM}),
        (f"/groups/{group.slug}/invitations/mail", {"emails": _VICTIM, "step": "send"}),
    ]
    async with signed_in(site, ben.user_id) as browser:
        for _ in range(INVITATIONS_TO_ADDRESS.points):
            assert {(await browser.post(path, data=form)).status_code for path, form in posts} == {403}
    async with signed_in(site, ana.user_id) as browser:
        for path, form in posts:
            for _ in range(INVITATIONS_TO_ADDRESS.points):
                assert (await browser.post(path, data=dict.fromkeys(form, "") | {"step": "send"})).status_code == 400
            assert (await browser.post(path, data=form)).status_code == 303


class _CountersOutsideTransactions(InProcessCounters):
    """Counters that refuse to be waited for while a transaction is open."""

    async def add_each(self, charges: Sequence[tuple[Limit, str]], points: int, now: Instant) -> list[LimitState]:
        assert not transaction_is_open()
        return await super().add_each(charges, points, now)


async def test_no_lock_is_held_while_invitations_are_counted(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """Shared counters are on another machine. If that is slow, nobody else has to wait for the event or the group."""
    db = await make_sqlite("openmeet", clock=clock)
    site = site_on(db, clock)
    change_services(site.app, counters=_CountersOutsideTransactions())
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event, group = await event_by(tx, ana), await group_by(tx, ana)
    async with signed_in(site, ana.user_id) as browser:
        for path, form in (
            (f"/events/{event.slug}/attendees/invite", {"email": "a@example.org"}),
            (f"/events/{event.slug}/hosts", {"whom": "a@example.org"}),
            (f"/groups/{group.slug}/invitations/mail", {"emails": "a@example.org", "step": "send"}),
        ):
            assert (await browser.post(path, data=form)).status_code == 303
    async with site.browser() as client:
        headers = await api_session(client, "ana@example.org", "Ana")
        for path, body in (
            (f"/api/events/{event.slug}/attendances", {"email": "b@example.org"}),
            (f"/api/events/{event.slug}/co-hosts", {"whom": "b@example.org"}),
            (f"/api/groups/{group.slug}/mail-invitations", {"emails": ["b@example.org"]}),
        ):
            invited = await client.post(path, json=body, headers=headers)
            assert invited.status_code in {200, 201}, invited.text
