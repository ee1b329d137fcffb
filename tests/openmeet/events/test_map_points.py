"""Map coordinates, as people paste them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmeet.domain.events.place_text import point_in, point_text


@pytest.mark.parametrize(
    "typed",
    [
        "52.52, 13.405",
        " 52.52 13.405 ",
        "52.52;13.405",
        "geo:52.52,13.405",
        "GEO:52.52,13.405;u=35",
        "geo:52.52,13.405?z=17",
        "geo:0,0?q=52.52,13.405(Library)",
        "https://www.openstreetmap.org/#map=17/52.52/13.405",
        "https://www.openstreetmap.org/node/1#map=17/52.52/13.405&layers=T",
        "https://www.openstreetmap.org/?mlat=52.52&mlon=13.405#map=5/1.0/2.0",
        "https://www.google.com/maps/@52.52,13.405,15z",
        "https://www.google.de/maps/place/Library/@1.0,2.0,17z/data=!3m1!4b1!8m2!3d52.52!4d13.405",
        "https://www.google.com/maps/search/?api=1&query=52.52%2C13.405",
        "https://maps.google.com/?q=52.52,13.405",
    ],
)
def test_a_point_is_found(typed):
    """If a link has both a marker and a viewport, the marker is used."""
    assert point_in(typed) == ("52.52", "13.405")


@pytest.mark.parametrize(
    "typed",
    [
        "Berlin",
        "52.52",
        "91, 13",
        "52.52, 181",
        "52,52, 13,405",
        "nan, nan",
        "١, ٢",
        "52.52, ",
        "https://maps.app.goo.gl/abc",
        "javascript:52.52,13.405",
        "http://[::1",
        "1" * 50 + ", 2",
        "https://osm.example/" + "x" * 2_000 + "#map=1/2/3",
    ],
)
def test_anything_else_is_not_a_point(typed):
    assert point_in(typed) is None


@given(st.floats(-90, 90).map(lambda x: f"{x:.9f}"), st.floats(-180, 180).map(lambda x: f"{x:.9f}"))
def test_a_point_shown_in_the_form_is_read_back(latitude, longitude):
    assert point_in(point_text(latitude, longitude)) == (latitude, longitude)
