"""Method table of ``com.atproto.repo.*``."""

from aurora_locus.xrpc.com_atproto_repo import (
    apply_writes,
    create_record,
    delete_record,
    describe_repo,
    get_record,
    import_repo,
    list_missing_blobs,
    list_records,
    put_record,
    upload_blob,
)
from aurora_locus.xrpc.method import Method

METHODS: tuple[Method, ...] = (
    apply_writes.METHOD,
    create_record.METHOD,
    delete_record.METHOD,
    describe_repo.METHOD,
    get_record.METHOD,
    import_repo.METHOD,
    list_missing_blobs.METHOD,
    list_records.METHOD,
    put_record.METHOD,
    upload_blob.METHOD,
)
