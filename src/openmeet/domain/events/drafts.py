"""Drafts: unpublished events, kept as typed whether valid or not, until the host or the scheduler publishes them.

A draft is an event row that is held and marked as a draft, so that it has a slug, a host and a revision. The typed text
is stored with it unchanged. Nothing is enqueued for a draft before it is published.

A draft, like any new event, can begin as a copy of an event: everything but its dates, RSVPs and slug.
``attendance.registration`` copies the registration settings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from groundwork.clock import Instant
from groundwork.database.pages import change_in_pages
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Conflict, InvalidForm, PreconditionFailed, Refused, Why, encode_explanation
from groundwork.isolation import Position, each_due
from openmeet.domain.events import draft_queries, event_access, permissions, queries, rules
from openmeet.domain.events.actions import announce_revision, lock_for_host, set_picture
from openmeet.domain.events.edits import blank_event, search_text, with_details
from openmeet.domain.events.model import Details, Event, EventId, EventSlug, EventStatus, GroupOfEvent
from openmeet.domain.events.permissions import EventPermission
from openmeet.domain.events.publication import is_held_at_first
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.submissions import PROBLEM, pack, unpack, values_of_event
from openmeet.domain.events.values import MAX_DESCRIPTION, MAX_TITLE
from openmeet.domain.identities.public_names import has_public_name, require_public_name
from openmeet.domain.media.pictures import Picture
from openmeet.domain.moderation.visibility import is_person_suspended
from openmeet.domain.users import erasure_requests
from openmeet.domain.users.model import Caller, UserReason
from openmeet.i18n.markdown import one_line
from openmeet.outbox import publications

# Drafts that the scheduler reads at once.
AT_ONCE = 100

# Until another form saves it, a draft has the revision with which it was created.
_FIRST_REVISION = 1


class DraftChangedSince(Conflict):
    """The form was saved as a draft, and the draft was changed later. ``slug`` is the draft's."""

    def __init__(self, slug: EventSlug) -> None:
        super().__init__(EventReason.DRAFT_CHANGED)
        self.slug = slug


async def begin(
    tx: Transaction,
    caller: Caller,
    typed: rules.Submission,
    more: Mapping[str, str],
    *,
    submission_key: str | None = None,
    group: GroupOfEvent | None = None,
    copy_of: Event | None = None,
    picture: Picture | None = None,
) -> Event:
    """Create a draft of the caller. ``more`` has form fields that do not belong to an event. Repeating a key updates
    the draft and returns it. Raises DraftChangedSince if a later form has changed the draft, and Refused
    (``KeyReused``) if an event was created with the key.

    ``copy_of`` is the event whose picture, links and place it gets, unless the form says otherwise.
    """
    if submission_key:
        earlier = await queries.by_submission(tx, caller.user_id, submission_key)
        if earlier is not None and earlier[0].is_draft:
            return await _begin_again(tx, caller, earlier[0], typed, more, picture)
    new = replace(_blank_draft(tx, caller, typed), group=group)
    if copy_of is not None:
        its = copy_of.content
        new = replace(new, content=replace(new.content, picture=its.picture, links=its.links, venue=its.venue))
    if picture is not None:
        new = replace(new, content=replace(new.content, picture=picture))
    return await _insert(tx, new, typed, more, submission_key=submission_key)


async def begin_imported(
    tx: Transaction, caller: Caller, typed: rules.Submission, *, status: EventStatus | None, status_reason: str
) -> Event:
    """Create a draft from an imported event. ``status``: its status at its source; None for the usual one. A cancelled
    event is published as cancelled, for ``status_reason``, which can be empty.
    """
    new = _blank_draft(tx, caller, typed)
    if status is not None:
        new = replace(new, status=status, status_reason=status_reason)
    return await _insert(tx, new, typed, {})


def _blank_draft(tx: Transaction, caller: Caller, typed: rules.Submission) -> Event:
    return replace(blank_event(tx.now, typed.title, caller.user_id), is_draft=True, is_held=True)


async def _insert(
    tx: Transaction, new: Event, typed: rules.Submission, more: Mapping[str, str], *, submission_key: str | None = None
) -> Event:
    event = _with_typed(new, typed)
    # A draft has no content to compare. With this digest, the same form sent later to create an event counts as
    # different.
    is_new = await queries.insert(
        tx, event, search_text="", submission=(submission_key, b"draft") if submission_key else None
    )
    if not is_new:
        raise Refused(EventReason.FORM_USED, name="KeyReused")
    await draft_queries.put_fields(tx, event.id, pack(typed, more))
    return event


