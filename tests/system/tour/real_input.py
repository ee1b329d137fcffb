"""Step 6: real input, as captured relay frames through a relay's socket, and records as real applications write them."""

import asyncio
import json
import os
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from at_network.did_resolver import DidResolver, DidSettings
from at_network.event_stream import read_frames
from at_protocol.sync import events
from at_protocol.sync.events import CommitMessage, Sequenced
from at_protocol.sync.verify import MessageRejected, verify_commit_message
from at_protocol.syntax.did import parse_did
from groundwork.clock import SystemClock
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from openmeet.network.records.collections import EVENTS, RSVPS
from openmeet.network.records.inspect import LocatedRecord, find_records, inspect_record
from tests.external_dependencies import fixture_path
from tests.simulation import relay as relays
from tests.simulation.directory import Directory
from tests.simulation.processes import OPENMEET
from tests.system.tour.narrator import Narrator
from tests.system.tour.people import Cast
from tests.system.tour.polling import TIMEOUT_SECONDS, eventually, frames_of
from tests.system.tour.stage import Stage

CAPTURE = "data/firehose/relay-2026-07-04-a"
RECORDS = "data/calendar-records"


async def steps(stage: Stage, tell: Narrator, cast: Cast) -> None:
    """Run both kinds of real input. If the data is not next to the repository, say so and skip the step."""
    tell.step(6, "Real input: relay frames, and records of other applications")
    if not fixture_path(CAPTURE + ".frames.bin").is_file():
        tell.say("The captured data was not found (OPENMEET_FIXTURES).")
        tell.say("Frames that this network has signed are used instead; the records are left out.")
        await _replay(tell, *await _own_frames(stage))
        return
    frames = relays.read_frames(fixture_path(CAPTURE + ".frames.bin"))
    await _replay(tell, frames, json.loads(fixture_path(CAPTURE + ".did-docs.json").read_text()))
    await _bring_in_records(stage, tell, cast)


async def _own_frames(stage: Stage) -> tuple[list[bytes], dict[str, Any]]:
    """Every frame of the second PDS so far, and the documents of its accounts."""
    frames = await frames_of(stage.second_pds_url)
    messages = [message for frame in frames if isinstance(message := events.read(frame), CommitMessage)]
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as http:
        dids = {message.repo for message in messages}
        return frames, {did: (await http.get(f"{stage.plc_url}/{did}")).json() for did in dids}


async def _replay(tell: Narrator, frames: list[bytes], documents: dict[str, Any]) -> None:
    sequences = [message.seq for frame in frames if isinstance(message := events.read(frame), Sequenced)]
    clock = SystemClock()
    http = HttpClient(DEVELOPMENT)
    kinds: Counter[str] = Counter()
    good, wrong = 0, []
    async with Directory(documents) as directory, relays.Relay(frames, sequences) as relay:
        dids = DidResolver(http, clock, DidSettings(directory.url))
        tell.sent(f"subscribeRepos?cursor=0 to a relay with {len(frames)} frames", relay.url)
        url = relay.url.replace("http", "ws", 1) + "/xrpc/com.atproto.sync.subscribeRepos?cursor=0"
        async with aclosing(read_frames(http, url)) as stream:
            async for frame in stream:
                message = events.read(frame)
                kinds[type(message).__name__] += 1
                if isinstance(message, CommitMessage):
                    document = await dids.resolve(parse_did(message.repo))
                    try:
                        assert document.signing_key is not None
                        verify_commit_message(message, document.signing_key, now_us=clock.now())
                        good += 1
                    except MessageRejected as refused:
                        wrong.append(f"{message.seq}: {refused}")
                if kinds.total() == len(frames):
                    break
        await dids.close()
    await http.close()
    tell.got(dict(kinds))
    commits = kinds["CommitMessage"]
    tell.expect(not wrong and good == commits, f"{good} of {commits} commits: signature and inversion hold", wrong)


@dataclass
class _Way:
    """The outcome for the records of one file."""

    written: Counter[str] = field(default_factory=Counter)
    inspected: list[str] = field(default_factory=list)


async def _bring_in_records(stage: Stage, tell: Narrator, cast: Cast) -> None:
    ways: dict[str, _Way] = {}
    authors = _Authors(stage.second_pds_url)
    expected: list[str] = []
    answers: dict[str, str] = {}
    files = sorted(fixture_path(RECORDS).glob("*.json"))
    found = {path: _named(find_records(json.loads(path.read_text()))) for path in files}
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as http:
        for path in files:
            way = ways[path.name] = _Way()
            # Answers are written after the events of their file. Across files the order is alphabetical, so some
            # answers come before their event.
            for number, record in enumerate(sorted(found[path], key=lambda one: one.collection in RSVPS)):
                why = await _write(http, authors, record, number, expected, answers)
                if why:
                    way.inspected.append(why)
                else:
                    way.written["rsvp" if record.collection in RSVPS else "event"] += 1
    tell.sent(f"{len(expected)} events and {len(answers)} RSVPs written to repositories on the second PDS")

    async def arrived() -> bool:
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as http:
            return all([await _is_here(http, stage, uri) for uri in expected])

    tell.expect(await eventually(arrived, 180), f"all {len(expected)} are events here, each under its own uri")
    await _look_for_answers(stage, tell, answers, set(expected))
    for path in files:
        way = ways[path.name]
        if way.inspected:
            process = await asyncio.create_subprocess_exec(
                OPENMEET, "records", "inspect", str(path), "--json", stdout=asyncio.subprocess.PIPE
            )
            printed, _ = await process.communicate()
            tell.expect(printed.startswith((b"[", b"{")), f"records inspect explains {path.name}")
    tell.table({name: _said(way) for name, way in ways.items()})
    tell.expect(all(way.written or way.inspected for way in ways.values()), "every file has gone one way or the other")


