"""What answers: models, and code that stands for one. Each module is one :class:`gateway.runtime.ports.Agent`."""
