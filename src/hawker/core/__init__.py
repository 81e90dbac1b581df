"""What every other part stands on: money, time, refusals, settings, failpoints."""
