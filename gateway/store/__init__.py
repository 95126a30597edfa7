"""Where the log is kept: the record format, and one module per engine behind :class:`gateway.runtime.ports.Store`."""
