"""Event actions of hosts.

Every action of a host enqueues the event's record (``events.publication``). Changes that come from records are in
``record_changes``. RSVPs are handled in ``attendance``, which notifies attendees and moves the waitlist.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Conflict, NotFound, PreconditionFailed, Refused
from openmeet.domain import slugs
from openmeet.domain.events import draft_queries, event_access, ownership, queries
from openmeet.domain.events.edits import (
    blank_event,
    details_in,
    differing,
    local_text,
    new_slug,
    search_text,
    with_details,
    with_record,
    with_values,
)
from openmeet.domain.events.model import (
    Details,
    Event,
    EventId,
    EventSlug,
    EventStatus,
    GroupOfEvent,
    NetworkEvent,
    PositionInSeries,
)
from openmeet.domain.events.permissions import EventPermission
from openmeet.domain.events.publication import enqueue_record, notify_webhooks, settle_merges, waits_for_author
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.rules import Submission
from openmeet.domain.events.submissions import further_fields, pack, values_of_event
from openmeet.domain.events.unsolicited_lists import hold_first_events
from openmeet.domain.events.values import Visibility
from openmeet.domain.identities.public_names import require_public_name
from openmeet.domain.media.pictures import Picture
from openmeet.domain.slugs import LinkKind
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.validation import GeneralReason
from openmeet.outbox import publications

# Long enough to sign up, find the e-mail, be interrupted and return the next day.
DRAFT_LIFE = 7 * DAY


class EventAlreadyCreated(Refused):
    """The same submission key has already created an event with different details. ``slug`` is the slug of that event."""

    def __init__(self, slug: EventSlug) -> None:
        super().__init__(
            EventReason.KEY_REUSED,
            name="KeyReused",
        )
        self.slug = slug


async def create(
    tx: Transaction,
    caller: Caller,
    details: Details,
    *,
    submission_key: str | None = None,
    is_held: bool = False,
    group: GroupOfEvent | None = None,
    is_draft: bool = False,
) -> Event:
    """Create an event of the caller. Repeating a ``submission_key`` returns the event created the first time.

    If the details differ from those of the first request, the function raises EventAlreadyCreated, because neither
    event would be the requested one. With ``is_held``, the event is hidden from other people until its author's PDS has
    accepted the record (see ``record_changes.release``). ``group`` comes from ``group_of_event.group_for``, which checks
    the permission.
    A draft needs no name of its author yet; otherwise raises Refused (``NameNeeded``).
    """
    if not is_draft:
        await require_public_name(tx, caller.user_id)
    # Each upload of the same file is a different picture.
    without_picture = replace(details, content=replace(details.content, picture=None))
    digest = hashlib.sha256(msgspec.json.encode(without_picture) + (group.id.encode() if group else b"")).digest()
    if submission_key:
        earlier = await _made_before(tx, caller, submission_key, digest)
        if earlier:
            return earlier
    new = blank_event(tx.now, details.content.title, caller.user_id)
    held = is_held or is_draft
    event = replace(new, content=details.content, is_draft=is_draft, is_held=held, group=group)
    event = with_details(event, details)
    submission = (submission_key, digest) if submission_key else None
    text = "" if is_draft else search_text(event)
    is_new = await queries.insert(tx, event, search_text=text, submission=submission)
    if not is_new:
        # The same form was sent twice at the same time, and the other request was first.
        earlier = await _made_before(tx, caller, submission_key or "", digest)
        if earlier is None:
            raise Conflict(EventReason.BEING_CREATED)
        return earlier
    if is_draft:
        await draft_queries.put_fields(tx, event.id, pack(Submission(**values_of_event(event)), {}))
    else:
        await announce_revision(tx, event)
    return event


async def create_imported(
    tx: Transaction,
    author_id: UserId,
    details: Details,
    *,
    slug: EventSlug | None = None,
    position: PositionInSeries | None = None,
    group: GroupOfEvent | None = None,
    is_cancelled: bool = False,
) -> Event | None:
    """Store an imported event under its old slug. Return None for a date that is already stored.

    No one is notified and nothing is enqueued: past events are never published, upcoming ones only once they are edited
    on this site.
    """
    new = blank_event(tx.now, details.content.title, author_id)
    event = replace(
        new,
        slug=slug or new.slug,
        content=details.content,
        position_in_series=position,
        group=group,
        status=EventStatus.CANCELLED if is_cancelled else new.status,
    )
    event = with_details(event, details)
    event = replace(event, is_published_by_policy=position is None and not event.is_over(tx.now))
    is_new = await queries.insert(tx, event, search_text=search_text(event), submission=None)
    return event if is_new else None


async def revise(
    tx: Transaction, caller: Caller, slug: EventSlug, details: Details, *, expected_revision: int | None = None
) -> Event:
    """Replace the details that the host decides. If nothing changes, there is no new revision.

    Raises NotFound, Forbidden, Refused (a copy from the network), PreconditionFailed (edited since
    ``expected_revision``), InvalidForm (``event_access.require_removal_permission``).
    """
    before = await lock_for_host(tx, caller, slug, expected_revision)
    await event_access.require_removal_permission(tx, before, caller.user_id, details.content.remove_after)
    after = with_details(before, details)
    if after == before:
        return before
    position = before.position_in_series
    if position is not None:
        # Fields changed on one date no longer follow the series.
        own = {*position.overridden, *differing(details, details_in(before))}
        after = replace(after, position_in_series=replace(position, overridden=tuple(sorted(own))))
    return await _save(tx, before, after, caller)


async def cancel(
    tx: Transaction, caller: Caller, slug: EventSlug, reason: str, *, expected_revision: int | None = None
) -> Event:
    """Cancel the event. It stays visible with the reason. Cancelling again replaces the reason, if another one is
    given.
    """
    before = await lock_for_host(tx, caller, slug, expected_revision, EventPermission.CANCEL)
    if before.is_draft:
        raise Refused(EventReason.CANNOT_CANCEL_DRAFT, name="Draft")
    if before.is_cancelled and reason in {"", before.status_reason}:
        return before
    if not before.is_cancelled:
        await queries.set_status_before(tx, before.id, before.status)
    return await _save(tx, before, replace(before, status=EventStatus.CANCELLED, status_reason=reason), caller)


async def reinstate(tx: Transaction, caller: Caller, slug: EventSlug, *, expected_revision: int | None = None) -> Event:
    """Reinstate a cancelled event and restore its earlier status."""
    before = await lock_for_host(tx, caller, slug, expected_revision)
    if not before.is_cancelled:
        return before
    status = await queries.status_before(tx, before.id)
    return await _save(tx, before, replace(before, status=status, status_reason=""), caller)


async def set_picture(
    tx: Transaction, caller: Caller, slug: EventSlug, picture: Picture, *, expected_revision: int | None = None
) -> Event:
    """Set this picture. Raises NotFound, Forbidden, Refused, PreconditionFailed."""
    before = await lock_for_host(tx, caller, slug, expected_revision)
    after = _with_picture(before, picture)
    return before if before.content.picture == picture else await _save(tx, before, after, caller)


async def describe_picture(
    tx: Transaction, caller: Caller, slug: EventSlug, alt: str, *, expected_revision: int | None = None
) -> Event:
    """Change the description of the picture. Raises the same errors as ``set_picture``, and Refused (``NoPicture``)."""
    before = await lock_for_host(tx, caller, slug, expected_revision)
    if before.content.picture is None:
        raise Refused(EventReason.NO_PICTURE, name="NoPicture")
    picture = replace(before.content.picture, alt=alt)
    after = _with_picture(before, picture)
    return before if before.content.picture == picture else await _save(tx, before, after, caller)


async def remove_picture(
    tx: Transaction, caller: Caller, slug: EventSlug, *, expected_revision: int | None = None
) -> Event:
    """Remove the picture. Raises the same errors as ``set_picture``."""
    before = await lock_for_host(tx, caller, slug, expected_revision)
    after = _with_picture(before, None)
    return before if before.content.picture is None else await _save(tx, before, after, caller)


def _with_picture(before: Event, picture: Picture | None) -> Event:
    position = before.position_in_series
    if position is not None:
        position = replace(position, overridden=tuple(sorted({*position.overridden, "picture"})))
    return replace(before, content=replace(before.content, picture=picture), position_in_series=position)


async def replace_link(
    tx: Transaction, caller: Caller, slug: EventSlug, *, expected_revision: int | None = None
) -> Event:
    """Give an unlisted event a new link. The old one stops working. Raises NotFound, Forbidden, PreconditionFailed, and
    Refused if the event is public (``PublicEvent``).
    """
    event = await lock_for_host(tx, caller, slug, expected_revision)
    if event.visibility is Visibility.PUBLIC:
        raise Refused(EventReason.NEW_LINK_OF_PUBLIC, name="PublicEvent")
    await slugs.retire(tx, LinkKind.EVENT, [(event.slug, event.id)])
    fresh = new_slug(event.title)
    await set_slugs(tx, [(event.id, fresh)])
    return await _save(tx, event, replace(event, slug=fresh), caller)


async def set_slugs(tx: Transaction, slugs: Sequence[tuple[EventId, EventSlug]]) -> None:
    """Set the slugs of locked events."""
    await tx.execute_many(
        "update events set slug = :slug where id = :id", [{"id": one, "slug": slug} for one, slug in slugs]
    )


async def set_values(tx: Transaction, caller: Caller, slug: EventSlug, values: Mapping[str, Any]) -> Event:
    """Apply the field values that the host chose after a merge, as an edit by the host. The fields are named and typed
    as in ``NetworkEvent``.

    If nothing changes, there is no new revision. Raises the same errors as ``revise``, and Refused if the dates would
    not fit.
    """
    before = await lock_for_host(tx, caller, slug, None)
    after = with_values(before, values)
    if after == before:
        return before
    if after.starts_at is not None and after.ends_at is not None and after.ends_at < after.starts_at:
        raise Refused(EventReason.DATES_CONFLICT, name="Dates")
    after = replace(after, starts_local=local_text(after.starts_at, after.time_zone))
    if after.is_cancelled and not before.is_cancelled:
        await queries.set_status_before(tx, before.id, before.status)
    return await _save(tx, before, after, caller)


async def take_record(tx: Transaction, before: Event, record: NetworkEvent) -> Event:
    """Apply the former owner's record to a locked event after an ownership transfer. It counts as an edit and is
    published like any other.
    """
    after = replace(
        with_record(before, before.record_cid or "", record, before.updated_at),
        record_cid=before.record_cid,
        removed_at=before.removed_at,
        record_deleted_at=before.record_deleted_at,
    )
    if after == before:
        return before
    if after.is_cancelled and not before.is_cancelled:
        await queries.set_status_before(tx, before.id, before.status)
    return await _save(tx, before, after)


async def delete(tx: Transaction, caller: Caller, slug: EventSlug, *, expected_revision: int | None = None) -> Event:
    """Delete an event. Its page says that it was deleted, and its record is deleted from its repository."""
    return await delete_locked(tx, await lock_for_host(tx, caller, slug, expected_revision, EventPermission.DELETE))


async def delete_locked(tx: Transaction, before: Event) -> Event:
    """``delete`` for a locked event that the caller may change."""
    after = replace(before, deleted_at=tx.now, revision=before.revision + 1, updated_at=tx.now)
    await queries.update(tx, after, search_text="")
    await notify_webhooks(tx, [after])
    await publications.enqueue_retraction(
        tx,
        kind=publications.PublicationKind.EVENT,
        subject_id=after.id,
        user_id=after.author_id,
        revision=after.revision,
        record_uri=(await ownership.record_uris_of(tx, [after])).get(after.id),
    )
    return after


async def keep_draft(tx: Transaction, token_hash: bytes, fields: str) -> Instant:
    """Store the fields that a person typed before signing in. Return when they expire."""
    expires_at = Instant(tx.now + DRAFT_LIFE)
    await draft_queries.put(tx, token_hash, fields, expires_at)
    return expires_at


async def agree_to_record(tx: Transaction, caller: Caller, slug: EventSlug) -> Event:
    """Approve, as the author, the publication of other people's changes. Raises NotFound, Forbidden, Refused."""
    event = await lock_for_host(tx, caller, slug, None, EventPermission.PUBLISH_RECORD)
    return await _save(tx, event, event) if event.needs_author_approval else event


