"""HTML forms: parse posted fields, reject cross-site posts, and keep typed values and problems to show the form again.

A form from another origin is rejected before its body is read, because browsers send ``Sec-Fetch-Site`` or ``Origin``
with every POST. A request with neither header does not come from a browser and has no cookie that a browser added. An
origin is scheme, host and port (RFC 6454, section 4). ``null`` matches no site, and plain http does not match an https
site.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.requests import Request

from groundwork.errors import Forbidden, InvalidForm, InvalidInput, Why

_USUAL_PORTS = {"http": 80, "https": 443}

# More fields than any form here has. The size of the whole form is limited like any other body.
MAX_FIELDS = 100


@dataclass(frozen=True, slots=True)
class FormState:
    """The content of a form: the values in its fields, their problems, and values that someone else saved in the
    meantime.

    A problem is a reason or a sentence, or Markup if it contains a link. ``others`` has only the fields that differ.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, Why] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str:
        return self.values.get(name, "")

    def problem(self, name: str) -> Why:
        return self.problems.get(name, "")

    def other(self, name: str) -> str | None:
        """The value that is stored for this field now, or None if it equals the typed one."""
        return self.others.get(name)


EMPTY = FormState()


def require_same_origin(request: Request, public_url: str) -> None:
    """Raise Forbidden if the request was made by a page of another origin."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site in {"same-origin", "none"} or (site is None and origin is None):
        return
    if origin is not None and _is_ours(origin, public_url, request.headers.get("host", "")):
        return
    raise Forbidden("This form was sent from another site. Open the page here and send it again.")


def _is_ours(origin: str, public_url: str, host: str) -> bool:
    """Compare with the public URL, because a proxy can use another host and port, and with the Host header."""
    sender_origin, own_origin = _origin(origin), _origin(public_url)
    if sender_origin is None or sender_origin == own_origin:
        return sender_origin is not None
    scheme, _, _ = sender_origin
    is_weaker = scheme == "http" and own_origin is not None and own_origin[0] == "https"
    return not is_weaker and sender_origin == _origin(f"{scheme}://{host}")


def _origin(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port (the default port if absent), or None for ``null`` and anything that is not a web
    address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _USUAL_PORTS[parts.scheme]
    except (KeyError, ValueError):
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None


def open_form(
    request: Request, *, max_files: int = 0, max_fields: int = MAX_FIELDS
) -> AbstractAsyncContextManager[FormData]:
    """Parse the posted fields and files. Raises InvalidInput for a form with files in another encoding than UTF-8.

    Browsers name no encoding (RFC 7578, section 5.1.2). The parser would use any that Python has: Punycode takes
    quadratic time, others fail or leave half of a character, which cannot be stored.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind == b"multipart/form-data" and options.get(b"charset", b"utf-8").lower() not in {b"utf-8", b"utf8"}:
        raise InvalidInput("", "The form contains an unreadable character.")
    return request.form(max_files=max_files, max_fields=max_fields)


async def read_form(request: Request, *, max_fields: int = MAX_FIELDS) -> dict[str, str]:
    """Return the posted fields as text. Files are rejected, and the last of repeated names counts."""
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared not in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        raise InvalidInput("", "This address expects a form.")
    async with open_form(request, max_fields=max_fields) as form:
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    if any("\x00" in value for value in fields.values()):
        raise InvalidInput("", "The form contains an unreadable character.")
    return fields


def local_path(text: str, otherwise: str = "/") -> str:
    r"""Return a path on this site to redirect to. Anything that could lead to another site is replaced by
    ``otherwise``.

    Browsers treat ``//host`` and ``/\host`` as another host, and remove tabs and line breaks before parsing.
    """
    if not text.startswith("/") or text.startswith(("//", "/\\")) or any(ord(char) < 0x20 for char in text):
        return otherwise
    return otherwise if "\\" in text else text


def outdated_form(
    typed: Mapping[str, str],
    current: Mapping[str, str],
    problem: Why,
    *,
    versions: Collection[str] = ("revision",),
    label: Callable[[str, str], str] = lambda _, text: text,
) -> FormState:
    """The state of a form that is shown again because something changed after it was opened. What was typed stays, and
    the fields that differ show their current value next to it.

    ``current``: the values with which the form would open now. Those in ``versions`` are hidden fields that name the
    version shown. They replace the submitted ones: if the form is sent again, its user has seen the change. ``label``
    (name, text) formats a value for people.
    """
    others = {
        name: label(name, text)
        for name, text in current.items()
        if name not in versions and text != typed.get(name, "").replace("\r\n", "\n").strip()
    }
    return FormState({**typed, **{name: current[name] for name in versions}}, {"": problem}, others)


def form_with_problems(values: Mapping[str, str], wrong: InvalidInput) -> FormState:
    """The state of a form that is shown again: what was typed, and what is wrong with each field."""
    problems: Mapping[str, Why] = wrong.problems if isinstance(wrong, InvalidForm) else {wrong.field: wrong.why}
    return FormState(values, problems)
