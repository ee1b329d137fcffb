"""HTML forms: typed values out, what was typed kept, a sentence beside each field that is wrong (house style, section 11).

::

    form = await read_form(request, csrf)
    name = form.text("name", max_characters=200)
    seats = form.whole_number("capacity", lowest=1, required=False)
    form.refuse_if_wrong()                       # raises InvalidForm with every problem at once
    form.typed("name")                           # for the page that is shown again

A form may only be posted from a page of ours, and counts once:

- Each form carries a token bound to the session cookie (an HMAC of the session's identifier), so another site cannot make
  one; the ``Origin`` header, where a browser sends it, must be our own as well.
- Each rendering carries a fresh idempotency key. Two clicks send the same key, and the action stores it with its effect.
"""

import base64
import datetime as dt
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from starlette.requests import Request

from groundwork.errors import Forbidden, InvalidForm, InvalidInput

T = TypeVar("T")

CSRF_FIELD: Final = "csrf_token"
IDEMPOTENCY_FIELD: Final = "idempotency_key"
MAX_FIELDS: Final = 500
MAX_FILES: Final = 20

_IDEMPOTENCY_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Csrf:
    """Makes and checks form tokens. ``origins`` are the public origins (``https://town.net``) of this site."""

    def __init__(self, secret: bytes, origins: Sequence[str]) -> None:
        self._secret = secret
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)

    def token(self, session_id: str) -> str:
        """The token for forms shown in this session; a visitor without account has a session identifier, too."""
        digest = hmac.digest(self._secret, b"csrf\x00" + session_id.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def check(self, request: Request, session_id: str, token: str) -> None:
        """Raise ``Forbidden`` unless the form came from a page of ours in this very session."""
        origin = request.headers.get("origin")
        # Tools send none; browsers send one with every form post (Fetch, "append a request Origin header").
        if origin is not None and origin.lower() not in self._origins:
            raise Forbidden("This form was sent from another site.", name="ForeignOrigin")
        if not hmac.compare_digest(token.encode(), self.token(session_id).encode()):
            raise Forbidden(
                "This form belongs to a session that has ended. Go back, load the page again and send it once more.",
                name="StaleForm",
            )


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form, whole: the body limit of the route bounds it. Name and type are what the browser claims."""

    file_name: str
    content_type: str
    body: bytes


def fresh_idempotency_key() -> str:
    """A key for one rendering of a form."""
    return secrets.token_urlsafe(18)


async def read_form(request: Request, csrf: Csrf, session_id: str) -> "Form":
    """The posted form, checked for forgery. Raises ``Forbidden``, or ``InvalidInput`` for what is no form."""
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise InvalidInput("", "This address takes a form.")
    async with request.form(max_fields=MAX_FIELDS, max_files=MAX_FILES) as posted:
        fields: dict[str, list[str]] = {}
        files: dict[str, Upload] = {}
        for name, value in posted.multi_items():
            if isinstance(value, str):
                fields.setdefault(name, []).append(value)
            elif value.filename:
                files[name] = Upload(
                    value.filename, value.content_type or "application/octet-stream", await value.read()
                )
    form = Form(fields, files)
    csrf.check(request, session_id, form.typed(CSRF_FIELD))
    return form


class Form:
    """A posted form. Reading methods return the value, or a harmless one and remember the problem."""

    def __init__(self, fields: Mapping[str, Sequence[str]], files: Mapping[str, "Upload"] | None = None) -> None:
        self._fields = fields
        self._files = files or {}
        self.problems: dict[str, str] = {}

    def typed(self, field: str) -> str:
        """What was typed, as it was, to be shown again; empty when absent. Never for passwords."""
        values = self._fields.get(field)
        return values[0] if values else ""

    def typed_all(self, field: str) -> list[str]:
        """Every value of a repeated field."""
        return list(self._fields.get(field, ()))

    def wrong(self, field: str, why: str) -> None:
        """Remember a problem; the first one of a field is shown."""
        self.problems.setdefault(field, why)

    def refuse_if_wrong(self) -> None:
        """Raise ``InvalidForm`` with every problem found so far."""
        if self.problems:
            raise InvalidForm(dict(self.problems))

    def idempotency_key(self) -> str:
        """The key of this rendering; raises ``InvalidInput`` when it is missing or made up."""
        key = self.typed(IDEMPOTENCY_FIELD)
        if not _IDEMPOTENCY_KEY.fullmatch(key):
            raise InvalidInput(IDEMPOTENCY_FIELD, "The form is incomplete. Load the page again.")
        return key

    def text(
        self, field: str, *, required: bool = True, max_characters: int = 10_000, label: str = "This field"
    ) -> str:
        """Text without surrounding space, line ends as line feeds; control characters are refused."""
        value = self.typed(field).replace("\r\n", "\n").replace("\r", "\n").strip()
        if not value:
            if required:
                self.wrong(field, f"{label} is needed.")
        elif len(value) > max_characters:
            self.wrong(field, f"{label} has {len(value)} characters; at most {max_characters} fit.")
        elif _CONTROL.search(value):
            self.wrong(field, f"{label} contains a character that cannot be shown.")
        return value

    def password(self, field: str, *, max_characters: int = 256, label: str = "The password") -> str:
        """A password exactly as typed: spaces at its ends belong to it."""
        value = self.typed(field)
        if not value:
            self.wrong(field, f"{label} is needed.")
        elif len(value) > max_characters:
            self.wrong(field, f"{label} is longer than {max_characters} characters.")
        return value

    def is_ticked(self, field: str) -> bool:
        """A checkbox: absent means no."""
        return self.typed(field) in ("on", "true", "1", "yes")

    def whole_number(
        self, field: str, *, required: bool = True, lowest: int = 0, highest: int = 1_000_000, label: str = "This field"
    ) -> int | None:
        """A whole number in a range, or None where nothing was typed or it was wrong."""
        typed = self.typed(field).strip()
        if not typed:
            if required:
                self.wrong(field, f"{label} is needed.")
            return None
        if not re.fullmatch(r"-?[0-9]{1,15}", typed):
            self.wrong(field, f"{label} must be a whole number.")
            return None
        value = int(typed)
        if not lowest <= value <= highest:
            self.wrong(field, f"{label} must be between {lowest} and {highest}.")
            return None
        return value

    def one_of(self, field: str, options: Mapping[str, T], *, label: str = "This field") -> T | None:
        """The chosen option's value, or None and a problem."""
        typed = self.typed(field)
        if typed in options:
            return options[typed]
        self.wrong(field, f"{label}: choose one of {', '.join(options)}.")
        return None

    def local_time(self, field: str, *, required: bool = True, label: str = "The time") -> dt.datetime | None:
        """A wall-clock time as ``<input type="datetime-local">`` sends it; naive, because the zone is another field."""
        typed = self.typed(field).strip()
        if not typed:
            if required:
                self.wrong(field, f"{label} is needed.")
            return None
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?", typed):
            self.wrong(field, f"{label} must look like 2026-11-20T18:00.")
            return None
        try:
            return dt.datetime.fromisoformat(typed)
        except ValueError:
            self.wrong(field, f"{label} is not a time that exists.")
            return None

    def parsed(self, field: str, parse: Callable[[str], T], *, why: str, required: bool = True) -> T | None:
        """What ``parse`` makes of the text; its ``ValueError`` becomes ``why``."""
        typed = self.typed(field).strip()
        if not typed:
            if required:
                self.wrong(field, why)
            return None
        try:
            return parse(typed)
        except ValueError:
            self.wrong(field, why)
            return None

    def file(self, field: str) -> "Upload | None":
        """An uploaded file, or None where none was chosen."""
        return self._files.get(field)
