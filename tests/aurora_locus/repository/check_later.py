"""What a worker does in the place of the check of an upload. A module of its own, because the worker imports it."""

import time

from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from aurora_locus.repository.import_check import CheckedImport, check
from aurora_locus.repository.import_file import ImportFiles

GO_ON = "go on"


def check_later(files: ImportFiles, did: Did, data: Cid) -> CheckedImport:
    """Wait until the test goes on: until there is a file of this name in the PDS's folder."""
    while not (files.folder.parent.parent / GO_ON).exists():
        time.sleep(0.01)
    return check(files, did, data)
