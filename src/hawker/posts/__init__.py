"""What can be known of people's posts: sources that list them, and what was seen of each list.

A source is asked by the worker (source.py); the built-in one reads RSS and Atom over HTTP (feed.py). What a list
says is sifted by pure rules (rules.py), and remembered per feed, not per subscriber (models.py).
"""
