"""What people and machines read: the health of clusters and jobs, and what needs attention.

Nothing here changes anything, and no action is decided by it: what an action depends on is read by
`reconciling/` itself.

- `health.py`: the results, frozen, with their units
- `job_health.py`: reads one job in detail
- `cluster_monitor.py`: reads clusters and jobs for all at the same time
- `listed_jobs.py`: reads restarts and checkpoints of the jobs that a page lists
- `attention.py`: judges what needs attention, a pure function of what was observed
- `attention_sentences.py`: what is said of that, as codes and facts; its English sentences
- `trend.py`: what changed between two observations
- `documents.py`: all of that as plain JSON types
"""
