"""Pages of the moderation console: queue, held content, hidden content, log, policy, and decisions about one subject."""

from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import Conflict, InvalidForm, InvalidInput, NotFound, PreconditionFailed, Refused
from groundwork.http.forms import FormState, form_with_problems, outdated_form, read_form
from openmeet.domain.chat import objections
from openmeet.domain.moderation import actions as moderation_actions
from openmeet.domain.moderation import audit_log, policy, reports, visibility
from openmeet.domain.moderation.labelled_subjects import held_subjects
from openmeet.domain.moderation.model import (
    ModeratedKind,
    ModerationActionId,
    ModerationPolicy,
    ModerationReason,
    Subject,
    SubjectVisibility,
)
from openmeet.domain.moderation_effects import actions
from openmeet.domain.paging import Page
from openmeet.domain.photos.model import PhotoReason
from openmeet.domain.photos.queries import for_moderators as photos_for_moderators
from openmeet.i18n.catalogue import LazyText, lazy
from openmeet.web.api.etags import revision_in_form
from openmeet.web.moderation import view
from openmeet.web.moderation.access import moderator_of, position_of, subject_of
from openmeet.web.photos.pages import photo_response
from openmeet.web.site.layout import go, page
from openmeet.web.site.reasons import SiteReason
from openmeet.web.site.tenant_routing import database_of

PATH: Final = "/moderation"
PAGE: Final = 25
_LOG_PAGE: Final = 50
_WAITING: Final = (SubjectVisibility.FIRST_EVENT, SubjectVisibility.BURST)
_LATER: Final = (SubjectVisibility.ARRIVAL,)
_TABS: Final = (
    ("", lazy("Reports")),
    ("waiting", lazy("Waiting")),
    ("hidden", lazy("Hidden")),
    ("chat", lazy("Chat")),
    ("log", lazy("Log")),
    ("rules", lazy("Rules")),
)
_LABELS: Final = {"reason": lazy("Why"), "subject": lazy("Which one"), "thing": lazy("What")}


def routes() -> list[Route]:
    return [
        Route(PATH, show_queue, methods=["GET"]),
        Route(f"{PATH}/waiting", show_waiting, methods=["GET"]),
        Route(f"{PATH}/waiting", decide_waiting, methods=["POST"]),
        Route(f"{PATH}/hidden", show_hidden, methods=["GET"]),
        Route(f"{PATH}/hidden", find, methods=["POST"]),
        Route(f"{PATH}/log", show_log, methods=["GET"]),
        Route(f"{PATH}/log", undo, methods=["POST"]),
        Route(f"{PATH}/rules", show_rules, methods=["GET"]),
        Route(f"{PATH}/rules", save_rules, methods=["POST"]),
        Route(f"{PATH}/photos/{{key}}/{{size}}", show_photo, methods=["GET"]),
        Route(f"{PATH}/things/{{thing}}/{{subjectId:path}}", show_subject, methods=["GET"]),
        Route(f"{PATH}/things/{{thing}}/{{subjectId:path}}", decide, methods=["POST"]),
    ]


async def show_queue(request: Request) -> Response:
    """Reports grouped by subject, longest waiting first."""
    async with database_of(request).reader() as reader:
        await moderator_of(reader, request)
        reported = await reports.reported_subjects(
            reader, after=position_of(request.query_params.get("after", "")), limit=PAGE + 1
        )
        context = await _tab_context(reader, "") | {
            "cards": await view.subject_cards(reader, [one.subject for one in reported[:PAGE]])
        }
    more = f"{PATH}?after={reported[PAGE - 1].since}:{reported[PAGE - 1].subject.id}" if len(reported) > PAGE else ""
    return page(request, "moderation/queue.html", {**context, "more": more})


async def show_waiting(request: Request) -> Response:
    return await _show_listed(request, "waiting", _WAITING)


async def show_hidden(request: Request) -> Response:
    return await _show_listed(request, "hidden", (SubjectVisibility.HIDDEN,))


async def _show_listed(
    request: Request,
    tab: str,
    states: tuple[SubjectVisibility, ...],
    form_state: FormState | None = None,
    *,
    status: int = 200,
) -> Response:
    async with database_of(request).reader() as reader:
        await moderator_of(reader, request)
        after = position_of(request.query_params.get("after", ""))
        statuses = await visibility.listed(reader, states, after=after, limit=PAGE + 1)
        context = await _tab_context(reader, tab)
        context["cards"] = await view.subject_cards(reader, [one.subject for one in statuses[:PAGE]])
        is_waiting = tab == "waiting" and not after
        newest, others = await held_subjects(reader, Page(view.MAX_LISTED)) if is_waiting else ([], None)
        context["labelled"] = await view.subject_cards(reader, newest)
        context["are_newest_labelled"] = others is not None
        context["later"] = await visibility.count(reader, _LATER)
        context["bursts"] = await visibility.count(reader, (SubjectVisibility.BURST,))
    cursor = view.next_after(statuses, PAGE)
    context["more"] = f"{PATH}/{tab}?after={cursor}" if cursor else ""
    context["typed"] = form_state or FormState({})
    return page(request, f"moderation/{tab}.html", context, status=status)


