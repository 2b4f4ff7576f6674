"""A background response's stream that goes on where it broke. Imported with the first such stream, and not before."""
