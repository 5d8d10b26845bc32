"""What an earlier version of this project recorded is taken over by this one."""
