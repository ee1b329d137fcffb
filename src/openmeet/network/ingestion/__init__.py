"""Apply queue messages to the domain tables: each message is merged with the stored state, in one transaction.

Any order, any repetition and any number of processors lead to the same records, events and RSVPs. Data that came from
the network is never enqueued to be written back to a repository.
"""