async def _look_for_answers(stage: Stage, tell: Narrator, answers: dict[str, str], events_here: set[str]) -> None:
    """Check that each answer counts for its event. An answer to an event that OpenMeet has not received waits until
    the event comes.
    """
    waiting = [uri for uri, subject in answers.items() if subject not in events_here]
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as http:
        for subject in set(answers.values()) & events_here:
            given = sum(one == subject for one in answers.values())

            async def counted(subject: str = subject, given: int = given) -> bool:
                answer = await http.get(f"{stage.openmeet_url}/api/events", params={"uri": subject})
                return bool(answer.json()["events"][0]["counts"]["going"] == given)

            tell.expect(await eventually(counted), f"{given} going at {subject}")

    async def are_waiting() -> bool:
        process = await asyncio.create_subprocess_exec(
            *(OPENMEET, "sync", "status", "--json"),
            env={**os.environ, **stage.platform["web"].environment},
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
        return bool(json.loads(printed)["records"].get("awaits_event", 0) == len(waiting))

    tell.expect(await eventually(are_waiting), f"{len(waiting)} waits for its event, which no repository here holds")


def _named(found: list[LocatedRecord]) -> list[LocatedRecord]:
    """If a file contains an event without a URI and an answer, the answer's subject gives the event's URI."""
    subjects = [_subject(one) for one in found if one.collection in RSVPS]
    nameless = [one for one in found if one.collection in EVENTS and not one.uri]
    if len(subjects) != 1 or len(nameless) != 1 or not subjects[0]:
        return found
    rkey = subjects[0].rsplit("/", 1)[1]
    return [replace(one, uri=subjects[0], rkey=rkey) if one is nameless[0] else one for one in found]


def _subject(found: LocatedRecord) -> str:
    value = found.value if isinstance(found.value, dict) else {}
    subject = value.get("subject")
    return str(subject.get("uri", "")) if isinstance(subject, dict) else ""


def _said(way: _Way) -> str:
    parts = [
        f"{count} {kind}{'s' if count > 1 else ''} written, and understood here" for kind, count in way.written.items()
    ]
    return "; ".join([*parts, *(f"inspected: {why}" for why in sorted(set(way.inspected)))])


class _Authors:
    """Accounts that replace the authors, because we have neither their DIDs nor their keys."""

    def __init__(self, pds_url: str) -> None:
        self.pds_url = pds_url
        self._accounts: dict[str, tuple[str, str]] = {}

    async def account(self, http: httpx.AsyncClient, author: str) -> tuple[str, str]:
        """DID and access token of the account that replaces this author."""
        if author not in self._accounts:
            handle = f"author{len(self._accounts)}.second.test"
            body = {
                "handle": handle,
                "email": f"{handle.split('.', maxsplit=1)[0]}@example.test",
                "password": "stands in",
            }
            made = await http.post(f"{self.pds_url}/xrpc/com.atproto.server.createAccount", json=body)
            made.raise_for_status()
            self._accounts[author] = made.json()["did"], made.json()["accessJwt"]
        return self._accounts[author]

    async def rehomed(self, http: httpx.AsyncClient, uri: str) -> str:
        """The URI with its author replaced by the account used instead."""
        author = uri.removeprefix("at://").split("/")[0]
        did, _ = await self.account(http, author)
        return uri.replace(author, did, 1)


async def _write(
    http: httpx.AsyncClient,
    authors: _Authors,
    found: LocatedRecord,
    number: int,
    expected: list[str],
    answers: dict[str, str],
) -> str:
    """Write one record as its author would have. Returns the reason if no repository can contain it."""
    understood = inspect_record(found, now=SystemClock().now())
    if found.collection not in EVENTS | RSVPS:
        return "no record of a calendar collection"
    if understood.unrepresentable:
        return understood.unrepresentable
    value: dict[str, Any] = json.loads(json.dumps(found.value))
    value.setdefault("$type", found.collection)
    subject = value.get("subject")
    if isinstance(subject, dict) and isinstance(subject.get("uri"), str):
        subject["uri"] = await authors.rehomed(http, subject["uri"])
    author = found.uri.removeprefix("at://").split("/")[0] if found.uri else f"author of {number}"
    did, token = await authors.account(http, author)
    body: dict[str, Any] = {"repo": did, "collection": found.collection, "record": value, "validate": False}
    if found.rkey:
        body["rkey"] = found.rkey
    method = "putRecord" if found.rkey else "createRecord"
    answer = await http.post(
        f"{authors.pds_url}/xrpc/com.atproto.repo.{method}", json=body, headers={"authorization": f"Bearer {token}"}
    )
    if answer.status_code != 200:
        return str(answer.json().get("message", answer.status_code))
    if found.collection in RSVPS:
        answers[answer.json()["uri"]] = value["subject"]["uri"]
    else:
        expected.append(answer.json()["uri"])
    return ""


async def _is_here(http: httpx.AsyncClient, stage: Stage, uri: str) -> bool:
    """Whether OpenMeet has an event for this record."""
    answer = await http.get(f"{stage.openmeet_url}/api/events", params={"uri": uri})
    answer.raise_for_status()
    return any(event["recordUri"] == uri for event in answer.json()["events"])
