"""What a deployment costs, and how many instances it takes: `make cost`. A development tool, never deployed."""
