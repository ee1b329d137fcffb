"""From the queue to the rooms: each message is a join with what is known, in one transaction with what it means.

Any order, any repetition and any number of processors end in the same records, events and answers. Owns the table
``conflicts``. What came from the network owes no record back.
"""
