"""The published clients for Node, each in a file of its own; `package.json` pins them."""
