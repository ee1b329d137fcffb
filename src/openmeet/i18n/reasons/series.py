"""Messages for the reasons in ``openmeet.domain.series.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "series.cannot_take_over": mark("You can’t take this series over."),
    "series.cannot_follow": mark("You can’t follow this series."),
    "series.no_such_series": mark("This series doesn’t exist."),
    "series.no_such_date": mark("This date doesn’t exist."),
    "series.no_such_date_of_series": mark("This series has no such date."),
    "series.key_reused": mark(
        "You already created a different series with this key. Use a new key for another series."
    ),
    "series.makes_no_new_dates": mark("This series gets no new dates for now."),
    "series.no_page_yet": mark(
        "This date gets its page on %(day)s. Dates can be opened at most %(years)s years ahead."
    ),
    "series.changed_since_opened": mark("This series has been changed since you opened it."),
    "series.settings_changed": mark("This has been changed since you opened it. Take another look before you save."),
    "series.cancelled": mark("This series is cancelled. Bring it back before you pause it."),
    "series.not_in_its_group": mark(
        "You can no longer create events in this group. You can still cancel dates or the whole series."
    ),
    "series.may_not_create_event": mark("You can’t create events in this group."),
    "series.host_only": mark("Only the host of this series can change it."),
    "series.host_publishes": mark("Only the host of this series can sync it from their account."),
    "series.host_hands_over": mark("Only the host of a series can hand it over."),
    "series.kept_elsewhere": mark("This series is stored on another server. Change it in the app it came from."),
    "series.last_date_before_first": mark("The last date comes before the first."),
    "series.range_too_long": mark("There are more than %(most)s dates in between. Do it in several steps."),
    "series.date_taken": mark("The series has a date at that time already."),
    "series.date_over": mark("That time is in the past."),
    "series.date_too_far_ahead": mark("A date can be at most %(years)s years ahead."),
    "series.moved_too_far_ahead": mark("A date can be moved at most %(years)s years ahead."),
    "series.not_detected": mark("That series isn’t one of yours."),
    "series.rule_of_all_dates": mark(
        "A repeat rule can’t change for one date only. Choose “This and all following dates” or “All dates”."
    ),
    "series.date_needed": mark("Choose which date to edit."),
    "series.other_group": mark("The series and the event belong to different groups."),
    "series.event_of_other_host": mark("Only the host can do this."),
    "series.event_is_draft": mark("This event is a draft. Publish it first."),
    "series.event_in_series": mark("This event is a date of a series already."),
    "series.event_without_date": mark("This event has no date yet. Give it one first."),
    "series.detected_events_gone": mark("None of these events exist any more."),
    "series.other_host_now": mark("Somebody else hosts this series now. Ask them to hand it back before you undo it."),
    "series.account_needed": mark("Choose one of your accounts."),
    "series.not_your_account": mark("This isn’t one of your accounts."),
    "series.account_for_new_records": mark("New copies go to this account. Choose the other one for new copies first."),
    "series.new_link_of_public": mark("Everyone can find this series. Choose who sees it first."),
    "series.cannot_offer_to_them": mark("Offer it to somebody who follows it, answered a date, or runs its group."),
    "series.no_such_offer": mark("This offer doesn’t exist."),
    "series.offer_needs_group": mark("It belongs to a group where you can’t create events."),
    "series.no_picture": mark("This series has no picture yet."),
    "series.several_times_a_day": mark("This series meets several times a day. Change its rule instead."),
    "series.only_weekly_moves": mark("Only weekly series can move all dates to another day. Change the rule instead."),
    "series.cannot_announce": mark("Showing only the name and time works for invitation-only events outside a group."),
    "series.nothing_to_undo": mark("There’s nothing to undo. You can undo a change once, within ten minutes."),
    "series.changed_again": mark("The series has been changed again since then. You can only undo the last change."),
    "series.date_changed_since": mark("%(date)s has been changed since. Undoing would lose that."),
    "series.date_answered_since": mark(
        "Somebody has already answered the new date %(date)s. Undoing would lose their answer."
    ),
    "series.date_removed": mark("This date was removed."),
    "series.first_date_too_far_ahead": mark("None of its dates can be saved yet. Choose an earlier start."),
    "series.skipped_time": mark("That time doesn’t exist on that day. Write %(instead)s."),
    "series.action_needed": mark("Choose what happens to the dates."),
    "series.range_incomplete": mark("A range has a first and a last date."),
    "series.too_many_dates_chosen": mark("With the selected dates, that’s more than %(most)s. Do it in several steps."),
    "series.dates_needed": mark("Choose dates first."),
    "series.changed_while_open": mark(
        "The series was changed after you opened this form. What you typed is still here. Check it and continue."
    ),
    "series.rule_needed": mark("A series repeats. To end it, give it a last day, or cancel or delete it."),
    "series.how_often_needed": mark("Choose how often it repeats."),
    "series.event_changed_since_opened": mark("This event has been changed since you opened it. Take another look."),
    "series.event_needed": mark("Choose an event."),
    "series.scope_needed": mark("Choose the dates, or the whole series."),
    "series.fate_of_dates_needed": mark("Choose what happens to the upcoming dates."),
    "series.keep_events_needed": mark("Send true to keep upcoming dates as separate events, or false."),
    "series.date_changed_since_opened": mark("This date has been changed since you opened it."),
    "series.dates_or_range": mark("Give single dates or a range, not both."),
    "series.range_empty": mark("The series has no dates in this range."),
    "series.dates_out_of_range": mark("Give 1 to %(most)s dates."),
    "series.start_in_past_send_again": mark("This start is in the past. Send allowPast: true if that is right."),
    "series.person_needed": mark("Choose somebody."),
    "series.unit_needed": mark("Choose days, weeks, months or years."),
    "series.last_day_needed": mark("Choose the day it ends."),
    "series.dates_not_shown": mark("We couldn’t work out the dates just now. Try Preview again in a minute."),
    "series.dates_not_checked": mark("We couldn’t check these dates just now. Try again in a minute."),
    "series.deleted": mark("The host deleted this series. The remaining dates have pages of their own."),
    "series.removed_elsewhere": mark(
        "This series was deleted on the server it came from. The remaining dates have pages of their own."
    ),
}
