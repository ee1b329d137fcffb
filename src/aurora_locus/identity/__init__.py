"""Names of the accounts hosted here: which handles may be taken, what the directory is told, which documents are served.

This room owns ``plc_operations``: an operation is stored before it is sent, so that a crash between the directory and
our database is finished or cleaned up at the next start.
"""
