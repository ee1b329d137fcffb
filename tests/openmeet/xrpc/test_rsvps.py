"""The XRPC query for RSVPs: all are counted, but only people with a public record are named."""

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, queries
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.attendance.registration import ListAudience, RegistrationSettings
from openmeet.domain.events import actions as events
from tests.openmeet.site_under_test import ORIGIN, event_by, person
from tests.openmeet.xrpc.query_client import all_items, body_of, error_of

RSVP = "community.lexicon.calendar.rsvp"


async def answers(tx, event, name, reply=RsvpReply.GOING, wishes=None, *, did=None):
    """A new person answers. With a DID, their answer is also a record in their repository."""
    who = await person(tx, name)
    mine = await (
        attendance.answer(tx, who, event.slug, reply)
        if wishes is None
        else attendance.answer(tx, who, event.slug, reply, wishes)
    )
    if did is not None:
        await queries.set_record(tx, mine.id, f"at://{did}/{RSVP}/3mqdau33ozs2n")
    return who, mine


async def test_people_with_a_record_are_named_and_everybody_is_counted(site, client, people, clock):
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, capacity="3")
        bo, _ = await answers(tx, event, "Bo")
        first = await people.connect(tx, bo)
        await attendance.answer(tx, bo, event.slug, RsvpReply.GOING)
        mine = await queries.find(tx, event.id, bo.user_id)
        await queries.set_record(tx, mine.id, f"at://{first}/{RSVP}/3mqdau33ozs2n")
        await answers(tx, event, "Only here")
        clock.turn(1_000_000)
    dids = [people.account(name) for name in ("one", "two", "three", "four")]
    for number, (did, reply) in enumerate(
        zip(dids, [RsvpReply.INTERESTED, RsvpReply.GOING, RsvpReply.GOING, RsvpReply.DECLINED], strict=True)
    ):
        clock.turn(1_000_000)
        async with site.db.transaction() as tx:
            await answers(tx, event, f"Number {number}", reply, did=did)
    page = f"{ORIGIN}/events/{event.slug}"
    found = await body_of(client, "listAnswers", event=page)
    assert found["counts"] == {"going": 3, "interested": 1, "waitlisted": 1, "unconfirmed": 0}
    said = [(one["did"], one["status"].partition("#")[2], one["standing"]) for one in found["answers"]]
    assert said == [
        (first, "going", "confirmed"),
        (dids[0], "interested", "confirmed"),
        (dids[1], "going", "confirmed"),
    ]
    # Pending people are counted but not named, because other apps pass on the data that they get.
    assert dids[2] not in str(found)
    # Display names are not returned together with DIDs.
    assert "Number" not in str(found)
    assert "Bo" not in {text for one in found["answers"] for text in one.values()}
    for limit in (1, 3):
        assert await all_items(client, "listAnswers", "answers", event=page, limit=limit) == found["answers"]
    assert await error_of(client, "listAnswers", event=page, cursor="made-up") == (400, "InvalidCursor")
    assert await error_of(client, "listAnswers", event=page + "x") == (400, "EventNotFound")


async def test_restricted_answers_are_not_listed(site, client, people):
    """Private answers, answers that the host has not accepted, and lists that only hosts or attendees may see."""
    going, private, waiting = (people.account(name) for name in ("going", "private", "waiting"))
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        bo, _ = await answers(tx, event, "Bo", did=going)
        await answers(tx, event, "Cem", wishes=ReplyDetails(is_private=True), did=private)
        await event_hosting.change_registration_settings(tx, ana, event.slug, RegistrationSettings(needs_approval=True))
        await answers(tx, event, "Dot", did=waiting)
        of_ana, of_bo = await people.connect(tx, ana), await people.connect(tx, bo)
        of_eve = await people.connect(tx, await person(tx, "Eve"))
    page = f"{ORIGIN}/events/{event.slug}"

    async def seen_by(did=None):
        token = people.token(did, "listAnswers") if did else ""
        return [one["did"] for one in (await body_of(client, "listAnswers", event=page, token=token))["answers"]]

    assert await seen_by() == [going]
    # The restriction also applies to hosts, because other apps pass on the data that they get.
    assert await seen_by(of_ana) == [going]
    for audience, seen in ((ListAudience.ATTENDEES, [of_bo, of_ana]), (ListAudience.HOSTS, [of_ana])):
        async with site.db.transaction() as tx:
            await event_hosting.change_registration_settings(
                tx, ana, event.slug, RegistrationSettings(list_audience=audience)
            )
        for did in (None, of_ana, of_bo, of_eve):
            assert await seen_by(did) == ([going] if did in seen else [])
    async with site.db.transaction() as tx:
        await events.delete(tx, ana, event.slug)
    assert await error_of(client, "listAnswers", event=page) == (400, "EventNotFound")
