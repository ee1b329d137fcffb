"""Replaces the check of an upload in a worker. A separate module, because the worker imports it."""

import time

from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from aurora_locus.repository.import_check import CheckedImport, check
from aurora_locus.repository.import_file import ImportFiles

GO_ON = "go on"


def check_later(files: ImportFiles, did: Did, data: Cid) -> CheckedImport:
    """Wait until the test creates a file of this name in the PDS's folder."""
    while not (files.folder.parent.parent / GO_ON).exists():
        time.sleep(0.01)
    return check(files, did, data)
