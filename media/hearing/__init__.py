"""From a microphone's sound to turns and their words."""
