"""The caller of a request. The outermost layer sets the caller. Other packages read it from this module and never use
cookies or headers.
"""

from starlette.requests import HTTPConnection

from groundwork.errors import NotSignedIn
from openmeet.domain.users.model import Caller, UserId
from openmeet.i18n.catalogue import switch_to
from openmeet.web.site.reader_zone import set_reader_zone
from openmeet.web.site.reasons import SiteReason


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
