"""The caller's notifications and their preferences for them, as JSON."""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader
from groundwork.errors import NotFound
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.notifications import notify, preferences, rules
from openmeet.domain.notifications.model import Channel, NotificationTopic
from openmeet.domain.notifications.queries import count_unread
from openmeet.domain.paging import MAX_LIMIT
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.emails.notifications import content
from openmeet.emails.notifications.content import NEWS_SHOWN
from openmeet.i18n import formatting
from openmeet.i18n.formatting import ZONES
from openmeet.web.api.etags import IF_MATCH, require_match_with_shown
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, limit_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.tenant_routing import database_of

_PREFERENCES_PATH = "/api/notification-preferences"
Mail = Literal["at_once", "digest", "none"]
_CHANNELS: dict[Mail, frozenset[Channel]] = {
    "at_once": frozenset({Channel.EMAIL}),
    "digest": frozenset({Channel.DIGEST}),
    "none": frozenset(),
}
# The weekly e-mail can only be on or off.
_LISTED_TOPICS = tuple(topic for topic in NotificationTopic if topic is not NotificationTopic.WEEK)


class NotificationOutput(msgspec.Struct, rename="camel"):
    """One notification. ``sentence`` is its text on the page, ``path`` the page of its subject.

    ``path`` and ``slug`` are empty if the caller may no longer see the subject.
    """

    id: str
    kind: str
    slug: str
    title: str
    sentence: str
    created_at: str
    is_unread: bool
    path: str


class NewsPage(msgspec.Struct, rename="camel"):
    """The newest notifications or those before ``cursor``, and the number of unread ones. ``cursor`` is null on the
    last page.
    """

    items: list[NotificationOutput]
    unread: int
    cursor: str | None


class TopicPreference(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """One topic: whether it appears in the list, and how it is sent by e-mail."""

    in_app: bool
    mail: Mail


class NotificationPreferences(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """All preferences. Saving replaces all of them, so every field is required. ``ownAnswers`` are e-mailed at once or not
    at all, and never appear in the list. Quiet hours are ``HH:MM`` in ``timeZone``; set both, or null for none.
    ``digestHour`` is 0 to 23. ``chat`` covers mentions and replies, ``direct`` covers questions to hosts and their
    answers, and ``rooms`` covers unread messages. ``weeklyEmail``: on Monday morning an e-mail lists the events of the
    next seven days, and what waits for an answer.
    """

    changes: TopicPreference
    waitlist: TopicPreference
    reminders: TopicPreference
    new_dates: TopicPreference
    answers: TopicPreference
    group_events: TopicPreference
    announcements: TopicPreference
    requests: TopicPreference
    membership: TopicPreference
    messages: TopicPreference
    photos: TopicPreference
    mentions: TopicPreference
    searches: TopicPreference
    hosts: TopicPreference
    own_answers: TopicPreference
    chat: TopicPreference
    direct: TopicPreference
    rooms: TopicPreference
    time_zone: str
    digest_hour: int
    weekly_email: bool
    quiet_from: str | None
    quiet_until: str | None


async def show(request: Request) -> Response:
    caller, limit = caller_of(request), limit_of(request, NEWS_SHOWN, MAX_LIMIT)
    async with database_of(request).reader() as reader:
        news, cursor = await content.newest_notifications(
            reader, caller.user_id, request.query_params.get("cursor", ""), limit
        )
        items = await content.notification_lines(reader, news, caller.user_id)
        unread = await count_unread(reader, caller.user_id)
    shown = [
        NotificationOutput(
            one.id,
            one.kind.name,
            item.slug,
            item.title,
            f"{item.before}{item.title}{item.after}",
            formatting.iso(one.created_at),
            item.is_unread,
            item.path,
        )
        for one, item in items
    ]
    return json_response(NewsPage(shown, unread, cursor))


async def mark_read(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await notify.mark_all_read(tx, caller_of(request).user_id)
    return Response(status_code=204)


async def show_preferences(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        return json_response(await _preferences_output(reader, caller.user_id))


async def save(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, NotificationPreferences)
    form = {
        "time_zone": body.time_zone,
        "digest_hour": str(body.digest_hour),
        "quiet_from": body.quiet_from or "",
        "quiet_until": body.quiet_until or "",
    }
    hours = rules.check_hours(form, frozenset(ZONES))
    preferences_by_topic: dict[NotificationTopic, TopicPreference] = {
        topic: getattr(body, topic.value) for topic in _LISTED_TOPICS
    }
    channels_by_topic = {
        topic: _CHANNELS[one.mail] | ({Channel.IN_APP} if one.in_app else frozenset())
        for topic, one in preferences_by_topic.items()
    }
    channels_by_topic[NotificationTopic.WEEK] = _CHANNELS["at_once" if body.weekly_email else "none"]
    async with database_of(request).transaction() as tx:
        await user_queries.lock(tx, caller.user_id)
        require_match_with_shown(request, await _preferences_output(tx, caller.user_id))
        await notify.set_channels(tx, caller.user_id, channels_by_topic)
        await notify.set_hours(tx, caller.user_id, hours)
        return json_response(await _preferences_output(tx, caller.user_id))


async def _preferences_output(reader: Reader, user_id: UserId) -> NotificationPreferences:
    channels_by_topic = await preferences.of_person(reader, user_id)
    hours = await preferences.hours(reader, user_id)
    if hours is None:
        raise NotFound(GeneralReason.NO_SUCH_PERSON)
    start, end = (one.isoformat("minutes") for one in hours.quiet) if hours.quiet else (None, None)
    return NotificationPreferences(
        **{topic.value: _topic_preference(channels_by_topic[topic]) for topic in _LISTED_TOPICS},
        weekly_email=Channel.EMAIL in channels_by_topic[NotificationTopic.WEEK],
        time_zone=hours.time_zone,
        digest_hour=hours.digest_hour,
        quiet_from=start,
        quiet_until=end,
    )


def _topic_preference(channels: frozenset[Channel]) -> TopicPreference:
    mail: Mail = "at_once" if Channel.EMAIL in channels else "digest" if Channel.DIGEST in channels else "none"
    return TopicPreference(Channel.IN_APP in channels, mail)


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/notifications",
        "listNotifications",
        "Your notifications, newest first",
        show,
        {200: NewsPage},
        parameters=(CURSOR, LIMIT),
    ),
    ApiOperation(
        "POST", "/api/notifications/read", "readNotifications", "Mark notifications as read", mark_read, {204: None}
    ),
    ApiOperation(
        "GET",
        _PREFERENCES_PATH,
        "showNotificationPreferences",
        "Notification preferences",
        show_preferences,
        {200: NotificationPreferences},
    ),
    ApiOperation(
        "PUT",
        _PREFERENCES_PATH,
        "saveNotificationPreferences",
        "Replace the notification preferences",
        save,
        {200: NotificationPreferences},
        NotificationPreferences,
        (IF_MATCH,),
        failures=(412,),
    ),
)
