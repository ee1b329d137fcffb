"""What a form said is still known after its sender has signed in."""

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
def test_a_box_that_is_not_ticked_is_kept_and_empty_fields_are_not(typed, kept):
    """Else an answer that somebody did not want to share would be shared."""
    path = path_of(EventSlug("tea"), RsvpReply.GOING, typed)
    found = {name: values[0] for name, values in parse_qs(urlsplit(path).query, keep_blank_values=True).items()}
    assert found == {"reply": "going", **kept}
