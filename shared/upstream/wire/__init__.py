"""What the upstream APIs send: one module per API, with the structs of its frames, its preamble and its failures. Pure."""
