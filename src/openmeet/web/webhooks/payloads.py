"""Webhook payloads: the data about a subject that the webhook's owner may currently see. Only this module decides about
the content of a delivery (invariant 3).

A user's webhook covers events that they host and their own RSVPs and memberships. A group's webhook covers what belongs
to the group, as long as its owner runs the group. The JSON is the same as in the API. Private attendees and guests are
counted but never named. Hosts can read their names on the page, but deliveries are copied, stored and passed on.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from groundwork.database.transaction import Reader
from openmeet.domain.attendance import host_list, rsvp_list_texts
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import AttendanceId
from openmeet.domain.attendance.rules import rsvp_gives_access
from openmeet.domain.chat import message_queries, notify, room_queries
from openmeet.domain.chat import queries as chat
from openmeet.domain.chat.access import access_in
from openmeet.domain.chat.addresses import addresses_of
from openmeet.domain.chat.model import Access, ChatMessageId
from openmeet.domain.chat.people import answered_privately
from openmeet.domain.events import event_access
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.disclosure import private_details
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups import rules as group_rules
from openmeet.domain.groups.model import INSIDE, GroupId
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series import visibility as series_visibility
from openmeet.domain.series.model import SeriesId
from openmeet.domain.users.model import UserId
from openmeet.domain.webhooks.deliver import View
from openmeet.domain.webhooks.model import Webhook, WebhookDelivery, WebhookEvent
from openmeet.i18n.formatting import iso
from openmeet.web.api.external_identity import sources_of
from openmeet.web.chat.schemas import message_shown
from openmeet.web.events import api
from openmeet.web.events.schemas import EventOutput, event_fields
from openmeet.web.groups.schemas import group_shown
from openmeet.web.series import json_views


def webhook_view(public_url: str) -> View:
    """The function that builds the payloads of deliveries."""

    async def view(reader: Reader, webhook: Webhook, delivery: WebhookDelivery) -> Mapping[str, Any] | None:
        if webhook.group_id is not None and not await _runs(reader, webhook):
            return None
        match delivery.kind:
            case WebhookEvent.EVENT:
                return await _event_payload(reader, webhook, EventId(delivery.subject_id), public_url)
            case WebhookEvent.SERIES:
                return await _series(reader, webhook, SeriesId(delivery.subject_id), public_url)
            case WebhookEvent.GROUP:
                return await _group_payload(reader, webhook, GroupId(delivery.subject_id), public_url)
            case WebhookEvent.ANSWER:
                return await _rsvp_payload(reader, webhook, AttendanceId(delivery.subject_id))
            case WebhookEvent.MEMBERSHIP:
                group_id, _, user_id = delivery.subject_id.partition("/")
                return await _membership(reader, webhook, GroupId(group_id), UserId(user_id))
            case WebhookEvent.CHAT_MESSAGE:
                return await _chat_message(reader, webhook, ChatMessageId(delivery.subject_id), public_url)
            case WebhookEvent.PING:
                return {}

    return view


async def _runs(reader: Reader, webhook: Webhook) -> bool:
    group_id = GroupId(webhook.group_id) if webhook.group_id else None
    return group_rules.may(await group_queries.role_in(reader, group_id, webhook.user_id), GroupPermission.EDIT_GROUP)


async def _concerns(reader: Reader, webhook: Webhook, event: Event) -> bool:
    """Whether the event belongs to the group, or is hosted by the owner."""
    if webhook.group_id is not None:
        return event.group is not None and event.group.id == webhook.group_id
    return event.id in await event_access.managed_among(reader, [event], webhook.user_id)


async def _event_payload(
    reader: Reader, webhook: Webhook, event_id: EventId, public_url: str
) -> Mapping[str, Any] | None:
    event = await event_queries.by_id(reader, event_id)
    if event is None or event.is_draft or not await _concerns(reader, webhook, event):
        return None
    if event.is_gone:
        return {"slug": event.slug, "isGone": True}
    own_rsvp = await attendance_queries.find(reader, event.id, webhook.user_id)
    if not await event_access.may_see(reader, event, webhook.user_id, has_rsvp_access=rsvp_gives_access(own_rsvp)):
        return None
    # Deliveries are copied and passed on, so they contain only public information, no matter who registered the
    # webhook.
    private = private_details(event, None, is_going=False, now=reader.now)
    surroundings = await api.load_surroundings(reader, [event], None, public_url)
    fields = event_fields(event, private, public_url) | surroundings.fields(event)
    shown: dict[str, Any] = msgspec.to_builtins(EventOutput(**fields))
    return shown | {"isGone": False}


async def _rsvp_payload(reader: Reader, webhook: Webhook, attendance_id: AttendanceId) -> Mapping[str, Any] | None:
    rsvp = await attendance_queries.by_id(reader, attendance_id)
    event = await event_queries.by_id(reader, rsvp.event_id) if rsvp else None
    if rsvp is None or event is None or event.is_gone:
        return None
    is_own = webhook.group_id is None and rsvp.user_id == webhook.user_id
    if not is_own and not await _concerns(reader, webhook, event):
        return None
    if not await event_access.may_see(
        reader, event, webhook.user_id, has_rsvp_access=is_own and rsvp_gives_access(rsvp)
    ):
        return None
    listed = await host_list.entries_by_ids(reader, event.id, [rsvp.id])
    if not listed:
        return None
    names = await shown_names(reader, [rsvp.user_id])
    # If a host invited an address, do not disclose its owner before they answer.
    is_named = is_own or not (rsvp.is_private or rsvp_list_texts.text_of(listed[0], names).is_named_by_address)
    return {
        "event": event.slug,
        "attendanceId": rsvp.id,
        "personId": rsvp.user_id if is_named else None,
        "displayName": names.get(rsvp.user_id) if is_named else None,
        "isPrivate": rsvp.is_private or not is_named,
        "party": rsvp.party,
        "status": rsvp.status.value,
        "answeredAt": iso(rsvp.answered_at),
        # Concurrent deliveries can arrive in either order. The higher revision is the current one.
        "revision": rsvp.revision,
    }


async def _series(reader: Reader, webhook: Webhook, series_id: SeriesId, public_url: str) -> Mapping[str, Any] | None:
    series = await series_queries.by_id(reader, series_id)
    if series is None:
        return None
    is_groups = series.group is not None and series.group.id == webhook.group_id
    if not (is_groups if webhook.group_id is not None else series.owner_id == webhook.user_id):
        return None
    if series.deleted_at is not None:
        return {"slug": series.slug, "isGone": True}
    if not await series_visibility.may_see(reader, series, webhook.user_id):
        return None
    # The public view, without details that are for attendees only.
    shown: dict[str, Any] = msgspec.to_builtins(await json_views.series_output(reader, series, None, public_url))
    return shown | {"isGone": False}


async def _chat_message(
    reader: Reader, webhook: Webhook, message_id: ChatMessageId, public_url: str
) -> Mapping[str, Any] | None:
    """A chat message. None if it is held or if the owner no longer hosts the room. People whose RSVP is private are not
    named.
    """
    one = await message_queries.by_id(reader, message_id)
    room = await room_queries.by_id(reader, one.room_id) if one else None
    if one is None or room is None or one.is_held or not await notify.may_be_sent_to_webhooks(reader, room):
        return None
    if webhook.group_id is not None and await notify.group_of_room(reader, room.id) != webhook.group_id:
        return None
    if await access_in(reader, room, webhook.user_id) is not Access.MODERATE:
        return None
    address = (await addresses_of(reader, [room], webhook.user_id)).get(room.id)
    if address is None:
        return None
    (shown,) = await chat.shown(reader, [one], None)
    message = message_shown(shown)
    reply = message.reply
    people = {message.author_id, reply.author_id if reply else None, *message.mentions} - {None}
    unnamed = await answered_privately(reader, room, {UserId(each) for each in people if each})
    if reply is not None and reply.author_id in unnamed:
        reply = msgspec.structs.replace(reply, author_id=None, author_name="")
    message = msgspec.structs.replace(
        message, reply=reply, mentions=[each for each in message.mentions if each not in unnamed]
    )
    if message.author_id in unnamed:
        message = msgspec.structs.replace(message, author_id=None, author_name="")
    shown_room = {"id": room.id, "kind": room.kind.value, "title": address.title, "url": f"{public_url}{address.path}"}
    return {"room": shown_room, "message": msgspec.to_builtins(message)}


async def _group_payload(
    reader: Reader, webhook: Webhook, group_id: GroupId, public_url: str
) -> Mapping[str, Any] | None:
    group = await group_queries.by_id(reader, group_id)
    if group is None or not (webhook.group_id == group_id if webhook.group_id else group.owner_id == webhook.user_id):
        return None
    if group.deleted_at is not None:
        return {"slug": group.slug, "isGone": True}
    counts = await group_queries.counts(reader, group_id)
    members = sum(counts.get(role, 0) for role in INSIDE)
    (source,) = await sources_of(reader, [(not group.is_read_only, group.network.record_uri)])
    shown: dict[str, Any] = msgspec.to_builtins(group_shown(group, None, members, public_url, source))
    return shown | {"isGone": False}


async def _membership(reader: Reader, webhook: Webhook, group_id: GroupId, user_id: UserId) -> Mapping[str, Any] | None:
    group = await group_queries.by_id(reader, group_id)
    member = await group_queries.find_member(reader, group_id, user_id)
    if group is None or group.deleted_at is not None or member is None:
        return None
    if webhook.group_id != group_id and not (webhook.group_id is None and user_id == webhook.user_id):
        return None
    names = await shown_names(reader, [user_id])
    return {"group": group.slug, "userId": user_id, "displayName": names[user_id], "role": member.role.value}
