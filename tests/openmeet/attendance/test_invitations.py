"""An e-mail invitation reveals nothing about who owns the address, even if that person has answered; on both engines."""

import pytest

from groundwork.clock import DAY, HOUR, HandClock
from groundwork.errors import Refused, TooMany
from openmeet.domain.attendance import (
    actions,
    host_decisions,
    host_list,
    invitation_queries,
    invitations,
    queries,
    registration,
)
from openmeet.domain.attendance.invitation_queries import Invitee
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.erasure import actions as erasure
from openmeet.domain.events.actions import create
from openmeet.domain.moderation import actions as moderation
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.event_kinds import InvitationReceived
from openmeet.domain.notifications.queries import newest
from tests.databases import MakeDatabase
from tests.openmeet.emails.conftest import Post, post
from tests.openmeet.series.practice import create_weekly_series, dates
from tests.openmeet.site_under_test import Site, api_session, details, event_by, person, signed_in, site_on

__all__ = ["post"]

BY_ADDRESS = {"id": "", "displayName": "", "answeredAt": ""}


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


async def kinds_received(tx, who):
    return [one.kind for one in await newest(tx, who.user_id, 20)]


@pytest.mark.parametrize("stands", ["going", "interested", "declined", "pending", "removed"])
async def test_an_invitation_does_not_reveal_an_existing_answer(site: Site, clock: HandClock, stands: str) -> None:
    """The API's response and the list look the same as for a stranger's address, and the person's existing answer is
    unchanged.
    """
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        ben = await api_session(client, "ben@example.org", "Ben")
        event = {"title": "Chess", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}
        path = (await client.post("/api/events", json=event, headers=ana)).headers["location"]
        if stands == "pending":
            async with site.db.transaction() as tx:
                (row,) = await tx.fetch("select id from events")
                await registration.put(tx, row["id"], RegistrationSettings(needs_approval=True))
        reply = stands if stands in set(RsvpReply) else "going"
        await client.put(f"{path}/answer", json={"reply": reply}, headers=ben)
        (before,) = (await client.get(f"{path}/attendances", headers=ana)).json()["attendances"]
        if stands == "removed":
            asked = {"decision": "remove", "attendanceIds": [before["id"]]}
            await client.post(f"{path}/attendances/decisions", json=asked, headers=ana)
            (before,) = (await client.get(f"{path}/attendances", headers=ana)).json()["attendances"]
        said = []
        for address in ("stranger@example.org", "ben@example.org"):
            shown = await client.post(f"{path}/attendances", json={"email": address}, headers=ana)
            again = await client.post(f"{path}/attendances", json={"email": address}, headers=ana)
            assert (shown.status_code, again.status_code, again.json()) == (201, 201, shown.json())
            assert (shown.json()["displayName"], shown.json()["personId"]) == (address, None)
            said.append(shown.json())
        assert said[0] | BY_ADDRESS == said[1] | BY_ADDRESS
        listed = (await client.get(f"{path}/attendances", headers=ana)).json()["attendances"]
        assert [one for one in listed if one["id"] == before["id"]] == [before]
        assert sorted(one["displayName"] for one in listed if one["id"] != before["id"]) == [
            "ben@example.org",
            "stranger@example.org",
        ]
        history = [
            (await client.get(f"{path}/attendances/{one['id']}/history", headers=ana)).json()["changes"] for one in said
        ]
        first, second = ([one | {"at": ""} for one in lines] for lines in history)
        assert first == second
        gone = {"decision": "remove", "attendanceIds": [one["id"] for one in said]}
        assert (await client.post(f"{path}/attendances/decisions", json=gone, headers=ana)).json()["removed"] == 2


async def test_a_person_who_answered_gets_no_invitation_e_mail(post: Post) -> None:
    """A person who has already answered gets no e-mail, and neither does the placeholder row of the invitation. A
    person with an unknown address gets one.
    """
    async with post.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await actions.answer(tx, ben, event.slug, RsvpReply.INTERESTED)
    post.site.clock.turn(HOUR)
    await post.deliver()
    async with post.db.transaction() as tx:
        for address in ("ben@example.org", "eve@example.org", "ben@example.org"):
            await invitations.invite(tx, ana, event.slug, address)
        assert event_kinds.INVITED not in await kinds_received(tx, ben)
    post.site.clock.turn(HOUR)
    assert [mail["To"] for mail in await post.deliver()] == ["eve@example.org"]


