"""What has to outlive a process, and what it is protected with."""
