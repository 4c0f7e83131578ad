"""Every route of the HTTP server: one module a group."""
