"""Look up the sentence for a reason, in the current language."""

from collections.abc import Mapping
from typing import Final

from groundwork.errors import Explanation, Reason, Why
from groundwork.i18n import formatting
from openmeet.i18n.catalogue import Message, Plural, current, gettext, ngettext
from openmeet.i18n.reasons import accounts, calendars, chat, events, groups, records, site

# Messages by code. A test checks that every member of every enum of reasons has one.
MESSAGES: Final[Mapping[str, Message]] = {
    **accounts.MESSAGES,
    **calendars.MESSAGES,
    **chat.MESSAGES,
    **events.MESSAGES,
    **groups.MESSAGES,
    **records.MESSAGES,
    **site.MESSAGES,
}


def explain(why: Why | None) -> str:
    """The sentence for a reason; empty for None. Other text is looked up in the catalogue and returned unchanged if it
    is not there.
    """
    if why is None:
        return ""
    if isinstance(why, Explanation):
        return _sentence(why.code, why.params)
    if isinstance(why, Reason):
        return _sentence(why.value, {})
    return current().messages.gettext(why) if why else ""


def _sentence(code: str, params: Mapping[str, object]) -> str:
    message = MESSAGES[code]
    words = {name: _text_of_value(value) for name, value in params.items()}
    if isinstance(message, Plural):
        number = params[message.by]
        assert isinstance(number, int)  # noqa: S101  # the test of the table checks the parameter's name
        return ngettext(message.one, message.many, number, **words)
    return gettext(message, **words)


def _text_of_value(value: object) -> str:
    """A parameter as text: numbers in the current locale, reasons and messages in the current language."""
    match value:
        case Explanation() | Reason():
            return explain(value)
        case bool():
            return str(value)
        case int():
            return formatting.number(value)
        case tuple():
            return " ".join(map(_text_of_value, value))
        case _:
            return str(value)
