"""Tests of what ``make bench`` prints and when it fails. No test checks a speed."""

import importlib.util
import subprocess
import sys

import pytest

from tests.bench.figure import Figure, Peer, Wrong, as_json, check, line
from tests.bench.subjects import SUBJECTS
from tests.bench.timing import percentile
from tests.external_dependencies import ROOT


def test_line_names_target_pure_figure_and_peer():
    figure = Figure("decode", 650_000.0, "/s", 500_000, peer=Peer("libipld", 1_300_000.0), note="a post")
    text = " ".join(line(figure, Figure("decode", 31_000.0, "/s")).split())
    assert text == (
        "decode 650,000 /s | at least 500,000 /s: ok | pure Python 31,000 /s | libipld 1,300,000 /s: 0.5x | a post"
    )


def test_missed_targets_are_marked_and_less_may_be_better():
    insert = Figure("insert", 0.4, "ms", 0.3, less_is_better=True, peer=Peer("atmst", 0.8))
    assert not insert.holds
    assert insert.ratio == 2
    assert "at most 0.300 ms: MISSED" in line(insert, None)
    assert as_json(insert) | {"holds": False, "ratio": 2} == as_json(insert)


def test_wrong_answers_are_raised():
    check(True, "never said")
    with pytest.raises(Wrong, match="another CID"):
        check(False, "another CID")


def test_percentile_is_a_sample():
    samples = [float(number) for number in range(100, 0, -1)]
    assert (percentile(samples, 0.5), percentile(samples, 0.99), percentile([7.0], 0.99)) == (51.0, 100.0, 7.0)


def test_every_subject_is_a_module():
    names = [subject.name for subject in SUBJECTS]
    assert len(set(names)) == len(names)
    assert all(importlib.util.find_spec(f"tests.bench.{name}") is not None for name in names)


def test_unknown_names_are_refused_with_those_known():
    ended = subprocess.run(
        [sys.executable, "-m", "tests.bench", "everything"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "there is no everything; known are cbor, " in ended.stderr
