"""``openmeet firehose verify`` on the captured frames, intact and tampered with."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.at_protocol.sync import captured
from tests.external_dependencies import fixture_path, needs
from typer.testing import CliRunner, Result

from at_protocol.data import cbor
from at_protocol.sync import frames
from programs.commands import firehose


def _run(file: Path, *more: str, documents: Path | None = None) -> Result:
    named = documents or fixture_path(captured.DOCUMENTS)
    return CliRunner().invoke(firehose.app, ["verify", str(file), "--did-docs", str(named), *more])


def _json(file: Path, **how: Any) -> tuple[int, dict[str, Any]]:
    result = _run(file, "--json", **how)
    return result.exit_code, json.loads(result.stdout)


def _written(path: Path, *data: bytes) -> Path:
    file = path / "some.frames.bin"
    file.write_bytes(b"".join(len(frame).to_bytes(4, "little") + frame for frame in data))
    return file


@needs("fixtures")
def test_the_captured_frames():
    result = _run(fixture_path(captured.FRAMES))
    assert result.exit_code == 0
    for said in (
        "frames      82, seq 31527015322 to 31527015471",
        "80 #commit",
        "1 #identity",
        "1 #account",
        "operations  82",
        "signatures  80 of 80",
        "inversions  80 of 80",
    ):
        assert said in result.stdout


@needs("fixtures")
def test_the_report_is_printed_as_json():
    code, report = _json(fixture_path(captured.FRAMES))
    assert code == 0
    assert report["ok"] is True
    assert report["kinds"] == {"#commit": 80, "#identity": 1, "#account": 1}
    assert report["operations"] == {"create": 80, "update": 1, "delete": 1}
    assert (report["signed"], report["signatures_good"], report["inverted"], report["wrong"]) == (80, 80, 80, [])


@needs("fixtures")
def test_a_dropped_operation_has_a_good_signature_and_no_inversion(tmp_path: Path):
    frame = frames.decode(captured.frames()[0])
    assert isinstance(frame, frames.Frame)
    file = _written(tmp_path, frames.encode_message(frame.kind, {**frame.payload, "ops": []}))
    code, report = _json(file)
    assert code == 1
    assert (report["signatures_good"], report["inverted"]) == (1, 0)
    assert "does not lead to prevData" in report["wrong"][0]


@needs("fixtures")
def test_documents_with_swapped_keys_verify_nothing(tmp_path: Path):
    """If each author's document has the next author's key, no signature is valid, and each is reported."""
    documents = json.loads(fixture_path(captured.DOCUMENTS).read_text(encoding="utf-8"))
    methods = [document["verificationMethod"] for document in documents.values()]
    for document, others in zip(documents.values(), methods[1:] + methods[:1], strict=True):
        document["verificationMethod"] = [
            {**others[0], "id": f"{document['id']}#atproto", "controller": document["id"]}
        ]
    swapped = tmp_path / "documents.json"
    swapped.write_text(json.dumps(documents), encoding="utf-8")
    code, report = _json(fixture_path(captured.FRAMES), documents=swapped)
    assert (code, report["signatures_good"], len(report["wrong"])) == (1, 0, 80)


@needs("fixtures")
def test_an_unknown_author(tmp_path: Path):
    nobody = tmp_path / "documents.json"
    nobody.write_text("{}", encoding="utf-8")
    code, report = _json(fixture_path(captured.FRAMES), documents=nobody)
    assert (code, len(report["wrong"])) == (1, 80)
    assert "no key for did:plc:" in report["wrong"][0]


@needs("fixtures")
def test_repeated_and_broken_frames_are_counted_and_do_not_stop_it(tmp_path: Path):
    first = captured.frames()[0]
    unknown = cbor.encode({"op": 1, "t": "#later"}) + cbor.encode({})
    file = _written(
        tmp_path, first, b"\xff", first, unknown, frames.encode_error("ConsumerTooSlow"), captured.frames()[1]
    )
    code, report = _json(file)
    assert code == 1
    assert report["kinds"] == {"#commit": 3, "broken": 1, "unknown": 1, "error": 1}
    assert len(report["wrong"]) == 2
    assert report["inverted"] == 3


@needs("fixtures")
@pytest.mark.parametrize("data", [b"\x01", b"\x05\x00\x00\x00\xff", b'{"did": 1}'], ids=["length", "frame", "text"])
def test_files_in_another_format_are_refused(tmp_path: Path, data):
    file = tmp_path / "some.frames.bin"
    file.write_bytes(data)
    code, report = _json(file)
    assert (code, len(report["wrong"])) == (1, 1)


@needs("fixtures")
@pytest.mark.parametrize("documents", ["", "[]", '{"alice": {}}', '{"did:web:a.example": {"id": "did:web:b.example"}}'])
def test_documents_in_another_format_are_refused(tmp_path: Path, documents):
    """Documents in another format are refused before the first frame is read."""
    file = tmp_path / "documents.json"
    file.write_text(documents, encoding="utf-8")
    result = _run(fixture_path(captured.FRAMES), documents=file)
    assert result.exit_code == 1
    assert "documents.json: did" in result.stderr