async def _begin_again(
    tx: Transaction,
    caller: Caller,
    draft: Event,
    typed: rules.Submission,
    more: Mapping[str, str],
    picture: Picture | None,
) -> Event:
    """Save the form of a new event again, for example after Back in the browser."""
    has_picture = picture is None or picture == draft.content.picture
    if has_picture and await draft_queries.fields(tx, draft.id) == pack(typed, more):
        return draft
    try:
        kept = await keep(tx, caller, draft.slug, typed, more, expected_revision=_FIRST_REVISION)
    except PreconditionFailed:
        raise DraftChangedSince(draft.slug) from None
    return kept if picture is None else await set_picture(tx, caller, kept.slug, picture)


async def keep(
    tx: Transaction,
    caller: Caller,
    slug: EventSlug,
    typed: rules.Submission,
    more: Mapping[str, str],
    *,
    publish_at: Instant | None = None,
    expected_revision: int | None = None,
) -> Event:
    """Replace the typed fields. ``publish_at`` is the scheduled time of publication, None if not scheduled.

    Raises NotFound, Forbidden, Refused (``NotADraft``; ``NameNeeded`` if scheduled), PreconditionFailed, and InvalidForm
    if the caller may not choose when the event is removed.
    """
    act = EventPermission.EDIT if publish_at is None else EventPermission.PUBLISH_DRAFT
    before = await _lock_draft(tx, caller, slug, expected_revision, act)
    if publish_at is not None:
        await require_public_name(tx, before.author_id)
    shown = _with_typed(before, typed)
    await event_access.require_removal_permission(tx, before, caller.user_id, shown.content.remove_after)
    after = replace(shown, publish_at=publish_at, revision=before.revision + 1, updated_at=tx.now)
    await queries.update(tx, after, search_text="")
    await draft_queries.put_fields(tx, after.id, pack(typed, more))
    return after


async def publish(
    tx: Transaction, caller: Caller, slug: EventSlug, details: Details, *, expected_revision: int | None = None
) -> Event:
    """Turn the draft into an event with this content and enqueue its record.

    Raises NotFound, Forbidden, Refused (``NotADraft``, ``NameNeeded``), PreconditionFailed.
    """
    before = await _lock_draft(tx, caller, slug, expected_revision, EventPermission.PUBLISH_DRAFT)
    await require_public_name(tx, before.author_id)
    return await _publish(tx, before, details)


async def lock_to_publish(
    tx: Transaction, caller: Caller, slug: EventSlug, *, expected_revision: int | None = None
) -> Event:
    """Return the draft, locked, for its author to publish as something else. Raises the same errors as ``publish``."""
    return await _lock_draft(tx, caller, slug, expected_revision, EventPermission.PUBLISH_DRAFT)


async def return_to_draft(tx: Transaction, event: Event) -> Event:
    """Turn a locked event back into a draft. Its content is written into the form, and its record is deleted."""
    after = replace(event, is_draft=True, is_held=True, revision=event.revision + 1, updated_at=tx.now)
    await queries.update(tx, after, search_text="")
    await draft_queries.put_fields(tx, after.id, pack(rules.Submission(**values_of_event(after)), {}))
    await publications.make_due(tx, kind=publications.PublicationKind.EVENT, subject_ids=[after.id])
    return after


async def drop(tx: Transaction, event: Event) -> None:
    """Delete a draft that became an event or a series. No one but its host has ever seen it."""
    await queries.update(tx, replace(event, deleted_at=tx.now, publish_at=None), search_text="")
    await draft_queries.put_fields(tx, event.id, "")


async def publish_due(db: Database) -> int:
    """Publish drafts that are due, each in its own transaction. Return how many. Run by the scheduler."""

    async def next_drafts(after: Position) -> Sequence[tuple[int, EventId]]:
        async with db.reader() as reader:
            return await draft_queries.due(reader, after, AT_ONCE)

    async def publish_one(event_id: EventId) -> int:
        async with db.transaction() as tx:
            return await _publish_due(tx, event_id)

    return await each_due(db, "scheduled_events", next_drafts, publish_one)


