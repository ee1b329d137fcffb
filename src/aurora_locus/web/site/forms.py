"""CSRF protection: a token in addition to the origin checks (``groundwork.http.forms``).

The token is derived from a key of this server and the browser's random device cookie. So nothing is stored, and a page
of another site can neither read nor guess it.
"""

import hmac
from hashlib import sha256

from starlette.requests import Request

from aurora_locus.i18n.sentences import gettext_noop
from groundwork.errors import Forbidden

CSRF_FIELD = "csrf"

_FORM = "aurora_locus.form"


def token_for(key: bytes, device_id: str) -> str:
    """Return the token for the forms of one browser."""
    return hmac.digest(key, b"csrf\n" + device_id.encode(), sha256).hex()[:32]


def require_token(key: bytes, device_id: str, form: dict[str, str]) -> None:
    """Raise Forbidden unless the form contains this browser's token."""
    token = form.get(CSRF_FIELD, "")
    if not device_id or not hmac.compare_digest(token.encode(), token_for(key, device_id).encode()):
        raise Forbidden(
            gettext_noop("This page is too old, or your browser blocks cookies. Open it again and send it again."),
            name="PageTooOld",
        )


def keep_form(request: Request, form: dict[str, str]) -> None:
    """Store the posted fields. Called after the request was verified to come from our own page."""
    request.scope[_FORM] = form


def posted(request: Request) -> dict[str, str]:
    """Return the posted fields as text, already verified. If a name is repeated, the last value counts."""
    form: dict[str, str] = request.scope[_FORM]
    return form
