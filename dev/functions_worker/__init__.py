"""A development stand-in for the shell around Microsoft's Python worker library; never deployed."""
