"""Records of events, series and answers in a repository, by the names that people know; the payer writes through these and no other way.

``client`` is what ``identities.agents.agent_for_user`` gives: it proves itself with each request, repeats one whose nonce was old, and keeps
below the limits that the server states. A write names what it replaces (``swap``, a CID; None: there must be nothing), so that
two writers never undo each other; the record is made by reading first and changing what is ours (``records.event_writing``, ``records.rsvp``,
``records.series``), so that what other apps added stays. Each raises what ``XrpcClient`` raises; Conflict where something else is
there.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from at_network.xrpc_client import XrpcClient
from at_protocol.data import json_form
from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import AtUri, normal_uri, parse_at_uri
from at_protocol.syntax.did import Did
from groundwork.errors import RemoteFailed
from openmeet.network.publishing.sending import Current, Stored, delete_record, get_record, put_record
from openmeet.network.records.collections import EVENTS, RSVP, RSVPS, SERIES_COLLECTIONS
from openmeet.network.records.rsvp import subject_of

_PAGE: Final = 100
# Answers of one person that are looked through; who has more is read whole (``Debt.BACKFILL``).
MOST_ANSWERS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in a repository. ``subject`` is the event that it names, None where it names none."""

    uri: AtUri
    cid: str
    record: dict[str, Value]
    subject: AtUri | None


async def get_event(client: XrpcClient, uri: AtUri) -> Current | None:
    """The event's record as the PDS holds it; None where it holds none."""
    return await get_record(client, uri)


async def create_event(client: XrpcClient, uri: AtUri, record: dict[str, Value]) -> Stored:
    """Write an event under a key that was chosen before, so that a lost answer makes no second one."""
    return await put_record(client, uri, record, swap=None)


async def update_event(client: XrpcClient, uri: AtUri, record: dict[str, Value], *, swap: str) -> Stored:
    """Write an event in place of the version ``swap``."""
    return await put_record(client, uri, record, swap=swap)


async def delete_event(client: XrpcClient, uri: AtUri, *, expected: str | None) -> str | None:
    """Take an event's record away; the rev of the commit, None where there was nothing. ``expected``: see ``delete_record``."""
    return await delete_record(client, uri, expected=expected)


async def create_event_series(client: XrpcClient, uri: AtUri, record: dict[str, Value]) -> Stored:
    """Write the record of a series."""
    return await put_record(client, uri, record, swap=None)


async def update_event_series(client: XrpcClient, uri: AtUri, record: dict[str, Value], *, swap: str) -> Stored:
    """Write the record of a series in place of the version ``swap``."""
    return await put_record(client, uri, record, swap=swap)


async def create_or_update_rsvp(
    client: XrpcClient, uri: AtUri, record: dict[str, Value], *, swap: str | None
) -> Stored:
    """Write an answer; its key follows from the event's uri, so there is one of it however often it is sent."""
    return await put_record(client, uri, record, swap=swap)


async def delete_rsvp(client: XrpcClient, uri: AtUri, *, expected: str | None) -> str | None:
    """Take an answer's record away."""
    return await delete_record(client, uri, expected=expected)


async def list_rsvps(client: XrpcClient, did: Did) -> AsyncIterator[Answer]:
    """The answers in a repository, the newest keys first, at most ``MOST_ANSWERS``; what cannot be read whole is left out."""
    cursor: str | None = None
    for _ in range(MOST_ANSWERS // _PAGE):
        page = await client.query(
            "com.atproto.repo.listRecords", {"repo": did, "collection": str(RSVP), "limit": _PAGE, "cursor": cursor}
        )
        listed = page.get("records")
        if not isinstance(listed, list):
            raise RemoteFailed("The PDS answered without a list of records.")
        for entry in listed:
            found = _answer(entry)
            if found is not None:
                yield found
        following = page.get("cursor")
        if not isinstance(following, str) or not listed:
            return
        cursor = following


async def store(client: XrpcClient, uri: AtUri, record: dict[str, Value], *, swap: str | None) -> Stored:
    """Write whichever record this is."""
    if uri.collection in RSVPS:
        return await create_or_update_rsvp(client, uri, record, swap=swap)
    if uri.collection in SERIES_COLLECTIONS:
        if swap is None:
            return await create_event_series(client, uri, record)
        return await update_event_series(client, uri, record, swap=swap)
    if uri.collection not in EVENTS:
        return await put_record(client, uri, record, swap=swap)
    if swap is None:
        return await create_event(client, uri, record)
    return await update_event(client, uri, record, swap=swap)


async def take_away(client: XrpcClient, uri: AtUri, *, expected: str | None) -> str | None:
    """Delete whichever record this is."""
    if uri.collection in RSVPS:
        return await delete_rsvp(client, uri, expected=expected)
    if uri.collection in EVENTS:
        return await delete_event(client, uri, expected=expected)
    return await delete_record(client, uri, expected=expected)


def _answer(entry: object) -> Answer | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("uri"), str) or not isinstance(entry.get("cid"), str):
        return None
    try:
        record = json_form.from_json(entry.get("value"))
        uri = parse_at_uri(entry["uri"])
        said = subject_of(record)
        subject = None if said is None else normal_uri(parse_at_uri(said))
    except Malformed:
        return None
    return Answer(uri, entry["cid"], record, subject) if isinstance(record, dict) else None
