"""Group actions: create, edit, delete, its link and picture, join, leave, follow.

Every action locks the group row first, so that role changes happen one at a time.
"""

import hashlib
import re
from dataclasses import replace
from functools import partial
from typing import Final

import msgspec

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Conflict, Forbidden, InvalidForm, PreconditionFailed, Refused
from groundwork.outbox.jobs import enqueue_again
from groundwork.uuid7 import new_id
from openmeet.domain import slugs
from openmeet.domain.groups import (
    audit_log,
    invitation_queries,
    membership_queries,
    notify,
    publication,
    queries,
    rules,
)
from openmeet.domain.groups.model import (
    INSIDE,
    MAX_ADDRESS,
    Group,
    GroupDetails,
    GroupId,
    GroupLogAction,
    GroupRole,
    GroupSlug,
    GroupVisibility,
    Membership,
    SuccessionPlan,
)
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.identities.public_names import require_public_name
from openmeet.domain.media.pictures import Picture
from openmeet.domain.merge_decisions.queries import EditOfRecord, settle_edited
from openmeet.domain.moderation.blocks import raise_if_unwelcome
from openmeet.domain.slugs import LinkKind, new_slug, slug_words
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.webhooks.actions import ChangedSubject, enqueue_deliveries
from openmeet.domain.webhooks.model import WebhookEvent
from openmeet.outbox import publications
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind

_ADDRESS: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# Lengths of the random suffix of a generated slug (``domain.slugs``): ten characters now; five or eight in older slugs.
_RANDOM: Final = re.compile(r"-[23456789abcdefghjkmnpqrstuvwxyz]+\Z")
_RANDOM_LENGTHS: Final = frozenset({5, 8, 10})
# A chosen slug must not look like one that older versions generated, whatever the group's name.
_GENERATED_EARLIER: Final = re.compile(r"-[23456789abcdefghjkmnpqrstuvwxyz]{5}\Z")
# Reserved words: URLs of pages use them in the same position.
_RESERVED_SLUGS: Final = frozenset({"new", "invitations", "mine"})


class GroupAlreadyCreated(Refused):
    """The submission key was already used to create a group with different content. ``slug`` is that group's slug."""

    def __init__(self, slug: GroupSlug) -> None:
        super().__init__(
            GroupReason.KEY_REUSED,
            name="KeyReused",
        )
        self.slug = slug


async def create(tx: Transaction, caller: Caller, details: GroupDetails, *, submission_key: str | None = None) -> Group:
    """Create a group owned by the caller.

    If the same ``submission_key`` is sent again, return the group it created, in its current state. Raises
    GroupAlreadyCreated if the earlier request had different content, and Refused (``NameNeeded``).
    """
    await require_public_name(tx, caller.user_id)
    return await _create(tx, caller.user_id, details, submission_key)


async def create_imported(tx: Transaction, owner_id: UserId, details: GroupDetails) -> Group:
    """Create a group that existed elsewhere before. Its owner may have no name."""
    return await _create(tx, owner_id, details, None)


async def _create(tx: Transaction, owner_id: UserId, details: GroupDetails, submission_key: str | None) -> Group:
    group = Group(
        id=GroupId(new_id(tx.now)),
        slug=GroupSlug(new_slug(details.name, otherwise="group")),
        details=details,
        latitude="",
        longitude="",
        owner_id=owner_id,
        succession_plan=SuccessionPlan(),
        succession=None,
        offer=None,
        revision=1,
        deleted_at=None,
        created_at=tx.now,
        updated_at=tx.now,
    )
    digest = hashlib.sha256(msgspec.json.encode(details)).digest()
    if not await queries.insert(tx, group, submission=(submission_key, digest) if submission_key else None):
        submitted = await queries.by_submission(tx, owner_id, submission_key or "")
        if submitted is None:
            raise Conflict(GroupReason.BEING_CREATED)
        earlier, known_digest = submitted
        # Rows from before digests were introduced have none.
        if known_digest is not None and known_digest != digest:
            raise GroupAlreadyCreated(earlier.slug)
        return earlier
    membership = replace(queries.new_membership(tx.now, group.id, owner_id, GroupRole.OWNER), joined_at=tx.now)
    await queries.put_member(tx, membership)
    await audit_log.add(tx, group.id, owner_id, GroupLogAction.CREATED, by=owner_id, before=None, after=GroupRole.OWNER)
    await _notify_webhooks(tx, group)
    return group


