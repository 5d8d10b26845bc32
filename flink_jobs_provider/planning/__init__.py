"""Pure decisions: the difference between two specs, and the plan of a job. No I/O."""