async def lock_for_host(
    tx: Transaction,
    caller: Caller,
    slug: EventSlug,
    expected_revision: int | None,
    act: EventPermission = EventPermission.EDIT,
) -> Event:
    """Return the event, locked, if the caller may change it. Raises NotFound, Forbidden, Refused, PreconditionFailed."""
    event = await _require_hosted(tx, await queries.lock_by_slug(tx, slug), caller, act)
    if expected_revision is not None and event.revision != expected_revision:
        raise PreconditionFailed(EventReason.CHANGED_SINCE_OPENED)
    return event


async def find_for_host(
    reader: Reader, caller: Caller, slug: EventSlug, act: EventPermission = EventPermission.EDIT
) -> Event:
    """Return an event that its host wants to edit, without a lock, for showing forms. Raises NotFound, Forbidden,
    Refused.
    """
    return await _require_hosted(reader, await queries.by_slug(reader, slug), caller, act)


async def _require_hosted(reader: Reader, event: Event | None, caller: Caller, act: EventPermission) -> Event:
    # ``require_visible`` is not used, because ``require_editable`` has a better message for an event that is gone from
    # its repository.
    if event is None or event.deleted_at is not None:
        raise NotFound(GeneralReason.NO_SUCH_EVENT)
    if not await event_access.may_see(reader, event, caller.user_id, has_rsvp_access=False):
        raise NotFound(GeneralReason.NO_SUCH_EVENT)
    await event_access.require_editable(reader, event, caller.user_id, act)
    return event


