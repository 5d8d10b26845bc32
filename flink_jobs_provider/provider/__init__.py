"""The Pulumi face: it translates, and decides nothing."""
