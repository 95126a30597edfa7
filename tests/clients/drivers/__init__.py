"""Programs that hold a session with a stock client each. They import nothing of the gateway."""
