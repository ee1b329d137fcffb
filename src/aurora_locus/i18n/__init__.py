"""The catalogue of the PDS: its pages and e-mails in the reader's language. Answers to programs are in English."""
