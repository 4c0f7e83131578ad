"""The application: loads, decides and commits. The only place where domain and storage meet."""
