"""Catalogue of the PDS: its pages and e-mails in the reader's language. Responses to programs are in English."""
