"""Text is readable on any colour that an operator chooses."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_locus.site.branding import Branding
from groundwork.ui.colours import contrast
from tests.aurora_locus.visitor import visitor

HEX = re.compile(r"--(accent|accent-strong|on-accent): #([0-9a-f]{6})")


def colours(stylesheet: bytes) -> list[dict[str, tuple[int, int, int]]]:
    """The declarations of the light and of the dark scheme."""
    return [
        {name: (int(text[:2], 16), int(text[2:4], 16), int(text[4:], 16)) for name, text in HEX.findall(part)}
        for part in stylesheet.decode().splitlines()
    ]


@given(st.integers(0, 0xFFFFFF))
def test_text_is_readable_on_any_colour(number: int) -> None:
    light, dark = colours(Branding("x", colour=f"#{number:06x}").stylesheet)
    for scheme, sheet in ((light, (255, 255, 255)), (dark, (0x18, 0x1C, 0x2D))):
        assert contrast(scheme["accent"], sheet) >= 4.5
        assert contrast(scheme["on-accent"], scheme["accent"]) >= 4.5
        assert contrast(scheme["on-accent"], scheme["accent-strong"]) >= 4.5


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((0x77, 0x77, 0x77), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)


async def test_branding_is_on_every_page(make_deployment) -> None:
    deployment = await make_deployment(
        service_name="Town Square",
        support_url="https://help.example/",
        logo_url="https://cdn.example/logo.png",
        primary_color="#cc2200",
    )
    browser = visitor(deployment)
    page = await browser.get("/sign-in")
    assert "<span>Town Square</span>" in page.text
    assert "https://help.example/" in page.text
    assert "brand.css" in page.text
    assert "img-src 'self' data: https://cdn.example" in page.headers["content-security-policy"]
    await browser.http.aclose()
