"""Sync page of a person's own RSVP: what this site and their account have, which one to keep, and its history. Nobody else
can see it.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from openmeet.domain.attendance import answer_bar_inputs, registration
from openmeet.domain.attendance.answer_bar import REPLY_OF_STATUS, answer_bar_of
from openmeet.domain.attendance.model import RsvpRecordStatus, RsvpReply
from openmeet.domain.attendance.rsvp_list_texts import status_words
from openmeet.domain.attendance.rules import record_status_of
from openmeet.domain.events.model import EventSlug
from openmeet.domain.identities import publishing_preferences
from openmeet.domain.identities.queries import consent
from openmeet.domain.page_paths import event_path
from openmeet.domain.users.model import Caller
from openmeet.i18n import formatting
from openmeet.network.ingestion import answer_review
from openmeet.network.ingestion.answer_review import AnswerReview
from openmeet.network.records.rsvp import NoStatusToken, status_token
from openmeet.outbox import publication_status
from openmeet.outbox.publications import PublicationKind
from openmeet.outbox.reasons import RecordStatus
from openmeet.web.atproto.merges_pages import (
    RECORD_STATUS_LABELS,
    AnswerVersions,
    MergedRecordView,
    StoryLine,
    merge_views,
    merged_page,
)
from openmeet.web.attendance.view import history_section
from openmeet.web.events.publication_view import Sync, answer_sync
from openmeet.web.media.subject import subject_of_event

_REPLY_OF_RECORD: Final = {
    RsvpRecordStatus.GOING: RsvpReply.GOING,
    RsvpRecordStatus.INTERESTED: RsvpReply.INTERESTED,
    RsvpRecordStatus.NOT_GOING: RsvpReply.DECLINED,
}


def routes() -> list[Route]:
    return [Route("/events/{slug}/answer/sync", show, methods=["GET"])]


async def show(request: Request) -> Response:
    return await merged_page(request, of_answer)


async def of_answer(reader: Reader, caller: Caller, slug: str) -> MergedRecordView:
    """The caller's RSVP to an event, and the merge decisions about it. Raises NotFound."""
    review = await answer_review.review_of(reader, caller, EventSlug(slug))
    event, rsvp = review.event, review.rsvp
    publication = (await publication_status.statuses(reader, PublicationKind.RSVP, [rsvp.id]))[rsvp.id]
    has_agreed = (await consent(reader, caller.user_id)).is_given
    wants = has_agreed and (await publishing_preferences.of_user(reader, caller.user_id)).writes_answers
    sync = answer_sync(rsvp, event, publication, reader.now, has_agreed=wants)
    path = f"{event_path(event.slug)}/answer"
    return MergedRecordView(
        PublicationKind.RSVP,
        rsvp.id,
        event.title,
        path,
        path,
        merge_views(reader, review.decisions, event.time_zone),
        review.uri,
        subject_of_event(event, reader.now),
        sync=sync,
        answer=await _versions_of(reader, caller, review, sync),
        history=await _history_of(reader, caller, review),
    )


async def _versions_of(reader: Reader, caller: Caller, review: AnswerReview, sync: Sync) -> AnswerVersions:
    rsvp, recorded = review.rsvp, review.recorded
    # While the host decides, the record keeps an earlier answer. That is no difference to settle.
    is_undecided = status_token(rsvp.status) is NoStatusToken.UNDECIDED
    differs = recorded is not None and not is_undecided and recorded is not record_status_of(rsvp.status)
    is_kept_here = rsvp.skips_record and not rsvp.is_private
    stays = is_kept_here or sync.may_try or sync.may_publish or sync.status == RecordStatus.CHANGED_ONLY_HERE()
    may_choose = differs and stays
    reply = shares = ""
    if may_choose and recorded is not None:
        bar_input = await answer_bar_inputs.bar_input_of(
            reader, await registration.registration_of(reader, review.event), caller.user_id, rsvp=rsvp
        )
        replies = answer_bar_of(bar_input).replies
        theirs, ours = _REPLY_OF_RECORD.get(recorded), REPLY_OF_STATUS.get(rsvp.status)
        reply = theirs.value if theirs in replies else ""
        shares = ours.value if is_kept_here and ours in replies else ""
    return AnswerVersions(
        here=status_words(rsvp.status, rsvp.pending_for),
        there="" if recorded is None else str(RECORD_STATUS_LABELS[recorded]),
        differs=differs,
        may_choose=may_choose,
        reply=reply,
        shares=shares,
    )


async def _history_of(reader: Reader, caller: Caller, review: AnswerReview) -> list[StoryLine]:
    """The latest changes of the RSVP. The page of the RSVP has the older ones."""
    part = await history_section(
        reader, (review.rsvp.id, caller.user_id), caller.user_id, review.event.time_zone, path="", cursor=""
    )
    return [
        StoryLine(
            line.changed_at,
            None,
            "globe" if line.is_by_record else "edit",
            line.what,
            line.by,
            formatting.ago(line.changed_at, reader.now),
        )
        for line in part.lines
    ]
