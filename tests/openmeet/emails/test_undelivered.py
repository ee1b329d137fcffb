"""E-mails that a mail server refuses: who is notified, what the notification says, and where the address can be
corrected.
"""

from groundwork.clock import DAY, HOUR, MINUTE
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import host_decisions, invitations, queries
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import co_hosts
from openmeet.domain.groups import administration, announcements
from openmeet.domain.groups.model import GroupRole
from openmeet.domain.host_messages import actions as host_messages
from openmeet.domain.host_tasks.undelivered import AddressSource, dismiss, undelivered
from openmeet.domain.imports import people
from openmeet.domain.imports import queries as imports
from openmeet.domain.imports.model import ContactRow, ImportKind
from openmeet.domain.users import guests
from tests.openmeet.emails.conftest import Post
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.site_under_test import CODE_KEY, event_by, person, signed_in

NOBODY = "550 There is no such person"


async def does(post: Post, act, *args: object, **more: object):
    async with post.db.transaction() as tx:
        return await act(tx, *args, **more)


async def refuse_all(post: Post) -> None:
    """Send everything that is queued or waiting in a bundle, and refuse it."""
    post.inbox.reply = NOBODY
    post.site.clock.turn(HOUR)
    await post.deliver()
    post.inbox.reply = "250 OK"


async def known_to(post: Post, who) -> list[tuple[str, tuple[str, ...], int]]:
    async with post.db.reader() as reader:
        return sorted((one.source.value, one.addresses, one.people) for one in await undelivered(reader, who.user_id))


async def hosting(post: Post, who) -> str:
    async with signed_in(post.site, who.user_id) as browser:
        return (await browser.get("/my/events?which=hosting")).text


async def test_addresses_that_a_host_typed_are_named_until_the_invitation_is_withdrawn(post: Post):
    ana = await does(post, person, "Ana")
    event = await does(post, event_by, ana)
    await does(post, invitations.invite, ana, event.slug, "jonas@exmaple.org")
    co_host = await does(post, co_hosts.invite, ana, event.slug, "eva@exmaple.org")
    row = ContactRow(1, "Tom", "tom@exmaple.org", "", "")
    await does(post, imports.add_contacts, ImportKind.GUESTS, event.id, [row], ana.user_id)
    await does(post, people.invite, ana, ImportKind.GUESTS, event.slug, message="", expected=1)
    await refuse_all(post)
    assert await known_to(post, ana) == [
        ("co_hosts", ("eva@exmaple.org",), 1),
        ("guest_list", ("tom@exmaple.org",), 1),
        ("guests", ("jonas@exmaple.org",), 1),
    ]
    shown = await hosting(post, ana)
    assert shown.count("1 e-mail didn’t arrive</strong>") == 3
    assert "Board games · jonas@exmaple.org" in shown
    for path in ("attendees?tab=invited", "hosts"):
        assert f'href="/events/{event.slug}/{path}" aria-label="Fix: 1 e-mail didn’t arrive, Board games"' in shown
    assert f'href="/import/lists/guests/{event.slug}"' in shown
    await does(post, co_hosts.remove, ana, event.slug, co_host.id)
    async with post.db.transaction() as tx:
        jonas = await guests.by_email(tx, "jonas@exmaple.org")
        mine = await queries.find(tx, event.id, jonas)
        await host_decisions.reject(tx, ana, event.slug, [mine.id])
    assert [source for source, _, _ in await known_to(post, ana)] == ["guest_list"]


async def test_hosts_see_only_the_number_of_unreachable_attendees(post: Post):
    """Hosts see neither names nor addresses, because only the owner should know that their e-mail address does not
    work.
    """
    async with post.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        for one in (ben, cleo):
            await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
    post.site.clock.turn(HOUR)
    await post.deliver()
    await does(post, host_messages.write, ana, event.slug, "The door is at the back", ["going"])
    await refuse_all(post)
    assert await known_to(post, ana) == [("person", (), 2)]
    shown = await hosting(post, ana)
    assert "2 e-mails didn’t arrive</strong>" in shown
    assert "Board games · to people who answered" in shown
    assert "ben@example.org" not in shown
    assert await known_to(post, ben) == []
    # People who are no longer going need not be notified.
    await does(post, attendance.answer, ben, event.slug, RsvpReply.DECLINED)
    assert await known_to(post, ana) == [("person", (), 1)]


