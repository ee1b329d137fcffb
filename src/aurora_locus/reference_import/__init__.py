"""Import of a stopped reference PDS's data folder: the same server for its users, with other software.

The old folder is opened read-only and can be started again unchanged. The new folder is built under a temporary name and
renamed when everything has been imported and verified: a server is never started on half of it. Sessions keep their tokens,
the firehose its sequence numbers, and repositories their heads, except the few that cannot be served as they are.
"""
