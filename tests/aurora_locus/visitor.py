"""A browser without rendering: keeps cookies, parses forms, and submits them as a browser would."""

import re
from dataclasses import dataclass, field
from html import unescape

import httpx

from tests.aurora_locus.deployment import Deployment
from tests.plain_http import NO_TLS

_CSRF = re.compile(r'name="csrf" value="([^"]+)"')
_PROBLEM = re.compile(r'<p class="problem" id="([\w-]+)-problem">.*?</span>(.*?)</p>', re.DOTALL)
_HEADING = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)


@dataclass
class Visitor:
    """One browser. ``sends``: headers of every request, as browsers send them for our own pages."""

    http: httpx.AsyncClient
    url: str
    sends: dict[str, str] = field(default_factory=lambda: {"sec-fetch-site": "same-origin"})

    async def get(self, path: str, **parameters: str) -> httpx.Response:
        return await self.http.get(path, params=parameters or None, headers=self.sends)

    async def send(self, path: str, fields: dict[str, str], *, page: str | None = None) -> httpx.Response:
        """Open the page with the form (by default at the same URL), fill it in, and submit it."""
        opened = await self.get(page or path)
        return await self.post(path, {"csrf": token_in(opened), **fields})

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        """Post a form without opening its page."""
        return await self.http.post(path, data=fields, headers={**self.sends, **headers})

    async def sign_in(self, name: str, **more: str) -> httpx.Response:
        return await self.send(
            "/sign-in",
            {"identifier": f"{name}.test", "password": f"password of {name}", **more},
            page="/sign-in?another",
        )

    async def is_signed_in(self) -> bool:
        return (await self.get("/sign-in/accounts")).status_code == 200

    def carry(self, cookies: dict[str, str]) -> None:
        """Use exactly these cookies, as if copied from another browser."""
        self.http.cookies.clear()
        for name, value in cookies.items():
            self.http.cookies.set(name, value, domain=self.http.base_url.host)

    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self.http.cookies.jar}


def visitor(deployment: Deployment) -> Visitor:
    """A new browser for a deployment that does not follow redirects. The caller closes its ``http``."""
    return Visitor(httpx.AsyncClient(verify=NO_TLS, base_url=deployment.url, trust_env=False), deployment.url)


def token_in(answer: httpx.Response) -> str:
    """The token of the first form on a page."""
    found = _CSRF.search(answer.text)
    assert found is not None, f"{answer.status_code} {answer.url}: no form"
    return found[1]


def problems_in(answer: httpx.Response) -> dict[str, str]:
    """The errors that the page shows next to its fields."""
    return {name: unescape(why) for name, why in _PROBLEM.findall(answer.text)}


def heading_of(answer: httpx.Response) -> str:
    found = _HEADING.search(answer.text)
    assert found is not None, answer.text[:300]
    return unescape(found[1])
