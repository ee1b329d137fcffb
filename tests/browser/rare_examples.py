"""Pages that few people see, with their content: links from e-mails, embeds, imported lists, questions about records,
chats of every kind, and the steps of signing in and of joining two accounts.
"""

from datetime import datetime

from groundwork.database.transaction import Transaction
from openmeet.domain.account_merge import queries as account_merge
from openmeet.domain.account_merge.model import OwnershipProof
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.chat.model import RoomKind, RoomSubject, SubjectKind
from openmeet.domain.events.content import Content
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import record_queries as group_records
from openmeet.domain.groups.model import GroupRole
from openmeet.domain.guest_rsvps import actions as guests
from openmeet.domain.imports import people, queries
from openmeet.domain.imports.model import ImportKind, Medium
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import FieldDecision, MergeReason, MergeSide
from openmeet.domain.notifications.email_links import EmailLink, LinkPurpose, token_for
from openmeet.domain.series import actions as series
from openmeet.domain.series import queries as series_queries
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport, link_token
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.three_way_merge import encode_edits
from tests.browser.browsers import Deployment
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.imports.sample_files import TWO_EVENTS_CALENDAR
from tests.openmeet.series.practice import weekly
from tests.openmeet.site_under_test import CODE_KEY, event_by, person
from tests.worker_pool import WORKERS

_LIST = "Name,E-mail\nEve with a long name,eve.with.a.long.name@subdomain.example.org\nFay,fay@example.org\n"
_AUTHOR = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"


