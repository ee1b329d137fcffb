"""A person's notification preferences: topics, channels and times."""

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, NotFound
from groundwork.http.forms import FormState, form_with_problems, outdated_form, read_form
from openmeet.domain.notifications import email_links, notify, preferences, rules
from openmeet.domain.notifications.model import (
    BY_MAIL_ALONE,
    Channel,
    DeliveryHours,
    NotificationTopic,
)
from openmeet.domain.users.model import UserId, UserReason
from openmeet.domain.users.queries import by_id, lock
from openmeet.domain.validation import GeneralReason
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import LazyText, gettext, lazy
from openmeet.i18n.formatting import OFFERED_ZONES, ZONES
from openmeet.web.api.etags import version_of_values
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

PREFERENCES_PATH = "/settings/notifications"

# One table row for each: the topic's label, and when a notification is sent.
_TOPICS = (
    (
        lazy("Events you go to"),
        (
            (
                NotificationTopic.CHANGES,
                lazy("Changes"),
                lazy("An event you answered is moved, cancelled, back on or deleted."),
            ),
            (
                NotificationTopic.OWN_ANSWERS,
                lazy("Your answers"),
                lazy("You say you’re going, and we send the time, the place and a calendar entry."),
            ),
            (NotificationTopic.REMINDERS, lazy("Reminders"), lazy("The day before an event you’re going to.")),
            (NotificationTopic.WAITLIST, lazy("Waitlist"), lazy("A place becomes free for you.")),
            (
                NotificationTopic.MESSAGES,
                lazy("Messages"),
                lazy("The host of an event that you answered writes to you."),
            ),
            (NotificationTopic.PHOTOS, lazy("Photos"), lazy("Somebody adds photos of an event that you were at.")),
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
                lazy("The organisers of a group you’re in write to all members."),
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
            (NotificationTopic.HOSTS, lazy("People"), lazy("Somebody you follow has a new public event.")),
            (
                NotificationTopic.SEARCHES,
                lazy("Searches"),
                lazy("A new or changed event matches one of your saved searches."),
            ),
        ),
    ),
)
# Hidden field with the version of the preferences that the form shows.
_VERSION: Final = "version"
_TopicRow = tuple[NotificationTopic, LazyText, LazyText]
# The choices of one group of topics in words, by whether they are shown on this site, and how they are mailed.
_STATES: Final = {
    (True, "email"): lazy("On this site, and soon by e-mail"),
    (True, "digest"): lazy("On this site, and in the daily e-mail"),
    (True, ""): lazy("On this site"),
    (False, "email"): lazy("Soon by e-mail"),
    (False, "digest"): lazy("In the daily e-mail"),
    (False, ""): lazy("Off"),
}
_MAIL = (("email", lazy("Soon")), ("digest", lazy("Daily")), ("", lazy("None")))
_MAIL_CHOICES: Final = (
    (Channel.EMAIL.value, lazy("E-mail soon")),
    (Channel.DIGEST.value, lazy("E-mail daily")),
    ("", lazy("No e-mail")),
)


def routes() -> list[Route]:
    return [
        Route(PREFERENCES_PATH, show_preferences, methods=["GET"]),
        Route(PREFERENCES_PATH, save_preferences, methods=["POST"]),
        Route(f"{PREFERENCES_PATH}/revoke-links", revoke_links, methods=["POST"]),
    ]


