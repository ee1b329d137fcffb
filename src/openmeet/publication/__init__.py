"""Pays record debts: what may be published is decided from the present, sent once, and read back when in doubt.

Record key and CID are chosen and stored before anything is sent; one send is in flight per record; an update carries
``swapRecord`` and changes only fields that are ours. No transaction is open while the network is asked.
"""