async def _made_before(reader: Reader, caller: Caller, submission_key: str, digest: bytes) -> Event | None:
    submitted = await queries.by_submission(reader, caller.user_id, submission_key)
    if submitted is None:
        return None
    event, known_digest = submitted
    # Rows from before digests were stored have no digest.
    if known_digest is not None and known_digest != digest:
        raise EventAlreadyCreated(event.slug)
    return event


async def save_edit(tx: Transaction, caller: Caller, before: Event, after: Event) -> Event:
    """Save an authorized edit of a locked event."""
    return await _save(tx, before, after, caller)


async def _save(tx: Transaction, before: Event, after: Event, by: Caller | None = None) -> Event:
    """Save an edit. ``by`` is the person who made it, given if this may not be the event's author. A co-host's edit
    applies on this site at once. It is published when the event's author approves it or edits the event, or at once if
    the author lets co-hosts publish.
    """
    saved = replace(after, revision=after.revision + 1, updated_at=tx.now)
    awaits = by is not None and await waits_for_author(tx, saved, by.user_id)
    saved = replace(saved, needs_author_approval=awaits)
    await settle_merges(tx, [before], [saved])
    await queries.update(tx, saved, search_text="" if saved.is_draft else search_text(saved))
    if saved.is_draft:
        # The recurrence rule is not part of an event, so it stays as typed.
        more = further_fields(await draft_queries.fields(tx, saved.id))
        await draft_queries.put_fields(tx, saved.id, pack(Submission(**values_of_event(saved)), more))
    else:
        await announce_revision(tx, saved)
    return saved


async def announce_revision(tx: Transaction, event: Event) -> None:
    """Enqueue the record of this revision and notify webhooks. An author's first event may be held for moderators."""
    await hold_first_events(tx, [event])
    await notify_webhooks(tx, [event])
    await enqueue_record(tx, event)
