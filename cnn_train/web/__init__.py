"""A local web page: its server, and the look that all pages share."""
