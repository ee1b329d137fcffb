"""Taking over the data folder of a stopped reference PDS: the same server for everybody, with other software.

The old folder is only read, immutably, and can be started again as it was. The new one comes into being under another
name and gets its own when everything has been taken over and looked at: a server is never started on half of it. Sessions keep
their tokens, the firehose its numbers, and repositories their heads, save the few that cannot be served as they are.
"""
