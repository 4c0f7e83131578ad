"""Where logs are stored: SQLite, PostgreSQL and memory."""
