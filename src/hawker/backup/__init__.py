"""Backups of a whole panel and their way back: the files, the programs that read and write the database, the steps."""
