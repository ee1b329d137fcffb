"""Messages of the reasons of ``openmeet.network.records.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "record.not_a_map": mark("The record is not a map."),
    "record.wrong_type": mark("The record calls itself %(declared)s, but it is in the collection %(collection)s."),
    "record.too_large": mark("The record has more than %(most)s bytes."),
    "record.not_valid": mark("The record is not valid data: %(what)s."),
    "record.unknown_collection": mark("Records of this collection are not understood here."),
    "record.out_of_years": mark("The event starts outside the years %(first)s to %(last)s."),
    "record.no_zone": mark("The series names no time zone that is known here."),
    "record.no_start": mark("The series has no local start."),
    "record.several_rules": mark("The series has several rules; only one is supported."),
    "record.rule_refused": mark("The rule of the series is not supported: %(problem)s."),
    "record.no_series_name": mark("The series has no name."),
    "record.no_group_name": mark("The group has no name."),
    "record.no_group": mark("The record names no group."),
    "record.not_groups_repository": mark(
        "Only the repository that holds a group’s record may make statements for the group."
    ),
    "record.no_matching_statement": mark("The acceptance doesn’t match a membership record of the person it names."),
    "record.lists_no_event": mark("What the group lists is not an event."),
    "record.no_member": mark("The acceptance names no member."),
    "record.refers_to_no_record": mark("What the record refers to is not a record."),
    "record.refers_to_no_did": mark("What the record refers to is not a record under a DID."),
    "record.needs_repository": mark("The record means nothing without its repository: an AT URI is needed."),
    "record.no_subject": mark("The answer doesn’t say which event it’s for."),
    "record.subject_no_uri": mark("The subject is not an AT URI."),
    "record.subject_too_long": mark("The subject’s AT URI has more than %(most)s characters."),
    "record.subject_no_record": mark("The subject is not the AT URI of one record."),
    "record.subject_no_event": mark("The subject is a record of %(collection)s, which is not a collection of events."),
    "record.retracted_before": mark("It was retracted here before it arrived."),
    "record.private_event": mark("The event is private and not open to the author of this answer."),
    "record.too_many_pending": mark("Too many answers of this author wait for events that nobody has seen."),
    "record.event_author_deleted": mark("The account of the event’s author was deleted."),
    "record.not_applied": mark("%(error)s: %(detail)s"),
    "record.quarantined": mark(
        "The record could not be applied and is quarantined. Ask the operator of this site why."
    ),
    "record.malformed": mark("%(what)s is not valid."),
    "record.collection_not_taken": mark("Records of %(collection)s are not accepted here."),
    "record.wrong_uri": mark("The URI does not match DID, collection and record key."),
    "record.not_signed": mark("No repository can hold this record, so nobody has signed it."),
    "record.wrong_cid": mark("The CID does not match the record."),
    "record.deletion_with_record": mark("A deletion has no record."),
    "record.no_record_uri": mark("This is not the AT URI of a record."),
    "record.not_in_collections": mark("This must name one record of %(collections)s."),
    "record.owner_may_not_change_series": mark(
        "The record is in the account of somebody who can’t change the series any more."
    ),
    "record.no_statement_of_member": mark("It no longer says that the group has this member."),
    "record.date_moved": mark("This date was moved with it, so it no longer represents the other dates."),
    "record.series_changed_here": mark("The series has been changed here since."),
    "record.rule_not_supported": mark("The rule of the series is not supported."),
    "record.theirs_not_applied": mark("%(problem)s %(record)s"),
}
