"""Messages in templates: ``_()``, ``ngettext()``, ``{% trans %}`` and reasons, in the language current at rendering."""

from collections.abc import Callable

import jinja2
import jinja2.runtime

from groundwork.errors import Explanation, Reason
from openmeet.i18n.catalogue import current
from openmeet.i18n.reasons.messages import explain


def speak(templates: jinja2.Environment) -> None:
    """Let these templates speak the current language. They need the extension ``jinja2.ext.i18n``.

    Parameters are escaped; the message itself may have tags. A parameter may be a reason.
    """
    templates.policies["ext.i18n.trimmed"] = True
    templates.finalize = _shown
    templates.install_gettext_callables(  # type: ignore[attr-defined]  # added by the extension
        gettext=_gettext, ngettext=_ngettext, newstyle=True, pgettext=_pgettext, npgettext=_npgettext
    )
    for name in ("gettext", "ngettext", "pgettext", "npgettext"):
        templates.globals[name] = _with_reasons(templates.globals[name])  # type: ignore[arg-type]  # put there by the extension


def _shown(value: object) -> object:
    return explain(value) if isinstance(value, Explanation | Reason) else value


def _with_reasons(translated: Callable[..., str]) -> Callable[..., str]:
    """The parameters of a message bypass ``finalize``, so reasons among them are explained here."""

    @jinja2.pass_context
    def translate(context: jinja2.runtime.Context, *messages: object, **params: object) -> str:
        return translated(context, *messages, **{name: _shown(value) for name, value in params.items()})

    return translate


# The environment is made once; the language is looked up at each rendering.


def _gettext(message: str) -> str:
    return current().messages.gettext(message)


def _ngettext(one: str, many: str, number: int) -> str:
    return current().messages.ngettext(one, many, number)


def _pgettext(context: str, message: str) -> str:
    return current().messages.pgettext(context, message)


def _npgettext(context: str, one: str, many: str, number: int) -> str:
    return current().messages.npgettext(context, one, many, number)
