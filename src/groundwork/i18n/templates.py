"""Messages in templates: ``_()``, ``ngettext()`` and ``{% trans %}``, in the language current at rendering."""

from collections.abc import Callable

import jinja2
import jinja2.runtime
from markupsafe import Markup

from groundwork.i18n.catalogue import Catalogue, number, shown_number


def speak(
    templates: jinja2.Environment, catalogue: Catalogue, shown: Callable[[object], object] = lambda value: value
) -> None:
    """Let these templates speak the current language. They need the extension ``jinja2.ext.i18n``.

    Parameters are escaped; the message itself may have tags. Every value that is shown, also as a parameter, passes ``shown``
    first. Numbers in messages are written by locale; a count beside a message, by the filter ``number``. (Not every number
    outside of messages is a count: widths and ids are not.)
    """
    templates.policies["ext.i18n.trimmed"] = True
    templates.finalize = shown
    templates.filters["number"] = number
    # The environment is made once; the language is looked up at each rendering.
    functions = {name: _looked_up(catalogue, name) for name in ("gettext", "ngettext", "pgettext", "npgettext")}
    templates.install_gettext_callables(newstyle=True, **functions)  # type: ignore[attr-defined]  # added by the extension
    for name in functions:
        templates.globals[name] = _with_shown(templates.globals[name], shown)  # type: ignore[arg-type]  # put there by the extension
    templates.globals["gettext"] = _without_parameters_first(functions["gettext"], templates.globals["gettext"])  # type: ignore[arg-type]  # the same


def _looked_up(catalogue: Catalogue, name: str) -> Callable[..., str]:
    def look_up(*messages: object) -> str:
        return str(getattr(catalogue.current().messages, name)(*messages))

    return look_up


def _with_shown(translated: Callable[..., str], shown: Callable[[object], object]) -> Callable[..., str]:
    """The parameters of a message bypass ``finalize``, so they pass ``shown`` here."""

    @jinja2.pass_context
    def translate(context: jinja2.runtime.Context, *messages: object, **params: object) -> str:
        by_name = {name: shown_number(shown(value)) for name, value in params.items()}
        if "num" not in by_name and isinstance(messages[-1], int):
            # Jinja makes the number that chose the form a parameter, too.
            by_name["num"] = shown_number(messages[-1])
        return translated(context, *messages, **by_name)

    return translate


def _without_parameters_first(look_up: Callable[..., str], translated: Callable[..., str]) -> Callable[..., str]:
    """A message without parameters is only looked up. Jinja formats it, too, which takes longer than all else of it; fifty of them are on
    a page.
    """

    @jinja2.pass_context
    def translate(context: jinja2.runtime.Context, message: str, /, **params: object) -> str:
        if params:
            return translated(context, message, **params)
        words = look_up(message).replace("%%", "%")
        return Markup(words) if context.eval_ctx.autoescape else words  # noqa: S704  # messages may have tags

    return translate
