"""Settings list: each row shows the current state and links to its page. Also the list of sessions, which can be ended one
by one, and the switch for event suggestions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import NotFound
from groundwork.http.forms import local_path, read_form
from groundwork.token_hash import hash_token
from openmeet.domain.api_tokens import tokens
from openmeet.domain.attendance import proofs
from openmeet.domain.calendars import queries as calendars
from openmeet.domain.chat import matrix_people
from openmeet.domain.chat.matrix_people import MatrixConsent
from openmeet.domain.groups import membership_queries
from openmeet.domain.groups.model import INSIDE
from openmeet.domain.identities.queries import consent, own_handles, writable_of_user
from openmeet.domain.moderation.blocks import blocked_by, mutes_of
from openmeet.domain.notifications import preferences
from openmeet.domain.notifications.model import Channel
from openmeet.domain.paging import Page
from openmeet.domain.search import my_event_lists
from openmeet.domain.search.my_event_lists import MyEvents
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in import queries as sign_in_queries
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import queries
from openmeet.domain.users.model import User
from openmeet.domain.users.queries import by_id as user_by_id
from openmeet.domain.validation import GeneralReason
from openmeet.domain.webhooks import queries as webhooks
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import choices, gettext, lazy, ngettext
from openmeet.web.site import session
from openmeet.web.site.caller import caller_of
from openmeet.web.site.faces import avatar_of, portraits_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

# Maximum number of items that a row counts. No user has more.
_COUNTED: Final = Page(100)

_TRANSPORTS: Final = {SessionTransport.BROWSER: lazy("A browser"), SessionTransport.API: lazy("A program")}


@dataclass(frozen=True, slots=True)
class SettingsRow:
    """One row: an icon, a title and the current state."""

    path: str
    icon: str
    title: str
    state: str
    is_grave: bool = False


@dataclass(frozen=True, slots=True)
class SettingsGroup:
    """Rows under one heading."""

    title: str
    rows: Sequence[SettingsRow]


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session of the viewer. ``name`` identifies the session in forms and is not a credential. ``is_here``: it is the
    session of this browser.
    """

    name: str
    words: str
    opened: str
    is_here: bool


def routes() -> list[Route]:
    return [
        Route("/settings", show_list, methods=["GET"]),
        Route("/settings/sessions", show_sessions, methods=["GET"]),
        Route("/settings/sessions", end_session, methods=["POST"]),
        Route("/settings/suggestions", show_suggestions, methods=["GET"]),
        Route("/settings/suggestions", save_suggestions, methods=["POST"]),
    ]


