"""How a device is connected: WebSocket, WebRTC, HTTP. Thin: they move bytes and call ``connection``."""
