"""Import of the data folder of a stopped reference PDS: the same server for its users, with different software.

The old folder is opened read-only, and the old server can be started again with it. The new folder is built under a
temporary name and renamed after everything has been imported and verified, so no server ever starts with incomplete
data. Sessions keep their tokens, the firehose its sequence numbers, and repositories their heads, except for a few that
cannot be served as they are.
"""
