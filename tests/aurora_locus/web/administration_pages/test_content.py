"""What an operator sees of reported content before deciding about it."""

from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.moderation.decisions import decide, send_report, write_note
from tests.aurora_locus.web.administration_pages.operator_browser import signed_in_operator


async def test_operator_can_read_content_after_its_takedown(deployment: Deployment) -> None:
    """An operator can read the content, as text, on the report and on the page of the content, even after its takedown.
    A deleted record is shown as deleted.
    """
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    written = await write_note(ana, text="<script>alert(1)</script> buy watches")
    strong = {"$type": "com.atproto.repo.strongRef", "uri": written["uri"], "cid": written["cid"]}
    number = (await send_report(ben, strong)).json()["id"]
    pages = (f"/admin/reports/{number}", f"/admin/content?uri={written['uri']}")
    async with signed_in_operator(deployment) as admin:
        for status in ("Shown", "Taken down"):
            for path in pages:
                page = (await admin.get(path)).text
                assert "&lt;script&gt;alert(1)&lt;/script&gt; buy watches" in page
                assert "<script>alert" not in page
            assert status in (await admin.get(pages[1])).text
            await decide(deployment, strong, takedown=True)
        key = written["uri"].rpartition("/")[2]
        await ana.post(
            "com.atproto.repo.deleteRecord", {"repo": ana.did, "collection": "org.example.note", "rkey": key}
        )
        assert "The record is deleted or not on this server." in (await admin.get(pages[0])).text
