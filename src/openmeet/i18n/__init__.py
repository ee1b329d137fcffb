"""Languages: names of countries, languages and time zones, formatting of dates and numbers, and Markdown."""
