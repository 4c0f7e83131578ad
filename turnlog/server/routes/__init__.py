"""Every route of the HTTP server, one module for each group."""
