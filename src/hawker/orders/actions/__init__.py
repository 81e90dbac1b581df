"""The verbs of orders, one module each: every verb is one transaction and takes a list."""
