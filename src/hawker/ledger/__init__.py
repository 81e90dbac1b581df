"""Accounts and immutable transfers: where every cent is explained. Knows nothing of orders."""
