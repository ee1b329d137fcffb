"""Every page of the route table is among the pages that are opened in a browser, with the accessibility checks."""

from typing import Final

from starlette.routing import Match

from aurora_locus.web.pages import routes
from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.page_addresses import ACCOUNT_PAGES, SIGNED_OUT_PAGES
from tests.aurora_locus.web.administration_pages.operator_browser import create_examples_of_pages

_NO_PAGES: Final = {
    "/static/{hash}/{name}": "files",
    "/language/{tag}": "a redirect",
}
_CHECKED_ELSEWHERE: Final = {
    "/account/records/{collection}/{rkey}": "web/account_pages/test_in_chromium.py",
    "/account/security/app": "i18n/test_in_chromium.py, in a flow",
    "/admin/sign-in": "i18n/test_in_chromium.py, before signing in",
    "/oauth/authorize": "oauth/test_in_chromium.py and i18n/test_in_chromium.py",
    "/sign-in/factor": "i18n/test_in_chromium.py, in a flow",
}


async def test_every_page_is_checked(deployment: Deployment) -> None:
    site = deployment.pds.app.state.services.site
    pages = [one for one in routes(site, deployment.settings) if "GET" in (one.methods or ())]
    unchecked = {one.path for one in pages}
    for address in (*SIGNED_OUT_PAGES, *ACCOUNT_PAGES, *await create_examples_of_pages(deployment)):
        asked = {"type": "http", "method": "GET", "path": address.partition("?")[0]}
        unchecked -= {next((one.path for one in pages if one.matches(asked)[0] is Match.FULL), "")}
    assert unchecked == _NO_PAGES.keys() | _CHECKED_ELSEWHERE.keys()
