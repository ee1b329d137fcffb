"""The form of a new event says how many people in its group are notified, and that is how many are."""

import re

import pytest

from groundwork.clock import MINUTE, HandClock
from groundwork.database.transaction import Database
from openmeet.domain.attendance import group_audience
from openmeet.domain.attendance.group_audience import audience_of_new_event
from openmeet.domain.attendance.tasks import announce_group_events
from openmeet.domain.events import actions as events
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups.model import Group, GroupRole
from openmeet.domain.moderation.model import ModeratedKind, Subject
from openmeet.domain.notifications import event_kinds, preferences
from openmeet.domain.notifications.model import Channel, NotificationTopic
from openmeet.domain.notifications.queries import newest
from openmeet.domain.safety import actions as safety
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.events.event_forms import DRAFT_FORM
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.site_under_test import details, event_by, inputs_of, person, signed_in, site_on

TOPIC = NotificationTopic.GROUP_EVENTS


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def _club(db: Database) -> tuple[Caller, Group, list[Caller]]:
    """A group, and people who differ in everything that decides whether they are notified of its events."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        # Its host must have been seen here to be muted.
        await event_by(tx, ana)
        group = await group_by(tx, ana, visibility="public")
        ben, cleo, dora, emil, finn, gus = [
            await add_member(tx, group, ana, name) for name in ("Ben", "Cleo", "Dora", "Emil", "Finn", "Gus")
        ]
        hal, ida = await person(tx, "Hal"), await person(tx, "Ida")
        for follower in (hal, ida, ben):
            await groups.follow(tx, follower, group.slug)
        await groups.set_notifications(tx, cleo, group.slug, enabled=False)
        await preferences.put(tx, dora.user_id, {(TOPIC, one): False for one in Channel})
        await preferences.put(tx, emil.user_id, {(TOPIC, one): False for one in (Channel.EMAIL, Channel.DIGEST)})
        await safety.mute(tx, finn, Subject(ModeratedKind.PERSON, ana.user_id))
        await groups.leave(tx, gus, group.slug)
    return ana, group, [ben, cleo, dora, emil, finn, gus, hal, ida]


@pytest.mark.parametrize("visibility", list(Visibility))
async def test_as_many_are_notified_as_were_counted(db: Database, clock: HandClock, visibility: Visibility) -> None:
    """Members and followers who want it and do not mute the host; only members of private events."""
    ana, group, people = await _club(db)
    async with db.reader() as reader:
        size = await audience_of_new_event(reader, as_group_of_event(group), visibility, ana.user_id)
    async with db.transaction() as tx:
        await tx.execute("delete from notification_emails")
        wanted = details(visibility=visibility.value)
        await events.create(tx, ana, wanted, group=as_group_of_event(group))
    clock.turn(6 * MINUTE)
    assert await announce_group_events(db) == 1
    async with db.reader() as reader:
        told = [
            one.user_id
            for one in people
            if any(news.kind is event_kinds.GROUP_EVENT for news in await newest(reader, one.user_id, 9))
        ]
        mailed = await reader.fetch("select distinct user_id from notification_emails")
    assert size is not None
    assert (size.notified, size.mailed) == (len(told), len(mailed))
    assert size.notified == (2 if visibility is Visibility.PRIVATE else 4)


def line_of(html: str) -> str:
    found = re.search(r'class="make-told"[^>]*>(.*?)</span>', html)
    return "" if found is None else found[1]


async def test_the_bar_of_the_form_says_it(db: Database, clock: HandClock) -> None:
    """If the link names the group, whenever the form is shown again, and in the fragment for scripts."""
    ana, group, (ben, *_) = await _club(db)
    async with signed_in(site_on(db, clock), ana.user_id) as browser:
        alone = (await browser.get("/events/new")).text
        assert line_of(alone) == ""
        said = line_of((await browser.get(f"/events/new?group={group.slug}")).text)
        assert re.fullmatch(r"4 people in the group get a notification, [1-3] of them also an e-mail\.", said)
        form = inputs_of(alone) | DRAFT_FORM | {"group": group.slug}
        wrong = await browser.post("/events/new", data=form | {"title": ""})
        assert (wrong.status_code, line_of(wrong.text)) == (400, said)
        private = await browser.post("/events/new", data=form | {"preview": "yes", "visibility": "private"})
        assert line_of(private.text).startswith("2 people in the group")
        there = f"/events/new/audience?group={group.slug}"
        assert (await browser.get(f"{there}&visibility=public")).text.strip() == said
        assert (await browser.get(f"{there}&visibility=private")).text.strip() == line_of(private.text)
        assert (await browser.get("/events/new/audience?group=")).text.strip() == ""
        kept = (await browser.post("/events/new", data=form | {"save": "draft"})).headers["location"]
        draft = (await browser.get(kept)).text
        assert line_of(draft) == said
        slug = kept.split("/")[2]
        of_draft = await browser.get(f"/events/new/audience?event={slug}&visibility=private")
        assert of_draft.text.strip() == line_of(private.text)
    async with db.reader() as reader:
        event = await by_slug(reader, EventSlug(slug))
    assert event is not None
    assert event.group is not None
    async with signed_in(site_on(db, clock), ben.user_id) as browser:
        assert (await browser.get(f"{there}&visibility=public")).status_code == 403
        assert (await browser.get(f"/events/new/audience?event={slug}")).status_code == 404
        assert line_of((await browser.get("/events/new")).text) == ""


async def test_very_large_groups_are_not_counted(
    db: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_audience, "MAX_COUNTED", 2)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        for number in range(2):
            await add_member(tx, group, ana, f"Member {number}", GroupRole.MEMBER)
    async with signed_in(site_on(db, clock), ana.user_id) as browser:
        path = f"/events/new?group={group.slug}"
        assert line_of((await browser.get(path)).text).startswith("2 people in the group get an e-mail.")
        async with db.transaction() as tx:
            await add_member(tx, group, ana, "One more", GroupRole.MEMBER)
        assert line_of((await browser.get(path)).text).startswith("Everyone in the group")
