"""Everything that a person may read is a list: one declaration each, read by every door as pages, counts and streams."""
