"""From an answer's text to the sound that a loudspeaker plays, and what of it was heard."""
