"""Make templates render messages and reasons in the current language."""

import jinja2

from groundwork.errors import Explanation, Reason
from groundwork.i18n import templates
from openmeet.i18n.catalogue import CATALOGUE
from openmeet.i18n.reasons.messages import explain


def speak(environment: jinja2.Environment) -> None:
    """Make these templates use the current language (``groundwork.i18n.templates``). A parameter may be a reason."""
    templates.speak(environment, CATALOGUE, _shown)


def _shown(value: object) -> object:
    return explain(value) if isinstance(value, Explanation | Reason) else value