async def find(request: Request) -> Response:
    """Redirect to the page of an account or host to block. The account or host may be unknown to this site."""
    form = await read_form(request)
    subject_text = form.get("subject", "").strip()
    try:
        subject = (
            Subject(ModeratedKind.DID, subject_text)
            if subject_text.startswith("did:")
            else subject_of(ModeratedKind.HOST, subject_text)
        )
    except InvalidInput:
        wrong = InvalidForm({"subject": ModerationReason.MALFORMED_SUBJECT})
        return await _show_listed(
            request, "hidden", (SubjectVisibility.HIDDEN,), form_with_problems(form, wrong), status=400
        )
    async with database_of(request).reader() as reader:
        await moderator_of(reader, request)
    return go(view.path_of(subject))


async def decide_waiting(request: Request) -> Response:
    """Show or block all newcomers that are held because many of them arrived together."""
    form = await read_form(request)
    async with database_of(request).transaction() as tx:
        moderator = await moderator_of(tx, request)
        after = {"accept": SubjectVisibility.TRUSTED, "block": SubjectVisibility.HIDDEN}.get(form.get("act", ""))
        if after is None:
            raise NotFound(SiteReason.NOTHING_HERE)
        await actions.decide_waiting(tx, moderator, after, host=form.get("host", ""), reason=form.get("reason", ""))
    return go(f"{PATH}/waiting", flash="arrivals_decided")


async def show_subject(request: Request) -> Response:
    return await _show_subject(request, FormState({}))


async def decide(request: Request) -> Response:
    form = await read_form(request)
    subject = _subject_of_path(request)
    action, reason = form.get("act", ""), form.get("reason", "")
    try:
        async with database_of(request).transaction() as tx:
            moderator = await moderator_of(tx, request)
            if action == "dismiss":
                await moderation_actions.dismiss(tx, moderator.user_id, subject, reason)
            elif action in actions.DECISIONS:
                await actions.decide(tx, moderator, subject, actions.DECISIONS[action], reason)
            else:
                raise NotFound(SiteReason.NOTHING_HERE)
    except InvalidForm as wrong:
        return await _show_subject(request, form_with_problems(form, wrong), status=400)
    except (Refused, Conflict) as refused:
        return await _show_subject(request, form_with_problems(form, InvalidForm({"": refused.why})), status=409)
    return go(view.path_of(subject), flash="act_done")


