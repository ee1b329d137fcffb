"""What a notification offers in place: people to decide about for a request to join, and buttons to answer an event."""

from collections.abc import Sequence
from typing import Final

from groundwork.database.transaction import Reader
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.attendance.queries import counts as counts_of
from openmeet.domain.events.model import EventId
from openmeet.domain.host_tasks.decisions import group_requests
from openmeet.domain.notifications.event_kinds import EVENT_CHANGED, INVITED, SEAT_OFFERED, NewAnswer
from openmeet.domain.notifications.group_kinds import JOIN_REQUEST
from openmeet.domain.notifications.model import NotificationId
from openmeet.domain.notifications.queries import Notification
from openmeet.domain.page_paths import group_path
from openmeet.domain.search import my_event_lists
from openmeet.domain.users.model import UserId
from openmeet.emails.notifications.content import NEWS_SHOWN, NotificationBundle
from openmeet.web.events.asking_people import AskingList, asking_by_event, asking_by_group
from openmeet.web.events.pending_decisions import MAX_WAITING, WaitingRow

_ANSWERED_IN_PLACE: Final = (INVITED, SEAT_OFFERED, EVENT_CHANGED)


def _is_request(notification: Notification) -> bool:
    """Whether somebody asked to join an event."""
    return isinstance(notification.payload, NewAnswer) and notification.payload.answer == AttendanceStatus.PENDING


def is_decided_in(above: Sequence[AskingList | None], bundle: NotificationBundle) -> bool:
    """Whether it is about a request that one of these lists above the notifications has."""
    if _is_request(bundle.newest):
        return any(one is not None and one.key == bundle.newest.subject_id for one in above)
    person = bundle.headline.person_id
    return bundle.newest.kind is JOIN_REQUEST and any(one is not None and one.only(person) for one in above)


async def asking_by_bundle(
    reader: Reader, bundles: Sequence[NotificationBundle], viewer: UserId
) -> dict[NotificationId, AskingList]:
    """The people to decide about for each bundle of requests, by its newest notification."""
    asking: dict[NotificationId, AskingList] = {}
    if of_events := {EventId(one.newest.subject_id): one.newest.id for one in bundles if _is_request(one.newest)}:
        hosted = await my_event_lists.with_requests(reader, viewer, NEWS_SHOWN)
        events = [event for event in hosted if event.id in of_events][:MAX_WAITING]
        counts = await counts_of(reader, [event.id for event in events])
        numbers = {event_id: one.pending_rsvps for event_id, one in counts.items()}
        lists = await asking_by_event(reader, events, viewer, numbers)
        asking |= {of_events[event_id]: one for event_id, one in lists.items()}
    if of_groups := [one for one in bundles if one.newest.kind is JOIN_REQUEST]:
        lists_by_group = await asking_by_group(reader, await group_requests(reader, viewer), viewer)
        for bundle in of_groups:
            alone = (one.only(bundle.headline.person_id) for one in lists_by_group.values())
            slug = bundle.headline.slug
            if found := next((one for one in alone if one and one.path == f"{group_path(slug)}/requests"), None):
                asking[bundle.newest.id] = found
    return asking


def reply_row(bundle: NotificationBundle, waiting: Sequence[WaitingRow]) -> WaitingRow | None:
    """The row with the buttons to answer the event that the notification is about; None if there is nothing to answer."""
    if bundle.newest.kind not in _ANSWERED_IN_PLACE:
        return None
    return next((one for one in waiting if one.card.slug == bundle.headline.slug and one.buttons), None)
