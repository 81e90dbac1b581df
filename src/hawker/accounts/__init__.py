"""People and their API keys: who may ask."""
