"""Error messages: in the reader's language on pages, in English for programs."""

import math
from collections.abc import Mapping
from typing import Final

from aurora_locus.i18n.catalogue import LazyText, current, gettext
from groundwork.errors import Explanation, Failure, Why
from groundwork.rate_limit.contract import RateLimited

# In minutes.
_TWO_HOURS = 120


def gettext_noop(sentence: str) -> str:
    """Mark a sentence for the catalogue (``make messages``) and return it unchanged; ``explain`` translates it."""
    return sentence


def localizable(sentence: str, /, **params: object) -> Explanation:
    """Make an explanation from a sentence with ``%(name)s`` placeholders. The English sentence is its code. A parameter
    can be an explanation, or a tuple of them that become sentences one after the other.
    """
    return Explanation(sentence, params)


def too_often(failure: Failure) -> Why:
    """Return why a request failed. If a rate limit was exceeded, the text includes when to try again."""
    if type(failure) is not RateLimited:
        return failure.why
    minutes = math.ceil((failure.after_seconds or 1) / 60)
    if minutes >= _TWO_HOURS:
        return localizable("You’ve tried too often. Try again in %(hours)s hours.", hours=math.ceil(minutes / 60))
    if minutes > 1:
        return localizable("You’ve tried too often. Try again in %(minutes)s minutes.", minutes=minutes)
    return gettext_noop("You’ve tried too often. Try again in a minute.")


def explain(why: Why) -> str:
    """Translate an explanation into the current language: a reason code , or a sentence of ``localizable``.
    A sentence that is not in the catalogue stays as it is.
    """
    if isinstance(why, Explanation):
        sentence = MESSAGES.get(why.code, why.code)
        return gettext(sentence, **{name: _explained(value) for name, value in why.params.items()})
    return current().messages.gettext(why) if why else ""


def _explained(value: object) -> object:
    match value:
        case Explanation():
            return explain(value)
        case tuple():
            return " ".join(str(_explained(one)) for one in value)
        case _:
            return value


# Messages of the reasons that are stored, by code. A test checks that every code has one.
MESSAGES: Final[Mapping[str, str]] = {
    # reasons of aurora_locus.account_migration
    "move.no_such_move": gettext_noop("There’s no such move."),
    "move.not_active_yet": gettext_noop("%(problem)s We’ll try again in a moment."),
    "move.our_error": gettext_noop("Something failed on this server. Try again in a few minutes."),
    # reasons of aurora_locus.maintenance
    "backup.interrupted": gettext_noop("The backup was interrupted."),
    "backup.restored_from_it": gettext_noop("This database was restored from it."),
    # reasons of groundwork.errors
    "failure.invalid_input": gettext_noop("We can’t read what was sent."),
    "failure.not_signed_in": gettext_noop("You need to sign in again."),
    "failure.forbidden": gettext_noop("It isn’t allowed."),
    "failure.not_found": gettext_noop("It doesn’t exist."),
    "failure.conflict": gettext_noop("It was changed at the same time."),
    "failure.refused": gettext_noop("It was refused."),
    "failure.too_large": gettext_noop("It’s too large."),
    "failure.too_many": gettext_noop("The server isn’t taking any more requests right now."),
    "failure.remote_failed": gettext_noop("The other server failed."),
    "failure.remote_slow": gettext_noop("The other server didn’t answer in time."),
    "failure.not_asked": gettext_noop("The other server keeps failing, so it isn’t called for a while."),
    "failure.unavailable": gettext_noop("A service we need isn’t responding."),
    "failure.server_said": gettext_noop("%(host)s says: %(words)s"),
    "failure.answered_with_status": gettext_noop("%(host)s answered with status %(status)s."),
    "failure.answer_too_long": gettext_noop("%(host)s sent more than %(most)s bytes."),
    "failure.no_answer_in_time": gettext_noop("%(host)s didn’t answer in time."),
    "failure.not_public": gettext_noop("%(host)s doesn’t lead to a public address."),
    "failure.connection_broken": gettext_noop("%(host)s closed the connection."),
    "failure.unreachable": gettext_noop("%(host)s can’t be reached."),
    "failure.unreadable_answer": gettext_noop("%(host)s sent an answer that we can’t read."),
    "failure.stream_broken": gettext_noop("The connection broke off."),
    "failure.stream_unreadable": gettext_noop("The stream sent something that we can’t read."),
    "failure.stream_message_too_long": gettext_noop("The stream sent more than %(most)s bytes at once."),
    "failure.earlier_text": gettext_noop("An earlier version noted: “%(text)s”"),
    "failure.unforeseen": gettext_noop("An unexpected error: %(error)s."),
}


# Sentences that lower packages raise and pages show.
_OF_OTHERS = (
    gettext_noop("There’s nothing at this address."),
    gettext_noop("This address doesn’t support that method."),
    gettext_noop("The request is unreadable."),
    gettext_noop("The address is too long."),
    gettext_noop("The headers are too long."),
    gettext_noop("The upload was too slow. Try again on a faster connection."),
    gettext_noop("The request was refused."),
    gettext_noop("This form was sent from another site. Open the page here and send it again."),
    gettext_noop("This address expects a form."),
    gettext_noop("The form contains an unreadable character."),
    gettext_noop("Type an e-mail address like name@example.org."),
    gettext_noop("The e-mail address is too long."),
    gettext_noop("The part before the @ isn’t valid in an e-mail address."),
    gettext_noop("The part after the @ must be a domain."),
)


def capital(words: str | LazyText) -> str:
    """Capitalize a sentence, to show it as a line of its own. A domain name at its beginning, such as
    ``api.example.com``, is not changed.
    """
    sentence = str(words)
    first, *_ = sentence.split(" ", 1)
    return sentence if "." in first else f"{sentence[:1].upper()}{sentence[1:]}"
