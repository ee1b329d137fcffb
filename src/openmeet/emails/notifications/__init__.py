"""The text of every notification, for the page, the JSON API and e-mails."""
