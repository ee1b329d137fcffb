"""The client of one server with one token. Its operations are grouped by noun."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Self
from urllib.parse import quote

import msgspec
from msgspec import UNSET

from openmeet_client.chat import Chat, ChatModerationClient
from openmeet_client.matrix import Matrix
from openmeet_client.model import (
    Answer,
    CheckedProof,
    Event,
    EventPage,
    Group,
    GroupPage,
    Joining,
    ListedProof,
    Membership,
    NewEvent,
    NewGroup,
    Photo,
    PhotoPage,
    Proof,
    ProofPage,
    Reply,
    ShownAs,
)
from openmeet_client.series import AllSeries
from openmeet_client.transport import TRIES, Query, Transport


class OpenMeet:
    """A client of one server: ``async with OpenMeet(url, token) as api``. Without a token, only public data can be
    read.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        *,
        tries: int = TRIES,
        timeout_seconds: float = 30.0,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._transport = Transport(base_url, token, tries=tries, timeout_seconds=timeout_seconds, wait=wait)
        self.events = Events(self._transport)
        self.answers = Answers(self._transport)
        self.photos = Photos(self._transport)
        self.proofs = ProofsOfAttendance(self._transport)
        self.series = AllSeries(self._transport)
        self.groups = Groups(self._transport)
        self.chat = Chat(self._transport)
        self.chat_moderation = ChatModerationClient(self._transport)
        self.matrix = Matrix(self._transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()


class Events:
    """Single events. ``if_match``: a revision. If the event has been changed since that revision, editing it raises
    Changed.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def coming(
        self, *, q: str | None = None, first_day: str | None = None, last_day: str | None = None, per_page: int = 100
    ) -> AsyncIterator[Event]:
        """Upcoming public events, soonest first, all pages. Days are ``YYYY-MM-DD``; the last one is included."""
        query: Query = {"q": q, "from": first_day, "to": last_day, "limit": per_page}
        async for page in self._transport.pages("/api/events", EventPage, lambda page: page.cursor, query):
            for event in page.events:
                yield event

    async def mine(self, which: str = "going", *, per_page: int = 100) -> AsyncIterator[Event]:
        """The caller's events: ``hosting``, ``going``, ``waiting``, ``past``."""
        query: Query = {"which": which, "limit": per_page}
        async for page in self._transport.pages("/api/my/events", EventPage, lambda page: page.cursor, query):
            for event in page.events:
                yield event

    async def get(self, slug: str) -> Event:
        return await self._transport.get(_event(slug), Event)

    async def create(self, new: NewEvent) -> Event:
        return await self._transport.change("POST", "/api/events", Event, new)

    async def save(self, slug: str, changed: NewEvent, *, if_match: int | None = None) -> Event:
        """Replace the event's content."""
        return await self._transport.change("PUT", _event(slug), Event, changed, if_match=if_match)

    async def cancel(self, slug: str, reason: str = "", *, if_match: int | None = None) -> Event:
        path = f"{_event(slug)}/cancel"
        return await self._transport.change("POST", path, Event, {"reason": reason}, if_match=if_match)

    async def reinstate(self, slug: str, *, if_match: int | None = None) -> Event:
        return await self._transport.change("POST", f"{_event(slug)}/reinstate", Event, if_match=if_match)

    async def delete(self, slug: str, *, if_match: int | None = None) -> None:
        await self._transport.act("DELETE", _event(slug), if_match=if_match)

    async def publish(self, slug: str, *, at: str | None = None, if_match: int | None = None) -> Event:
        """Publish a draft, now or at a later instant (``2027-03-02T17:00:00Z``)."""
        body = {} if at is None else {"publishAt": at}
        return await self._transport.change("POST", f"{_event(slug)}/publish", Event, body, if_match=if_match)

    async def unpublish(self, slug: str, *, if_match: int | None = None) -> Event:
        """Make a published event a draft again. Only possible as long as nobody has answered."""
        return await self._transport.change("POST", f"{_event(slug)}/unpublish", Event, if_match=if_match)

    async def duplicate(self, slug: str, starts_local: str, ends_local: str | None = None) -> Event:
        """Create a copy with the same content on another date, without answers."""
        body = {"startsLocal": starts_local} | ({} if ends_local is None else {"endsLocal": ends_local})
        return await self._transport.change("POST", f"{_event(slug)}/duplicate", Event, body)

    async def joining(self, slug: str) -> Joining:
        """Registration settings of an event: who can come and how."""
        settings, revision = await self._transport.get_revision(f"{_event(slug)}/joining", Joining)
        return msgspec.structs.replace(settings, revision=revision)

    async def set_joining(
        self, slug: str, settings: Joining, *, for_series: bool = False, if_match: int | None = None
    ) -> Joining:
        """Replace the registration settings. Answers to a question are kept if its ``question_id`` is. ``if_match``:
        the ``revision`` that was read.

        ``for_series``: also change all dates of its series that have no settings of their own.
        """
        path = f"{_event(slug)}/joining{'?scope=series' if for_series else ''}"
        body = msgspec.structs.replace(settings, revision=UNSET)
        saved, revision = await self._transport.change_revision("PUT", path, Joining, body, if_match=if_match)
        return msgspec.structs.replace(saved, revision=revision)


class Answers:
    """The caller's own answers."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def give(self, slug: str, reply: Reply) -> Answer:
        """Answer an event. If the event is full, ``going`` puts the caller at the end of the waitlist."""
        return await self._transport.change("PUT", f"{_event(slug)}/answer", Answer, {"reply": reply})

    async def get(self, slug: str) -> Answer:
        return await self._transport.get(f"{_event(slug)}/answer", Answer)


class Photos:
    """Photos of an event that has begun, for its hosts and guests."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def of_event(self, slug: str, *, per_page: int = 100) -> AsyncIterator[Photo]:
        """The photos of an event, newest first, all pages."""
        query: Query = {"limit": per_page}
        async for page in self._transport.pages(f"{_event(slug)}/photos", PhotoPage, lambda page: page.cursor, query):
            for photo in page.photos:
                yield photo

    async def add(self, slug: str, image: bytes, caption: str = "") -> Photo:
        """Add a JPEG, PNG, WebP or GIF file. The same file again returns the stored photo."""
        body = {"image": image, "caption": caption}
        return await self._transport.change("POST", f"{_event(slug)}/photos", Photo, body)

    async def file(self, url: str) -> bytes:
        """Download a photo. ``url`` is its ``url`` or ``small_url``."""
        return await self._transport.get_file(url)

    async def describe(self, photo: str, caption: str) -> Photo:
        """Change the caption of one's own photo."""
        return await self._transport.change("PUT", _photo(photo), Photo, {"caption": caption})

    async def remove(self, photo: str) -> None:
        """Remove one's own photo, or as a host any photo of the event."""
        await self._transport.act("DELETE", _photo(photo))


class ProofsOfAttendance:
    """The caller's proofs of attendance, and those that others gave them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def mine(self, *, per_page: int = 100) -> AsyncIterator[ListedProof]:
        """The caller's proofs that were not withdrawn, newest first, all pages."""
        query: Query = {"limit": per_page}
        async for page in self._transport.pages(
            "/api/my/attendance-proofs", ProofPage, lambda page: page.cursor, query
        ):
            for proof in page.proofs:
                yield proof

    async def get(self, slug: str) -> Proof:
        """The caller's proof of an event. Raises NotFound if they have none."""
        return await self._transport.get(_proof(slug), Proof)

    async def make(self, slug: str, shown_as: ShownAs = "name", *, replaces: str = "") -> Proof:
        """Make a proof, once a host has checked the caller in and the event has started, or return the one that they
        have. ``replaces``: the ``proof_id`` of the proof that the new one replaces, which is withdrawn.
        """
        body = {"shownAs": shown_as, "replaces": replaces}
        return await self._transport.change("POST", _proof(slug), Proof, body)

    async def withdraw(self, slug: str, proof_id: str) -> None:
        """Withdraw a proof for good."""
        await self._transport.act("DELETE", f"{_proof(slug)}/{quote(proof_id, safe='')}")

    async def check(self, token: str) -> CheckedProof:
        """What a proof says now. ``token``: the last part of its address. Raises NotFound if there is no such proof, and
        Gone if it is no longer valid. Other failures say nothing about it.
        """
        return await self._transport.get(f"/api/attendance-proofs/{quote(token, safe='')}", CheckedProof)


class Groups:
    """Groups and their members."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def all(self, *, q: str | None = None, per_page: int = 100) -> AsyncIterator[Group]:
        """Public groups by name, all pages."""
        query: Query = {"q": q, "limit": per_page}
        async for page in self._transport.pages("/api/groups", GroupPage, lambda page: page.cursor, query):
            for group in page.groups:
                yield group

    async def get(self, slug: str) -> Group:
        return await self._transport.get(_group(slug), Group)

    async def create(self, new: NewGroup) -> Group:
        return await self._transport.change("POST", "/api/groups", Group, new)

    async def join(self, slug: str, answer: str = "") -> Membership:
        return await self._transport.change("PUT", f"{_group(slug)}/membership", Membership, {"answer": answer})

    async def leave(self, slug: str) -> None:
        await self._transport.act("DELETE", f"{_group(slug)}/membership")


def _event(slug: str) -> str:
    return f"/api/events/{quote(slug, safe='')}"


def _photo(photo: str) -> str:
    return f"/api/photos/{quote(photo, safe='')}"


def _proof(slug: str) -> str:
    return f"{_event(slug)}/attendance-proof"


def _group(slug: str) -> str:
    return f"/api/groups/{quote(slug, safe='')}"