async def visible(reader: Reader, slug: GroupSlug, viewer: UserId | None) -> tuple[Group, Membership | None]:
    """Return the group and the viewer's membership.

    Raises NotFound, whether the group does not exist or is hidden from the viewer, and Gone.
    """
    return await _require_visible(reader, await queries.by_slug(reader, slug), slug, viewer)


async def position_in_lists(reader: Reader, group_id: GroupId, viewer: UserId | None) -> tuple[str, str] | None:
    """The position of a group in lists by name. None if it is in no list of this viewer: it would reveal the name."""
    group = await queries.by_id(reader, group_id)
    membership = await queries.find_member(reader, group_id, viewer) if viewer else None
    is_own = membership is not None and membership.role in {*INSIDE, GroupRole.PENDING}
    if group is None or (group.details.visibility is not GroupVisibility.PUBLIC and not is_own):
        return None
    return queries.search_text(group.details), group.id


async def lock_for(
    tx: Transaction, caller: Caller, slug: GroupSlug, action: GroupPermission, *, expected_revision: int | None = None
) -> tuple[Group, GroupRole]:
    """Lock the group for a caller who has this permission. Raises NotFound, Forbidden, PreconditionFailed."""
    group, membership = await lock_visible(tx, caller, slug)
    rules.require_managed_here(group, action)
    role = membership.role if membership else None
    rules.require_permission(role, action)
    assert role is not None  # noqa: S101  # nothing is permitted without a membership
    if expected_revision is not None and group.revision != expected_revision:
        raise PreconditionFailed(GroupReason.CHANGED_SINCE_OPENED)
    return group, role


async def lock_visible(tx: Transaction, caller: Caller, slug: GroupSlug) -> tuple[Group, Membership | None]:
    """Like ``visible``, but locks the group row, so that the membership cannot change meanwhile."""
    group = await queries.by_slug(tx, slug)
    if group is not None:
        group = await queries.lock(tx, group.id)
    return await _require_visible(tx, group, slug, caller.user_id)


async def _require_visible(
    reader: Reader, group: Group | None, slug: GroupSlug, viewer: UserId | None
) -> tuple[Group, Membership | None]:
    """``visible`` for the group that was found by ``slug``, which may be its id."""
    membership = await queries.find_member(reader, group.id, viewer) if group and viewer else None
    role = membership.role if membership else None
    if group is not None and slug == GroupSlug(group.id) and not rules.may_find_by_id(group, role):
        group = None
    return rules.require_visible(group, role), membership


async def edit(
    tx: Transaction, caller: Caller, slug: GroupSlug, details: GroupDetails, *, expected_revision: int | None = None
) -> tuple[Group, Group]:
    """Replace the group's details and return the group before and after the edit.

    A new name gives a new slug; the old one redirects. A chosen slug stays as long as the group is public; otherwise
    the group gets an unguessable one. The visibility of the group's events may change as well:
    ``attendance.group_hosting`` calls this function and handles that. Raises the same errors as ``lock_for``.
    """
    before, _ = await lock_for(tx, caller, slug, GroupPermission.EDIT_GROUP, expected_revision=expected_revision)
    if before.details == details:
        return before, before
    if details.announces_events is not before.details.announces_events and caller.user_id != before.owner_id:
        raise Forbidden(GroupReason.ONLY_OWNER_SETS_LEVEL)
    if details.sync_enabled is not before.details.sync_enabled and caller.user_id != before.owner_id:
        raise Forbidden(GroupReason.ONLY_OWNER_PUBLISHES)
    if details.sync_enabled is not before.details.sync_enabled:
        await publications.forget_deletion_elsewhere(tx, kind=PublicationKind.GROUP, subject_id=before.id)
    return before, await change(tx, before, replace(before, details=details), by=caller.user_id)


