"""Report something, with or without an account, block or mute somebody, and list one's own blocks and mutes."""

from collections.abc import Collection
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, NotFound, Refused, TooMany
from groundwork.http.forms import FormState, form_with_problems, local_path, read_form
from openmeet.domain.groups import rules as group_rules
from openmeet.domain.groups.model import GroupId
from openmeet.domain.groups.queries import by_id as by_group_id
from openmeet.domain.groups.queries import role_in
from openmeet.domain.moderation import blocks, model, reports
from openmeet.domain.moderation.model import REASON_LABELS, ModeratedKind, ReportOutcome, Subject
from openmeet.domain.page_paths import event_path
from openmeet.domain.paging import Page, page_of
from openmeet.domain.safety import actions, subjects
from openmeet.domain.safety.subjects import ReportedSubject
from openmeet.domain.sign_in.model import check_email
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import gettext, lazy
from openmeet.web.site.caller import caller_of, caller_or_none, viewer_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.rate_limits import spend_on
from openmeet.web.site.reasons import SiteReason
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

PATH: Final = "/settings/safety"
PER_PAGE: Final = 50
# The lists of the page: the name of the parameter with the cursor, which is also the fragment.
_LISTS: Final = ("blocked", "muted", "reports")
_PLACES: Final = {
    "/events/{slug}/report": ModeratedKind.EVENT,
    "/series/{slug}/report": ModeratedKind.SERIES,
    "/groups/{slug}/report": ModeratedKind.GROUP,
    "/people/{userId}/report": ModeratedKind.PERSON,
    "/events/{slug}/photos/{key}/report": ModeratedKind.PHOTO,
}
_KIND_CODES: Final = {
    ModeratedKind.EVENT: "event",
    ModeratedKind.SERIES: "series",
    ModeratedKind.GROUP: "group",
    ModeratedKind.PERSON: "person",
    ModeratedKind.PHOTO: "photo",
}
_FLASH: Final = {"block": "blocked", "unblock": "unblocked", "mute": "muted", "unmute": "unmuted"}
_OUTCOMES: Final = {
    None: lazy("A moderator is looking at it."),
    ReportOutcome.ACTED: lazy("A moderator acted on it."),
    ReportOutcome.DISMISSED: lazy("A moderator found nothing against the rules."),
}


def routes() -> list[Route]:
    return [
        *(Route(path, show_report, methods=["GET"]) for path in _PLACES),
        *(Route(path, report, methods=["POST"]) for path in _PLACES),
        Route(PATH, show, methods=["GET"]),
        Route(PATH, change, methods=["POST"]),
    ]


async def show_report(request: Request) -> Response:
    return await _show_report(request, FormState({}))


async def report(request: Request) -> Response:
    caller = caller_or_none(request)
    form = await read_form(request)
    kind, address = _asked(request)
    email = ""
    try:
        reason, comment = model.check_report(form.get("reason", ""), form.get("words", ""))
        if caller is None:
            if form.get("email", "").strip():
                email = check_email(form["email"])
            await spend_on(request, actions.VISITOR_REPORTS)
        async with database_of(request).transaction() as tx:
            await _subject_of(tx, request, viewer_of(request))
            if caller is None:
                await actions.report_as_visitor(tx, kind, address, reason, comment, email)
            else:
                await actions.report(tx, caller, kind, address, reason, comment)
    except InvalidForm as wrong:
        return await _show_report(request, form_with_problems(form, wrong), status=400)
    except TooMany as limit:
        return await _show_report(request, FormState(form, {"": limit.why}), status=429)
    except Refused as refused:
        return await _show_report(request, form_with_problems(form, InvalidForm({"": refused.why})), status=422)
    return go(f"{request.url.path}?sent={'mail' if email else 'yes'}", flash="reported")


async def show(request: Request) -> Response:
    """The caller's blocks, mutes and reports, newest first. Each list has its own cursor in the query."""
    caller = caller_of(request)
    of_blocks, of_mutes, of_reports = (_page_of(request, name) for name in _LISTS)
    async with database_of(request).reader() as reader:
        blocked, next_blocks = of_blocks.cut(
            await blocks.blocked_by(reader, caller.user_id, of_blocks), lambda one: (one.since, one.subject.id)
        )
        muted, next_mutes = of_mutes.cut(
            await blocks.mutes_of(reader, caller.user_id, of_mutes), lambda one: (one[1], one[0].id)
        )
        reports_made, next_reports = of_reports.cut(
            await reports.of_person(reader, caller.user_id, of_reports), lambda one: (one.created_at, one.id)
        )
        people = [one.subject for one in blocked]
        described = await subjects.described(
            reader, [*people, *(subject for subject, _ in muted), *(one.subject for one in reports_made)]
        )
        listed = [*people, *(subject for subject, _ in muted if subject.kind is ModeratedKind.PERSON)]
        known = await subjects.known_among(reader, caller.user_id, [UserId(one.id) for one in listed])
        kept_away = [
            (one.subject.id, *await _name_and_path(reader, described[one.subject.id], caller.user_id, known), one.since)
            for one in blocked
        ]
        rows = [
            (subject, *await _name_and_path(reader, described[subject.id], caller.user_id, known), since)
            for subject, since in muted
        ]
        now = reader.now
    following = zip(_LISTS, (next_blocks, next_mutes, next_reports), strict=True)
    context = {
        "blocked": kept_away,
        "muted": rows,
        # Names that the viewer may no longer see are not shown.
        "reports": [
            (_KIND_CODES[one.subject.kind], one.created_at, REASON_LABELS[one.reason], _OUTCOMES[one.outcome])
            for one in reports_made
        ],
        "more": {name: cursor and f"{PATH}?{urlencode({name: cursor})}#{name}" for name, cursor in following},
        "now": now,
    }
    return page(request, "safety/safety.html", context)


