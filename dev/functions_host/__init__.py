"""A development stand-in for the Azure Functions host, as far as HTTP triggers need one; never deployed."""
