"""Language of a request: the user's choice (``site.caller``), else Accept-Language, else the site's default."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from starlette.types import Scope

from groundwork.settings import SettingsRefused
from openmeet.i18n.catalogue import available, is_known, negotiated, speaking
from openmeet.settings import PREFIX


def by_request(default: str) -> Callable[[Scope], AbstractContextManager[None]]:
    """Context manager that sets the language of a request until its user is known.

    Raises SettingsRefused if the default is not one of the site's languages.
    """
    if not is_known(default):
        raise SettingsRefused([f"{PREFIX}LANGUAGE must be one of {', '.join(available())}: {default} is not."])

    def spoken(scope: Scope) -> AbstractContextManager[None]:
        accept_language = next((value for name, value in scope["headers"] if name == b"accept-language"), b"")
        return speaking(negotiated(accept_language.decode("latin-1"), default))

    return spoken
