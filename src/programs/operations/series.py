"""Preview recurrence rules and publish the records of series (``openmeet series …``)."""

from datetime import datetime
from pathlib import Path

import typer

from groundwork.errors import Refused
from openmeet.feature_flags.flags import Flag, switches
from openmeet.i18n.formatting import weekday
from openmeet.i18n.reasons.messages import explain
from openmeet.network.flag_changes import enqueue_series
from openmeet.outbox import publication_rechecks
from openmeet.outbox.publications import PublicationKind
from openmeet.recurrence import expansion
from openmeet.recurrence.describe import describe
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.pattern import Pattern, parse_date, pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.recurrence.structured import plain_choices, to_json
from openmeet.recurrence.wall_time import instant_of, instead_of, local_of
from programs.command_line import print_json, say, with_count
from programs.platform import Platform, run_on_platform

FIRST_DATES = 10
MAX_DATES = 5_000


def publish(tenant: str, settings_file: Path | None) -> None:
    """Publish a record for every series and link its published dates to it. The records of the dates and RSVPs are
    kept.

    Exits with 1 if neither `series-lexicon` nor `native-recurrence` is on (`openmeet flags`).
    """

    async def act(platform: Platform) -> None:
        async with platform.db.transaction() as tx:
            on = await switches(tx)
            if not {Flag.SERIES_LEXICON, Flag.NATIVE_RECURRENCE} & on.on:
                raise Refused("Switch on series-lexicon or native-recurrence first: openmeet flags on series-lexicon")
            number = await enqueue_series(tx)
            await publication_rechecks.make_kind_due(tx, PublicationKind.EVENT)
        say(f"{with_count(number, 'series', 'series')} checked; the publisher writes what differs.")

    run_on_platform(settings_file, tenant, act)


def preview(
    dtstart: str,
    timezone: str,
    rrule: str | None,
    exdate: list[str] | None,
    rdate: list[str] | None,
    begin: str | None,
    end: str | None,
    *,
    as_json: bool,
) -> None:
    """Show the dates of a rule and describe it in words. Exits with 1 and the reason if the rule is not accepted."""
    try:
        previewed_pattern = _pattern(dtstart, timezone, rrule, exdate or [], rdate or [])
        dates = _dates(previewed_pattern, begin, end)
    except RuleRefused as refused:
        _refuse(refused, dtstart, as_json=as_json)
        raise typer.Exit(1) from None
    if as_json:
        print_json(
            {
                "sentence": describe(previewed_pattern),
                "timezone": timezone,
                "rule": None
                if previewed_pattern.rule is None
                else {"text": str(previewed_pattern.rule), **to_json(previewed_pattern.rule)},
                "dates": [_occurrence_json(previewed_pattern, one) for one in dates],
                "exdatesWithoutDate": [one.isoformat() for one in expansion.unused_exclusions(previewed_pattern)],
            }
        )
        return
    say(f"{describe(previewed_pattern)} ({timezone})")
    for one in dates:
        say(f"  {_as_text(previewed_pattern, one)}")
    if not dates:
        say("  no date in this window")
    for idle in expansion.unused_exclusions(previewed_pattern):
        say(
            f"warning: --exdate {idle:%Y-%m-%d %H:%M} excludes nothing, because there is no date at that time", err=True
        )


def _pattern(dtstart: str, timezone: str, rrule: str | None, exdate: list[str], rdate: list[str]) -> Pattern:
    rule = None if rrule is None else parse_rule(rrule)
    # Check the time zone before reading dates in it.
    pattern(datetime(2000, 1, 1), timezone)  # noqa: DTZ001  # wall time is naive
    parsed_pattern = pattern(
        parse_date(dtstart, timezone),
        timezone,
        rule,
        left_out=[parse_date(text, timezone) for text in exdate],
        added=[parse_date(text, timezone) for text in rdate],
        is_all_day=_is_day(dtstart),
    )
    expansion.check_entered(parsed_pattern)
    return parsed_pattern


def _is_day(dtstart: str) -> bool:
    return len(dtstart) <= len("2026-11-24")


def _dates(series_pattern: Pattern, begin: str | None, end: str | None) -> list[expansion.Occurrence]:
    zone = series_pattern.zone_name or "UTC"
    # An added date may be before the first one.
    start = instant_of(
        min([series_pattern.start, *series_pattern.added[:1]]) if begin is None else parse_date(begin, zone), zone
    )
    if end is None:
        return expansion.following(series_pattern, start, FIRST_DATES)
    return expansion.between(series_pattern, start, instant_of(parse_date(end, zone), zone), limit=MAX_DATES)


def _as_text(series_pattern: Pattern, occurrence: expansion.Occurrence) -> str:
    local = local_of(occurrence.at, series_pattern.zone_name or "UTC")
    text = f"{weekday(local.weekday())[:3]} {local.date().isoformat()}"
    if series_pattern.is_all_day:
        return text
    text += f" {local:%H:%M} {local:%z}"
    if instead_of(occurrence.original, series_pattern.zone_name or "UTC") is not None:
        text += f"  (there is no {occurrence.original:%H:%M} that day: the clocks go forward)"
    return text


def _occurrence_json(series_pattern: Pattern, occurrence: expansion.Occurrence) -> dict[str, object]:
    local = local_of(occurrence.at, series_pattern.zone_name or "UTC")
    return {
        "original": occurrence.original.date().isoformat()
        if series_pattern.is_all_day
        else occurrence.original.isoformat(),
        "starts": local.date().isoformat() if series_pattern.is_all_day else local.isoformat(),
    }


def _refuse(refused: RuleRefused, dtstart: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"refused": {"code": refused.code.value, "part": refused.part, "sentence": explain(refused.why)}})
        return
    say(f"{refused.code.value}: {explain(refused.why)}", err=True)
    if refused.part in {"zone", "date"}:
        return
    try:
        start = parse_date(dtstart, None)
    except RuleRefused:
        return
    say("Rules that fit this start:", err=True)
    for rule in plain_choices(start)[:4]:
        words = describe(pattern(start, None, rule, is_all_day=_is_day(dtstart)))
        say(f"  {rule!s:32}  {words}", err=True)
