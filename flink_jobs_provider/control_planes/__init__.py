"""The systems that run jobs, behind one protocol."""
