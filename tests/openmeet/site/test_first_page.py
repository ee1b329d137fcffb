"""The site responds to requests."""

import re

import pytest

from tests.openmeet.site_under_test import h1_of, sign_up, site_on


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet"), clock)


async def test_the_empty_site_says_why_it_is_empty(site):
    async with site.browser() as browser:
        answer = await browser.get("/")
    assert answer.status_code == 200
    assert "No events here yet" in answer.text
    assert h1_of(answer.text) == "Find your people. Go out this week."


async def test_pages_forbid_inline_script_and_style(site):
    async with site.browser() as browser:
        answer = await browser.get("/")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "<style" not in answer.text
    assert "style=" not in answer.text


async def test_sign_up_leads_to_a_session(site):
    async with site.browser() as browser:
        answer = await sign_up(browser, "Ana@Example.org", "Ana", next_path="/settings/profile")
        assert answer.headers["location"] == "/settings/profile"
        page = await browser.get("/settings/profile")
    assert "ana@example.org" in page.text


async def test_signing_in_leads_back_to_the_page(site):
    """The link at the top of each page knows the page, except for addresses that are secrets. The page for signing in
    has no such link.
    """
    async with site.browser() as browser:
        for path, link in {
            "/groups?q=chess": "/sign-in?next=%2Fgroups%3Fq%3Dchess",
            "/": "/sign-in",
            "/nowhere": "/sign-in",
        }.items():
            head = (await browser.get(path)).text.partition("</header>")[0]
            assert f'href="{link}"' in head, path
        head = (await browser.get("/sign-in?next=/groups")).text.partition("</header>")[0]
        assert 'href="/sign-in' not in head


async def test_a_missing_page_is_404_in_the_usual_frame(site):
    async with site.browser() as browser:
        answer = await browser.get("/nowhere")
    assert answer.status_code == 404
    assert h1_of(answer.text) == "We can’t find that page"


@pytest.mark.parametrize(
    "path", ["/mail/answer/cut", "/mail/ticket/cut", "/mail/stop/cut", "/answers/confirm/cut", "/co-hosting/cut"]
)
async def test_a_broken_link_from_a_mail_explains_what_to_do(site, path):
    async with site.browser() as browser:
        answer = await browser.get(path)
    assert (answer.status_code, h1_of(answer.text)) == (404, "This link doesn’t work")
    assert re.search("newest e-mail|from the e-mail again|Answer again|new one", answer.text)


async def test_a_form_of_another_site_is_refused(site):
    async with site.browser() as browser:
        answer = await browser.post(
            "/sign-in", data={"identifier": "a@example.org"}, headers={"origin": "http://evil.test"}
        )
    assert answer.status_code == 403
