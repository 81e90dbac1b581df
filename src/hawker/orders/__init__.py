"""Orders: placed, sent once, followed, settled. The verbs take lists and answer item by item."""