async def show_list(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        user = await user_by_id(reader, caller.user_id)
        if user is None:
            raise NotFound(GeneralReason.NO_SUCH_PERSON)
        groups = await _settings_groups(reader, request, user)
        handles = await own_handles(reader, user.id)
        portraits = await portraits_of(reader, user.id, [user.id])
    context = {
        "groups": groups,
        "name": user.display_name,
        "face": avatar_of(user.id, user.display_name, portraits),
        "person": user.id,
        # Without a handle, the e-mail address is said below.
        "handle": f"@{handles[0]}" if handles else gettext("View your profile"),
    }
    return page(request, "account/settings.html", context)


async def show_sessions(request: Request) -> Response:
    caller = caller_of(request)
    own_token_hash = hash_token(session.cookie_token(request))
    async with database_of(request).reader() as reader:
        listed_sessions = await sign_in_queries.open_of(reader, caller.user_id)
        now = reader.now
    rows = [
        SessionRow(
            one.name,
            _device_label(one),
            formatting.ago(one.created_at, now),
            one.token_hash == own_token_hash,
        )
        for one in listed_sessions
    ]
    return page(request, "account/sessions.html", {"sessions": sorted(rows, key=lambda one: not one.is_here)})


def _device_label(listed: sign_in_queries.ListedSession) -> str:
    """The name of the device, such as "Firefox on Android"."""
    browser = listed.device.browser or str(_TRANSPORTS[listed.transport])
    system = listed.device.system
    return gettext("%(browser)s on %(system)s", browser=browser, system=system) if system else browser


async def end_session(request: Request) -> Response:
    """End one session, identified by its name in the list. Ending the session of this browser redirects to the front
    page.
    """
    caller = caller_of(request)
    session_name = (await read_form(request)).get("session", "")
    own_token_hash = hash_token(session.cookie_token(request))
    async with database_of(request).transaction() as tx:
        ended = await sign_in.close_named(tx, caller.user_id, session_name)
    if ended == own_token_hash:
        response = go("/", flash="signed_out")
        session.clear_cookie(request, response)
        return response
    return go("/settings/sessions", flash="session_ended")


async def show_suggestions(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        user = await queries.by_id(reader, caller.user_id)
    return page(request, "account/suggestions.html", {"is_on": user is not None and user.wants_suggestions})


async def save_suggestions(request: Request) -> Response:
    """Turn suggestions on (``wants_suggestions``) or off."""
    caller = caller_of(request)
    form = await read_form(request)
    wants_suggestions = bool(form.get("wanted"))
    async with database_of(request).transaction() as tx:
        await queries.set_wants_suggestions(tx, caller.user_id, wanted=wants_suggestions)
    back = local_path(form.get("next", "/settings/suggestions"))
    return go(back, flash="suggestions_on" if wants_suggestions else "suggestions_off")


async def _settings_groups(reader: Reader, request: Request, user: User) -> list[SettingsGroup]:
    return [
        SettingsGroup(gettext("Yours"), await _own_rows(reader, user)),
        SettingsGroup(gettext("Account"), await _account_rows(reader, request, user)),
        SettingsGroup(
            gettext("What we send and show you"),
            [
                SettingsRow(
                    "/settings/notifications",
                    "bell",
                    gettext("Notifications"),
                    await _notifications_state(reader, user),
                ),
                SettingsRow(
                    "/settings/suggestions",
                    "star",
                    gettext("Suggestions"),
                    gettext("On") if user.wants_suggestions else gettext("Off"),
                ),
            ],
        ),
        SettingsGroup(gettext("What others see"), await _visibility_rows(reader, request, user)),
        SettingsGroup(gettext("Calendars and apps"), await _connection_rows(reader, user)),
        SettingsGroup(gettext("Your data"), _data_rows()),
    ]


async def _own_rows(reader: Reader, user: User) -> list[SettingsRow]:
    """Links to the user's events and groups. The navigation bar on phones has no link to the groups."""
    events = await my_event_lists.my_event_counts(reader, user.id)
    hosted, past = events[MyEvents.HOSTING], events[MyEvents.PAST]
    groups = sum(one.role in INSIDE for one in await membership_queries.memberships_of(reader, user.id))
    return [
        SettingsRow(
            "/my/events?which=hosting",
            "person",
            gettext("Hosting"),
            ngettext("%(number)s event", "%(number)s events", hosted)
            if hosted
            else gettext("Your events, and who’s coming"),
        ),
        SettingsRow(
            "/groups?which=mine",
            "group",
            gettext("My groups"),
            ngettext("%(number)s group", "%(number)s groups", groups)
            if groups
            else gettext("Groups you’re in or follow"),
        ),
        SettingsRow(
            "/my/events?which=past",
            "clock",
            gettext("Past events"),
            ngettext("%(number)s event", "%(number)s events", past)
            if past
            else gettext("Where you went, and what you hosted"),
        ),
    ]


async def _account_rows(reader: Reader, request: Request, user: User) -> list[SettingsRow]:
    identities = await writable_of_user(reader, user.id)
    return [
        SettingsRow(
            "/settings/profile", "mail", gettext("Name and e-mail"), user.email or gettext("No e-mail address")
        ),
        SettingsRow(
            "/settings/profile#time_zone",
            "language",
            gettext("Language and time zone"),
            _language_and_zone(request, user),
        ),
        SettingsRow(
            "/settings/identity",
            "globe",
            gettext("Connected accounts"),
            ", ".join(f"@{one.handle}" if one.handle else one.did for one in identities) or gettext("None"),
        ),
        SettingsRow(
            "/settings/picture",
            "picture",
            gettext("Your picture"),
            gettext("Your own") if user.portrait else gettext("Your initial"),
        ),
        SettingsRow(
            "/settings/sessions", "laptop", gettext("Where you’re signed in"), await _sessions_state(reader, user)
        ),
    ]


async def _visibility_rows(reader: Reader, request: Request, user: User) -> list[SettingsRow]:
    number = await proofs.count(reader, user.id)
    rows = [
        SettingsRow("/settings/safety", "shield", gettext("Privacy and safety"), await _safety_state(reader, user)),
        SettingsRow(
            "/settings/attendance-proofs",
            "ticket",
            gettext("Proofs of attendance"),
            ngettext("%(number)s proof", "%(number)s proofs", number) if number else gettext("None"),
        ),
    ]
    if services(request).settings.matrix_url:
        rows.append(await _matrix_row(reader, user))
    if services(request).asks_to_publish:
        agreement = await consent(reader, user.id)
        state = gettext("On") if agreement.is_given else gettext("Off: everything stays on this site")
        rows.append(SettingsRow("/settings/publishing", "sync", gettext("Sync"), state))
    return rows


def _data_rows() -> list[SettingsRow]:
    return [
        SettingsRow("/settings/data", "download", gettext("Export your data"), gettext("All your data in one file")),
        SettingsRow(
            "/settings/delete",
            "trash",
            gettext("Delete your account"),
            gettext("You’ll see what happens first"),
            is_grave=True,
        ),
    ]


async def _matrix_row(reader: Reader, user: User) -> SettingsRow:
    person = await matrix_people.person(reader, user.id)
    passes_on = person is not None and person.consent is MatrixConsent.NAME_AND_WORDS
    state = gettext("Your messages are forwarded to Matrix") if passes_on else gettext("Your messages stay here")
    return SettingsRow("/settings/matrix", "chat", gettext("Matrix"), state)


async def _connection_rows(reader: Reader, user: User) -> list[SettingsRow]:
    others = await calendars.of_person(reader, user.id)
    api_tokens = [
        one for one in await tokens.of_user(reader, user.id, reader.now, _COUNTED) if not one.is_over(reader.now)
    ]
    hooks = await webhooks.of_user(reader, user.id)
    none = gettext("None")
    return [
        SettingsRow(
            "/settings/calendars",
            "calendar",
            gettext("Calendars and feeds"),
            ngettext("%(number)s other calendar", "%(number)s other calendars", len(others))
            if others
            else gettext("No other calendar"),
        ),
        SettingsRow(
            "/settings/tokens",
            "key",
            gettext("Apps and tokens"),
            ngettext("%(number)s token", "%(number)s tokens", len(api_tokens)) if api_tokens else none,
        ),
        SettingsRow(
            "/settings/webhooks",
            "link",
            gettext("Webhooks"),
            ngettext("%(number)s webhook", "%(number)s webhooks", len(hooks)) if hooks else none,
        ),
    ]


def _language_and_zone(request: Request, user: User) -> str:
    offered = dict(choices(services(request).settings.language))
    language = offered.get(user.language or "", gettext("Your browser’s language"))
    zone = formatting.zone_of_series(user.time_zone) if user.time_zone else gettext("no time zone chosen")
    return f"{language}, {zone}"


async def _sessions_state(reader: Reader, user: User) -> str:
    number = len(await sign_in_queries.open_of(reader, user.id))
    return ngettext("%(number)s session", "%(number)s sessions", number)


async def _notifications_state(reader: Reader, user: User) -> str:
    channels = {channel for several in (await preferences.of_person(reader, user.id)).values() for channel in several}
    is_mailed = user.email is not None and bool(channels & {Channel.EMAIL, Channel.DIGEST})
    if Channel.IN_APP in channels:
        return gettext("Here and by e-mail") if is_mailed else gettext("Only here")
    return gettext("Only by e-mail") if is_mailed else gettext("Off")


async def _safety_state(reader: Reader, user: User) -> str:
    blocked = len(await blocked_by(reader, user.id, _COUNTED))
    muted = len(await mutes_of(reader, user.id, _COUNTED))
    parts = [
        ngettext("%(number)s person blocked", "%(number)s people blocked", blocked) if blocked else "",
        ngettext("%(number)s muted", "%(number)s muted", muted) if muted else "",
    ]
    return ", ".join(filter(None, parts)) or gettext("Nobody is blocked or muted")
