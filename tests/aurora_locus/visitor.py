"""Somebody with a browser that is not one: keeps cookies, reads forms, sends them back as a browser would."""

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
    """One browser. ``sends`` are headers of every request, as browsers send them with what people do on our own pages."""

    http: httpx.AsyncClient
    url: str
    sends: dict[str, str] = field(default_factory=lambda: {"sec-fetch-site": "same-origin"})

    async def get(self, path: str, **parameters: str) -> httpx.Response:
        return await self.http.get(path, params=parameters or None, headers=self.sends)

    async def send(self, path: str, fields: dict[str, str], *, page: str | None = None) -> httpx.Response:
        """Open the page with the form (of the same address, if not said otherwise), fill it in, send it."""
        opened = await self.get(page or path)
        return await self.post(path, {"csrf": token_in(opened), **fields})

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        """Send a form as it is."""
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
        """Have these cookies and no others, as if they had been copied from another browser."""
        self.http.cookies.clear()
        for name, value in cookies.items():
            self.http.cookies.set(name, value, domain=self.http.base_url.host)

    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self.http.cookies.jar}


def visitor(deployment: Deployment) -> Visitor:
    """A new browser in front of a deployment; redirects are not followed. Close its ``http``."""
    return Visitor(httpx.AsyncClient(verify=NO_TLS, base_url=deployment.url, trust_env=False), deployment.url)


def token_in(answer: httpx.Response) -> str:
    """The token of the first form on a page."""
    found = _CSRF.search(answer.text)
    assert found is not None, f"{answer.status_code} {answer.url}: no form"
    return found[1]


def problems_in(answer: httpx.Response) -> dict[str, str]:
    """What the page says beside its fields."""
    return {name: unescape(why) for name, why in _PROBLEM.findall(answer.text)}


def heading_of(answer: httpx.Response) -> str:
    found = _HEADING.search(answer.text)
    assert found is not None, answer.text[:300]
    return unescape(found[1])
