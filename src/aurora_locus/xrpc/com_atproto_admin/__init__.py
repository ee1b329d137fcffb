"""``com.atproto.admin.*``: information and decisions of the host about accounts, records and blobs. Each file is one
method, and all are for the administration.
"""
