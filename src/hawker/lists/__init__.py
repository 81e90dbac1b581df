"""Everything that a person may read is a list: declared once, read by every door as a page, a count or a stream.

The questions are in `reading`, what may be asked in `filters`; a declaration is in the module whose name says what it
is of. A new list is a new declaration in `registry.LISTS`.
"""
