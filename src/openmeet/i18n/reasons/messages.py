"""The sentence for an explanation, in the current language."""

from collections.abc import Mapping
from typing import Final

from babel.numbers import format_decimal

from groundwork.errors import Explanation, Reason, Why
from openmeet.i18n.catalogue import current, gettext, ngettext
from openmeet.i18n.reasons import (
    account_merge,
    admin,
    api,
    api_tokens,
    atproto,
    attendance,
    calendars,
    chat,
    check_in,
    data_export,
    email_link,
    events,
    failures,
    general,
    groups,
    guest_rsvps,
    host_messages,
    icalendar,
    identities,
    imports,
    ingestion,
    legacy_import,
    media,
    moderation,
    moderation_effects,
    notifications,
    own_records,
    places,
    profiles,
    publications,
    records,
    recurrence,
    repositories,
    safety,
    saved_searches,
    search,
    series,
    sign_in,
    site,
    users,
    webhooks,
    xrpc,
)
from openmeet.i18n.reasons.message import Message, Plural

# By code. Every member of every enum of reasons has its message: a test compares.
MESSAGES: Final[Mapping[str, Message]] = {
    **account_merge.MESSAGES,
    **admin.MESSAGES,
    **api.MESSAGES,
    **api_tokens.MESSAGES,
    **atproto.MESSAGES,
    **attendance.MESSAGES,
    **calendars.MESSAGES,
    **chat.MESSAGES,
    **check_in.MESSAGES,
    **data_export.MESSAGES,
    **email_link.MESSAGES,
    **events.MESSAGES,
    **failures.MESSAGES,
    **general.MESSAGES,
    **groups.MESSAGES,
    **guest_rsvps.MESSAGES,
    **host_messages.MESSAGES,
    **icalendar.MESSAGES,
    **identities.MESSAGES,
    **imports.MESSAGES,
    **ingestion.MESSAGES,
    **legacy_import.MESSAGES,
    **media.MESSAGES,
    **moderation.MESSAGES,
    **moderation_effects.MESSAGES,
    **notifications.MESSAGES,
    **own_records.MESSAGES,
    **places.MESSAGES,
    **profiles.MESSAGES,
    **publications.MESSAGES,
    **recurrence.MESSAGES,
    **records.MESSAGES,
    **repositories.MESSAGES,
    **safety.MESSAGES,
    **saved_searches.MESSAGES,
    **search.MESSAGES,
    **series.MESSAGES,
    **sign_in.MESSAGES,
    **site.MESSAGES,
    **users.MESSAGES,
    **webhooks.MESSAGES,
    **xrpc.MESSAGES,
}


def explain(why: Why | None) -> str:
    """The sentence, empty for None. A text that is no reason is returned as it is."""
    if why is None:
        return ""
    if isinstance(why, Explanation):
        return _sentence(why.code, why.params)
    return _sentence(why.value, {}) if isinstance(why, Reason) else why


def _sentence(code: str, params: Mapping[str, object]) -> str:
    message = MESSAGES[code]
    words = {name: _text_of_value(value) for name, value in params.items()}
    if isinstance(message, Plural):
        number = params[message.by]
        assert isinstance(number, int)  # noqa: S101  # the test of the table checks the parameter's name
        return ngettext(message.one, message.many, number, **words)
    return gettext(message, **words)


def _text_of_value(value: object) -> str:
    """A parameter as text: numbers by locale, reasons and messages in the current language."""
    match value:
        case Explanation() | Reason():
            return explain(value)
        case bool():
            return str(value)
        case int():
            return str(format_decimal(value, locale=current().locale))
        case tuple():
            return " ".join(map(_text_of_value, value))
        case _:
            return str(value)
