"""``/operating``: synchronization status and what needs an operator, for the operators in the settings."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.telemetry.health import OK, look
from openmeet.network import problems
from openmeet.network.ingestion import dead_letters, discrepancies
from openmeet.network.ingestion.dead_letters import FailedStep
from openmeet.network.ingestion.discrepancies import Discrepancy
from openmeet.network.records.seen import RecordState
from openmeet.network.status import standing
from openmeet.outbox.publications import PublicationKind
from openmeet.web.admin.access import operator_of
from openmeet.web.atproto.ingest_api import engines_of
from openmeet.web.site.forms import read_form
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

PATH: Final = "/operating"
LETTERS: Final = f"{PATH}/dead-letters"
ASIDE: Final = f"{PATH}/put-aside"

DISAGREEMENT_WORDS: Final = {
    Discrepancy.RECORD_MISSING: "A record there was not known here",
    Discrepancy.RECORD_DIFFERS: "There and here had different versions",
    Discrepancy.RECORD_GONE: "A record known here is not there",
    Discrepancy.PUBLICATION_LOST: "What was published is not there",
    Discrepancy.PUBLICATION_DIFFERS: "What was published has been changed there",
    Discrepancy.ROW_MISSING: "A record without its event or answer here",
    Discrepancy.ROW_WITHOUT_RECORD: "An event or answer here whose record nobody knows",
}

STEP_WORDS: Final = {
    FailedStep.TAKING: "Taking it over failed",
    FailedStep.MENDING: "Mending what is here of it failed",
    FailedStep.COUNTING: "Counting it failed",
}

SEEN_WORDS: Final = {
    RecordState.MAPPED: "Understood",
    RecordState.RAW: "Kept as they are, because they make no event and no answer",
    RecordState.PARKED: "Answers that wait for their event",
    RecordState.TOMBSTONE: "Deleted",
}

RECORD_WORDS: Final = {
    PublicationKind.EVENT: "Records of events",
    PublicationKind.RSVP: "Records of answers",
    PublicationKind.SERIES: "Records of series",
    PublicationKind.GROUP: "Records of groups",
    PublicationKind.FORMER_GROUP: "Records that groups had before",
    PublicationKind.FORMER_EVENT: "Records that events had before",
    PublicationKind.FORMER_SERIES: "Records that series had before",
    PublicationKind.MEMBERSHIP: "Records of members, that they are in a group",
    PublicationKind.ACCEPTANCE: "Records of groups, that somebody is a member",
    PublicationKind.GROUP_EVENT: "Records of groups, that an event is theirs",
}


def routes() -> list[Route]:
    return [
        Route(PATH, show, methods=["GET"]),
        Route(LETTERS, show_letters, methods=["GET"]),
        Route(LETTERS, settle_letters, methods=["POST"]),
        Route(f"{LETTERS}/{{id}}", show_letter, methods=["GET"]),
        Route(ASIDE, show_aside, methods=["GET"]),
        Route(ASIDE, settle_aside, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    await operator_of(request)
    engines, db = engines_of(request), database_of(request)
    found = await standing(db, engines)
    async with db.reader() as reader:
        conflicts = await problems.open_conflicts(reader)
        disagreements = await discrepancies.newest(reader, problems.SHOWN)
    return page(
        request,
        "admin/operating.html",
        {
            "standing": found,
            "now": found.now,
            "servers": found.failing_servers,
            "away": [name for name, said in (await look(engines.others)).checks.items() if said != OK],
            "conflicts": conflicts,
            "disagreements": disagreements,
            "disagreement_words": DISAGREEMENT_WORDS,
            "record_words": RECORD_WORDS,
            "seen_words": SEEN_WORDS,
        },
    )


async def show_letters(request: Request) -> Response:
    await operator_of(request)
    letters, following = await problems.letters_of(
        engines_of(request).queue, after=request.query_params.get("after", "")
    )
    async with database_of(request).reader() as reader:
        now = reader.now
    return page(request, "admin/letters.html", {"letters": letters, "following": following, "now": now})


async def show_letter(request: Request) -> Response:
    await operator_of(request)
    opened = await problems.open_letter(engines_of(request).queue, request.path_params["id"])
    async with database_of(request).reader() as reader:
        now = reader.now
    return page(request, "admin/letter.html", {"letter": opened.letter, "content": opened.content, "now": now})


async def settle_letters(request: Request) -> Response:
    """Retry or drop dead letters: one of them, or all that the page showed."""
    await operator_of(request)
    typed, queue = await read_form(request), engines_of(request).queue
    chosen = [one for one in typed.get("letters", "").split() if one]
    if typed.get("do") == "discard":
        await dead_letters.discard(queue, chosen)
        return go(LETTERS, said="letters_forgotten")
    await dead_letters.retry(queue, chosen)
    return go(LETTERS, said="letters_delivered")


async def show_aside(request: Request) -> Response:
    await operator_of(request)
    async with database_of(request).reader() as reader:
        found = await dead_letters.page(reader, after=request.query_params.get("after", ""), limit=problems.SHOWN + 1)
        now = reader.now
    shown = found[: problems.SHOWN]
    following = shown[-1].uri if len(found) > len(shown) else ""
    found_there = {"records": shown, "following": following, "now": now, "step_words": STEP_WORDS}
    return page(request, "admin/put_aside.html", found_there)


async def settle_aside(request: Request) -> Response:
    """Backfill the repositories of quarantined records again, or drop the records: one, or all that the page showed."""
    await operator_of(request)
    typed = await read_form(request)
    chosen = typed.get("records", "").split()
    async with database_of(request).transaction() as tx:
        if typed.get("do") == "forget":
            await dead_letters.forget(tx, chosen)
            return go(ASIDE, said="letters_forgotten")
        await dead_letters.read_again(tx, chosen)
    return go(ASIDE, said="records_read_again")
