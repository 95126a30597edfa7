"""The rules of a conversation that can be interrupted, as a function.

Standard library and frozen dataclasses only: no I/O, no clock, no randomness, no logging. An input
comes in with everything it needs (:class:`gateway.core.inputs.Stamp`); facts, signals and effects
come out. Read ``session.py`` first, then the policy files: ``floor`` (who may speak), ``turns``
(when somebody answers), ``steering`` (what a client asks for), ``heard`` (what was heard), ``tree``,
``presence`` (who is here).
"""
