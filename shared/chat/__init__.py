"""POST /chat: our own small API, in many wire formats."""
