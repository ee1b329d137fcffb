"""Pages that explain the site: help, statements, its public status, and ``/api`` for authors of programs. Everyone can
read them, signed in or not.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Reader
from groundwork.errors import NotFound, Unavailable
from groundwork.i18n.catalogue import base_of
from groundwork.outbox import jobs
from groundwork.telemetry.logs import log
from openmeet.domain.api_tokens.tokens import PREFIX
from openmeet.domain.webhooks.model import WEBHOOK_EVENT_LABELS
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import LazyText, current, gettext, lazy
from openmeet.network.status import SyncDependencies, reading_delay
from openmeet.outbox import due_publications
from openmeet.outbox.kinds import JobKind
from openmeet.recurrence.wall_time import local_of
from openmeet.tenants.health import can_write
from openmeet.web.api.authentication import ADDRESS_FACTOR
from openmeet.web.help.texts import ABOUT, ACCESSIBILITY, BY_SLUG, PRIVACY, TERMS, TOPICS, Question, paragraphs_of
from openmeet.web.site.layout import page
from openmeet.web.site.reasons import SiteReason
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of


@dataclass(frozen=True, slots=True)
class _Statement:
    """A page that consists of one text."""

    title: LazyText
    parts: tuple[LazyText, ...]


# Retries and short outages take only minutes.
LATE: Final = 15 * MINUTE


@dataclass(frozen=True, slots=True)
class PartHealth:
    """The health of one part of the site. ``late_since`` is the time at which the oldest overdue item was due. None if
    nothing is overdue. ``is_stopped`` if the part does not work at all at the moment.
    """

    late_since: Instant | None
    is_stopped: bool = False

    @property
    def is_well(self) -> bool:
        return self.late_since is None and not self.is_stopped


@dataclass(frozen=True, slots=True)
class SiteHealth:
    """Whether ``emails``, ``sync`` and ``reading`` are on time. ``reading`` is None if the site does not read from
    other servers.
    """

    now: Instant
    emails: PartHealth
    sync: PartHealth
    reading: PartHealth | None = None

    @property
    def is_well(self) -> bool:
        parts = [self.emails, self.sync, *([] if self.reading is None else [self.reading])]
        return all(one.is_well for one in parts)


@dataclass(frozen=True, slots=True)
class OperationRow:
    """One line of the table. ``path_parts`` are the segments of the path, so that it can be wrapped between them."""

    method: str
    path_parts: tuple[str, ...]
    summary: str


@dataclass(frozen=True, slots=True)
class ApiSubject:
    """The operations of one subject, in the order of the document."""

    title: str
    rows: tuple[OperationRow, ...]


_STATEMENTS: Final = {
    "about": _Statement(lazy("About this site"), ABOUT),
    "terms": _Statement(lazy("Terms"), TERMS),
    "privacy": _Statement(lazy("Privacy"), PRIVACY),
    "accessibility": _Statement(lazy("Accessibility"), ACCESSIBILITY),
}


def routes() -> list[Route]:
    return [
        Route("/help", show_questions, methods=["GET"]),
        Route("/help/{question}", show_question, methods=["GET"]),
        Route("/about", show_statement, methods=["GET"], name="about"),
        Route("/terms", show_statement, methods=["GET"], name="terms"),
        Route("/privacy", show_statement, methods=["GET"], name="privacy"),
        Route("/accessibility", show_statement, methods=["GET"], name="accessibility"),
        Route("/status", show_status, methods=["GET"]),
    ]


async def show_questions(request: Request) -> Response:
    topics = [(topic.title, [BY_SLUG[slug] for slug in topic.slugs]) for topic in TOPICS]
    return page(request, "help/questions.html", {"topics": topics, "contact": _contact(request)})


async def show_question(request: Request) -> Response:
    question = BY_SLUG.get(request.path_params["question"])
    if question is None:
        raise NotFound(SiteReason.NOTHING_HERE)
    text = paragraphs_of(question.parts)
    return page(
        request,
        "help/question.html",
        {"question": question, "text": text, "others": _others(question), "contact": _contact(request)},
    )


def _others(question: Question) -> list[Question]:
    """The other questions of its topic."""
    [slugs] = [topic.slugs for topic in TOPICS if question.slug in topic.slugs]
    return [BY_SLUG[slug] for slug in slugs if slug != question.slug]


async def show_statement(request: Request) -> Response:
    """``/about``, ``/terms``, ``/privacy``, ``/accessibility``: the operator's own text, or a general one."""
    name = request.url.path.strip("/")
    statement = _STATEMENTS[name]
    settings = services(request).settings
    text = _own_text(settings.texts_directory, name, current().tag) or paragraphs_of(statement.parts)
    credit = gettext("Places: GeoNames, CC BY 4.0") if name == "about" and services(request).places is not None else ""
    geocoder = services(request).geocoder
    if credit and geocoder is not None:
        credit = f"{credit} · {geocoder.settings.credit}"
    context = {
        "title": statement.title,
        "text": text,
        "run_by": settings.run_by,
        "contact": settings.contact,
        "credit": credit,
        # Shown below an operator's own text too, because it describes what the software does.
        "geocoder_host": geocoder.host if name == "privacy" and geocoder is not None else "",
    }
    return page(request, "help/statement.html", context)