async def change(tx: Transaction, before: Group, edited: Group, *, by: UserId, is_read: bool = False) -> Group:
    """Save changes to a locked group.

    ``is_read``: the changes were read from the group's record, so no publication is enqueued.
    """
    details = edited.details
    after = replace(edited, revision=before.revision + 1, updated_at=tx.now)
    if _is_generated(before.slug, before.details.name):
        is_renamed = slug_words(details.name, otherwise="group") != slug_words(before.details.name, otherwise="group")
    else:
        is_renamed = details.visibility is not GroupVisibility.PUBLIC
    if is_renamed:
        await queries.keep_slug(tx, before.slug, before.id)
        after = replace(after, slug=GroupSlug(new_slug(details.name, otherwise="group")))
    is_moved = (details.locality, details.country) != (before.details.locality, before.details.country)
    if is_moved:
        after = replace(after, latitude="", longitude="")
    if after.network.record_uri is not None:
        values = partial(_record_value, before.details), partial(_record_value, after.details)
        await settle_edited(tx, [EditOfRecord(after.network.record_uri, *values)])
    await save(tx, after, publishes=not is_read)
    await audit_log.add(
        tx, after.id, by, GroupLogAction.EDITED, by=by, note=audit_log.IN_ANOTHER_APP if is_read else ""
    )
    return after


def _record_value(details: GroupDetails, name: str) -> object:
    """The value of a field, which is named as in the group's record."""
    return getattr(details, "promotion_level" if name == "level" else name)


async def choose_address(tx: Transaction, caller: Caller, slug: GroupSlug, slug_text: str) -> Group:
    """Give a public group a slug chosen by its admin; the old one redirects.

    Raises NotFound, Forbidden, Refused, InvalidForm.
    """
    group, _ = await lock_for(tx, caller, slug, GroupPermission.EDIT_GROUP)
    if group.details.visibility is not GroupVisibility.PUBLIC:
        # A chosen slug can be guessed, and the answer "taken" would reveal that a hidden group exists.
        raise Refused(GroupReason.NOT_PUBLIC, name="NotPublic")
    address = GroupSlug(slug_text.strip().lower())
    if address == group.slug:
        return group
    if not 3 <= len(address) <= MAX_ADDRESS or not _ADDRESS.fullmatch(address) or address in _RESERVED_SLUGS:
        raise InvalidForm({"address": GroupReason.MALFORMED_ADDRESS(most=MAX_ADDRESS)})
    looks_generated = _GENERATED_EARLIER.search(address) is not None or _is_generated(address, group.details.name)
    if looks_generated or await queries.is_slug_taken(tx, address, by_others_than=group.id):
        raise InvalidForm({"address": GroupReason.ADDRESS_TAKEN})
    await queries.keep_slug(tx, group.slug, group.id)
    after = replace(group, slug=address, revision=group.revision + 1, updated_at=tx.now)
    await save(tx, after)
    await audit_log.add(tx, group.id, caller.user_id, GroupLogAction.ADDRESS_CHANGED, by=caller.user_id, note=address)
    return after


async def replace_link(
    tx: Transaction, caller: Caller, slug: GroupSlug, *, expected_revision: int | None = None
) -> Group:
    """Give an unlisted group a new link. Every earlier link stops working.

    Raises NotFound, Forbidden, PreconditionFailed, and Refused (``PublicGroup``) if the group is listed publicly.
    """
    group, _ = await lock_for(tx, caller, slug, GroupPermission.EDIT_GROUP, expected_revision=expected_revision)
    if group.details.visibility is GroupVisibility.PUBLIC:
        raise Refused(GroupReason.PUBLIC_GROUP, name="PublicGroup")
    earlier = await queries.drop_slugs(tx, group.id)
    await slugs.retire(tx, LinkKind.GROUP, [(one, group.id) for one in (group.slug, *earlier)])
    fresh = GroupSlug(new_slug(group.details.name, otherwise="group"))
    after = replace(group, slug=fresh, revision=group.revision + 1, updated_at=tx.now)
    await save(tx, after)
    await audit_log.add(tx, group.id, caller.user_id, GroupLogAction.ADDRESS_CHANGED, by=caller.user_id, note="")
    return after


async def set_picture(
    tx: Transaction, caller: Caller, slug: GroupSlug, picture: Picture, *, expected_revision: int | None = None
) -> Group:
    """Set the picture of a group. Raises NotFound, Forbidden, Refused, PreconditionFailed."""
    before, _ = await lock_for(tx, caller, slug, GroupPermission.EDIT_GROUP, expected_revision=expected_revision)
    return await _show_picture(tx, caller, before, picture)


async def describe_picture(
    tx: Transaction, caller: Caller, slug: GroupSlug, alt: str, *, expected_revision: int | None = None
) -> Group:
    """Change the picture's description. Raises the same errors as ``set_picture``, and Refused (``NoPicture``)."""
    before, _ = await lock_for(tx, caller, slug, GroupPermission.EDIT_GROUP, expected_revision=expected_revision)
    if before.picture is None:
        raise Refused(GroupReason.NO_PICTURE, name="NoPicture")
    return await _show_picture(tx, caller, before, replace(before.picture, alt=alt))


