"""What a machine without Azure needs to run and test the product; never deployed."""
