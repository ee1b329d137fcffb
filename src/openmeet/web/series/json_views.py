"""JSON views of series, dates, previews and consequences, for one viewer."""

from dataclasses import asdict

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.http.json_bodies import json_name
from openmeet.domain.attendance import capacity_change
from openmeet.domain.events.content import input_name, visible
from openmeet.domain.events.content import shown as inputs_shown
from openmeet.domain.events.edits import details_in, differing
from openmeet.domain.events.values import Audience, public_place
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups import rules as group_rules
from openmeet.domain.groups.model import GroupId
from openmeet.domain.page_paths import event_path, series_path
from openmeet.domain.series import agenda, date_queries, follower_queries, impact, materialize, queries, splits
from openmeet.domain.series import (
    undo as undoing,
)
from openmeet.domain.series.agenda import AgendaOccurrence
from openmeet.domain.series.dates import original_text
from openmeet.domain.series.model import EditScope, Series, SeriesSlug, StoredOccurrence, Timing
from openmeet.domain.series.plan import EditPlan, OccurrenceChange
from openmeet.domain.series.preview import RuleSummary
from openmeet.domain.users.model import UserId
from openmeet.i18n.formatting import iso, iso_or_none
from openmeet.recurrence.describe import describe
from openmeet.recurrence.structured import to_json
from openmeet.web.api.external_identity import sources_of
from openmeet.web.events.schemas import venue_shown
from openmeet.web.media.uploads import picture_shown
from openmeet.web.series.schemas import (
    DateChange,
    DateMade,
    DateOutput,
    DatePreview,
    DateTouched,
    EditConsequences,
    MyDatesOutput,
    RulePreview,
    SeriesOutput,
    UndoableActionOutput,
)


async def series_output(reader: Reader, series: Series, viewer: UserId | None, public_url: str) -> SeriesOutput:
    """The series as this viewer sees it. The join link is for the host only, unless the host chose to show it to
    everyone.
    """
    content, pattern = series.content, series.timing.pattern
    before = None if series.split_from is None else await queries.by_id(reader, series.split_from)
    origin = await splits.visible_part(reader, series, before, viewer)
    behind = await splits.visible_continuations(reader, series, viewer)
    follows = None if viewer is None else await follower_queries.following(reader, series.id, viewer)
    standing_rsvp = None if viewer is None else await follower_queries.standing_rsvp_of(reader, series.id, viewer)
    own_dates = None if viewer is None else (await date_queries.of_series(reader, [series.id], viewer))[series.id]
    can_edit = not series.is_read_only and await agenda.may_edit(reader, series, viewer)
    (source,) = await sources_of(reader, [(not series.is_read_only, series.record_uri)])
    undo = await undoing.open_undo(reader, series) if can_edit else None
    is_host = can_edit or viewer == series.owner_id
    # The join link appears some time before each date. A series as a whole has no such time.
    is_open = content.online_url_audience is Audience.EVERYONE and content.online_url_from is None
    venue = content.venue if is_host else public_place(content.venue, content.place_audience)
    return SeriesOutput(
        slug=series.slug,
        url=f"{public_url}{series_path(series.slug)}",
        picture=picture_shown(content.picture, public_url),
        sentence=describe(pattern),
        recurrence=None if pattern.rule is None else str(pattern.rule),
        rule=None if pattern.rule is None else str(pattern.rule),
        structured=None if pattern.rule is None else to_json(pattern.rule),
        rdates=list(map(original_text, pattern.added)),
        exdates=list(map(original_text, pattern.left_out)),
        starts_local=original_text(pattern.start),
        time_zone=series.zone_name,
        duration_seconds=None if series.timing.length is None else round(series.timing.length.total_seconds()),
        venue=venue_shown(venue),
        online_url=(content.online_url or None) if is_host or is_open else None,
        is_all_day=pattern.is_all_day,
        **inputs_shown(visible(content, is_insider=is_host, is_of_series=True)),
        visibility=series.visibility.value,
        publish=series.policy.value,
        status=series.status.value,
        status_reason=series.status_reason,
        host_id=series.owner_id,
        continues=None if origin is None else origin.slug,
        continued_by=[one.slug for one in behind],
        group_id=await _seen_group_id(reader, series, viewer),
        can_edit=can_edit,
        can_undo=None if undo is None else UndoableActionOutput(undo.act, iso(undo.expires_at)),
        is_following=follows is not None,
        notifies=follows is not None and follows.notifications_enabled,
        is_going_to_all=standing_rsvp is not None,
        my_dates=None if own_dates is None else MyDatesOutput(**asdict(own_dates)),
        is_read_only=series.is_read_only,
        source=source,
        revision=series.revision,
        created_at=iso(series.created_at),
        updated_at=iso(series.updated_at),
    )


