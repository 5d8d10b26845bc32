"""What a job is: spec, target, observation, savepoint, identity. No I/O."""