async def test_an_answered_invitation_is_not_repeated(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        first = await invitations.invite(tx, ana, event.slug, "ben@example.org")
        await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
        again = await invitations.invite(tx, ana, event.slug, "ben@example.org")
        assert (again.id, again.status) == (first.id, AttendanceStatus.ATTENDING)
        await host_decisions.reject(tx, ana, event.slug, [first.id])
        back = await invitations.invite(tx, ana, event.slug, "ben@example.org")
        assert (back.id, back.status) == (first.id, AttendanceStatus.INVITED)


@pytest.mark.parametrize("has_answered", [False, True])
async def test_an_address_that_never_answered_stays_an_address(site: Site, has_answered: bool) -> None:
    """Whoever has answered an invitation is listed by name from then on, also when rejected or invited again."""
    everybody = host_list.HostListFilter(list(AttendanceStatus))
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        rsvp = await invitations.invite(tx, ana, event.slug, "ben@example.org")
        if has_answered:
            await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
        await host_decisions.reject(tx, ana, event.slug, [rsvp.id])
        (rejected,) = await host_list.entries(tx, event.id, everybody, None, 9)
        await invitations.invite(tx, ana, event.slug, "ben@example.org")
        (invited,) = await host_list.entries(tx, event.id, everybody, None, 9)
    assert (rejected.status, invited.status) == (AttendanceStatus.REJECTED, AttendanceStatus.INVITED)
    assert [one.is_unanswered_invitation for one in (rejected, invited)] == [not has_answered] * 2


async def test_approving_a_rejected_address_invites_it_again(site: Site) -> None:
    """A place would reveal who owns the address, and nobody has said that they come."""
    everybody = host_list.HostListFilter(list(AttendanceStatus))
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
        rsvps = [await invitations.invite(tx, ana, event.slug, f"{name}@example.org") for name in ("cleo", "ben")]
        ids = [one.id for one in rsvps]
        await host_decisions.reject(tx, ana, event.slug, ids)
        counts = await host_decisions.approve(tx, ana, event.slug, ids)
        listed = {one.attendance_id: one for one in await host_list.entries(tx, event.id, everybody, None, 9)}
    assert (counts.seated, counts.waiting, counts.restored) == (0, 0, 2)
    assert [(listed[one].status, listed[one].is_unanswered_invitation) for one in ids] == [
        (AttendanceStatus.INVITED, True)
    ] * 2


async def test_a_series_invitation_names_the_unanswered_dates(site: Site) -> None:
    """A person invited to a whole series is notified about the first date that they have not answered, with the number
    of further dates.
    """
    async with site.db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        first, second, *rest = await dates(tx, series)
        await actions.answer(tx, ben, first.slug, RsvpReply.GOING)
        await invitations.invite(tx, ana, first.slug, "ben@example.org", for_series=True)
        (told,) = [one for one in await newest(tx, ben.user_id, 20) if one.kind is event_kinds.INVITED]
        assert (told.subject_id, told.payload.more) == (second.id, len(rest))  # type: ignore[attr-defined]  # the payload of its kind


async def test_approvals_do_not_count_as_invitations(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Approvals of requests to join do not use up the number of invitations allowed per day."""
    monkeypatch.setattr(invitations, "MAX_INVITATIONS_A_DAY", 2)
    async with site.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        await registration.put(tx, event.id, RegistrationSettings(needs_approval=True))
        for who in (ben, cleo):
            await actions.answer(tx, who, event.slug, RsvpReply.GOING)
        await host_decisions.approve_next(tx, ana, event.slug)
        for address in ("dora@example.org", "eve@example.org"):
            await invitations.invite(tx, ana, event.slug, address)
        with pytest.raises(TooMany):
            await invitations.invite(tx, ana, event.slug, "finn@example.org")


@pytest.mark.parametrize("state", [{"is_draft": True}, {"is_held": True}], ids=["draft", "not published yet"])
async def test_nobody_is_invited_to_an_event_before_it_is_shown(site: Site, state: dict[str, bool]) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await create(tx, ana, details(), **state)
        with pytest.raises(Refused) as refused:
            await invitations.invite(tx, ana, event.slug, "ben@example.org")
        assert refused.value.name == "EventHidden"
        assert await tx.fetch("select 1 from attendances where event_id = :id", id=event.id) == []
    async with signed_in(site, ana.user_id) as host:
        assert 'id="invite"' not in (await host.get(f"/events/{event.slug}/attendees")).text


async def test_hidden_dates_are_left_out_of_the_notification_about_a_series(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben, mo = await person(tx, "Ben"), await person(tx, "Mo")
        first, second = await dates(tx, series)
        hidden = Subject(ModeratedKind.EVENT, second.id)
        await moderation.decide(tx, mo.user_id, hidden, SubjectVisibility.HIDDEN, "Looks like an advertisement.")
        await invitations.invite(tx, ana, first.slug, "ben@example.org", for_series=True)
        (notification,) = await newest(tx, ben.user_id, 9)
        assert (notification.subject_id, notification.payload) == (first.id, InvitationReceived(person_id=ana.user_id))
        mine = await queries.find(tx, second.id, ben.user_id)
        assert mine is not None
        assert mine.status is AttendanceStatus.INVITED


async def test_nobody_is_invited_to_a_hidden_event(site: Site) -> None:
    """They could not open it. Its pages do not offer it, and a request is refused with the reason."""
    async with site.db.transaction() as tx:
        ana, mo = await person(tx, "Ana"), await person(tx, "Mo")
        event = await event_by(tx, ana)
    pages = [f"/events/{event.slug}{page}" for page in ("", "/attendees", "/guest-list")]
    async with signed_in(site, ana.user_id) as host:
        assert ["#invite" in (await host.get(page)).text for page in pages] == [True] * 3
        async with site.db.transaction() as tx:
            hidden = Subject(ModeratedKind.EVENT, event.id)
            await moderation.decide(tx, mo.user_id, hidden, SubjectVisibility.HIDDEN, "Looks like an advertisement.")
        assert ["#invite" in (await host.get(page)).text for page in pages] == [False] * 3
        refused = await host.post(f"/events/{event.slug}/attendees/invite", data={"email": "ben@example.org"})
        assert refused.status_code == 422
        assert "Only its hosts can open this event right now, so you can’t invite anyone." in refused.text
    async with site.db.reader() as reader:
        assert await reader.fetch("select 1 from attendances where event_id = :id", id=event.id) == []


async def test_hosts_can_remove_everybody_in_their_list(site: Site) -> None:
    """A person hidden by a moderator, and an address whose owner is deleting their account. It would reveal the owner if
    such an address could not be removed.
    """
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        cleo, mo = await person(tx, "Cleo"), await person(tx, "Mo")
        event = await event_by(tx, ana)
        await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
        await invitations.invite(tx, ana, event.slug, "cleo@example.org")
        hidden = Subject(ModeratedKind.PERSON, ben.user_id)
        await moderation.decide(tx, mo.user_id, hidden, SubjectVisibility.HIDDEN, "Looks like an advertisement.")
        await erasure.request(tx, cleo.user_id, 14 * DAY)
        everybody = host_list.HostListFilter(list(AttendanceStatus))
        listed = await host_list.entries(tx, event.id, everybody, None, 9)
        assert {one.user_id for one in listed} == {ben.user_id, cleo.user_id}
        removed = await host_decisions.reject(tx, ana, event.slug, [one.attendance_id for one in listed])
        assert removed.rejected == 2
        assert (await host_list.count_by_status(tx, event.id))[AttendanceStatus.REJECTED] == 2


@pytest.mark.parametrize("is_undone", [False, True])
async def test_undoing_a_rejection_restores_the_invitation_to_later_dates(site: Site, is_undone: bool) -> None:
    """Only that which the rejection ended. Whoever is invited again is invited by that host."""
    async with site.db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        first, second, *_ = await dates(tx, series)
        await invitations.invite(tx, ana, first.slug, "ben@example.org", for_series=True)
        for one in (first, second):
            await actions.answer(tx, ben, one.slug, RsvpReply.GOING)
    ids = []
    for one in (first, second):
        async with site.db.transaction() as tx:
            mine = await queries.find(tx, one.id, ben.user_id)
            assert mine is not None
            ids.append(mine.id)
            await host_decisions.reject(tx, ana, one.slug, [mine.id])
        site.clock.turn(1)
    async with site.db.transaction() as tx:
        assert await invitation_queries.of_series(tx, series.id, limit=10) == []
        # The second rejection ended nothing.
        await host_decisions.restore(tx, ana, second.slug, ids[1])
        assert await invitation_queries.of_series(tx, series.id, limit=10) == []
        if is_undone:
            await host_decisions.restore(tx, ana, first.slug, ids[0])
        else:
            await invitations.invite(tx, ana, second.slug, "ben@example.org", for_series=True)
        assert await invitation_queries.of_series(tx, series.id, limit=10) == [
            Invitee(ben.user_id, ana.user_id, "ben@example.org", is_guest=False)
        ]


@pytest.mark.parametrize(
    ("addition", "field"),
    [
        ({"displayName": "Old Tom", "forSeries": True}, "forSeries"),
        ({"email": "tom@example.org", "party": 2}, "party"),
        ({"email": "tom@example.org", "mode": "online"}, "mode"),
        ({"email": "tom@example.org", "displayName": "Old Tom"}, "displayName"),
    ],
)
async def test_an_addition_with_fields_that_would_be_ignored_is_refused(
    site: Site, addition: dict[str, object], field: str
) -> None:
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        event = {"title": "Chess", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}
        path = (await client.post("/api/events", json=event, headers=ana)).headers["location"]
        refused = await client.post(f"{path}/attendances", json=addition, headers=ana)
        listed = (await client.get(f"{path}/attendances", headers=ana)).json()["attendances"]
    assert (refused.status_code, listed) == (400, [])
    assert list(refused.json()["fields"]) == [field], refused.text
