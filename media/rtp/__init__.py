"""Sound to packets and back, in time; nothing here knows of WebRTC."""
