"""Apply queue messages to the domain tables: each message is merged with what is known, in one transaction.

Any order, any repetition and any number of processors lead to the same records, events and RSVPs. Owns the table
``merge_decisions``. Data that came from the network never enqueues a record to be written back.
"""
