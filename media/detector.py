"""The detector as scoring tools ask for it: ``media.detector:factory``. The detector itself is
:mod:`media.hearing.detector`."""

from media.hearing.detector import factory as factory
