"""Properties are judged by what they find, not by the pace of the machine that looks."""

from hypothesis import settings

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
