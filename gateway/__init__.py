"""The control plane of Bargein."""
