"""Pages of Aurora Locus in English (US)."""

import pytest

from aurora_locus.i18n.catalogue import CATALOGUE
from aurora_locus.web.site.formatting import day_and_time
from groundwork.clock import Instant
from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.visitor import visitor

_AT = Instant(1_783_188_300_000_000)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "4 July 2026, 18:05 UTC"),
        ("en-US", "July 4, 2026, 6:05\xa0PM UTC"),
        ("de", "4.\xa0Juli 2026, 18:05\xa0Uhr UTC"),
    ],
)
def test_each_language_has_its_formats(language: str, words: str) -> None:
    with CATALOGUE.speaking(language):
        assert day_and_time(_AT) == f'<time datetime="2026-07-04T18:05:00Z">{words}</time>'


@pytest.mark.parametrize(("header", "lang"), [("en-US,en;q=0.9", "en-US"), ("en-GB,en;q=0.9,en-US;q=0.8", "en")])
async def test_the_browser_selects_it(deployment: Deployment, header: str, lang: str) -> None:
    browser = visitor(deployment)
    page = await browser.http.get("/sign-in", headers={"accept-language": header})
    await browser.http.aclose()
    assert f'<html lang="{lang}"' in page.text
    names = [page.text.rindex(f">{name}<") for name in ("English", "English (US)", "Deutsch")]
    assert names == sorted(names)
