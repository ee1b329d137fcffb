"""Notification preferences: topics, channels and times."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidForm, NotFound
from groundwork.http.forms import FormState, form_with_problems, read_form
from openmeet.domain.notifications import links, notify, preferences, rules
from openmeet.domain.notifications.model import BY_MAIL_ALONE, Channel, DeliveryHours, NotificationTopic
from openmeet.domain.users.queries import by_id
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import lazy
from openmeet.i18n.formatting import ZONES
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

PATH = "/settings/notifications"

# One table row for each: the topic's label, and when a notification is sent.
_TOPICS = (
    (
        lazy("Events you go to"),
        (
            (
                NotificationTopic.CHANGES,
                lazy("Changes"),
                lazy("An event you answered is moved, cancelled, back on or removed."),
            ),
            (
                NotificationTopic.OWN_ANSWERS,
                lazy("Your answers"),
                lazy("You’re going: time, place and a calendar entry."),
            ),
            (NotificationTopic.REMINDERS, lazy("Reminders"), lazy("The day before an event you’re going to.")),
            (NotificationTopic.WAITLIST, lazy("Waitlist"), lazy("A place becomes free for you.")),
            (
                NotificationTopic.MESSAGES,
                lazy("Messages"),
                lazy("The host of an event that you answered writes to you."),
            ),
            (
                NotificationTopic.MENTIONS,
                lazy("Mentions"),
                lazy("Somebody mentions your @name in one of your events or groups."),
            ),
        ),
    ),
    (
        lazy("Chat"),
        (
            (
                NotificationTopic.CHAT,
                lazy("Mentions and replies"),
                lazy("Somebody mentions you or replies to you in a chat."),
            ),
            (
                NotificationTopic.DIRECT,
                lazy("Questions"),
                lazy("Somebody asks you as a host, a host answers you, or your co-hosts write."),
            ),
            (
                NotificationTopic.ROOMS,
                lazy("Unread messages"),
                lazy("There are new messages in one of your chats."),
            ),
        ),
    ),
    (
        lazy("What you host and run"),
        (
            (NotificationTopic.ANSWERS, lazy("Answers"), lazy("Somebody answers an event that you host.")),
            (NotificationTopic.REQUESTS, lazy("Requests"), lazy("Somebody asks to join a group that you run.")),
        ),
    ),
    (
        lazy("Groups you’re in"),
        (
            (
                NotificationTopic.GROUP_EVENTS,
                lazy("Their events"),
                lazy("A group that you’re in, or follow, has a new event."),
            ),
            (
                NotificationTopic.ANNOUNCEMENTS,
                lazy("Announcements"),
                lazy("The people who run a group you’re in write to all members."),
            ),
            (
                NotificationTopic.MEMBERSHIP,
                lazy("Your membership"),
                lazy("Your request is answered, your role changes, or a group is offered to you."),
            ),
        ),
    ),
    (
        lazy("What you follow"),
        (
            (NotificationTopic.NEW_DATES, lazy("New dates"), lazy("A series that you follow has a new date.")),
            (NotificationTopic.HOSTS, lazy("People"), lazy("Someone you follow has a new public event.")),
            (
                NotificationTopic.SEARCHES,
                lazy("Searches"),
                lazy("A new or changed event matches one of your saved searches."),
            ),
        ),
    ),
)
_MAIL = (("email", lazy("Immediately")), ("digest", lazy("Daily")), ("", lazy("None")))


def routes() -> list[Route]:
    return [
        Route(PATH, show, methods=["GET"]),
        Route(PATH, save, methods=["POST"]),
        Route(f"{PATH}/revoke-links", revoke_links, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        channels_by_topic = await preferences.of_person(reader, caller.user_id)
        hours = await preferences.hours(reader, caller.user_id)
    if hours is None:
        raise NotFound(GeneralReason.NO_SUCH_PERSON)
    return await _preferences_page(request, FormState({**_hours_values(hours), **_choice_values(channels_by_topic)}))


async def save(request: Request) -> Response:
    caller = caller_of(request)
    form = await read_form(request)
    try:
        hours = rules.check_hours(form, frozenset(ZONES))
    except InvalidForm as wrong:
        return await _preferences_page(request, form_with_problems(form, wrong), status=400)
    async with database_of(request).transaction() as tx:
        await notify.set_channels(tx, caller.user_id, {topic: _channels(form, topic) for topic in NotificationTopic})
        await notify.set_hours(tx, caller.user_id, hours)
    return go(PATH, flash="notifications_saved")


async def revoke_links(request: Request) -> Response:
    """Revoke the links in all e-mails sent so far."""
    async with database_of(request).transaction() as tx:
        await links.revoke_all(tx, caller_of(request).user_id)
    return go(PATH, flash="links_revoked")


def _channels(form: dict[str, str], topic: NotificationTopic) -> frozenset[Channel]:
    mail = form.get(f"{topic}_mail", "")
    channels = {channel for channel in (Channel.EMAIL, Channel.DIGEST) if channel.value == mail}
    return frozenset(channels | ({Channel.IN_APP} if f"{topic}_in_app" in form else set()))


def _choice_values(channels_by_topic: dict[NotificationTopic, frozenset[Channel]]) -> dict[str, str]:
    values = {}
    for topic, channels in channels_by_topic.items():
        values[f"{topic}_mail"] = next((one.value for one in (Channel.EMAIL, Channel.DIGEST) if one in channels), "")
        if Channel.IN_APP in channels:
            values[f"{topic}_in_app"] = "on"
    return values


def _hours_values(hours: DeliveryHours) -> dict[str, str]:
    start, end = (one.isoformat("minutes") for one in hours.quiet) if hours.quiet else ("", "")
    return {
        "time_zone": hours.time_zone,
        "quiet_from": start,
        "quiet_until": end,
        "digest_hour": str(hours.digest_hour),
    }


async def _preferences_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    async with database_of(request).reader() as reader:
        user = await by_id(reader, caller_of(request).user_id)
    context = {
        "typed": form_state,
        "topics": _TOPICS,
        "mail": _MAIL,
        "by_mail_alone": BY_MAIL_ALONE,
        "zones": ZONES,
        "email": user.email if user else None,
    }
    return page(request, "notifications/settings.html", context, status=status)
