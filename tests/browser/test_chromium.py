"""The command line of the browser that tests use."""

from tests.browser.browsers import chromium
from tests.external_dependencies import needs

pytestmark = needs("chromium")

_SWITCH = "--disable-features="


async def test_last_list_of_disabled_features_contains_those_of_playwright() -> None:
    """Chromium ignores all lists but the last one, which is ours."""
    async with chromium() as browser:
        session = await browser.new_browser_cdp_session()
        words = (await session.send("SystemInfo.getInfo"))["commandLine"].split()
    *others, ours = (set(word.removeprefix(_SWITCH).split(",")) for word in words if word.startswith(_SWITCH))
    assert others
    assert [names - ours for names in others] == [set()] * len(others)