async def remove_picture(
    tx: Transaction, caller: Caller, slug: GroupSlug, *, expected_revision: int | None = None
) -> Group:
    """Remove the picture. Raises the same errors as ``set_picture``."""
    before, _ = await lock_for(tx, caller, slug, GroupPermission.EDIT_GROUP, expected_revision=expected_revision)
    return await _show_picture(tx, caller, before, None)


async def _show_picture(tx: Transaction, caller: Caller, before: Group, picture: Picture | None) -> Group:
    if before.picture == picture and before.network.avatar_cid is None:
        return before
    revision = before.revision + 1
    network = replace(before.network, avatar_cid=None, picture_revision=revision)
    after = replace(before, picture=picture, network=network, revision=revision, updated_at=tx.now)
    await save(tx, after)
    await audit_log.add(tx, after.id, caller.user_id, GroupLogAction.EDITED, by=caller.user_id)
    return after


async def delete(tx: Transaction, caller: Caller, slug: GroupSlug, *, expected_revision: int | None = None) -> Group:
    """Delete the group. Its events stay with their hosts and do not become visible to more people."""
    group, _ = await lock_for(tx, caller, slug, GroupPermission.DELETE, expected_revision=expected_revision)
    return await delete_locked(tx, group, by=caller.user_id)


async def delete_locked(tx: Transaction, group: Group, *, by: UserId) -> Group:
    """Delete a locked group, as ``delete`` does."""
    gone = replace(group, picture=None, deleted_at=tx.now, updated_at=tx.now, revision=group.revision + 1)
    await save(tx, gone)
    await publication.enqueue_members(tx, group.id)
    await audit_log.add(tx, group.id, by, GroupLogAction.DELETED, by=by)
    return gone


async def join(tx: Transaction, caller: Caller, slug: GroupSlug, answer: str = "") -> Membership:
    """Join the group or request to join, depending on its policy. Idempotent.

    Raises NotFound, Refused (``Banned``, ``InvitationOnly``, ``NotWelcome``) and InvalidForm (the group's question was
    not answered).
    """
    group, membership = await lock_visible(tx, caller, slug)
    rules.require_managed_here(group, GroupPermission.APPROVE)
    await raise_if_unwelcome(tx, group.owner_id, caller.user_id, refusal=GroupReason.CANNOT_JOIN)
    before = membership.role if membership else None
    after = rules.role_after_joining(group, before)
    if membership is not None and after is membership.role:
        return membership
    answered = rules.check_answer(group, answer)
    current = membership or queries.new_membership(tx.now, group.id, caller.user_id, after)
    if after is GroupRole.PENDING:
        request = replace(current, answer=answered, requested_at=tx.now, decided_by=None, decided_at=None)
        saved = await put(tx, request, after, GroupLogAction.ASKED, by=caller.user_id, before=before)
        await notify.of_request(tx, group, saved)
        return saved
    joined = replace(current, joined_at=tx.now)
    return await put(tx, joined, after, GroupLogAction.JOINED, by=caller.user_id, before=before)


async def leave(tx: Transaction, caller: Caller, slug: GroupSlug) -> Membership:
    """Leave the group, or withdraw a request to join. Raises Refused for the owner and Forbidden for non-members."""
    group, membership = await lock_visible(tx, caller, slug)
    if membership is not None and membership.role is GroupRole.LEFT:
        return membership
    rules.require_able_to_leave(membership.role if membership else None)
    assert membership is not None  # noqa: S101  # only members may leave
    if group.is_read_only:
        # In a group managed in another app, membership is the member's own statement, so leaving retracts it.
        membership = replace(membership, sync_enabled=False)
    return await put(tx, membership, GroupRole.LEFT, GroupLogAction.LEFT, by=caller.user_id, before=membership.role)


async def set_notifications(tx: Transaction, caller: Caller, slug: GroupSlug, *, enabled: bool) -> Membership:
    """Turn the caller's notifications from the group on or off. Raises NotFound, Forbidden."""
    _, membership = await lock_visible(tx, caller, slug)
    rules.require_permission(membership.role if membership else None, GroupPermission.VIEW)
    assert membership is not None  # noqa: S101  # members have a membership row
    saved = replace(membership, notifications_enabled=enabled, revision=membership.revision + 1)
    await queries.put_member(tx, saved)
    return saved


