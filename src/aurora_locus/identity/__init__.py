"""Identities of hosted accounts: handle policy, PLC operations, and the documents we serve.

This package owns ``plc_operations``. An operation is stored before it is sent, so that after a crash between sending it
and our commit it is finished or reverted at the next start.
"""
