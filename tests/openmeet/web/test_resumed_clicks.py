"""The content of a form is kept while its sender signs in."""

from urllib.parse import parse_qs, urlsplit

import pytest

from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import EventSlug
from openmeet.web.attendance.resume_click import path_of


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ({"share": ""}, {"share": ""}),
        ({"share": "yes", "party": "2"}, {"share": "yes", "party": "2"}),
        ({"party": "", "mode": "", "other": "x"}, {}),
    ],
)
def test_an_unticked_box_is_kept_and_empty_fields_are_not(typed, kept):
    """Otherwise an answer would be shared although its author unticked that."""
    path = path_of(EventSlug("tea"), RsvpReply.GOING, typed)
    found = {name: values[0] for name, values in parse_qs(urlsplit(path).query, keep_blank_values=True).items()}
    assert found == {"reply": "going", **kept}
