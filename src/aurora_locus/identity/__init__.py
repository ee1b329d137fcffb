"""Identities of hosted accounts: handle policy, PLC operations, and the documents we serve.

This package owns ``plc_operations``: an operation is stored before it is sent, so that after a crash between the directory and
our database it is finished or cleaned up at the next start.
"""