async def _publish_due(tx: Transaction, event_id: EventId) -> bool:
    event = await queries.lock_for_update(tx, event_id)
    if event is None or event.publish_at is None or event.publish_at > tx.now or event.is_gone:
        return False
    typed = unpack(await draft_queries.fields(tx, event_id))
    # As for scheduled messages of hosts.
    if await is_person_suspended(tx, event.author_id):
        return await _keep_as_draft(tx, event, typed, EventReason.HOST_WAS_BLOCKED)
    if await erasure_requests.find(tx, event.author_id) is not None:
        return await _keep_as_draft(tx, event, typed, EventReason.HOST_WAS_LEAVING)
    try:
        details = rules.check(typed, event)
    except InvalidForm as wrong:
        return await _keep_as_draft(tx, event, typed, wrong.why)
    if rules.starts_in_the_past(details, None, tx.now):
        return await _keep_as_draft(tx, event, typed, EventReason.START_IN_PAST)
    if not permissions.may(await event_access.role_of(tx, event, event.author_id), EventPermission.PUBLISH_DRAFT):
        return await _keep_as_draft(tx, event, typed, EventReason.NOT_IN_ITS_GROUP)
    if not await has_public_name(tx, event.author_id):
        return await _keep_as_draft(tx, event, typed, UserReason.HOST_NEEDS_NAME)
    await _publish(tx, event, details)
    return True


async def _keep_as_draft(tx: Transaction, event: Event, typed: rules.Submission, why: Why) -> bool:
    await queries.update(tx, replace(event, publish_at=None), search_text="")
    problem = encode_explanation(EventReason.NOT_PUBLISHED(reason=why))
    await draft_queries.put_fields(tx, event.id, pack(typed, {PROBLEM: problem}))
    return False


async def _publish(tx: Transaction, before: Event, details: Details) -> Event:
    is_held = await is_held_at_first(tx, before.author_id, details, before.group)
    shown = replace(before, is_draft=False, is_held=is_held, publish_at=None)
    after = replace(with_details(shown, details), revision=before.revision + 1, updated_at=tx.now)
    await queries.update(tx, after, search_text=search_text(after))
    await draft_queries.put_fields(tx, after.id, "")
    await announce_revision(tx, after)
    return after


async def _lock_draft(
    tx: Transaction,
    caller: Caller,
    slug: EventSlug,
    expected_revision: int | None,
    act: EventPermission = EventPermission.EDIT,
) -> Event:
    event = await lock_for_host(tx, caller, slug, expected_revision, act)
    if not event.is_draft:
        raise Refused(EventReason.NOT_A_DRAFT, name="NotADraft")
    return event


def _with_typed(event: Event, typed: rules.Submission) -> Event:
    """The row with those parts of the form that could be parsed. The form itself is kept unchanged."""
    try:
        return with_details(event, rules.check(typed, event))
    except InvalidForm:
        title, description = one_line(typed.title)[:MAX_TITLE], typed.description[:MAX_DESCRIPTION]
        return replace(event, content=replace(event.content, title=title, description=description))


async def forget_expired_drafts(db: Database) -> int:
    """Delete events typed before signing in whose time has expired."""
    return await change_in_pages(db, draft_queries.drop_expired)


async def original_of(reader: Reader, slug: str, caller: Caller) -> Event | None:
    """The event that the form copies, or None if the slug is empty. Raises NotFound, Forbidden."""
    return await event_to_copy(reader, EventSlug(slug), caller) if slug else None


async def event_to_copy(reader: Reader, slug: EventSlug, caller: Caller) -> Event:
    """Return the event if the caller may change it, because the copy includes its private details. Raises NotFound,
    Forbidden.
    """
    event = await event_access.require_visible(reader, await queries.by_slug(reader, slug), caller.user_id)
    await event_access.require_permission(reader, event, caller.user_id, EventPermission.COPY)
    rules.require_changeable(event)
    return event


def with_untyped_fields(details: Details, original: Event | None) -> Details:
    """The typed details of a copy, with the picture and the links of the original."""
    if original is None:
        return details
    typed, its = details.content, original.content
    return replace(details, content=replace(typed, picture=typed.picture or its.picture, links=its.links))
