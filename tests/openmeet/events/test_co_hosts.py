"""Co-hosts: by invitation only, with a table of permissions, and without access to the author's repository."""

import asyncio
import re

import pytest

from groundwork.clock import MINUTE
from groundwork.errors import Forbidden, InvalidForm, NotFound, Refused, TooMany
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions, co_host_queries, co_hosts, drafts, event_access, permissions
from openmeet.domain.events.co_host_invitations import INVITATION_LIFE, CoHostState, token_of
from openmeet.domain.events.permissions import EventPermission, EventRole
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.rules import Submission
from openmeet.domain.identities import queries as identities
from openmeet.domain.identities.actions import grant_consent
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.moderation import actions as moderation
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.queries import newest
from openmeet.domain.safety import actions as safety
from openmeet.domain.search import my_event_lists
from openmeet.domain.search.my_event_lists import MyEvents
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from openmeet.emails.invitations import co_host_composer
from openmeet.feature_flags.flags import Switchboard
from openmeet.network.publishing.decision import DoNothing
from openmeet.network.publishing.eligibility import decide
from openmeet.outbox import publication_queries, publications
from openmeet.outbox.emails import DueEmail
from openmeet.web.events.co_hosts_pages import asked_of
from tests.openmeet.events.hosted_event import create_event_with_co_host
from tests.openmeet.site_under_test import (
    CODE_KEY,
    api_session,
    details,
    event_by,
    h1_of,
    person,
    sign_up,
    signed_in,
    site_on,
)
from tests.visible_text import visible_text


@pytest.fixture
async def db(make_database, clock):
    return await make_database("openmeet", clock=clock)


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet"), clock)


# A second copy of the table, with one letter for each role that has the permission.
#
# Roles: a author, f author who can no longer create events in the group, c co-host, g who runs the group.
TABLE = {
    EventPermission.SEE: "afc",
    EventPermission.EDIT: "acg",
    EventPermission.KEEP_DRAFT: "afcg",
    EventPermission.COPY: "afcg",
    EventPermission.CANCEL: "afcg",
    EventPermission.DECIDE_ANSWERS: "afc",
    EventPermission.MESSAGE: "afc",
    EventPermission.PUBLISH_DRAFT: "a",
    EventPermission.LEAVE: "c",
    EventPermission.DELETE: "afg",
    EventPermission.CHOOSE_HOSTS: "a",
    EventPermission.HAND_OVER: "af",
    EventPermission.PUBLISH_RECORD: "af",
}
LETTERS = {
    EventRole.AUTHOR: "a",
    EventRole.FORMER: "f",
    EventRole.CO_HOST: "c",
    EventRole.GROUP: "g",
    EventRole.NOBODY: "n",
}


@pytest.mark.parametrize("act", EventPermission)
@pytest.mark.parametrize("role", EventRole)
def test_permissions_are_as_in_the_table(role, act):
    expected = LETTERS[role] in TABLE[act]
    assert permissions.may(role, act) is expected
    if expected:
        permissions.require_permission(role, act)
    else:
        with pytest.raises(Forbidden):
            permissions.require_permission(role, act)


async def test_an_invited_person_is_no_host_before_accepting(db):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, visibility="private")
        one = await co_hosts.invite(tx, ana, event.slug, "ben@example.org")
        with pytest.raises(NotFound):
            await actions.revise(tx, ben, event.slug, details(title="Mine"))
        assert not await event_access.may_see(tx, event, ben.user_id, has_rsvp_access=False)
        await co_hosts.accept(tx, ben, one.id)
        await co_hosts.accept(tx, ben, one.id)
        changed = await actions.revise(tx, ben, event.slug, details(title="Ours", visibility="private"))
        hosted = await my_event_lists.my_events(tx, ben.user_id, MyEvents.HOSTING, None, 10)
    assert changed.title == "Ours"
    assert [one.title for one in hosted] == ["Ours"]


async def test_co_hosts_have_limited_permissions(db):
    async with db.transaction() as tx:
        _, ben, event = await create_event_with_co_host(tx)
        await event_hosting.cancel(tx, ben, event.slug, "Rain")
        back = await event_hosting.reinstate(tx, ben, event.slug)
        assert not back.is_cancelled
        for forbidden in (
            actions.delete(tx, ben, event.slug),
            co_hosts.invite(tx, ben, event.slug, "eve@example.org"),
            actions.agree_to_record(tx, ben, event.slug),
        ):
            with pytest.raises(Forbidden):
                await forbidden


