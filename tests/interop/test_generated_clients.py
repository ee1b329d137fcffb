"""Clients that the official tool generates from our Lexicons call every query: anonymous, and through a person's own server."""

from pathlib import Path

import msgspec
import pytest

from at_protocol.lexicon.catalog import DOCUMENTS
from openmeet.domain.events import actions as events
from openmeet.domain.events.group_events import of_event
from openmeet.domain.groups import administration
from openmeet.web.xrpc.dispatch import QUERIES
from tests.interop.conftest import NODE, json_lines, run
from tests.openmeet.deployment import Deployment, deployment
from tests.openmeet.groups.people import group_by
from tests.openmeet.series.practice import begin
from tests.openmeet.site_under_test import details
from tests.openmeet.xrpc.network import opened
from tests.parts import needs

__all__ = ["deployment"]

pytestmark = [needs("node"), pytest.mark.usefixtures("node_modules")]

LEX = NODE / "node_modules/@atproto/lex-cli/dist/index.js"


async def generate(folder: Path, node_modules: Path) -> None:
    """A client in TypeScript. The tool knows no permission sets, which no client calls."""
    (folder / "node_modules").symlink_to(node_modules)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "queries.ts").write_text((NODE / "queries.ts").read_text())
    own = [path for path in sorted((DOCUMENTS / "openmeet").rglob("*.json")) if not path.name.startswith("auth")]
    others = [DOCUMENTS / "com/atproto/repo/strongRef.json"]
    await run("node", LEX, "gen-api", "--yes", folder / "generated", *own, *others, cwd=folder)


async def test_every_query_by_a_generated_client(deployment: Deployment, node_modules: Path, tmp_path: Path) -> None:
    """Cleo is in a group that nobody else sees; her event is a record, and so is Bela's answer to it."""
    cleo, bela = await deployment.connected("cleo"), await deployment.connected("bela")
    event = await deployment.event(cleo)
    await deployment.deliver_publications()
    await deployment.answer(bela, event.slug)
    await deployment.deliver_publications()
    async with deployment.db.transaction() as tx:
        ana, series = await begin(tx)
        group = await group_by(tx, ana, name="Secret chess", visibility="private")
        link = await administration.invite_by_link(tx, ana, group.slug, uses=1)
        await administration.accept(tx, cleo, link.id)
        await events.create(tx, ana, details(title="For members"), group=of_event(group))
    of_cleo, of_bela = await deployment.identity(cleo.user_id), await deployment.identity(bela.user_id)
    await generate(tmp_path, node_modules)
    async with opened(deployment) as site:
        page, club = f"{site.url}/events/{event.slug}", f"{site.url}/groups/{group.slug}"
        questions = {
            "getEvent": {"uri": page},
            "listEvents": {"since": "2026-01-01T00:00:00Z", "limit": 10},
            "listActorEvents": {"actor": of_cleo.did},
            "listSeriesEvents": {"series": f"{site.url}/series/{series.slug}", "limit": 5},
            "getGroup": {"uri": club},
            "listGroupEvents": {"group": club},
            "listAnswers": {"event": page},
            "resolveUri": {"uri": page},
        }
        assert questions.keys() == {query.name for query in QUERIES}
        tsx = NODE / "node_modules/tsx/dist/cli.mjs"
        said = await run(
            "node",
            tsx,
            tmp_path / "queries.ts",
            site.url,
            site.service.partition("#")[0],
            deployment.pds_url,
            of_cleo.handle,
            "a long password",
            msgspec.json.encode(questions).decode(),
            cwd=tmp_path,
        )
    (told,) = json_lines(said)
    assert sorted(told["methods"]) == sorted(questions)
    anonymous, herself = told["anonymous"], told["asThemselves"]
    for found in (anonymous, herself):
        assert found["getEvent"]["event"]["title"] == "Tea in the park"
        assert found["getEvent"]["event"]["did"] == of_cleo.did
        assert [one["title"] for one in found["listActorEvents"]["events"]] == ["Tea in the park"]
        assert len(found["listSeriesEvents"]["occurrences"]) == 5
        assert found["listAnswers"]["counts"]["going"] == 1
        (answer,) = found["listAnswers"]["answers"]
        assert (answer["did"], answer["status"]) == (of_bela.did, "community.lexicon.calendar.rsvp#going")
        assert found["resolveUri"]["url"] == page
        assert found["resolveUri"]["uri"] == found["getEvent"]["event"]["uri"]
        assert "Tea in the park" in [one["title"] for one in found["listEvents"]["events"]]
    assert (anonymous["getGroup"], anonymous["listGroupEvents"]) == ("GroupNotFound", "GroupNotFound")
    assert "viewer" not in anonymous["getEvent"]["event"]
    assert herself["getGroup"]["group"]["role"] == "member"
    assert [one["title"] for one in herself["listGroupEvents"]["events"]] == ["For members"]
    assert herself["getEvent"]["event"]["viewer"] == {"isHost": True}
