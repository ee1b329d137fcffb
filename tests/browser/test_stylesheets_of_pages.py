"""A page loads the stylesheets of its classes: none has a rule only in a stylesheet that the page does not load."""

import pytest

from groundwork.clock import HandClock
from tests.browser.browsers import Deployment, context
from tests.browser.example_pages import add_examples
from tests.checks.test_stylesheets import SOURCES, classes
from tests.external_dependencies import needs
from tests.openmeet.identities.offline_clients import offline_publishing
from tests.openmeet.site_under_test import change_services

pytestmark = needs("chromium")

_STYLED = sorted(
    set().union(
        *(
            classes(file.read_text("utf-8"))
            for folder in ("groundwork/ui/static", "openmeet/web/site/static")
            for file in (SOURCES / folder).glob("*.css")
            if not file.name.startswith("embed")
        )
    )
)
_WITHOUT_RULE = """(styled) => {
  const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]).map((rule) => rule.cssText).join("\\n");
  const loaded = new Set(rules.match(/\\.[A-Za-z][\\w-]*/g).map((name) => name.slice(1)));
  const used = new Set([...document.querySelectorAll("[class]")].flatMap((one) => [...one.classList]));
  return styled.filter((name) => used.has(name) && !loaded.has(name));
}"""


@pytest.mark.parametrize("is_known", [True, False], ids=["host", "visitor"])
async def test_pages_load_the_stylesheets_of_their_classes(
    browser, openmeet: Deployment, clock: HandClock, is_known: bool
) -> None:
    token, paths = await add_examples(openmeet)
    missing = {}
    async with offline_publishing(clock) as publishing, context(browser, openmeet) as opened:
        # Hosts are also asked whether to publish to other apps.
        change_services(openmeet.app, publishing=publishing)
        if is_known:
            await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        for name, path in paths.items():
            await page.goto(path)
            if found := await page.evaluate(_WITHOUT_RULE, _STYLED):
                missing[name] = found
    assert missing == {}, missing
