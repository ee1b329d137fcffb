"""Ada, signed in to a browser, having just given her password."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.aurora_locus.deployment import Deployment, Person
from tests.aurora_locus.visitor import Visitor, visitor


@dataclass(frozen=True)
class Ada:
    """``browser`` is Ada's own; ``app`` calls methods on her behalf."""

    browser: Visitor
    app: Person


@pytest.fixture
async def ada(deployment: Deployment) -> AsyncIterator[Ada]:
    app = await deployment.sign_up("ada")
    browser = visitor(deployment)
    assert (await browser.sign_in("ada")).status_code == 303
    yield Ada(browser, app)
    await browser.http.aclose()
