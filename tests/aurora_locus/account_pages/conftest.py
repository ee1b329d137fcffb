"""Ada, signed in on a browser, her password shown a moment ago."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.aurora_locus.deployment import Deployment, Person
from tests.aurora_locus.visitor import Visitor, visitor


@dataclass(frozen=True)
class Ada:
    """``browser`` as she sits before it, ``app`` as an app acts for her."""

    browser: Visitor
    app: Person


@pytest.fixture
async def ada(deployment: Deployment) -> AsyncIterator[Ada]:
    app = await deployment.sign_up("ada")
    browser = visitor(deployment)
    assert (await browser.sign_in("ada")).status_code == 303
    yield Ada(browser, app)
    await browser.http.aclose()
