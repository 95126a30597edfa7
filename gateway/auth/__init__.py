"""Who may do what, in which session. Claims, rights, patterns and narrowing are pure; tokens, keys and files are at
the edge of the room."""
