"""Moderation of records and blobs: current decisions, takedown and its lifting, labels."""

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from aurora_locus.accounts import record_search
from aurora_locus.i18n.sentences import gettext_noop, localizable
from aurora_locus.moderation import audit_log, labels, subject_actions, takedowns
from aurora_locus.moderation.labels import Label
from aurora_locus.moderation.roles import OperatorAction
from aurora_locus.moderation.subject_actions import name_of
from aurora_locus.moderation.subjects import AccountSubject, BlobSubject, RecordSubject, Subject, blob_of, record_at
from aurora_locus.moderation.takedowns import NO_REFERENCE, SubjectStatus
from aurora_locus.web.administration_pages.operator_access import (
    admin_page,
    audit_of,
    operator_get,
    operator_post,
)
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import redirect_to
from aurora_locus.web.site.services import services
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput, NotFound, Why
from groundwork.http.forms import FormState, form_with_problems

# Maximum number of labels shown per subject.
MAX_LABELS = 50


def routes() -> list[Route]:
    """Routes of the page on which content is taken down and labelled."""
    return [
        operator_get("/admin/content", show_content),
        operator_post("/admin/content/decide", decide),
        operator_post("/admin/content/label", label, OperatorAction.LABEL),
    ]


async def show_content(request: Request) -> Response:
    """Show a record by its AT URI or a blob by its account and CID; also an account, but only with its labels."""
    query = {name: request.query_params.get(name, "").strip() for name in ("uri", "did", "cid", "report")}
    return await _page(request, FormState(query), query)


async def decide(request: Request) -> Response:
    """Take a record or blob down, or lift its takedown."""
    form = posted(request)
    try:
        subject, reference = _requested_takedown(form)
        await subject_actions.decide_content(services(request).registry, audit_of(request), subject, reference)
    except InvalidInput as wrong:
        return await _page(request, form_with_problems(form, wrong), form, status=400)
    except NotFound as absent:
        return await _page(request, FormState(form, {"uri": absent.why}), form, status=400)
    return redirect_to(_address(form), flash="done")


async def label(request: Request) -> Response:
    """Put a label on an account or record, or negate one."""
    form = posted(request)
    try:
        subject = form.get("uri", "").strip() or form.get("did", "").strip()
        until = _expiry(form, services(request).registry.clock.now())
        value, server_labels = form.get("value", "").strip(), services(request).labels
        await labels.put(server_labels, audit_of(request), subject, value, negate="negate" in form, expires_at=until)
    except InvalidInput as wrong:
        return await _page(request, form_with_problems(form, wrong), form, status=400)
    return redirect_to(_address(form), flash="done")


def _requested_takedown(form: Mapping[str, str]) -> tuple[RecordSubject | BlobSubject, str | None]:
    """Return the subject, and the reference of its takedown, or None to lift it. Raises InvalidInput."""
    subject = _subject(form)
    if subject is None or isinstance(subject, AccountSubject):
        raise InvalidInput("uri", gettext_noop("Enter a record, or a file and its account."))
    if form.get("decision") == "lift":
        return subject, None
    if "sure" not in form:
        raise InvalidInput("sure", gettext_noop("Select this to continue."))
    return subject, form.get("reference", "").strip() or NO_REFERENCE


def _expiry(form: Mapping[str, str], now: Instant) -> Instant | None:
    days = form.get("label_days", "").strip()
    if not days:
        return None
    if not (days.isascii() and days.isdigit() and len(days) < 5 and int(days)):
        raise InvalidInput("label_days", gettext_noop("Type a number of days, or leave this empty."))
    return Instant(now + int(days) * DAY)


async def _page(request: Request, form_state: FormState, query: Mapping[str, str], *, status: int = 200) -> Response:
    problem: Why = ""
    decision, name, text = None, "", ""
    labels_of_name: list[Label] = []
    entries = []
    try:
        subject = _subject(query)
    except InvalidInput as wrong:
        subject, problem = None, wrong.why
    registry = services(request).registry
    if subject is not None:
        name = name_of(subject)
        async with registry.db.reader() as reader:
            decision = await _decision(reader, subject)
            labels_of_name = await labels.query(reader, [name], after=0, limit=MAX_LABELS)
            entries = await audit_log.page(reader, subject=name, limit=20)
        text = await record_json(request, subject)
        if decision is None:
            problem = gettext_noop("This isn’t on this server, or not any more. You can still lift its takedown.")
    context = {
        "typed": form_state,
        "asked": query,
        "subject": subject,
        "is_account": isinstance(subject, AccountSubject),
        "is_blob": isinstance(subject, BlobSubject),
        "name": name,
        "decision": decision,
        "text": text,
        "labels": labels_of_name,
        "entries": entries,
        "problem": problem,
    }
    return admin_page(request, "content.html", context, status=status)


async def record_json(request: Request, subject: Subject) -> str:
    """Return a record as JSON, even if it is taken down. Empty for other subjects, and for a record that no longer
    exists.
    """
    if not isinstance(subject, RecordSubject):
        return ""
    record = await record_search.read(
        services(request).registry.db, subject.did, subject.collection, subject.rkey, also_taken_down=True
    )
    return "" if record is None else record_search.format_json(record)


def _subject(query: Mapping[str, str]) -> Subject | None:
    uri, did, cid = (query.get(name, "").strip() for name in ("uri", "did", "cid"))
    if uri:
        try:
            return record_at(uri)
        except Malformed as error:
            raise InvalidInput("uri", localizable("This isn’t an at-uri: %(why)s.", why=error.why)) from None
    if not did:
        return None
    try:
        parsed_did: Did = parse_did(did)
    except Malformed as error:
        raise InvalidInput("did", localizable("This isn’t a DID: %(why)s.", why=error.why)) from None
    return blob_of(parsed_did, cid) if cid else AccountSubject(parsed_did)


async def _decision(reader: Reader, subject: Subject) -> SubjectStatus | None:
    try:
        return await takedowns.find(reader, subject)
    except NotFound:
        return None


def _address(form: Mapping[str, str]) -> str:
    parameters = {name: form[name].strip() for name in ("uri", "did", "cid", "report") if form.get(name, "").strip()}
    return f"/admin/content?{urlencode(parameters)}"
