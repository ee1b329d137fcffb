"""Languages: names of countries, languages and zones, formatting of dates and numbers, Markdown."""