async def test_co_hosts_edit_a_draft_and_its_author_publishes_it(db):
    async with db.transaction() as tx:
        ana, ben, draft = await create_event_with_co_host(tx, draft=True)
        await drafts.keep(tx, ben, draft.slug, Submission(title="Chess"), {})
        with pytest.raises(Forbidden):
            await drafts.publish(tx, ben, draft.slug, details())
        with pytest.raises(Forbidden):
            await drafts.keep(tx, ben, draft.slug, Submission(title="Chess"), {}, publish_at=tx.now + 1)
        event = await drafts.publish(tx, ana, draft.slug, details())
    assert not event.is_draft


async def test_former_co_hosts_have_no_access(db):
    async with db.transaction() as tx:
        ana, ben, event = await create_event_with_co_host(tx, visibility="private")
        await co_hosts.leave(tx, ben, event.slug)
        with pytest.raises(NotFound):
            await actions.revise(tx, ben, event.slug, details(visibility="private"))
        again = await co_hosts.invite(tx, ana, event.slug, "ben@example.org")
        await co_hosts.accept(tx, ben, again.id)
        (role,) = await co_host_queries.of_event(tx, event.id, [CoHostState.ACCEPTED])
        await co_hosts.remove(tx, ana, event.slug, role.id)
        assert not await event_access.may_see(tx, event, ben.user_id, has_rsvp_access=False)
        with pytest.raises(NotFound):
            await co_hosts.accept(tx, ben, again.id)


async def test_expired_and_foreign_invitations_give_no_access(db, clock):
    async with db.transaction() as tx:
        ana, ben, eve = await person(tx, "Ana"), await person(tx, "Ben"), await person(tx, "Eve")
        event = await event_by(tx, ana)
        await identities.insert(
            tx, "did:plc:ben", ben.user_id, IdentityKind.CONNECTED, handle="ben.test", pds_url="", is_default=True
        )
        by_handle = await co_hosts.invite(tx, ana, event.slug, "@ben.test")
        with pytest.raises(NotFound):
            await co_hosts.accept(tx, eve, by_handle.id)
        by_mail = await co_hosts.invite(tx, ana, event.slug, "eve@example.org")
    clock.turn(INVITATION_LIFE)
    async with db.transaction() as tx:
        for somebody, one in ((ben, by_handle), (eve, by_mail)):
            with pytest.raises(NotFound):
                await co_hosts.accept(tx, somebody, one.id)


async def test_a_forwarded_invitation_gives_and_reveals_nothing(site):
    async with site.browser() as client, site.browser() as ben, site.browser() as eve, site.browser() as nobody:
        ana = await api_session(client, "ana@example.org", "Ana")
        wanted = {"title": "Surprise party", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}
        path = (await client.post("/api/events", json=wanted | {"visibility": "private"}, headers=ana)).headers[
            "location"
        ]
        asked = await client.post(f"{path}/co-hosts", json={"whom": "ben@example.org"}, headers=ana)
        token = token_of(CODE_KEY, asked.json()["id"])
        link = f"/co-hosting/{token}"
        await sign_up(eve, "eve@example.org", "Eve")
        for stranger in (eve, nobody):
            shown = (await stranger.get(link)).text
            assert "Host an event together?" in shown
            assert "Surprise" not in shown
            assert "4 July" not in shown
        for said in ("yes", "no"):
            assert (await eve.post(link, data={"answer": said})).status_code == 403
        headers = await api_session(client, "eve@example.org", "Eve")
        assert (await client.post(f"/api/co-hosting/{token}/accept", headers=headers)).status_code == 403
        assert (await client.get("/api/my/co-hosting", headers=headers)).json() == {"invitations": [], "cursor": None}
        # Signing up with the address proves it, so the person also finds the invitation without the e-mail.
        await sign_up(ben, "ben@example.org", "Ben")
        assert "asks you to host “Surprise party” together" in (await ben.get("/my/events")).text
        assert "Host “Surprise party” together?" in (await ben.get(link)).text
        assert (await ben.post(link, data={"answer": "yes"})).status_code == 303
        assert (await ben.get(f"{path.removeprefix('/api')}/edit")).status_code == 200


