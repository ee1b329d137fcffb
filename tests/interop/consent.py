"""A person whose browser was opened by an app: signs in, allows every selected permission, and is sent back to the app."""

import ssl
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx

from tests.plain_http import NO_TLS


@dataclass
class Form:
    """A form as a browser would send it: fields by name, and the buttons that can be pressed."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(said.get("action", "")))
        if not self.forms or "name" not in said:
            return
        form = self.forms[-1]
        if tag == "button":
            form.buttons.append((said["name"], said.get("value", "")))
        elif tag == "input" and (said.get("type") not in ("checkbox", "radio") or "checked" in said):
            form.fields[said["name"]] = said.get("value", "")


async def allow(
    address: str,
    handle: str,
    password: str,
    *,
    step: str = "approve",
    without: str = "",
    trust: ssl.SSLContext = NO_TLS,
) -> str:
    """Open the address that an app sends its user to, sign in and consent. Returns the address of the app that this
    leads to.

    ``step``: the button pressed at the end. ``without``: scopes with this prefix are deselected. ``trust``: the
    certificates that the browser trusts if the server uses https.
    """
    headers = {"sec-fetch-site": "same-origin"}
    async with httpx.AsyncClient(verify=trust, trust_env=False, headers=headers) as http:
        answer = await http.get(address)
        for pressed, typed in (("sign-in", {"identifier": handle, "password": password}), (step, {})):
            answer = await _follow(http, answer)
            if answer.status_code == 303:
                break  # a permission granted before is not shown again
            answer = await _press(http, answer, pressed, typed, without)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def _press(
    http: httpx.AsyncClient, page: httpx.Response, step: str, typed: dict[str, str], without: str
) -> httpx.Response:
    reader = _Forms()
    reader.feed(page.text)
    form = next((form for form in reader.forms if ("step", step) in form.buttons), None)
    assert form is not None, f"no button {step} at {page.url}: {page.text}"
    fields = {
        name: value
        for name, value in form.fields.items()
        if (value or name in typed) and not (without and value.startswith(without))
    }
    return await http.post(urljoin(str(page.url), form.action), data={**fields, "step": step, **typed})


async def _follow(http: httpx.AsyncClient, answer: httpx.Response) -> httpx.Response:
    """Follow the server's own redirects. A redirect back to the app is left to its browser."""
    while answer.status_code == 303:
        location = urljoin(str(answer.url), answer.headers["location"])
        if urlsplit(location).netloc != answer.url.netloc.decode():
            return answer
        answer = await http.get(location)
    assert answer.status_code == 200, answer.text
    return answer
