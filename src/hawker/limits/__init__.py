"""How much anybody may ask: token buckets and places in flight, counted for all processes together."""
