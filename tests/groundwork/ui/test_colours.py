"""Text is readable on any colour that an operator chooses, and in that colour on every background of the pages."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundwork import ui
from groundwork.ui.colours import Rgb, accent_stylesheet, accents, colour_problems, contrast, rgb

SKY = Path("src/aurora_locus/web/site/static/sky.css")
BACKGROUND = re.compile(r"--(?:paper|sheet|sunk|(?:hold-|info-|warn-)?wash|tone-\d): (#[0-9a-f]{6});")


def backgrounds() -> list[list[Rgb]]:
    """Those of the light and of the dark scheme, of both servers."""
    schemes: list[list[Rgb]] = [[], []]
    for file in (Path(ui.STATIC) / "tokens.css", SKY):
        light, _, dark = file.read_text().partition("@media (prefers-color-scheme: dark)")
        for found, text in zip(schemes, (light, dark), strict=True):
            found += [rgb(colour) for colour in BACKGROUND.findall(text)]
    return schemes


BACKGROUNDS = backgrounds()


@given(st.integers(0, 0xFFFFFF))
def test_text_is_readable_in_and_on_any_colour(number: int) -> None:
    for one, grounds in zip(accents(f"#{number:06x}"), BACKGROUNDS, strict=True):
        assert min(contrast(rgb(one.accent), ground) for ground in grounds) >= 4.5
        assert contrast(rgb(one.on_accent), rgb(one.accent)) >= 4.5
        assert contrast(rgb(one.on_accent), rgb(one.strong)) >= 4.5


def test_both_schemes_have_every_background() -> None:
    assert [len(grounds) for grounds in BACKGROUNDS] == [19, 20]


def test_a_readable_colour_is_unchanged() -> None:
    assert accents("#0E6557")[0].accent == "#0e6557"
    light = b":root { --accent: #0e6557; --accent-strong: #0c5c50; --on-accent: #ffffff; }"
    assert accent_stylesheet("#0e6557").startswith(light)
    assert accent_stylesheet("") == b""


@pytest.mark.parametrize("text", ["purple", "#12345", "#1234567", "2b6cb0", "#2b6cbg", "#2b6cb0;}"])
def test_anything_but_a_colour_is_refused(text: str) -> None:
    assert colour_problems("ACCENT", text) == [f"ACCENT is {text!r}; write a colour as #rrggbb."]


@pytest.mark.parametrize("text", ["", "#2b6cb0", "#2B6CB0"])
def test_a_colour_or_none_is_accepted(text: str) -> None:
    assert colour_problems("ACCENT", text) == []


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((0x77, 0x77, 0x77), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)