def _page_of(request: Request, name: str) -> Page:
    """The requested page of one of the lists. Raises InvalidInput (``cursor``)."""
    return page_of(str(PER_PAGE), request.query_params.get(name, ""))


async def _name_and_path(
    reader: Reader, subject: ReportedSubject, viewer: UserId, known: Collection[UserId]
) -> tuple[str, str]:
    """The name of a person or a group and the path of their page, if the viewer may still see them. ``known``: the
    people whose names the viewer may learn.

    The path distinguishes people who have the same name.
    """
    if subject.subject.kind is ModeratedKind.GROUP:
        group = await by_group_id(reader, GroupId(subject.subject.id))
        role = await role_in(reader, GroupId(subject.subject.id), viewer)
        if group is None or not group_rules.may_see(group, role):
            return gettext("A group you can’t see"), ""
    elif UserId(subject.subject.id) not in known:
        return gettext("Somebody you haven’t met here"), ""
    return (subject.title, subject.path) if subject.title else (gettext("Somebody who has left"), "")


async def change(request: Request) -> Response:
    """Block or mute, or end a block or mute. Then return to the page with the button."""
    caller = caller_of(request)
    form = await read_form(request)
    act, subject = form.get("act", ""), form.get("subject", "")
    kind = ModeratedKind.GROUP if form.get("thing") == ModeratedKind.GROUP else ModeratedKind.PERSON
    async with database_of(request).transaction() as tx:
        match act:
            case "block":
                await actions.block(tx, caller, UserId(subject))
            case "unblock":
                await actions.unblock(tx, caller, UserId(subject))
            case "mute":
                await actions.mute(tx, caller, Subject(kind, subject))
            case "unmute":
                await actions.unmute(tx, caller, Subject(kind, subject))
            case _:
                raise NotFound(SiteReason.NOTHING_HERE)
    return go(local_path(form["next"]) if form.get("next") else PATH, flash=_FLASH[act])


async def _show_report(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    viewer = viewer_of(request)
    kind, _ = _asked(request)
    open_report, keeps_away, mutes_person, mutes_group = None, False, False, False
    async with database_of(request).reader() as reader:
        described = await _subject_of(reader, request, viewer)
        owner = described.owner if viewer is not None and described.owner != viewer else None
        if viewer is not None:
            open_report = await reports.open_by(reader, viewer, described.subject.id)
            keeps_away = owner is not None and await blocks.has_blocked(reader, viewer, owner)
            mutes_person = owner is not None and await blocks.is_muted(reader, viewer, owner)
            mutes_group = described.group_id is not None and await blocks.is_muted(reader, viewer, described.group_id)
    # Nobody knows which visitor reported it, so the address of the page says that somebody did.
    is_sent = "sent" in request.query_params and (viewer is None or open_report is not None)
    if open_report is not None and not form_state.problems:
        form_state = FormState({"reason": open_report.reason.value, "words": open_report.comment})
    context = {
        "typed": form_state,
        "lengths": {"words": model.MAX_COMMENT},
        "meant": described,
        "what": _KIND_CODES[kind],
        "owner": owner,
        "is_own": viewer is not None and owner is None,
        "is_known": open_report is not None,
        # Shown after a report: what happens next, and what the reporter can do in addition.
        "is_sent": is_sent and not form_state.problems,
        "gets_email": request.query_params.get("sent") == "mail",
        "reports_per_address": actions.REPORTS_PER_ADDRESS,
        "with_mailbox": services(request).dev_mailbox is not None,
        "safety_path": PATH,
        "keeps_away": keeps_away,
        "mutes_person": mutes_person,
        "mutes_group": mutes_group,
        "reasons": [(reason.value, words, "") for reason, words in REASON_LABELS.items()],
        # Somebody who blocked the person no longer sees the photo, but the others.
        "back": described.path.rpartition("/")[0] if kind is ModeratedKind.PHOTO else described.path or PATH,
    }
    return page(request, "safety/report.html", context, status=status)


async def _subject_of(reader: Reader, request: Request, viewer: UserId | None) -> ReportedSubject:
    """The subject that the path names. Raises NotFound."""
    kind, address = _asked(request)
    described = await subjects.by_address(reader, kind, address, viewer)
    slug = request.path_params.get("slug", "")
    if kind is ModeratedKind.PHOTO and not described.path.startswith(f"{event_path(slug)}/"):
        raise NotFound(SiteReason.NOTHING_HERE)
    return described


def _asked(request: Request) -> tuple[ModeratedKind, str]:
    """The kind of subject, given by the first path segment, and its id."""
    if "key" in request.path_params:
        return ModeratedKind.PHOTO, request.path_params["key"]
    first = request.url.path.split("/")[1]
    kind = next(kind for path, kind in _PLACES.items() if path.split("/")[1] == first)
    return kind, request.path_params.get("slug") or request.path_params["userId"]
