"""Hawker: an open panel for the marketing-services trade."""

__version__ = "0.1.0"