async def show_preferences(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        values = await _preference_values(reader, caller.user_id)
    return await _preferences_page(request, FormState(values))


async def save_preferences(request: Request) -> Response:
    caller = caller_of(request)
    form = await read_form(request)
    try:
        hours = rules.check_hours(form, frozenset(ZONES))
    except InvalidForm as wrong:
        return await _preferences_page(request, form_with_problems(form, wrong), status=400)
    async with database_of(request).transaction() as tx:
        await lock(tx, caller.user_id)
        current = await _preference_values(tx, caller.user_id)
        outdated = outdated_form(form, current, UserReason.CHANGED_WHILE_OPEN, versions=(_VERSION,), label=_value_label)
        is_changed = form.get(_VERSION, current[_VERSION]) != current[_VERSION]
        if not (is_changed and outdated.others):
            chosen = {topic: _channels(form, topic) for topic in NotificationTopic}
            await notify.set_channels(tx, caller.user_id, chosen)
            await notify.set_hours(tx, caller.user_id, hours)
            return go(PREFERENCES_PATH, flash="notifications_saved")
    return await _preferences_page(request, outdated, status=409)


async def revoke_links(request: Request) -> Response:
    """Revoke the links in all e-mails sent so far."""
    async with database_of(request).transaction() as tx:
        await email_links.revoke_all(tx, caller_of(request).user_id)
    return go(PREFERENCES_PATH, flash="links_revoked")


def _channels(form: dict[str, str], topic: NotificationTopic) -> frozenset[Channel]:
    mail = form.get(f"{topic}_mail", "")
    channels = {channel for channel in (Channel.EMAIL, Channel.DIGEST) if channel.value == mail}
    return frozenset(channels | ({Channel.IN_APP} if f"{topic}_in_app" in form else set()))


async def _preference_values(reader: Reader, user_id: UserId) -> dict[str, str]:
    """The form's values. Raises NotFound if there is no such user."""
    hours = await preferences.hours(reader, user_id)
    if hours is None:
        raise NotFound(GeneralReason.NO_SUCH_PERSON)
    values = _hours_values(hours) | _choice_values(await preferences.of_person(reader, user_id))
    return {**values, _VERSION: version_of_values(values)}


def _choice_values(channels_by_topic: dict[NotificationTopic, frozenset[Channel]]) -> dict[str, str]:
    values = {}
    for topic, channels in channels_by_topic.items():
        values[f"{topic}_mail"] = next((one.value for one in (Channel.EMAIL, Channel.DIGEST) if one in channels), "")
        if topic not in BY_MAIL_ALONE:
            values[f"{topic}_in_app"] = "on" if Channel.IN_APP in channels else ""
    return values


def _hours_values(hours: DeliveryHours) -> dict[str, str]:
    start, end = (one.isoformat("minutes") for one in hours.quiet) if hours.quiet else ("", "")
    return {
        "time_zone": hours.time_zone,
        "quiet_from": start,
        "quiet_until": end,
        "digest_hour": str(hours.digest_hour),
    }


def _value_label(name: str, text: str) -> str:
    if name == f"{NotificationTopic.WEEK}_mail":
        return gettext("On") if text else gettext("Off")
    if name.endswith("_in_app"):
        return gettext("on the page") if text else gettext("not on the page")
    if name.endswith("_mail"):
        return gettext("by e-mail: %(when)s", when=str(dict(_MAIL)[text]).lower())
    return text.replace("_", " ") if name == "time_zone" else text


def _topic_fields(rows: Sequence[_TopicRow]) -> list[str]:
    """The names of the form's fields about these topics."""
    return [f"{topic}_{channel}" for topic, *_ in rows for channel in ("in_app", "mail")]


def _state_of(form_state: FormState, rows: Sequence[_TopicRow]) -> str:
    """What is chosen for all of these topics."""
    sites = {bool(form_state.value(f"{topic}_in_app")) for topic, *_ in rows if topic not in BY_MAIL_ALONE}
    mails = {form_state.value(f"{topic}_mail") for topic, *_ in rows}
    state = (sites == {True}, next(iter(mails)))
    if len(sites) > 1 or len(mails) > 1 or state not in _STATES:
        return gettext("Different for each")
    return str(_STATES[state])


async def _preferences_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    async with database_of(request).reader() as reader:
        user = await by_id(reader, caller_of(request).user_id)
    context = {
        "typed": form_state,
        "topics": [(heading, rows, _topic_fields(rows), _state_of(form_state, rows)) for heading, rows in _TOPICS],
        "mail": _MAIL_CHOICES,
        "hours": [("", gettext("Not set")), *((f"{hour:02}:00", formatting.full_hour(hour)) for hour in range(24))],
        "by_mail_alone": BY_MAIL_ALONE,
        "week_hour": rules.WEEK_BEGINS_AT.hour,
        "zones": OFFERED_ZONES,
        "email": user.email if user else None,
    }
    return page(request, "notifications/settings.html", context, status=status)
