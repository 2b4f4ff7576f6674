"""The process that the app runs in, and where its log goes."""
