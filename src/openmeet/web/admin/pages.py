"""``/operating``: synchronization status and open problems. Only for the operators listed in the settings."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.http.forms import read_form
from groundwork.telemetry.health import OK, run_checks
from openmeet.domain.chat import mirroring
from openmeet.i18n.reasons.messages import explain
from openmeet.network import status as network_status
from openmeet.network.ingestion import dead_letters, discrepancies, quarantine
from openmeet.network.status import sync_status
from openmeet.outbox import publication_status
from openmeet.outbox.kinds import JOB_LABELS
from openmeet.web.admin.access import operator_of
from openmeet.web.admin.view import (
    CIRCUIT_LABELS,
    DISAGREEMENT_LABELS,
    RECORD_LABELS,
    SEEN_LABELS,
    STATE_LABELS,
    STEP_LABELS,
    needs_of,
    parts_of,
)
from openmeet.web.atproto.ingest_api import sync_dependencies_of
from openmeet.web.events.merged_fields import FIELD_LABELS
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

PATH: Final = "/operating"
DEAD_LETTERS: Final = f"{PATH}/dead-letters"
QUARANTINE: Final = f"{PATH}/put-aside"


def routes() -> list[Route]:
    return [
        Route(PATH, show, methods=["GET"]),
        Route(DEAD_LETTERS, show_dead_letters, methods=["GET"]),
        Route(DEAD_LETTERS, act_on_dead_letters, methods=["POST"]),
        Route(f"{DEAD_LETTERS}/{{id}}", show_dead_letter, methods=["GET"]),
        Route(QUARANTINE, show_quarantine, methods=["GET"]),
        Route(QUARANTINE, act_on_quarantine, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    await operator_of(request)
    sync_dependencies, db = sync_dependencies_of(request), database_of(request)
    status = await sync_status(db, sync_dependencies)
    async with db.reader() as reader:
        conflicts = await network_status.open_conflicts(reader)
        disagreements = await discrepancies.newest(reader, network_status.SHOWN)
        mirrored = await mirroring.overview(reader, network_status.SHOWN)
        refused = await publication_status.newest_refused(reader, network_status.SHOWN)
    away = [name for name, outcome in (await run_checks(sync_dependencies.others)).checks.items() if outcome != OK]
    geocoder = services(request).geocoder
    if geocoder is not None:
        await geocoder.check()
    return page(
        request,
        "admin/operating.html",
        {
            "sync": status,
            "needs": needs_of(status, away, mirrored, geocoder),
            "overview": parts_of(status, disagreements, len(conflicts), geocoder),
            "now": status.now,
            "servers": status.failing_servers,
            "away": away,
            "conflicts": conflicts,
            "disagreements": disagreements,
            "mirrored": mirrored,
            "refused": [(one, explain(one.reason)) for one in refused],
            "disagreement_words": DISAGREEMENT_LABELS,
            "record_words": RECORD_LABELS,
            "job_words": JOB_LABELS,
            "field_words": FIELD_LABELS,
            "seen_words": SEEN_LABELS,
            "circuit_words": CIRCUIT_LABELS,
            "state_words": STATE_LABELS,
        },
    )


async def show_dead_letters(request: Request) -> Response:
    await operator_of(request)
    letters, following = await network_status.dead_letters_of(
        sync_dependencies_of(request).queue, after=request.query_params.get("after", "")
    )
    async with database_of(request).reader() as reader:
        now = reader.now
    return page(request, "admin/letters.html", {"letters": letters, "following": following, "now": now})


async def show_dead_letter(request: Request) -> Response:
    await operator_of(request)
    opened = await network_status.open_dead_letter(sync_dependencies_of(request).queue, request.path_params["id"])
    async with database_of(request).reader() as reader:
        now = reader.now
    return page(request, "admin/letter.html", {"letter": opened.letter, "content": opened.content, "now": now})


async def act_on_dead_letters(request: Request) -> Response:
    """Retry or drop dead letters: either one, or all that were on the page."""
    await operator_of(request)
    form, queue = await read_form(request), sync_dependencies_of(request).queue
    letter_ids = [one for one in form.get("letters", "").split() if one]
    if form.get("do") == "discard":
        await dead_letters.discard(queue, letter_ids)
        return go(DEAD_LETTERS, flash="dead_letters_forgotten")
    await dead_letters.retry(queue, letter_ids)
    return go(DEAD_LETTERS, flash="dead_letters_delivered")


async def show_quarantine(request: Request) -> Response:
    await operator_of(request)
    async with database_of(request).reader() as reader:
        records = await quarantine.page(
            reader, after=request.query_params.get("after", ""), limit=network_status.SHOWN + 1
        )
        now = reader.now
    shown = records[: network_status.SHOWN]
    following = shown[-1].uri if len(records) > len(shown) else ""
    found_there = {"records": shown, "following": following, "now": now, "step_words": STEP_LABELS}
    return page(request, "admin/quarantine.html", found_there)


async def act_on_quarantine(request: Request) -> Response:
    """Backfill the repositories of quarantined records again, or drop the records: either one, or all that were on the
    page.
    """
    await operator_of(request)
    form = await read_form(request)
    record_ids = form.get("records", "").split()
    async with database_of(request).transaction() as tx:
        if form.get("do") == "forget":
            await quarantine.remove(tx, record_ids)
            return go(QUARANTINE, flash="dead_letters_forgotten")
        await quarantine.retry(tx, record_ids)
    return go(QUARANTINE, flash="records_read_again")
