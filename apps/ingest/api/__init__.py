"""The front door's doors: sending, reading, operating."""