async def follow(tx: Transaction, caller: Caller, slug: GroupSlug, *, enabled: bool = True) -> Group:
    """Follow the group to be notified of new events. Calling it again with another ``enabled`` turns notifications on
    or off.

    Raises NotFound, Refused (``NotWelcome``).
    """
    # Locked, because a ban ends the following of the group, also one that begins at the same time.
    group, membership = await lock_visible(tx, caller, slug)
    await raise_if_unwelcome(tx, group.owner_id, caller.user_id, refusal=GroupReason.CANNOT_FOLLOW)
    if membership is not None and membership.role is GroupRole.BANNED:
        raise Refused(GroupReason.CANNOT_FOLLOW, name="NotWelcome")
    await membership_queries.put_follower(tx, group.id, caller.user_id, notifications_enabled=enabled)
    return group


async def unfollow(tx: Transaction, caller: Caller, slug: GroupSlug) -> None:
    """Stop following the group. Idempotent. Raises NotFound."""
    group, _ = await visible(tx, slug, caller.user_id)
    await membership_queries.end_following(tx, group.id, caller.user_id)


async def put(
    tx: Transaction,
    membership: Membership,
    after: GroupRole,
    act: GroupLogAction,
    *,
    by: UserId,
    before: GroupRole | None,
    note: str = "",
) -> Membership:
    """Store a membership of a locked group and write its log entry. ``before`` is None for a new membership."""
    saved = replace(membership, role=after, revision=membership.revision + (0 if before is None else 1))
    await queries.put_member(tx, saved)
    await audit_log.add(tx, saved.group_id, saved.user_id, act, by=by, before=before, after=after, note=note)
    if after is GroupRole.BANNED:
        await membership_queries.end_following(tx, saved.group_id, saved.user_id)
    if GroupPermission.INVITE in rules.ALLOWED[before] - rules.ALLOWED[after]:
        # Invitations by e-mail stay: each is for one person, whom the group may expect.
        await invitation_queries.revoke_links_of(tx, saved.group_id, saved.user_id)
    if after in INSIDE and before not in INSIDE:
        # RSVPs that they made in other apps to events of this group may be waiting for the membership.
        await enqueue_again(tx, JobKind.GAINED_ACCESS, [saved.user_id])
    elif after is GroupRole.BANNED or (before in INSIDE and after not in INSIDE):
        # They may hold seats at events that they can no longer see or come to, while others are on the waitlist.
        await enqueue_again(tx, JobKind.LEFT_GROUP, [saved.user_id])
        await _end_offer_to(tx, saved, by=by)
    subject = ChangedSubject(f"{saved.group_id}/{saved.user_id}", (saved.user_id,), saved.group_id)
    await enqueue_deliveries(tx, WebhookEvent.MEMBERSHIP, [subject])
    return saved


async def _end_offer_to(tx: Transaction, left: Membership, *, by: UserId) -> None:
    """End an offer of ownership to somebody who is no longer in the group, so that it does not apply if they return."""
    group = await queries.by_id(tx, left.group_id)
    if group is None or group.offer is None or group.offer.heir_id != left.user_id:
        return
    await queries.update(tx, replace(group, offer=None, revision=group.revision + 1, updated_at=tx.now))
    await audit_log.add(tx, group.id, left.user_id, GroupLogAction.OFFER_ENDED, by=by)


async def save(tx: Transaction, group: Group, *, publishes: bool = True) -> None:
    """Save the next revision of a locked group and notify webhooks.

    With ``publishes``, also enqueue the group's record. Pass False if the record already has these changes.
    """
    await (queries.update if publishes else queries.store)(tx, group)
    await _notify_webhooks(tx, group)


async def _notify_webhooks(tx: Transaction, group: Group) -> None:
    await enqueue_deliveries(tx, WebhookEvent.GROUP, [ChangedSubject(group.id, (group.owner_id,), group.id)])


def _is_generated(slug: GroupSlug, name: str) -> bool:
    """Whether the slug was generated from this name. The length alone does not decide: a chosen slug may also end in a
    ten-letter word.
    """
    words = slug_words(name, otherwise="group")
    random = slug.removeprefix(words)
    return random != slug and len(random) - 1 in _RANDOM_LENGTHS and _RANDOM.fullmatch(random) is not None
