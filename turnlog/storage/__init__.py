"""The log: rows that are appended and never changed, behind one contract for every database."""
