"""Labels of the fields of events, groups and series in merge decisions."""

from collections.abc import Mapping
from typing import Final

from openmeet.domain.events.content import FIELDS
from openmeet.i18n.catalogue import LazyText, lazy

# Labels by field name. Event fields that the community Lexicon does not have are labelled as in the event form.
FIELD_LABELS: Final[Mapping[str, LazyText]] = {
    field.name: field.inputs[0].label for field in FIELDS if field.in_record
} | {
    "name": lazy("Title"),
    "description": lazy("Description"),
    "starts_at": lazy("Start"),
    "ends_at": lazy("End"),
    "time_zone": lazy("Time zone"),
    "mode": lazy("In person or online"),
    "status": lazy("Status"),
    "venues": lazy("Place"),
    "online_url": lazy("Link to join"),
    "links": lazy("Links"),
    "is_discoverable": lazy("Found by search"),
    "tickets": lazy("Tickets"),
    "categories": lazy("Category"),
    # Fields of groups and memberships.
    "locality": lazy("Town"),
    "country": lazy("Country"),
    "join_policy": lazy("How people join"),
    "join_question": lazy("Question for people who ask to join"),
    "level": lazy("What other apps get"),
    "avatar": lazy("Picture"),
    "backup_admins": lazy("Who can take over the group"),
    "role": lazy("Role of a member"),
    # The field of an RSVP.
    "answer": lazy("Answer"),
    # Fields of series.
    "start": lazy("First date"),
    "minutes": lazy("Length"),
    "rule": lazy("When it repeats"),
    "rrule": lazy("When it repeats"),
    "left_out": lazy("Dates left out"),
    "added": lazy("Dates added"),
    "venue": lazy("Place"),
    "record": lazy("Something we can’t read"),
}