async def show_status(request: Request) -> Response:
    """The state of the site. During an outage, error pages lead here, so it must also answer without a database."""
    try:
        reading = await reading_health(services(request).sync_dependencies)
        async with database_of(request).reader() as reader:
            health = await site_health(reader, reading)
    except Unavailable as failure:
        log.warning("status.unreadable", reason=failure.why)
        return page(request, "help/outage.html", {"contact": _contact(request), "can_read": False}, status=503)
    if not can_write(services(request).probes, services(request).tenant.name):
        return page(request, "help/outage.html", {"contact": _contact(request), "can_read": True}, status=503)
    since = {
        name: "" if part is None or part.late_since is None else formatting.ago(part.late_since, health.now)
        for name, part in (("emails", health.emails), ("sync", health.sync), ("reading", health.reading))
    }
    zone = services(request).settings.time_zone
    checked = local_of(health.now, zone)
    context = {
        "health": health,
        "since": since,
        "checked": f"{formatting.clock(checked)} {formatting.zone_label(checked, zone)}",
        "contact": _contact(request),
    }
    return page(request, "help/status.html", context)


def _contact(request: Request) -> str:
    return services(request).settings.contact


@cache
def _own_text(folder: Path | None, name: str, language: str) -> str:
    """The operator's Markdown for this page, in this language or in the site's default language. Empty if there is
    none.

    ``terms.de.md`` takes precedence over ``terms.md``, and ``terms.en-US.md`` over ``terms.en.md``. Each file is read
    once. Changes take effect after a restart.
    """
    if folder is None:
        return ""
    for suffix in (f".{language}", f".{base_of(language)}", ""):
        if (file := folder / f"{name}{suffix}.md").is_file():
            return file.read_text("utf-8").strip()
    return ""


async def reading_health(sync_dependencies: SyncDependencies | None) -> PartHealth | None:
    """Whether data from other servers arrives on time."""
    if sync_dependencies is None:
        return None
    delay = await reading_delay(sync_dependencies, LATE)
    return PartHealth(delay.late_since, is_stopped=delay.is_broker_away)


async def site_health(reader: Reader, reading: PartHealth | None = None) -> SiteHealth:
    """The health of the site. Failed jobs and records are not counted: each concerns one person, and operators see them
    on their own page.
    """
    late = Instant(reader.now - LATE)
    mail = PartHealth(await jobs.oldest_due(reader, JobKind.MAIL, before=late))
    records = PartHealth(await due_publications.oldest_due(reader, before=late))
    return SiteHealth(reader.now, mail, records, reading)


def subjects_of(document: Mapping[str, Any]) -> list[ApiSubject]:
    """The operations of an OpenAPI document, by subject."""
    rows: dict[str, list[OperationRow]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            row = OperationRow(method.upper(), tuple(path.strip("/").split("/")), operation["summary"])
            rows[operation["tags"][0]].append(row)
    return [ApiSubject(tag["description"], tuple(rows[tag["name"]])) for tag in document["tags"]]


def serve_api_page(document: Callable[[], Mapping[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
    """The page. The OpenAPI document is generated on the first request, and only the rows of the table are kept."""
    subjects = functools.cache(lambda: subjects_of(document()))

    async def show_api(request: Request) -> Response:
        settings = services(request).settings
        per_minute = 0 if settings.is_unlimited else settings.api_requests_per_minute
        context = {
            "token_prefix": PREFIX,
            "per_token": per_minute,
            "per_address": per_minute * ADDRESS_FACTOR,
            "webhook_events": WEBHOOK_EVENT_LABELS,
            "contact": settings.contact,
            "subjects": await asyncio.to_thread(subjects),
        }
        return page(request, "help/api.html", context)

    return show_api