async def add_rare_examples(openmeet: Deployment) -> tuple[str, dict[str, str]]:
    """Returns a host's session token, and the paths of the pages."""
    async with openmeet.db.transaction() as tx:
        ana, ben = await person(tx, "Ana Lindqvist"), await person(tx, "Ben")
        paths = await _event_pages(tx, ana, ben)
        paths |= await _series_pages(tx, ana)
        paths |= await _group_pages(tx, ana, ben)
        paths |= await _account_pages(tx, ana, ben)
        token = (await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
    paths |= await _imported_lists(openmeet, ana)
    return token, paths


async def _event_pages(tx: Transaction, ana: Caller, ben: Caller) -> dict[str, str]:
    event = await event_by(tx, ana, visibility="unlisted")
    await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
    await send_text(tx, ben, await room_of(tx, ben, subject_of_event(event)), "Tea?")
    question = await room_of(tx, ben, subject_of_event(event), RoomKind.DIRECT, with_user_id=ben.user_id)
    await send_text(tx, ben, question, "May I bring my dog?")
    await room_of(tx, ana, subject_of_event(event), RoomKind.HOSTS)
    elsewhere = await event_by(tx, ana, title="Written elsewhere", visibility="unlisted")
    await tx.execute(
        "update events set origin = 'network', record_uri = :uri where id = :id",
        uri=f"{_AUTHOR}/community.lexicon.calendar.event/3mfyouzqqu325",
        id=elsewhere.id,
    )
    public = await event_by(tx, ana, title="An evening with an unusually long title, Donaudampfschifffahrt included")
    asked = await guests.request_rsvp(
        tx,
        public.slug,
        email="eve@example.org",
        display_name="Eve",
        reply=RsvpReply.GOING,
        reply_details=ReplyDetails(),
    )
    *_, rsvp = await guests.confirm(tx, asked.id)
    await send_text(tx, ana, await room_of(tx, ana, subject_of_event(public)), "We have cake.")
    answer = await token_for(tx, CODE_KEY, EmailLink(rsvp.user_id, LinkPurpose.ANSWER, public.id))
    return {
        "new link of an event": f"/events/{event.slug}/new-link",
        "one person of a chat": f"/events/{event.slug}/chat/people/{ben.user_id}",
        "a poll": f"/events/{event.slug}/chat/poll",
        "question to the hosts": f"/chat/direct/event/{event.slug}?with={ben.user_id}",
        "record of another app": f"/events/{elsewhere.slug}/delete-record",
        "chat from an answer": f"/mail/answer/{answer}/chat",
        "embed of an event": f"/embed/events/{public.slug}",
        "embed of a person": f"/embed/people/{ana.user_id}",
        "embed of a search": "/embed/search?q=evening",
        "embed a host": f"/people/{ana.user_id}/embed",
        "embed a search": "/search/embed?q=tea",
        "report a person": f"/people/{ben.user_id}/report",
    }


async def _series_pages(tx: Transaction, ana: Caller) -> dict[str, str]:
    timing = weekly(start=datetime.fromisoformat("2026-03-03T18:00"))
    practice = await series.create(tx, ana, Content("Practice"), timing)
    hidden = await series.create(tx, ana, Content("Rehearsal", visibility=Visibility.UNLISTED), timing)
    date = await series.open_date(tx, practice.slug, "2026-03-10T18:00:00", viewer=ana.user_id)
    room = await room_of(tx, ana, RoomSubject(SubjectKind.SERIES, practice.id), RoomKind.SERIES)
    await send_text(tx, ana, room, "Bring your own cup.")
    uri = f"{_AUTHOR}/org.openmeet.series/3mfyouzqqu326"
    await series_queries.set_record(tx, practice.id, uri)
    await _merged(tx, uri, "title")
    return {
        "chat of a series": f"/series/{practice.slug}/chat",
        "chat of a date": f"/events/{date.slug}/chat/date",
        "embed a series": f"/series/{practice.slug}/embed",
        "embed of a series": f"/embed/series/{practice.slug}",
        "merged into a series": f"/series/{practice.slug}/merged",
        "new link of a series": f"/series/{hidden.slug}/new-link",
        "report a series": f"/series/{practice.slug}/report",
    }


async def _group_pages(tx: Transaction, ana: Caller, ben: Caller) -> dict[str, str]:
    readers = await group_by(tx, ben, name="Readers", visibility="public")
    singers = await group_by(tx, ana, name="Singers", visibility="unlisted")
    await add_member(tx, singers, ana, "Cleo", GroupRole.MODERATOR)
    room = await room_of(tx, ana, RoomSubject(SubjectKind.GROUP, singers.id), RoomKind.CHANNEL, name="general")
    await send_text(tx, ana, room, "Who brings the notes?")
    uri = f"{_AUTHOR}/org.openmeet.group/3mfyouzqqu327"
    await group_records.set_record(tx, singers.id, uri, "c")
    await _merged(tx, uri, "name")
    return {
        "chat of a group": f"/groups/{singers.slug}/chat/general",
        "embed a group": f"/groups/{readers.slug}/embed",
        "embed of a group": f"/embed/groups/{readers.slug}",
        "merged into a group": f"/groups/{singers.slug}/merged",
        "new link of a group": f"/groups/{singers.slug}/new-link",
        "report a group": f"/groups/{readers.slug}/report",
    }


async def _merged(tx: Transaction, uri: str, field: str) -> None:
    """Another app changed this field at the same time as this site."""
    kept = encode_edits({field: "Evening readings"})
    said = FieldDecision(
        field, "Readings", "Evening", "Readings at night", MergeReason.MANUAL_EDIT_IS_KEPT, MergeSide.OURS, kept, kept
    )
    await merge_decisions.store(tx, uri=uri, theirs_rev="r", ours_revision=1, decisions=(said,))


async def _account_pages(tx: Transaction, ana: Caller, ben: Caller) -> dict[str, str]:
    proposal = await account_merge.propose(tx, ana.user_id, ben.user_id, OwnershipProof.EMAIL, "ben@example.org")
    asked = await sign_in.ask_for_code(tx, "gil@example.org")
    return {
        "code for another account": "/settings/join/code?challenge=x",
        "joining with another account": f"/settings/join/{proposal}",
        "code for a new address": "/settings/email/code?challenge=x",
        "link to sign in": f"/sign-in/link/{link_token(CODE_KEY, asked.id)}",
        "signed in again": "/sign-in/done",
    }


async def _imported_lists(openmeet: Deployment, ana: Caller) -> dict[str, str]:
    """Lists of people to invite, for an event and a group. One person was invited."""
    async with openmeet.db.transaction() as tx:
        event, group = await event_by(tx, ana, title="Party"), await group_by(tx, ana, name="Guests")
        stored = [
            await queries.insert(
                tx, ana.user_id, kind, Medium.CSV, target=target, source="l.csv", content=_LIST.encode()
            )
            for kind, target in ((ImportKind.GUESTS, event.id), (ImportKind.MEMBERS, group.id))
        ]
        calendar = await queries.insert(
            tx,
            ana.user_id,
            ImportKind.EVENTS,
            Medium.ICS,
            target="",
            source="mine.ics",
            content=TWO_EVENTS_CALENDAR.encode(),
        )
    for import_id in stored:
        await people.add_to_list(openmeet.db, WORKERS, ana, import_id)
    async with openmeet.db.transaction() as tx:
        await people.invite(tx, ana, ImportKind.GUESTS, event.slug, message="Come!", expected=2)
        rows = await tx.fetch("select id from imported_contacts where target = :id order by email", id=event.id)
    return {
        "an import": f"/import/{calendar}",
        "list of guests": f"/import/lists/guests/{event.slug}",
        "list of members": f"/import/lists/members/{group.slug}",
        "invited by a list": f"/arrivals/{people.token_of(CODE_KEY, rows[0]['id'])}",
    }
