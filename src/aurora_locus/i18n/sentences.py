"""Error messages: in the reader's language on pages, in English for programs."""

import math

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
    """Translate an explanation into the current language. A sentence that is not in the catalogue stays as it is."""
    if isinstance(why, Explanation):
        return gettext(why.code, **{name: _explained(value) for name, value in why.params.items()})
    return current().messages.gettext(why) if why else ""


def _explained(value: object) -> object:
    match value:
        case Explanation():
            return explain(value)
        case tuple():
            return " ".join(str(_explained(one)) for one in value)
        case _:
            return value


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
