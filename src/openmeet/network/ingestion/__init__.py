"""Apply queue messages to the domain tables: each message is merged with what is known, in one transaction.

Any order, any repetition and any number of processors end in the same records, events and RSVPs. Owns the table
``merge_decisions``. What came from the network enqueues no record to be written back.
"""
