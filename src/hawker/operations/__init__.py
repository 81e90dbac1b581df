"""Operations: what a person may do, once for every way in. See base.py for what one is."""
