"""What carries sound: Opus and G.711, and what the RTP path asks of a codec."""
