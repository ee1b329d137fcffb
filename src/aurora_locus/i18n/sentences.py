"""Why something is refused, as a message: in the reader's language on pages, in English for programs."""

from aurora_locus.i18n.catalogue import current, gettext
from groundwork.errors import Explanation, Why


def mark(sentence: str) -> str:
    """The sentence, which ``make messages`` puts into the catalogue; ``explain`` finds its words."""
    return sentence


def said(sentence: str, /, **params: object) -> Explanation:
    """A sentence with ``%(name)s`` for parameters: its code is the English one."""
    return Explanation(sentence, params)


def explain(why: Why) -> str:
    """The sentence in the current language; as it is if the catalogue has none."""
    if isinstance(why, Explanation):
        params = {name: explain(one) if isinstance(one, Explanation) else one for name, one in why.params.items()}
        return gettext(why.code, **params)
    return current().messages.gettext(why) if why else ""
