"""The front door of API v2: parses, gathers, calls one verb, renders. Rules live below."""
