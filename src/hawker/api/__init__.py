"""API v2 over HTTP: parses requests, gathers them into batches, calls one verb for each, renders. Rules live below."""
