"""What holds for every test."""

from hypothesis import HealthCheck, settings

# A deadline would make a property fail on a busy machine, and so would a judgement of how fast examples are drawn.
# pytest's own timeout catches what hangs.
settings.register_profile("bargein", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bargein")
