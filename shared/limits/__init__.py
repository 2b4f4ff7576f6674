"""What each caller may use, held over all instances: reserve before, settle after, in leases of a shared table."""
