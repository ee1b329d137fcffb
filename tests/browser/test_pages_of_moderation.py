"""The pages for reporting and blocking and the moderators' pages are usable, with the same checks as
``test_every_page``.
"""

from playwright.async_api import Browser

from tests.browser.browsers import Deployment
from tests.browser.moderation_examples import add_moderation_examples
from tests.browser.page_problems import problems_of_pages
from tests.external_dependencies import needs

pytestmark = needs("chromium")


async def test_pages_of_moderation_are_usable(browser: Browser, openmeet: Deployment) -> None:
    token, paths = await add_moderation_examples(openmeet)
    assert await problems_of_pages(browser, openmeet, paths, token) == []
