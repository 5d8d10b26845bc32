"""Pure decisions: what a change of each input costs, and what is to be done. No I/O."""
