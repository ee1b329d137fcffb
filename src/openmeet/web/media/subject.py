"""What a subpage is about, for the link back to it: the picture, title and date of an event, a series or a group, or
the name of a person.
"""

from dataclasses import dataclass, replace

from groundwork.clock import Instant
from openmeet.domain.covers.drawing import data_url
from openmeet.domain.covers.model import cover_of_group
from openmeet.domain.events import time_and_place
from openmeet.domain.events.model import Event
from openmeet.domain.groups.model import Group
from openmeet.domain.media.pictures import Size
from openmeet.domain.page_paths import event_path, group_path, series_path
from openmeet.domain.series.model import Series
from openmeet.i18n.catalogue import gettext
from openmeet.recurrence.describe import describe
from openmeet.web.media.drawings import thumbnail
from openmeet.web.site.caller import saves_data


@dataclass(frozen=True, slots=True)
class PageSubject:
    """The event, series, group or person that a page is about, for the head of the page.

    ``picture`` is the URL of a small square, or empty. ``note`` is the date of an event or the rule of a
    series, the name of one of its pages, or empty.
    """

    path: str
    title: str
    picture: str
    note: str = ""

    def page(self, name: str, words: str) -> "PageSubject":
        """One of its pages, for links back from pages below that."""
        return replace(self, path=f"{self.path}/{name}", note=words)


def subject_of_event(event: Event, now: Instant) -> PageSubject:
    return PageSubject(
        event_path(event.slug),
        event.title or gettext("Untitled draft"),
        thumbnail(event.content, Size.SMALL_SQUARE),
        time_and_place.short_start_label(event, now),
    )


def subject_of_series(series: Series) -> PageSubject:
    return PageSubject(
        series_path(series.slug),
        series.content.title,
        thumbnail(series.content, Size.SMALL_SQUARE),
        describe(series.timing.pattern),
    )


def subject_of_group(group: Group) -> PageSubject:
    picture = data_url(cover_of_group(group.details.name))
    if group.picture is not None and not saves_data():
        picture = f"/media/{group.picture.key}/{Size.SMALL_SQUARE}"
    return PageSubject(group_path(group.slug), group.details.name, picture)
