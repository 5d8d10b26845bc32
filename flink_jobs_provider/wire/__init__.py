"""The two foreign job APIs as data: read by client, gateway and test doubles alike."""

#: Option names that begin so are notes of a client, and none of Flink's.
NOTE_PREFIX = "flink-jobs."
#: The note in which the provider writes what it asked for, and for whom.
SPEC_NOTE = f"{NOTE_PREFIX}spec"
