"""The caller of a request, and what their browser asks for. The outermost layer sets the caller. Other packages read it
from this module and never use cookies or headers.

The language is the user's choice, else ``Accept-Language``, else the site's default. Reduced data (``Save-Data: on``,
https://wicg.github.io/savedata/) means generated covers instead of photographs, and no web font.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

from starlette.requests import HTTPConnection
from starlette.types import Scope

from groundwork.errors import NotSignedIn
from groundwork.settings import SettingsRefused
from openmeet.domain.users.model import Caller, UserId
from openmeet.i18n.catalogue import available, is_known, negotiated, speaking, switch_to
from openmeet.i18n.formatting import set_reader_zone
from openmeet.settings import PREFIX
from openmeet.web.site.reasons import SiteReason

_SAVES_DATA: ContextVar[bool] = ContextVar("saves_data", default=False)


def set_caller(connection: HTTPConnection, caller: Caller | None) -> None:
    """Set the caller, and switch to their language and time zone. Called once per request, by ``site.session`` or
    ``api.authentication``.
    """
    connection.scope["openmeet.caller"] = caller
    if caller is not None and caller.language is not None:
        switch_to(caller.language)
    set_reader_zone(None if caller is None else caller.time_zone)


def caller_or_none(connection: HTTPConnection) -> Caller | None:
    """The signed-in user, or None."""
    caller: Caller | None = connection.scope["openmeet.caller"]
    return caller


def caller_of(connection: HTTPConnection) -> Caller:
    """The signed-in user. Raises NotSignedIn."""
    caller = caller_or_none(connection)
    if caller is None:
        raise NotSignedIn(SiteReason.AUTHENTICATION_REQUIRED, name="AuthenticationRequired")
    return caller


def viewer_of(connection: HTTPConnection) -> UserId | None:
    """The id of the signed-in user, or None."""
    caller = caller_or_none(connection)
    return None if caller is None else caller.user_id


def language_by_request(default: str) -> Callable[[Scope], AbstractContextManager[None]]:
    """Context manager that sets the language of a request until its user is known.

    Raises SettingsRefused if the default is not one of the site's languages.
    """
    if not is_known(default):
        raise SettingsRefused([f"{PREFIX}LANGUAGE must be one of {', '.join(available())}: {default} is not."])

    def spoken(scope: Scope) -> AbstractContextManager[None]:
        accept_language = next((value for name, value in scope["headers"] if name == b"accept-language"), b"")
        return speaking(negotiated(accept_language.decode("latin-1"), default))

    return spoken


@contextmanager
def reduced_data_by_request(scope: Scope) -> Iterator[None]:
    """Context manager for one request. Inside it, ``saves_data`` reflects the request's header."""
    save_data = next((value for name, value in scope["headers"] if name == b"save-data"), b"")
    token = _SAVES_DATA.set(save_data.strip().lower() == b"on")
    try:
        yield
    finally:
        _SAVES_DATA.reset(token)


def saves_data() -> bool:
    """Whether the browser of the current request asks for less data (``Save-Data``)."""
    return _SAVES_DATA.get()
