"""Outbox of the platform: jobs and record writes, which run after the transaction that enqueues them.

``kinds`` lists the job kinds. ``publications`` has the state of each record in its repository. Its rows are changed by
``leased_publications`` (what the publisher does), ``publication_echoes`` (what the network
reports), ``publication_moves`` (moves to another repository or subject) and ``publication_withdrawals`` (their owner
retracts them). ``publication_queries`` finds single ones, ``publication_status`` describes them for pages and metrics.
``superseded_records`` has the records in repositories of earlier owners, ``in_flight`` the writes whose outcome is
unknown, ``reasons`` why a record is not published. ``emails`` has the e-mail jobs, ``email_suppressions`` the
addresses that get no more e-mails, ``address_keys`` the keys of hashed addresses.
"""
