"""What hosts do about the record of their event: publish it again, retract it, decide after another app deleted it, delete
it after the event became less visible.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidInput, Refused
from groundwork.http.forms import read_form
from openmeet.domain.attendance import event_hosting
from openmeet.domain.events import actions as event_actions
from openmeet.domain.events import record_changes
from openmeet.domain.events.permissions import EventPermission
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.record_changes import DeletedRecordChoice
from openmeet.domain.events.values import Visibility
from openmeet.domain.page_paths import event_path
from openmeet.outbox import publication_status, publication_withdrawals, publications
from openmeet.web.events.hosting_pages import hosted_event
from openmeet.web.events.new_pages import publish_first
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/publish", publish_again, methods=["POST"]),
        Route("/events/{slug}/unpublish", withdraw_record, methods=["POST"]),
        Route("/events/{slug}/deleted-record", decide_record, methods=["POST"]),
        Route("/events/{slug}/delete-record", ask_about_record, methods=["GET"]),
        Route("/events/{slug}/delete-record", delete_record, methods=["POST"]),
    ]


async def publish_again(request: Request) -> Response:
    """Retry a pending publication now and show the result."""
    event = await hosted_event(request, EventPermission.PUBLISH_RECORD)
    if event.is_draft:
        raise Refused(EventReason.PUBLISH_FROM_FORM, name="Draft")
    async with database_of(request).transaction() as tx:
        event = await event_actions.agree_to_record(tx, caller_of(request), event.slug)
        await publications.retry_now(tx, kind=publications.PublicationKind.EVENT, subject_id=event.id)
    is_published = await publish_first(request, event)
    async with database_of(request).transaction() as tx:
        publication = (await publication_status.statuses(tx, publications.PublicationKind.EVENT, [event.id]))[event.id]
        if publication.state is publications.PublicationState.WITHHELD:
            # The event turned out not to be publishable (for example because consent was withdrawn), so it no longer
            # waits for its record.
            await record_changes.release(tx, event.id)
            return go(event_path(event.slug), flash="event_here_only")
    return go(event_path(event.slug), flash="event_published" if is_published else "event_tried")


async def withdraw_record(request: Request) -> Response:
    """Withdraw the event's record. The event stays, and the record stays deleted until the host publishes it again."""
    event = await hosted_event(request, EventPermission.PUBLISH_RECORD)
    async with database_of(request).transaction() as tx:
        has_copy = await publication_withdrawals.withdraw(
            tx, kind=publications.PublicationKind.EVENT, subject_id=event.id
        )
    return go(event_path(event.slug), flash="event_record_withdrawn" if has_copy else "no_record_to_withdraw")


async def decide_record(request: Request) -> Response:
    """Decide what to do about a record that another app deleted. Cancelling the event has its own page."""
    form = await read_form(request)
    decision = form.get("decision", "")
    if decision not in set(DeletedRecordChoice):
        raise InvalidInput("decision", EventReason.DECISION_NEEDED)
    async with database_of(request).transaction() as tx:
        event = await event_hosting.decide_about_deleted_record(
            tx, caller_of(request), event_slug_of(request), DeletedRecordChoice(decision)
        )
    if decision == DeletedRecordChoice.KEEP:
        return go(event_path(event.slug), flash="record_kept_here")
    is_published = await publish_first(request, event)
    return go(event_path(event.slug), flash="event_published" if is_published else "event_tried")


async def ask_about_record(request: Request) -> Response:
    """After an edit that made the event less visible, ask whether to delete the record in the author's repository as
    well.
    """
    event = await hosted_event(request, EventPermission.PUBLISH_RECORD)
    if not event.has_foreign_record or event.visibility is Visibility.PUBLIC:
        return go(event_path(event.slug))
    return page(request, "events/delete_record.html", {"event": event})


async def delete_record(request: Request) -> Response:
    """Delete the record. The event stays on this site for the people who may see it."""
    event = await hosted_event(request, EventPermission.PUBLISH_RECORD)
    async with database_of(request).transaction() as tx:
        await record_changes.withdraw_record_elsewhere(tx, caller_of(request), event.slug)
    return go(event_path(event.slug), flash="event_record_withdrawn")
