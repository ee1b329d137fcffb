"""The frame around every page: layout, forms, texts, times, static files. It knows no room above it."""