async def test_the_owner_of_an_address_stays_unknown(post: Post):
    """An account invited by address is shown by that address until the person answers."""
    async with post.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        event = await event_by(tx, ana)
        await invitations.invite(tx, ana, event.slug, "ben@example.org")
    await refuse_all(post)
    assert await known_to(post, ana) == [("guests", ("ben@example.org",), 1)]
    await does(post, attendance.answer, ben, event.slug, RsvpReply.GOING)
    assert await known_to(post, ana) == []


async def test_only_hosts_see_undelivered_e_mails_and_only_until_the_event_is_over(post: Post):
    async with post.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        one = await co_hosts.invite(tx, ana, event.slug, "ben@example.org")
        await co_hosts.accept(tx, ben, one.id)
        await invitations.invite(tx, ana, event.slug, "jonas@exmaple.org")
    await refuse_all(post)
    assert await known_to(post, ben) == await known_to(post, ana) == [("guests", ("jonas@exmaple.org",), 1)]
    assert await known_to(post, cleo) == []
    assert "jonas@exmaple.org" not in await hosting(post, cleo)
    post.site.clock.turn(200 * DAY)
    assert await known_to(post, ana) == []


async def test_in_groups_people_who_can_invite_see_undelivered_e_mails(post: Post):
    async with post.db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        mona = await add_member(tx, group, ana, "Mona", GroupRole.MODERATOR)
        cleo = await add_member(tx, group, ana, "Cleo")
    post.site.clock.turn(HOUR)
    await post.deliver()
    await does(post, administration.invite_by_mail, CODE_KEY, ana, group.slug, "jonas@exmaple.org")
    await does(post, announcements.announce, ana, group.slug, "We meet on Monday")
    await refuse_all(post)
    assert await known_to(post, mona) == [("members", ("jonas@exmaple.org",), 1), ("person", (), 1)]
    assert await known_to(post, ana) == [("members", ("jonas@exmaple.org",), 1), ("person", (), 2)]
    assert await known_to(post, cleo) == []


async def test_hosts_dismiss_only_reports_about_their_events(post: Post):
    async with post.db.transaction() as tx:
        ana, eve = [await person(tx, name) for name in ("Ana", "Eve")]
        event = await event_by(tx, ana)
        await invitations.invite(tx, ana, event.slug, "jonas@exmaple.org")
    await refuse_all(post)
    assert await does(post, dismiss, eve.user_id, event.id, AddressSource.INVITATIONS) == 0
    assert await does(post, dismiss, ana.user_id, event.id, AddressSource.CO_HOSTS) == 0
    async with signed_in(post.site, ana.user_id) as browser:
        about = {"about": event.id, "source": "guests"}
        done = await browser.post("/my/undelivered", data=about)
        assert done.headers["location"] == "/my/events?which=hosting"
        shown = (await browser.get("/my/events?which=hosting")).text
        assert "Dismissed. You won’t see these e-mails here again." in shown
        assert "jonas@exmaple.org" not in shown
        assert "Nothing to decide right now" in shown
        assert (await browser.post("/my/undelivered", data=about)).status_code == 303, (
            "a second dismissal is not an error"
        )


async def test_an_e_mail_that_is_tried_again_is_not_undelivered_yet(post: Post):
    ana = await does(post, person, "Ana")
    event = await does(post, event_by, ana)
    await does(post, invitations.invite, ana, event.slug, "jonas@example.org")
    post.inbox.reply = "451 Later"
    post.site.clock.turn(MINUTE)
    await post.deliver()
    assert await known_to(post, ana) == []
