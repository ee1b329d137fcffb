"""Messages in templates: ``_()``, ``ngettext()`` and ``{% trans %}``, in the language that is current when rendering."""

from collections.abc import Callable

import jinja2
import jinja2.runtime
from markupsafe import Markup

from groundwork.i18n.catalogue import Catalogue, number, shown_number


def speak(
    templates: jinja2.Environment, catalogue: Catalogue, shown: Callable[[object], object] = lambda value: value
) -> None:
    """Make these templates use the current language. They need the extension ``jinja2.ext.i18n``.

    Parameters are escaped; the message itself can contain tags. Every value that is shown, including parameters, is
    passed to ``shown`` first. Numbers in messages are formatted for the locale. A count outside of a message needs the
    filter ``number``, because not every such number is a count: widths and ids are not.
    """
    templates.policies["ext.i18n.trimmed"] = True
    templates.finalize = shown
    templates.filters["number"] = number
    # The environment is created once, but the language is looked up at each rendering.
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
    """Pass the parameters of a message to ``shown``, because they bypass ``finalize``."""

    @jinja2.pass_context
    def translate(context: jinja2.runtime.Context, *messages: object, **params: object) -> str:
        by_name = {name: shown_number(shown(value)) for name, value in params.items()}
        if "num" not in by_name and isinstance(messages[-1], int):
            # Jinja also makes the number that chose the plural form a parameter.
            by_name["num"] = shown_number(messages[-1])
        return _unbroken(context, translated(context, *messages, **by_name))

    return translate


def _without_parameters_first(look_up: Callable[..., str], translated: Callable[..., str]) -> Callable[..., str]:
    """Look up a message without parameters directly. Jinja would also format it, which takes longer than the rest, and
    a page has about fifty of them.
    """

    @jinja2.pass_context
    def translate(context: jinja2.runtime.Context, message: str, /, **params: object) -> str:
        if params:
            return translated(context, message, **params)
        words = _unbroken(context, look_up(message).replace("%%", "%"))
        return Markup(words) if context.eval_ctx.autoescape else words  # noqa: S704  # messages can contain tags

    return translate


def _unbroken(context: jinja2.runtime.Context, words: str) -> str:
    """Keep the German word E-Mail on one line of a page. Browsers break lines after U+002D, but not after U+2011."""
    return words.replace("E-Mail", "E\u2011Mail") if context.eval_ctx.autoescape else words
