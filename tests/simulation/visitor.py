"""A visitor with a browser without scripts: follows links, fills in the forms that the page really has, and stores
cookies.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx

from tests.plain_http import NO_TLS

# On a busy machine a page may take longer than the five seconds that the library would wait.
TIMEOUT_SECONDS = 60.0


@dataclass
class Form:
    """A form of a page, with the values that a browser would send unchanged."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.words: list[str] = []
        self._open: Form | None = None
        self._silent = 0
        self._area: str | None = None
        self._select: str | None = None
        # An option without a value uses its text as value; and whether the option is selected.
        self._option: bool | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {name: value or "" for name, value in attrs}
        if tag in {"script", "style", "template"}:
            self._silent += 1
        if tag == "form":
            self._open = Form(a.get("action", ""), a.get("method", "get").lower())
            self.forms.append(self._open)
        form = self._open
        if form is None:
            return
        name = a.get("name", "")
        if tag == "input" and name:
            kind = a.get("type", "text")
            if kind in {"radio", "checkbox"}:
                form.choices.setdefault(name, []).append(a.get("value", "on"))
                if "checked" in a:
                    form.fields[name] = a.get("value", "on")
            elif kind == "submit":
                form.buttons.append((name, a.get("value", "")))
            else:
                form.fields[name] = a.get("value", "")
        elif tag == "button" and name:
            form.buttons.append((name, a.get("value", "")))
        elif tag == "textarea" and name:
            self._area = name
            form.fields[name] = ""
        elif tag == "select" and name:
            self._select = name
        elif tag == "option" and self._select:
            is_sent = "selected" in a or self._select not in form.fields
            form.choices.setdefault(self._select, []).append(a.get("value", ""))
            if is_sent:
                form.fields[self._select] = a.get("value", "")
            self._option = None if "value" in a else is_sent

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style", "template"}:
            self._silent = max(0, self._silent - 1)
        elif tag == "form":
            self._open = None
        elif tag == "textarea":
            self._area = None
        elif tag == "option":
            self._option = None
        elif tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._option is not None and self._select and self._open:
            self._open.choices[self._select][-1] += data.strip()
            if self._option:
                self._open.fields[self._select] += data.strip()
        if self._area and self._open:
            self._open.fields[self._area] += data
        elif not self._silent:
            self.words.append(data)


@dataclass
class Seen:
    """A page as the visitor sees it."""

    url: str
    status: int
    html: str

    @property
    def text(self) -> str:
        """The text of the page, without markup and with collapsed spaces."""
        return " ".join(" ".join(self._parsed().words).split())

    def form(self, action: str) -> Form:
        """The first form whose action's path ends with this."""
        for form in self._parsed().forms:
            if urlsplit(urljoin(self.url, form.action)).path.endswith(action):
                return form
        raise AssertionError(f"{self.url} has no form for {action}: {[f.action for f in self._parsed().forms]}")

    def _parsed(self) -> _Page:
        page = _Page()
        page.feed(self.html)
        return page


class Visitor:
    """One person's browser."""

    def __init__(self, base_url: str) -> None:
        self.http = httpx.AsyncClient(verify=NO_TLS, base_url=base_url, follow_redirects=True, timeout=TIMEOUT_SECONDS)
        self.http.headers["origin"] = base_url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.http.aclose()

    async def open(self, path: str) -> Seen:
        answer = await self.http.get(path)
        return Seen(str(answer.url), answer.status_code, answer.text)

    async def submit(self, page: Seen, action: str, button: tuple[str, str] | None = None, **typed: str) -> Seen:
        """Fill in and send a form of the page. Only fields that the form has can be filled in."""
        form = page.form(action)
        known = form.fields.keys() | form.choices.keys()
        unknown = typed.keys() - known
        assert not unknown, f"the form {form.action} has no {sorted(unknown)}; it has {sorted(known)}"
        values = {**form.fields, **typed, **(dict([button]) if button else {})}
        target = urljoin(page.url, form.action or page.url)
        answer = await self.http.request(
            form.method, target, **({"data": values} if form.method == "post" else {"params": values})
        )
        return Seen(str(answer.url), answer.status_code, answer.text)
