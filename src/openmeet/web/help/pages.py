"""Pages that explain the site. Everyone can read them, signed in or not."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import LazyText, current, gettext, lazy
from openmeet.web.help.health import reading_health, site_health
from openmeet.web.help.questions import BY_SLUG, QUESTIONS
from openmeet.web.help.statements import ABOUT, ACCESSIBILITY, PRIVACY, TERMS, paragraphs_of
from openmeet.web.site.layout import page
from openmeet.web.site.reasons import SiteReason
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of


@dataclass(frozen=True, slots=True)
class _Statement:
    """A page that consists of one text."""

    title: LazyText
    parts: tuple[LazyText, ...]


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
    return page(request, "help/questions.html", {"questions": QUESTIONS, "contact": _contact(request)})


async def show_question(request: Request) -> Response:
    question = BY_SLUG.get(request.path_params["question"])
    if question is None:
        raise NotFound(SiteReason.NOTHING_HERE)
    others = [one for one in QUESTIONS if one is not question]
    text = paragraphs_of(question.parts)
    return page(
        request,
        "help/question.html",
        {"question": question, "text": text, "others": others, "contact": _contact(request)},
    )


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
    reading = await reading_health(services(request).sync_dependencies)
    async with database_of(request).reader() as reader:
        health = await site_health(reader, reading)
    since = {
        name: "" if part is None or part.late_since is None else formatting.ago(part.late_since, health.now)
        for name, part in (("emails", health.emails), ("sync", health.sync), ("reading", health.reading))
    }
    return page(request, "help/status.html", {"health": health, "since": since, "contact": _contact(request)})


def _contact(request: Request) -> str:
    return services(request).settings.contact


@cache
def _own_text(folder: Path | None, name: str, language: str) -> str:
    """The operator's Markdown for this page, in this language or in the site's default language. Empty if there is
    none.

    ``terms.de.md`` takes precedence over ``terms.md``. Each file is read once. Changes take effect after a restart.
    """
    if folder is None:
        return ""
    for file in (folder / f"{name}.{language}.md", folder / f"{name}.md"):
        if file.is_file():
            return file.read_text("utf-8").strip()
    return ""
