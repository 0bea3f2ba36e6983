"""The routes of the page, by part."""
