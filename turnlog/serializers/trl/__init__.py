"""The data sets that TRL trains on."""
