"""The application: loads, decides and commits. Only this package combines domain and storage."""
