"""A page loads every stylesheet that has a rule for one of its elements."""

from pathlib import Path

import pytest

import groundwork
from groundwork.clock import HandClock
from tests.browser.browsers import Deployment, context
from tests.browser.example_pages import add_examples
from tests.external_dependencies import needs
from tests.openmeet.identities.offline_clients import offline_publishing
from tests.openmeet.site_under_test import change_services

pytestmark = needs("chromium")

_SOURCES = Path(groundwork.__file__).parent.parent

# On their pages, these change components of all pages.
_CHANGE_COMPONENTS = {"operators.css", "embed.css", "embed_dark.css"}
_STYLESHEETS = {
    file.name: file.read_text("utf-8")
    for folder in ("groundwork/ui/static", "openmeet/web/site/static")
    for file in (_SOURCES / folder).glob("*.css")
    if file.name not in _CHANGE_COMPONENTS
}
# A rule applies if it would do so with the pointer, the focus or a choice in the right place, on any screen or on paper.
_MISSING = r"""(stylesheets) => {
  const states = ":(?:hover|focus-visible|focus-within|focus|active|checked|target|popover-open)";
  const inNoState = new RegExp(`:not\\((?:${states}(?:, )?)+\\)`, "g");
  const inState = new RegExp(`::[\\w-]+|${states}`, "g");
  // The server leaves spaces out.
  const key = (rule) => rule.cssText.replace(/\s/g, "");
  const rules = (list) =>
    [...list].flatMap((rule) => (rule.selectorText ? [rule] : rule.cssRules ? rules(rule.cssRules) : []));
  const loaded = new Set([...document.styleSheets].flatMap((sheet) => rules(sheet.cssRules)).map(key));
  return Object.entries(stylesheets).flatMap(([name, text]) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    return rules(sheet.cssRules)
      .filter((rule) => !loaded.has(key(rule)))
      .map((rule) => rule.selectorText)
      .filter((selector) => document.querySelector(selector.replace(inNoState, "").replace(inState, ":is(*)")))
      .map((selector) => `${name}: ${selector}`);
  });
}"""


@pytest.mark.parametrize("is_known", [True, False], ids=["host", "visitor"])
async def test_pages_load_the_rules_of_their_elements(
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
            if found := await page.evaluate(_MISSING, _STYLESHEETS):
                missing[name] = found
    assert missing == {}, missing
