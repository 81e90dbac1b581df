"""How the panel fares: readiness, metrics, the doctor's checks, and the check of every invariant at its time."""
