"""Problems of pages at phone and desktop width, in both colour schemes, with everything unfolded, and on a phone with
text of twice the size.
"""

from tests.browser.accessibility import (
    complaints,
    complaints_of_another_size,
    complaints_of_changed_colours,
    complaints_of_colours,
    remember_looks,
)
from tests.browser.browsers import (
    DESK,
    NO_WORKER,
    PHONE,
    context,
    covered_targets,
    heads,
    hollow_cards,
    narrow_targets,
    sideways,
    small_targets,
    squeezed_texts,
    unclear_names,
    unfold_all,
    unseen_focus,
)

# The pages that report a failure, with their status. All others have to open.
FAILURES = {
    "a bug": 500,
    "absent": 404,
    "no code": 410,
    "not for them": 403,
    "refused account": 400,
    "removed": 410,
    "too many": 429,
}


async def problems_of_pages(browser, openmeet, paths: dict[str, str], token: str | None) -> list[str]:
    """Problems of pages that are opened in the light scheme on a phone, then switched to dark, then to a desktop, light
    and dark, then back to the phone with text of twice the size.

    Only the style of a page changes between these. The dark scheme changes nothing but colours
    (tests/checks/test_stylesheets.py), so the shape is checked in the light one.
    """
    problems = []
    # Turn off colour transitions.
    async with context(browser, openmeet, viewport=PHONE, color_scheme="light", reduced_motion="reduce") as opened:
        if token is not None:
            await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        page.on("console", lambda said: problems.append(f"console: {said.text}") if not expected(said.text) else None)
        page.on("pageerror", lambda error: problems.append(f"script: {error}"))
        for name, path in paths.items():
            await page.set_viewport_size(PHONE)
            answer = await page.goto(path)
            problems += [f"{name}: answers {answer.status}"] if answer.status != FAILURES.get(name, 200) else []
            await unfold_all(page)
            problems += [f"{name}: {one}" for one in [*await heads(page), *await complaints(page), *await shape(page)]]
            problems += [f"{name}: {words!r} is two things" for words in await unclear_names(page)]
            await remember_looks(page)
            await page.emulate_media(color_scheme="dark")
            problems += [f"{name}, dark: {one}" for one in await complaints_of_colours(page)]
            await page.emulate_media(color_scheme="light")
            await page.set_viewport_size(DESK)
            problems += [f"{name}, desk: {words!r} is two things" for words in await unclear_names(page)]
            problems += [
                f"{name}, desk: {one}" for one in [*await complaints_of_another_size(page), *await shape(page)]
            ]
            await page.emulate_media(color_scheme="dark")
            problems += [f"{name}, desk, dark: {one}" for one in await complaints_of_changed_colours(page)]
            await page.emulate_media(color_scheme="light")
            await page.set_viewport_size(PHONE)
            await page.evaluate("document.documentElement.style.fontSize = '200%'")
            problems += [f"{name}, large text: {one}" for one in await room(page)]
    return problems


async def room(page) -> list[str]:
    """Problems of a page with large text: it is wider than the window, or the bars at the top and at the bottom leave
    too little of it.
    """
    beyond = await sideways(page)
    bars = await page.evaluate(
        """() => [...document.querySelectorAll(".top, .tabbar")].reduce((sum, one) => sum + one.offsetHeight, 0)"""
    )
    return [
        *([f"{beyond} px sideways"] if beyond > 0 else []),
        *([f"bars of {bars} px"] if bars >= PHONE["height"] // 3 else []),
    ]


async def shape(page) -> list[str]:
    """Problems of a page's style other than colours."""
    beyond = await sideways(page)
    return [
        *([f"{beyond} px sideways"] if beyond > 0 else []),
        *[f"small target {target}" for target in await small_targets(page)],
        *[f"narrow target {target}" for target in await narrow_targets(page)],
        *[f"squeezed text {words!r}" for words in await squeezed_texts(page)],
        *[f"nothing in {box}" for box in await hollow_cards(page)],
        *[f"covered target {target}" for target in await covered_targets(page)],
        *[f"no focus seen at {one}" for one in await unseen_focus(page)],
    ]


def expected(said: str) -> bool:
    """Browser messages that are expected: for pages that are checked as failures, and for resources that the tests
    block.
    """
    return any(f"status of {status}" in said for status in {404, *FAILURES.values()}) or said == NO_WORKER
