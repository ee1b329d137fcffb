"""Outbox of the platform: jobs and record writes, which run after the transaction that enqueues them.

``kinds`` lists the kinds of jobs. A publication (``publications``) is the state of one record in its repository. Its row
is changed by

- ``publications``: an edit on this site makes it due,
- ``leased_publications``: the publisher sends or retracts the record,
- ``ingested_changes``: ingestion has read a version or a deletion of the record,
- ``publication_moves``: the record gets another repository or subject, or is found again,
- ``publication_withdrawals``: its owner no longer wants it published,
- ``publication_rechecks``: something changed that the decisions about all records of a person, or of a kind, depend on.

``publication_queries`` finds single publications, ``publication_status`` describes them for pages and metrics, and
``reasons`` says why a record is not published. ``in_flight`` has the writes whose outcome is unknown,
``superseded_records`` the records in repositories of earlier owners. ``bulk_changes`` makes any number of publications
due. ``emails`` has the e-mail jobs, ``email_suppressions`` the addresses that get no more e-mails, ``address_keys`` the
keys of hashed addresses.

A record that exists becomes that of a publication, or its version the base of one, by the function for the case:

- Its owner acts on a record of another app, and there is no publication: ``publications.create_for_foreign_record``.
- A subject has a record of another app that we never wrote to, and the next edit goes there:
  ``ingested_changes.attach_foreign_record``.
- The handler finds a record where it was going to create one: ``leased_publications.attach_found_record``.
- The database, or a record that we had retracted, was restored: ``publication_moves.reattach_after_restore``.
- Somebody else deleted the record, and it is back: ``publication_moves.reattach_after_deletion``. If edits from before
  that are in no record, ``attach_foreign_record`` and then, to send them, ``ingested_changes.resume_after_deletion``.
- Another app edited the record, and nothing was edited here: ``ingested_changes.accept_foreign_version``.
"""