async def test_an_e_mail_invitation_by_a_blocked_person_is_not_listed(db):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await co_hosts.invite(tx, ana, event.slug, "ben@example.org")
        assert [one.title for one in (await asked_of(tx, ben.user_id, CODE_KEY))[0]] == ["Board games"]
        await safety.block(tx, ben, ana.user_id)
        assert await asked_of(tx, ben.user_id, CODE_KEY) == ([], None)


async def test_people_known_only_by_a_record_cannot_be_invited(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        shadow = await users.create_shadow(tx)
        await identities.insert(
            tx, "did:plc:shade", shadow, IdentityKind.SHADOW, handle="shade.test", pds_url="", is_default=False
        )
        with pytest.raises(InvalidForm) as wrong:
            await co_hosts.invite(tx, ana, event.slug, "shade.test")
        with pytest.raises(InvalidForm):
            await co_hosts.invite(tx, ana, event.slug, "")
    assert wrong.value.problems["whom"] == EventReason.UNKNOWN_HANDLE()


async def test_a_co_hosts_edit_needs_the_authors_consent_to_be_published(db):
    """The decision uses the current state: nothing is written to the author's repository until the author agrees
    (invariant 5).
    """
    async with db.transaction() as tx:
        ana, ben, event = await create_event_with_co_host(tx)
        await grant_consent(tx, ana.user_id, handle="ana.test")
        changed = await actions.revise(tx, ben, event.slug, details(title="By Ben"))
        leased = await publication_queries.find(tx, publications.PublicationKind.EVENT, event.id)
        decided = await decide(tx, leased, Switchboard())
        agreed = await actions.agree_to_record(tx, ana, event.slug)
        after = await decide(
            tx, await publication_queries.find(tx, publications.PublicationKind.EVENT, event.id), Switchboard()
        )
    assert (changed.title, changed.needs_author_approval) == ("By Ben", True)
    assert isinstance(decided, DoNothing)
    assert (agreed.needs_author_approval, agreed.revision) == (False, changed.revision + 1)
    assert not isinstance(after, DoNothing)


async def test_all_hosts_are_notified_of_answers_and_changes(db, clock):
    """People are not notified of their own actions, and people who left are not notified at all."""
    async with db.transaction() as tx:
        ana, ben, event = await create_event_with_co_host(tx)
        dan, gil = await person(tx, "Dan"), await person(tx, "Gil")
        gone = await co_hosts.invite(tx, ana, event.slug, "dan@example.org")
        await co_hosts.accept(tx, dan, gone.id)
        await co_hosts.leave(tx, dan, event.slug)
        await attendance.answer(tx, gil, event.slug, RsvpReply.GOING)
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        await event_hosting.cancel(tx, ben, event.slug, "Rain")
        heard = [
            {(news.kind, news.payload.person_id) for news in await newest(tx, one.user_id, 20)}
            for one in (ana, ben, dan, gil)
        ]
    bens, gils = ((event_kinds.NEW_ANSWER, who.user_id) for who in (ben, gil))
    accepted, cancelled = (event_kinds.CO_HOST_ANSWERED, ben.user_id), (event_kinds.EVENT_CANCELLED, None)
    assert heard == [{accepted, cancelled, bens, gils}, {gils}, set(), {cancelled}]


async def test_the_inviter_is_notified_of_every_answer(db, clock):
    """The notification does not name a person who declines an invitation by e-mail, because the host must not learn whose
    the address is. Somebody who no longer hosts the event is not notified.
    """
    async with db.transaction() as tx:
        ana, ben, event = await create_event_with_co_host(tx)
        cleo, dan, eve = [await person(tx, name) for name in ("Cleo", "Dan", "Eve")]
        await identities.insert(
            tx, "did:plc:dan", dan.user_id, IdentityKind.CONNECTED, handle="dan.test", pds_url="", is_default=True
        )
        of_cleo, of_dan, of_eve = [
            await co_hosts.invite(tx, ana, event.slug, whom)
            for whom in ("cleo@example.org", "dan.test", "eve@example.org")
        ]
    for who, one in ((cleo, of_cleo), (dan, of_dan)):
        clock.turn(MINUTE)
        async with db.transaction() as tx:
            await co_hosts.decline(tx, who, one.id)
    async with signed_in(site_on(db, clock), ana.user_id) as browser:
        page = visible_text((await browser.get("/notifications")).text)
    assert "Ben co-hosts Board games now." in page
    assert "Dan won’t co-host Board games" in page
    assert "Somebody you invited by e-mail won’t co-host Board games" in page
    assert "Cleo" not in page
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        answers = [one.payload for one in await newest(tx, ana.user_id, 20)]
        declined, accepted = event_kinds.CoHostAnswered(), event_kinds.CoHostAnswered(ben.user_id, is_accepted=True)
        assert answers == [event_kinds.CoHostAnswered(dan.user_id), declined, accepted]
        await tx.execute("update events set author_id = :ben where id = :id", ben=ben.user_id, id=event.id)
        await co_hosts.decline(tx, eve, of_eve.id)
        assert len(await newest(tx, ana.user_id, 20)) == len(answers)


async def test_the_authors_own_edit_counts_as_consent(db):
    async with db.transaction() as tx:
        ana, ben, event = await create_event_with_co_host(tx)
        await actions.revise(tx, ben, event.slug, details(title="By Ben"))
        mine = await actions.revise(tx, ana, event.slug, details(title="By Ana"))
    assert not mine.needs_author_approval


async def test_concurrent_invitations_do_not_exceed_the_limit(db):
    """The event row is locked before the co-hosts are counted."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        for number in range(15):
            await co_hosts.invite(tx, ana, event.slug, f"host{number}@example.org")

    async def invite(number: int) -> bool:
        try:
            async with db.transaction() as tx:
                await co_hosts.invite(tx, ana, event.slug, f"late{number}@example.org")
        except (Refused, TooMany):
            return False
        return True

    done = await asyncio.gather(*(invite(number) for number in range(8)))
    assert sum(done) == 5


async def test_the_invitation_e_mail_is_not_sent_once_decided(db):
    compose = co_host_composer(CODE_KEY, "OpenMeet", "https://meet.example")
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        one = await co_hosts.invite(tx, ana, event.slug, "Ben@Example.org")
    due = DueEmail(co_hosts.CO_HOST_MAIL, one.id, one.id, 1)
    letter = await compose(db, due)
    assert letter.to == "ben@example.org"
    assert "Board games" in letter.subject
    assert f"/co-hosting/{token_of(CODE_KEY, one.id)}" in letter.text
    async with db.transaction() as tx:
        await co_hosts.decline(tx, ben, one.id)
    assert await compose(db, due) is None


async def test_the_whole_way_by_pages(site):
    async with site.browser() as ana, site.browser() as ben, site.browser() as eve:
        await sign_up(ana, "ana@example.org", "Ana")
        async with site.db.transaction() as tx:
            (row,) = await tx.fetch("select id from users")
            event = await event_by(tx, Caller(row["id"], "Ana"), street="Geheimgasse 7", place_audience="attendees")
        hosts = f"/events/{event.slug}/hosts"
        wrong = await ana.post(hosts, data={"whom": "nobody.test"})
        assert (wrong.status_code, 'value="nobody.test"' in wrong.text) == (400, True)
        assert (await ana.post(hosts, data={"whom": "ben@example.org"})).status_code == 303
        async with site.db.reader() as reader:
            (one,) = await co_host_queries.of_event(reader, event.id, [CoHostState.INVITED])
        path = f"/co-hosting/{token_of(CODE_KEY, one.id)}"
        assert path in (await ana.get(hosts)).text
        asked = (await ben.get(path)).text
        assert "Sign in to answer" in asked
        await sign_up(ben, "ben@example.org", "Ben")
        await sign_up(eve, "eve@example.org", "Eve")
        assert (await eve.get(hosts)).status_code == 403
        assert (await eve.get(f"{path[:-1]}x")).status_code == 404
        assert "Geheimgasse" not in (await ben.get(f"/events/{event.slug}")).text
        assert (await ben.post(path, data={"answer": "yes"})).headers["location"] == f"/events/{event.slug}"
        page = (await ben.get(f"/events/{event.slug}")).text
        assert "Geheimgasse" in page
        assert "You co-host this" in page
        seen = (await eve.get(f"/events/{event.slug}")).text
        (leads_to,) = re.findall(r'and <a href="(/people/[^"]+)"><strong[^>]*>Ben</strong></a>', seen)
        assert h1_of((await eve.get(leads_to)).text) == "Ben"
        edit = await ben.get(f"/events/{event.slug}/edit")
        assert edit.status_code == 200
        assert (await ben.get(f"/events/{event.slug}/delete")).status_code == 403
        assert (await ben.post(f"/events/{event.slug}/unpublish")).status_code == 403
        assert (await ben.post(f"{hosts}/leave")).status_code == 303
        assert (await ben.get(f"/events/{event.slug}/edit")).status_code == 403


async def test_the_whole_way_by_the_api(site):
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        ben = await api_session(client, "ben@example.org", "Ben")
        wanted = {"title": "Chess", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}
        path = (await client.post("/api/events", json=wanted, headers=ana)).headers["location"]
        asked = await client.post(f"{path}/co-hosts", json={"whom": "ben@example.org"}, headers=ana)
        assert (asked.status_code, asked.json()["state"], asked.json()["personId"]) == (201, "invited", None)
        token = token_of(CODE_KEY, asked.json()["id"])
        assert (await client.post(f"/api/co-hosting/{token}/accept", headers=ben)).status_code == 204
        shown = (await client.get(path)).json()
        assert [one["displayName"] for one in shown["coHosts"]] == ["Ben"]
        saved = await client.put(path, json=wanted | {"title": "Go"}, headers=ben)
        assert (saved.status_code, saved.json()["title"]) == (200, "Go")
        assert (await client.delete(path, headers=ben)).status_code == 403
        listed = (await client.get(f"{path}/co-hosts", headers=ana)).json()["coHosts"]
        assert (await client.delete(f"{path}/co-hosts/{listed[0]['id']}", headers=ben)).status_code == 403
        assert (await client.delete(f"{path}/co-hosts/{listed[0]['id']}", headers=ana)).status_code == 204
        assert (await client.put(path, json=wanted, headers=ben)).status_code == 403


async def test_an_invitation_by_handle_is_listed_with_the_events(site):
    async with site.browser() as client, site.browser() as ben:
        ana = await api_session(client, "ana@example.org", "Ana")
        await sign_up(ben, "ben@example.org", "Ben")
        async with site.db.transaction() as tx:
            (row,) = await tx.fetch("select id from users where display_name = 'Ben'")
            await identities.insert(
                tx, "did:plc:ben", row["id"], IdentityKind.CONNECTED, handle="ben.test", pds_url="", is_default=True
            )
        wanted = {"title": "Chess", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}
        path = (await client.post("/api/events", json=wanted, headers=ana)).headers["location"]
        await client.post(f"{path}/co-hosts", json={"whom": "@Ben.test"}, headers=ana)
        page = (await ben.get("/my/events")).text
        assert "asks you to host “Chess” together" in page
        headers = await api_session(client, "ben@example.org", "Ben")
        (asked,) = (await client.get("/api/my/co-hosting", headers=headers)).json()["invitations"]
        assert (asked["title"], asked["hostName"]) == ("Chess", "Ana")
        assert (await client.post(f"/api/co-hosting/{asked['token']}/accept", headers=headers)).status_code == 204
        assert (await client.get("/api/my/co-hosting", headers=headers)).json() == {"invitations": [], "cursor": None}
        await client.post(f"{path}/cancel", json={"reason": "Rain"}, headers=headers)
        news = (await client.get("/api/notifications", headers=ana)).json()["items"]
        assert [one["kind"] for one in news] == ["event_cancelled", "co_host_answered"]


async def test_nobody_is_asked_to_host_an_event_that_they_could_not_open(site):
    async with site.db.transaction() as tx:
        ana, mo = await person(tx, "Ana"), await person(tx, "Mo")
        event = await event_by(tx, ana)
        hidden = Subject(ModeratedKind.EVENT, event.id)
        await moderation.decide(tx, mo.user_id, hidden, SubjectVisibility.HIDDEN, "spam")
    async with signed_in(site, ana.user_id) as browser:
        page = await browser.post(f"/events/{event.slug}/hosts", data={"whom": "ben@example.org"})
        assert page.status_code == 422
        assert "Only its hosts can open this event right now" in page.text
    async with site.db.transaction() as tx:
        assert await co_host_queries.of_event(tx, event.id, [CoHostState.INVITED]) == []
        await moderation.decide(tx, mo.user_id, hidden, SubjectVisibility.SHOWN, "")
        await co_hosts.invite(tx, ana, event.slug, "ben@example.org")
