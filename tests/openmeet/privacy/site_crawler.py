"""Visit every page, API operation and search of a site, with the ids of everything that exists."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import httpx

from openmeet.routes import operations
from openmeet.web.api.examples import example_of
from tests.openmeet.privacy.planted import ABSENT, NOBODY, Planted, Viewer
from tests.openmeet.site_under_test import Site

# Settings without rate limits, because a 429 would hide the content of a page.
UNLIMITED: Final[dict[str, Any]] = {"api_requests_per_minute": 0, "pages_per_minute": 0}

_PARAMETER = re.compile(r"\{(\w+)(?::path)?\}")
_UNKNOWN_ID = "0198a3c5-11f0-7a9b-8c33-5e7d9f0a2b46"


@dataclass(frozen=True)
class Place:
    """A route of the server."""

    method: str
    path: str

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/api/")


def places(site: Site) -> list[Place]:
    """All routes of the running application, so that new ones are covered automatically."""
    found = []
    for route in site.app.routes:
        for method in sorted(getattr(route, "methods", None) or ()):
            if method != "HEAD":
                found.append(Place(method, route.path))  # type: ignore[attr-defined]  # noqa: PERF401  # two loops read better than one
    return found


def addresses(place: Place, planted: Planted, viewer: Viewer) -> Iterator[tuple[str, str]]:
    """The URLs of a route, each with the slug that the viewer already knows."""
    names = _PARAMETER.findall(place.path)
    if not names:
        # A live stream for an unknown subject would never end. The other streams need the id of a room.
        yield (f"{place.path}?event={ABSENT}" if place.path == "/live" else place.path), ""
        return
    words = [word for word in place.path.split("/") if word and "{" not in word]
    known = next((word for word in words if word in planted.addresses), "")
    for values in list(planted.known_to(viewer, known)) or [{}]:
        filled = {name: values.get(name, _UNKNOWN_ID) for name in names}
        if "what" in filled:
            filled["what"] = "event"
        yield _PARAMETER.sub(lambda one: filled[one.group(1)], place.path), values.get("slug", "")  # noqa: B023  # used at once


@asynccontextmanager
async def signed_in_viewer(site: Site, planted: Planted, viewer: Viewer) -> AsyncIterator[httpx.AsyncClient]:
    """A browser and an API client, both signed in as this viewer."""
    async with site.browser() as client:
        if viewer is not NOBODY:
            browser, program = planted.tokens[viewer]
            client.cookies.set("openmeet_session", browser)
            client.headers["authorization"] = f"Bearer {program}"
        yield client


@dataclass
class Look:
    """The places where secrets were found, and the response of each route for each slug: the status, and the detail of
    a problem.
    """

    found: dict[str, set[str]] = field(default_factory=dict)
    answers: dict[tuple[Place, str], tuple[int, str]] = field(default_factory=dict)

    @property
    def secrets(self) -> set[str]:
        return set().union(*self.found.values()) if self.found else set()

    def note(self, planted: Planted, place: Place, asked: str, known: str, answer: httpx.Response) -> None:
        # A requested URL may appear in the response, in a link or in the return path of the sign-in.
        text = answer.text + "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        secrets = planted.found_in(text.replace("\r\n ", "").replace(known, "") if known else text)
        problem = answer.headers.get("content-type") == "application/problem+json"
        self.answers[place, known] = (answer.status_code, answer.json()["detail"] if problem else "")
        if secrets:
            self.found.setdefault(f"{place.method} {asked}", set()).update(secrets)

    def beyond(self, meant: set[str]) -> dict[str, set[str]]:
        """Leaks: by request, the secrets in its response that the viewer may not see."""
        return {asked: secrets - meant for asked, secrets in self.found.items() if secrets - meant}

    def broken(self) -> list[tuple[Place, str]]:
        # The readiness check reports the load of this machine, and has its own deadline.
        return [
            asked for asked, (status, _) in self.answers.items() if status >= 500 and asked[0].path != "/health/ready"
        ]

    def unlike_absent(self, planted: Planted) -> list[tuple[Place, str]]:
        """Responses for hidden things that differ from the responses for absent ones."""
        return [
            (place, slug)
            for (place, slug), answer in self.answers.items()
            if slug in planted.hidden and answer != self.answers[place, ABSENT]
        ]


async def look_everywhere(site: Site, planted: Planted, viewer: Viewer) -> Look:
    """Send every GET request."""
    look = Look()
    async with signed_in_viewer(site, planted, viewer) as client:
        for place in places(site):
            if place.method != "GET":
                continue
            for address, known in addresses(place, planted, viewer):
                answer = await client.get(address)
                assert answer.status_code != HTTPStatus.TOO_MANY_REQUESTS, f"the probe does not see {address}"
                look.note(planted, place, address, known, answer)
    return look


async def try_everything(site: Site, planted: Planted, viewer: Viewer) -> Look:
    """Call every route that changes something, as a viewer without permission, with the example of its documentation or
    a filled form.
    """
    look = Look()
    async with signed_in_viewer(site, planted, viewer) as client:
        for place in places(site):
            if place.method == "GET" or place in _OWN_SESSION:
                continue
            for address, known in addresses(place, planted, viewer):
                if place.is_api:
                    answer = await client.request(place.method, address, json=_body(place), headers=_ANY_VERSION)
                else:
                    answer = await client.post(address, data=_FORM)
                look.note(planted, place, address, known, answer)
    return look


async def search(site: Site, viewer: Viewer, planted: Planted, word: str) -> list[str]:
    """The results of each search for a word and their number, with the word itself removed."""
    async with signed_in_viewer(site, planted, viewer) as client:
        answers = [await client.get(f"{path}?q={word}") for path in _SEARCHES]
    assert {answer.status_code for answer in answers} == {200}
    return [re.sub(word, "", answer.text, flags=re.IGNORECASE) for answer in answers]


_SEARCHES = ("/", "/api/events", "/groups", "/api/groups")

# These calls end every session of the viewer.
_OWN_SESSION = {
    Place("DELETE", "/api/session"),
    Place("POST", "/sign-out"),
    Place("POST", "/settings/identity/sign-out-everywhere"),
}

_ANY_VERSION = {"if-match": "*"}

_FORM = {
    "reply": "interested",
    "text": "Hello",
    "name": "Somebody",
    "display_name": "Somebody",
    "email": "somebody@example.org",
    "mails": "somebody@example.org",
    "whom": "somebody@example.org",
    "title": "Something else",
    "starts": "2026-07-04T18:00",
    "time_zone": "Europe/Berlin",
    "reason": "Because",
    "q": "a",
    "answer": "yes",
    "scope": "all",
    "confirmed": "yes",
}

_SHAPES = {(one.method, one.path): one.body for one in operations()}


def _body(place: Place) -> object:
    shape = _SHAPES.get((place.method, place.path))
    body = {} if shape is None else example_of(shape)
    # A confirmed place would give them access to things that they must not see yet.
    return body | {"reply": "interested"} if isinstance(body, dict) and "reply" in body else body
