"""A new sealing key is added before the one that sealed tickets, links and calendar URLs. They keep working until the
old key is dropped.
"""

import re
from collections.abc import Callable

import pytest

from groundwork.clock import HandClock
from groundwork.signing_key import SigningKey
from openmeet.domain.attendance.model import AttendanceId
from openmeet.domain.check_in import tickets
from openmeet.domain.events import co_host_invitations
from openmeet.domain.events.co_host_invitations import CoHostId
from openmeet.domain.groups import calendar_feeds, queries
from openmeet.domain.groups import rules as groups
from openmeet.domain.groups.model import InvitationId
from openmeet.domain.guest_rsvps import actions as guests
from openmeet.domain.guest_rsvps.queries import GuestRsvpId
from openmeet.domain.imports import people
from openmeet.domain.imports.model import ImportReason, PersonId
from openmeet.domain.notifications import email_links
from openmeet.domain.notifications.email_links import EmailLink, LinkPurpose
from openmeet.domain.sign_in.model import ChallengeId, code_of
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_email
from openmeet.outbox import email_suppressions
from openmeet.web.calendar import feed
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import CODE_KEY, Site, api_session, change_services, person, sign_up, site_on

ID = "01890000-0000-7000-8000-000000000000"
DROPPED = SigningKey(b"n" * 32)
ROTATED = SigningKey(b"n" * 32, (CODE_KEY.newest,))
ADDRESS = "ben@example.org"


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


@pytest.mark.parametrize(
    ("make", "find"),
    [
        (lambda key: groups.token_of(key, InvitationId(ID)), groups.invitation_in),
        (lambda key: co_host_invitations.token_of(key, CoHostId(ID)), co_host_invitations.invitation_in),
        (lambda key: guests.token_of(key, GuestRsvpId(ID)), guests.rsvp_id_of_token),
        (
            lambda key: tickets.code_of(key, AttendanceId(ID)),
            lambda key, code: tickets.code_matches(key, code, AttendanceId(ID)) or None,
        ),
    ],
)
def test_tickets_of_the_previous_key_are_accepted(
    make: Callable[[SigningKey], str], find: Callable[[SigningKey, str], object]
) -> None:
    old, new = make(CODE_KEY), make(ROTATED)
    assert old != new
    assert new == make(DROPPED)
    assert find(ROTATED, old) == find(CODE_KEY, old) is not None
    assert find(ROTATED, new) is not None
    assert find(DROPPED, old) is None


def test_invitations_of_the_previous_key_are_accepted() -> None:
    assert people.person_in(ROTATED, people.token_of(CODE_KEY, PersonId(ID))) == ID
    with pytest.raises(Exception, match=ImportReason.INVITATION_OVER):
        people.person_in(DROPPED, people.token_of(CODE_KEY, PersonId(ID)))


def test_opt_out_links_of_the_previous_key_are_accepted() -> None:
    """The token is sealed again each time, so no two links are equal."""
    old, new = email_suppressions.token_of(CODE_KEY, ADDRESS), email_suppressions.token_of(ROTATED, ADDRESS)
    assert [email_suppressions.address_in(ROTATED, one) for one in (old, new)] == [ADDRESS, ADDRESS]
    assert [email_suppressions.address_in(DROPPED, one) for one in (old, new)] == [None, ADDRESS]


def test_sign_in_codes_use_only_the_newest_key() -> None:
    assert code_of(ROTATED, ChallengeId(ID)) == code_of(DROPPED, ChallengeId(ID))


async def test_mail_links_survive_another_key(site: Site) -> None:
    async with site.browser() as anybody:
        path = f"/mail/never/{email_suppressions.token_of(CODE_KEY, ADDRESS)}"
        for key, status in ((ROTATED, 200), (DROPPED, 404)):
            change_services(site.app, code_key=key)
            assert (await anybody.get(path)).status_code == status


async def test_links_in_earlier_mails_stay_valid(site: Site) -> None:
    async with site.db.transaction() as tx:
        link = EmailLink((await person(tx, "Ana")).user_id, LinkPurpose.ANSWER, "tea")
        first = await email_links.token_for(tx, CODE_KEY, link)
        assert await email_links.token_for(tx, ROTATED, link) == first
        assert await email_links.find(tx, first, LinkPurpose.ANSWER) == link
        assert await email_links.token_for(tx, DROPPED, link) != first
        assert await email_links.find(tx, first, LinkPurpose.ANSWER) is None


async def test_the_calendar_url_shown_is_the_one_that_works(site: Site) -> None:
    """With a new key the URL stays the same. When its key has been dropped the page shows no URL, and the old URL works
    until a new one is created.
    """
    path = "/settings/calendars"
    async with site.browser() as ana:
        await sign_up(ana, "ana@example.org", "Ana")
        await ana.post(f"{path}/feed", data={"act": "open"})
        first = _address((await ana.get(path)).text)
        for key in (CODE_KEY, ROTATED):
            change_services(site.app, code_key=key)
            assert _address((await ana.get(path)).text) == first
        change_services(site.app, code_key=DROPPED)
        shown = (await ana.get(path)).text
        assert "we can’t show it again" in shown
        assert (await ana.get(first)).status_code == 200
        await ana.post(f"{path}/feed", data={"act": "renew"})
        second = _address((await ana.get(path)).text)
        assert [(await ana.get(one)).status_code for one in (first, second)] == [404, 200]


async def test_opening_a_working_url_keeps_it(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        first = await feed.open_feed(tx, CODE_KEY, ana.user_id)
        assert await feed.open_feed(tx, ROTATED, ana.user_id) == first


async def test_the_group_calendar_url_shown_is_the_one_that_works(site: Site) -> None:
    async with site.browser() as ana:
        await sign_up(ana, "ana@example.org", "Ana")
        async with site.db.transaction() as tx:
            host = await by_email(tx, "ana@example.org")
            assert host is not None
            group = await group_by(tx, Caller(host.id, "Ana"), name="Circle", visibility="private")
            mine = await queries.find_member(tx, group.id, host.id)
            token = await calendar_feeds.renew(tx, CODE_KEY, group, mine)
        path = f"/groups/{group.slug}/events"
        change_services(site.app, code_key=ROTATED)
        address = f"/group-calendars/{token}.ics"
        assert address in (await ana.get(path)).text
        change_services(site.app, code_key=DROPPED)
        shown = (await ana.get(path)).text
        assert "we can’t show it again" in shown
        assert "/group-calendars/" not in shown
        assert (await ana.get(address)).status_code == 200


async def test_a_request_repeated_after_a_key_change_is_answered_as_before(site: Site) -> None:
    async with site.browser() as client:
        head = await api_session(client, "ana@example.org", "Ana") | {"idempotency-key": "mine"}
        first = await client.post("/api/groups", json={"name": "Circle", "timeZone": "Europe/Berlin"}, headers=head)
        change_services(site.app, code_key=ROTATED)
        second = await client.post("/api/groups", json={"name": "Circle", "timeZone": "Europe/Berlin"}, headers=head)
        assert (second.status_code, second.content) == (first.status_code, first.content)
        assert second.headers["idempotency-replayed"] == "true"


def _address(text: str) -> str:
    found = re.search(r"/calendar/[^\"]+\.ics", text)
    assert found is not None
    return found[0]
