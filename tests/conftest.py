"""What holds for every test."""

from hypothesis import settings

# A deadline would make a property fail on a busy machine; pytest's own timeout catches what hangs.
settings.register_profile("bargein", deadline=None)
settings.load_profile("bargein")