async def _show_subject(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    subject = _subject_of_path(request)
    async with database_of(request).reader() as reader:
        await moderator_of(reader, request)
        (card,) = await view.subject_cards(reader, [subject])
        entries = await audit_log.newest(reader, subject=subject.id, limit=_LOG_PAGE)
        subject_visibility = await visibility.status_of(reader, subject.id)
        if not card.is_there and subject_visibility is None and not entries and subject.kind is not ModeratedKind.DID:
            raise NotFound(ModerationReason.NO_SUCH_SUBJECT)
        owner = None
        if card.meant.owner is not None and subject.kind is not ModeratedKind.PERSON:
            owner = view.path_of(Subject(ModeratedKind.PERSON, card.meant.owner))
        context = await _tab_context(reader, "-") | {
            "card": card,
            "owner_path": owner,
            "did_path": view.path_of(Subject(ModeratedKind.DID, card.meant.did))
            if card.meant.did and subject.kind is not ModeratedKind.DID
            else "",
            "lines": await view.log_rows(reader, entries),
            "next_report": "" if card.reports else await next_report(reader),
            "typed": form_state,
            "labels": _LABELS,
            "is_block": subject.kind in {ModeratedKind.PERSON, ModeratedKind.DID, ModeratedKind.HOST},
            "may_trust": subject.kind in {ModeratedKind.PERSON, ModeratedKind.DID, ModeratedKind.EVENT}
            and card.state not in {SubjectVisibility.HIDDEN, SubjectVisibility.TRUSTED},
        }
    return page(request, "moderation/subject.html", context, status=status)


async def show_photo(request: Request) -> Response:
    """A photo of an event that somebody reported or a moderator hid. Raises NotFound."""
    key = request.path_params["key"]
    async with database_of(request).reader() as reader:
        await moderator_of(reader, request)
        found = await photos_for_moderators(reader, [key])
        is_under_review = await reports.open_about(reader, [key], 1) or await visibility.status_of(reader, key)
        if not found or not is_under_review:
            raise NotFound(PhotoReason.NO_SUCH_PHOTO)
    return await photo_response(request, found[0])


async def show_log(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        await moderator_of(reader, request)
        before = position_of(request.query_params.get("before", ""))
        entries = await audit_log.newest(reader, before=before, limit=_LOG_PAGE + 1)
        context = await _tab_context(reader, "log") | {"lines": await view.log_rows(reader, entries[:_LOG_PAGE])}
    last = entries[_LOG_PAGE - 1] if len(entries) > _LOG_PAGE else None
    context["more"] = f"{PATH}/log?before={last.at}:{last.id}" if last else ""
    return page(request, "moderation/log.html", context)


async def undo(request: Request) -> Response:
    form = await read_form(request)
    async with database_of(request).transaction() as tx:
        moderator = await moderator_of(tx, request)
        await actions.undo(tx, moderator, ModerationActionId(form.get("undo", "")))
    return go(f"{PATH}/log", flash="act_undone")


async def show_rules(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        await moderator_of(reader, request)
        current = await policy.current(reader)
    return await _show_rules(request, FormState(_rules_form(current)))


def _rules_form(current: ModerationPolicy) -> dict[str, str]:
    return {
        **{name: str(getattr(current, name)) for name in _policy_numbers()},
        "holds_first_events": "yes" if current.holds_first_events else "",
        "revision": str(current.revision),
    }


async def save_rules(request: Request) -> Response:
    form = await read_form(request)
    try:
        numbers = {name: _parse_number(form.get(name, "")) for name in _policy_numbers()}
        async with database_of(request).transaction() as tx:
            moderator = await moderator_of(tx, request)
            before = await policy.current(tx)
            new_policy = replace(before, holds_first_events=bool(form.get("holds_first_events")), **numbers)
            expected = revision_in_form(form.get("revision", ""))
            await policy.change(tx, new_policy, by=moderator.user_id, expected_revision=expected)
    except InvalidForm as wrong:
        return await _show_rules(request, form_with_problems(form, wrong), status=400)
    except PreconditionFailed:
        async with database_of(request).reader() as reader:
            newest = await policy.current(reader)
        outdated = outdated_form(form, _rules_form(newest), ModerationReason.RULES_CHANGED_WHILE_OPEN)
        return await _show_rules(request, outdated, status=409)
    return go(f"{PATH}/rules", flash="policy_saved")


async def _show_rules(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    async with database_of(request).reader() as reader:
        await moderator_of(reader, request)
        context = await _tab_context(reader, "rules")
    return page(
        request, "moderation/rules.html", {**context, "typed": form_state, "labels": view.RULE_LABELS}, status=status
    )


async def _tab_context(reader: Reader, tab: str) -> dict[str, object]:
    return {"tabs": await tabs_of(reader, tab), "now": reader.now}


async def next_report(reader: Reader) -> str:
    """The path of the report that waits longest: of those about events, groups, people and photos, else of those about
    chat messages. Empty if none waits.
    """
    if reported := await reports.reported_subjects(reader, after=None, limit=1):
        return view.path_of(reported[0].subject)
    messages = await objections.waiting_for_site(reader, limit=1)
    return f"{PATH}/chat/{messages[0][0]}" if messages else ""


async def tabs_of(reader: Reader, tab: str) -> list[tuple[str, LazyText, int, bool]]:
    """The tabs of the console. Each has its URL, its label, the number of waiting items, and whether it is the current
    one.
    """
    counts = {
        "": await reports.count_open(reader),
        "waiting": await visibility.count(reader, _WAITING),
        "chat": await objections.count_for_site(reader),
    }
    return [(f"{PATH}/{name}".rstrip("/"), words, counts.get(name, 0), name == tab) for name, words in _TABS]


def _subject_of_path(request: Request) -> Subject:
    return subject_of(request.path_params["thing"], request.path_params["subjectId"])


def _policy_numbers() -> list[str]:
    return [
        name
        for name in policy.NAMES
        if isinstance(getattr(ModerationPolicy(), name), int) and name != "holds_first_events"
    ]


def _parse_number(text: str) -> int:
    # Text that is not a number counts as out of range, so that the error states the range.
    return int(text) if text.isascii() and text.strip().isdigit() and len(text) < 10 else -1
