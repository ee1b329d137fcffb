"""Branding that the operator chooses is on every page. Colours: ``tests/groundwork/ui/test_colours.py``."""

import re

from tests.aurora_locus.visitor import visitor


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
    (sheet,) = re.findall(r'href="(/static/\w+/brand.css)"', page.text)
    assert "--accent" in (await browser.get(sheet)).text
    assert "img-src 'self' data: https://cdn.example" in page.headers["content-security-policy"]
    await browser.http.aclose()
