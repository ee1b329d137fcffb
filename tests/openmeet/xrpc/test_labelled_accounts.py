"""A label on an account applies to everything of the account: on every page, in every list, file, feed and query.
Marking the account as trusted ends the effect.
"""

import pytest

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events.content import Content
from openmeet.domain.events.event_records import set_record
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.moderation import actions, labels
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.series import actions as series
from openmeet.network.records.collections import RSVP
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.series.practice import weekly
from tests.openmeet.site_under_test import ORIGIN, details, event_by, person, signed_in
from tests.openmeet.xrpc.query_client import body_of

LABELER = "did:web:l.example"
EVENT = "community.lexicon.calendar.event"


class Account:
    """Ana, whose account gets a label, with an event, a series, a group and an answer, and Ben, who hosts the event
    that Ana answered.
    """

    async def make(self, site, people) -> None:
        async with site.db.transaction() as tx:
            self.ana, self.ben = await person(tx, "Ana Labelled"), await person(tx, "Ben")
            self.did = await people.connect(tx, self.ana)
            self.event = await event_by(tx, self.ana, title="Labelled tea")
            await set_record(tx, self.event.id, f"at://{self.did}/{EVENT}/3mqdau33ozs2n", "bafy", self.did)
            self.series = await series.create(tx, self.ana, Content("Practice"), weekly("FREQ=WEEKLY;COUNT=3"))
            self.group = await group_by(tx, self.ana, name="Labelled circle")
            self.of_group = await events.create(
                tx, self.ana, details(title="Labelled round"), group=as_group_of_event(self.group)
            )
            self.member = await add_member(tx, self.group, self.ana, "Mia")
            self.bens = await event_by(tx, self.ben, title="Bens evening")
            mine = await attendance.answer(tx, self.ana, self.bens.slug, RsvpReply.GOING)
            await attendance_queries.set_record(tx, mine.id, f"at://{self.did}/{RSVP}/3mqdau33ozs2n")


@pytest.fixture
async def account(site, people) -> Account:
    found = Account()
    await found.make(site, people)
    return found


def views(one: Account) -> dict[str, str]:
    """The URLs that strangers can open, with the text of Ana's that each contains. For URLs of Ana's alone the status
    is checked.
    """
    walks, group, event, person = one.series.slug, one.group.slug, one.event.slug, one.ana.user_id
    return {
        "/?q=labelled": "Labelled tea",
        "/events.ics?q=labelled": "Labelled tea",
        "/events.atom?q=labelled": "Labelled tea",
        "/api/events?q=labelled": "Labelled tea",
        "/sitemap.xml": f"/groups/{group}",
        f"/events/{event}": "Labelled tea",
        f"/events/{event}.ics": "Labelled tea",
        f"/api/events/{event}": "Labelled tea",
        f"/series/{walks}": "Practice",
        f"/series/{walks}.ics": "Practice",
        f"/series/{walks}.atom": "Practice",
        f"/api/series/{walks}": "Practice",
        "/groups": "Labelled circle",
        "/groups?q=labelled": "Labelled circle",
        f"/groups/{group}": "Labelled circle",
        f"/groups/{group}/events": "Labelled round",
        f"/groups/{group}.ics": "Labelled round",
        f"/groups/{group}.atom": "Labelled round",
        "/api/groups": "Labelled circle",
        f"/api/groups/{group}": "Labelled circle",
        f"/people/{person}": "Ana Labelled",
        f"/people/{person}.ics": "Labelled",
        f"/people/{person}.atom": "Labelled",
        f"/people/{person}.json": "Labelled",
        f"/api/people/{person}": "Ana Labelled",
        f"/events/{one.bens.slug}": "Ana Labelled",
        f"/api/events/{one.bens.slug}/attendees": "Ana Labelled",
        f"/xrpc/openmeet.lexicon.listEvents?from={'2020-01-01T00:00:00Z'}": "Labelled tea",
        f"/xrpc/openmeet.lexicon.listActorEvents?actor={one.did}": "Labelled tea",
        f"/xrpc/openmeet.lexicon.getEvent?uri={ORIGIN}/events/{event}": "Labelled tea",
        f"/xrpc/openmeet.lexicon.listSeriesEvents?series={ORIGIN}/series/{walks}": "Practice",
        f"/xrpc/openmeet.lexicon.getGroup?uri={ORIGIN}/groups/{group}": "Labelled circle",
        f"/xrpc/openmeet.lexicon.listGroupEvents?group={ORIGIN}/groups/{group}": "Labelled round",
        f"/xrpc/openmeet.lexicon.listAnswers?event={ORIGIN}/events/{one.bens.slug}": one.did,
        f"/xrpc/openmeet.lexicon.resolveUri?uri={ORIGIN}/groups/{group}": group,
    }


async def shown(browser, one: Account) -> dict[str, bool]:
    found = {}
    for path, words in views(one).items():
        answer = await browser.get(path)
        assert answer.status_code in {200, 400, 404}, (path, answer.status_code, answer.text[:300])
        found[path] = answer.status_code == 200 and words in answer.text
    return found


async def label(site, one: Account, *, is_negated: bool = False, value: str = "spam") -> None:
    async with site.db.transaction() as tx:
        said = labels.NetworkLabel(LABELER, one.did, value, "", is_negated, tx.now, None)
        assert await labels.put(tx, said)


async def test_no_view_contains_anything_of_a_labelled_account(site, client, account):
    everything = dict.fromkeys(views(account), True)
    async with site.browser() as stranger:
        assert await shown(stranger, account) == everything
        await label(site, account, value="rude")
        assert await shown(stranger, account) == everything
        await label(site, account)
        assert await shown(stranger, account) == dict.fromkeys(everything, False)
        counted = (await body_of(client, "listAnswers", event=f"{ORIGIN}/events/{account.bens.slug}"))["counts"]
        assert counted["going"] == 0
        # Nothing is deleted: Ana still sees everything, and members of her group read that it is withheld.
        async with signed_in(site, account.ana.user_id) as ana:
            for path in (
                f"/events/{account.event.slug}",
                f"/series/{account.series.slug}",
                f"/groups/{account.group.slug}",
            ):
                read = await ana.get(path)
                assert read.status_code == 200, path
                assert LABELER in read.text, path
        async with signed_in(site, account.ben.user_id) as ben:
            assert (await ben.get(f"/groups/{account.group.slug}")).status_code == 404
        await label(site, account, is_negated=True)
        assert await shown(stranger, account) == everything


@pytest.mark.parametrize("thing", [ModeratedKind.PERSON, ModeratedKind.DID])
async def test_a_moderators_trust_shows_all_of_it_again(site, account, thing):
    await label(site, account)
    subject = Subject(thing, account.did if thing is ModeratedKind.DID else account.ana.user_id)
    async with site.db.transaction() as tx:
        await actions.decide(tx, account.ben.user_id, subject, SubjectVisibility.TRUSTED, "")
    async with site.browser() as stranger:
        assert await shown(stranger, account) == dict.fromkeys(views(account), True)
