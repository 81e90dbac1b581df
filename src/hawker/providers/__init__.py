"""Upstream panels: who they are, how they are called, what their answers mean."""
