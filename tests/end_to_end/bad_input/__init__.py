"""What is wrong with a job is said clearly, and before anything is changed."""
