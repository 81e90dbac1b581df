"""The audit log: who changed what, from where and why, written with the change itself and never altered."""