async def _seen_group_id(reader: Reader, series: Series, viewer: UserId | None) -> GroupId | None:
    """The series' group, unless the viewer may not see it: they may only be invited to a date."""
    group = None if series.group is None else await group_queries.by_id(reader, series.group.id)
    if group is None or not group_rules.may_see(group, await group_queries.role_in(reader, group.id, viewer)):
        return None
    return group.id


def date_shown(slug: SeriesSlug, line: AgendaOccurrence, now: Instant, public_url: str) -> DateOutput:
    """One date of the series with this slug. Opening the URL of a date that is not stored yet stores it."""
    event, details = line.event, line.details
    address = event_path(event.slug) if event else f"{series_path(slug)}/dates/{line.original_date}"
    return DateOutput(
        original_date=line.original_date,
        is_stored=event is not None,
        slug=event.slug if event else None,
        url=f"{public_url}{address}",
        title=details.content.title,
        starts_at=iso(details.starts_at),
        ends_at=iso_or_none(details.ends_at),
        starts_local=details.starts_local,
        time_zone=details.time_zone,
        status=event.status.value if event else "scheduled",
        status_reason=event.status_reason if event else "",
        is_over=line.is_over(now),
        differs_in=[json_name(input_name(name)) for name in line.differs_in],
        capacity=details.content.capacity,
        going=line.counts.going,
        my_status=line.rsvp.status if line.rsvp else None,
        revision=event.revision if event else None,
    )


def preview_of(timing: Timing, meaning: RuleSummary) -> RulePreview:
    """The meaning of a rule, as JSON."""
    pattern = timing.pattern
    length = 0 if timing.length is None else round(timing.length.total_seconds() * 1_000_000)
    return RulePreview(
        sentence=meaning.sentence,
        rule=None if pattern.rule is None else str(pattern.rule),
        structured=None if pattern.rule is None else to_json(pattern.rule),
        dates=[
            DatePreview(
                original_date=original_text(one.original),
                starts_at=iso(one.at),
                ends_at=None if timing.length is None else iso(Instant(one.at + length)),
                starts_local=original_text(one.starts),
                instead_of=None if one.instead_of is None else original_text(one.instead_of),
            )
            for one in meaning.dates
        ],
        is_endless=meaning.is_endless,
        last_starts_at=None if meaning.last is None else iso(meaning.last.at),
        silent_months=[f"{month:%Y-%m}" for month in meaning.silent],
        start_fits=meaning.start_fits,
        better_start=None if meaning.better_start is None else original_text(meaning.better_start),
        exdates_without_date=[original_text(one) for one in meaning.idle],
    )


async def consequences(reader: Reader, series: Series, plan: EditPlan) -> EditConsequences:
    """The counted consequences of a plan, as JSON."""
    changed = plan.dates_changed
    added_dates = await materialize.dates_added_by(reader, series, plan)
    reached = await impact.impact_of_plan(reader, series, plan, makes_dates=bool(added_dates))
    capacity_impact = await capacity_change.impact_of_details(reader, [(one.event, one.details) for one in changed])
    return EditConsequences(
        scope=plan.scope.value,
        dates_changed=len(changed),
        dates_unchanged=len(plan.changes) - len(changed),
        answers_kept=plan.answers_kept,
        single_changes_kept=0 if plan.scope is EditScope.THIS else plan.single_changes_kept,
        people_told=reached.notified,
        people_mailed=reached.mailed,
        changes=[_date_change(one) for one in changed],
        stranded=[_touched(one) for one in plan.stranded],
        vanishing=[_touched(StoredOccurrence(event, 0)) for event in plan.vanishing],
        made=[DateMade(original_text(one.original), iso(one.at)) for one in added_dates],
        sentence_before=describe(series.timing.pattern),
        sentence_after=describe(plan.timing.pattern),
        makes_new_series=plan.scope is EditScope.FOLLOWING,
        revision=series.revision,
        people_over_limit=capacity_impact.people_over_limit,
        parties_too_large=capacity_impact.parties_too_large,
    )


def _date_change(change: OccurrenceChange) -> DateChange:
    before = details_in(change.event)
    position = change.event.position_in_series
    return DateChange(
        original_date=position.original_date if position else change.original_date,
        new_original_date=change.original_date,
        slug=change.event.slug,
        starts_at=iso(before.starts_at),
        new_starts_at=iso(change.details.starts_at),
        fields=[json_name(input_name(name)) for name in differing(change.details, before)],
        keeps_own=[json_name(input_name(name)) for name in change.overridden],
        answers=change.rsvp_count,
    )


def _touched(occurrence: StoredOccurrence) -> DateTouched:
    event = occurrence.event
    assert event.starts_at is not None  # noqa: S101  # a rule gave it one
    position = event.position_in_series
    return DateTouched(
        position.original_date if position else "", event.slug, iso(event.starts_at), occurrence.rsvp_count
    )
